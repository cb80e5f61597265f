// SPDX-License-Identifier: MIT
#pragma once

/// The only header that knows xsimd. `Packet<T>` is the SIMD vector of scalar T: a batch for float and double, a Dual
/// of batches for Dual scalars, and T itself (one lane) for every other type. Kernels written over Packet<T> with
/// `load_packet`, `store_packet`, `splat`, arithmetic, comparisons and `select` serve all of them.

#include <weft/core/dual.hpp>
#include <weft/core/index.hpp>

#include <xsimd/xsimd.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#if defined(__AVX2__) // below that, nothing here needs it, and it is half a second of compile time
#include <immintrin.h>
#endif

#if defined(__aarch64__)
// xsimd 8 divides floats, and takes their roots, by the iteration for older processors: not rounded correctly, and NaN
// at 0 and infinity.
namespace xsimd {
template <>
WEFT_ALWAYS_INLINE batch<float, neon64>& batch<float, neon64>::operator/=(const batch<float, neon64>& b) noexcept {
    return *this = batch<float, neon64>(vdivq_f32(*this, b));
}
template <>
WEFT_ALWAYS_INLINE batch<float, neon64> sqrt(const batch<float, neon64>& a) noexcept {
    return batch<float, neon64>(vsqrtq_f32(a));
}
} // namespace xsimd
#endif

namespace weft::inline WEFT_ABI {

namespace detail {

template <class T>
struct PacketOf {
    using type = T;
    using mask = bool;
    static constexpr index lanes = 1;
    static WEFT_ALWAYS_INLINE type load(const T* p) { return *p; }
    static WEFT_ALWAYS_INLINE void store(T* p, const type& a) { *p = a; }
    static WEFT_ALWAYS_INLINE type splat(const T& a) { return a; }
};

template <class B>
WEFT_ALWAYS_INLINE typename B::register_type register_of(const B& b) {
    return b;
}
// The lanes Distance apart, a power of 2, in each other's place.
template <std::size_t Distance, class R, std::size_t... I>
WEFT_ALWAYS_INLINE R exchange_lanes(R a, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, a, (I ^ Distance)...);
}

template <class T>
struct BatchPacket {
    using type = xsimd::batch<T>;
    using mask = typename type::batch_bool_type;
    static constexpr index lanes = static_cast<index>(type::size);
    static WEFT_ALWAYS_INLINE type load(const T* p) { return type::load_unaligned(p); }
    static WEFT_ALWAYS_INLINE void store(T* p, const type& a) { a.store_unaligned(p); }
    static WEFT_ALWAYS_INLINE type splat(T a) { return type(a); }
    template <index Distance>
    static WEFT_ALWAYS_INLINE type exchanged(const type& a) {
        return type(exchange_lanes<Distance>(register_of(a), std::make_index_sequence<type::size>{}));
    }
};
template <>
struct PacketOf<float> : BatchPacket<float> {};
template <>
struct PacketOf<double> : BatchPacket<double> {};

// Two packets of interleaved (value, tangent) pairs to a packet of values and one of tangents, and back.
template <class R, std::size_t... I>
WEFT_ALWAYS_INLINE R shuffle_even(R a, R b, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, (2 * I)...);
}
template <class R, std::size_t... I>
WEFT_ALWAYS_INLINE R shuffle_odd(R a, R b, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, (2 * I + 1)...);
}
template <class R, std::size_t... I>
WEFT_ALWAYS_INLINE R interleave_low(R a, R b, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, (I / 2 + I % 2 * sizeof...(I))...);
}
template <class R, std::size_t... I>
WEFT_ALWAYS_INLINE R interleave_high(R a, R b, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, ((I + sizeof...(I)) / 2 + I % 2 * sizeof...(I))...);
}

template <class T>
struct PacketOf<Dual<T>> {
    using part = PacketOf<T>;
    using batch = typename part::type;
    using type = Dual<batch>;
    using mask = typename part::mask;
    static constexpr index lanes = part::lanes;
    using sequence = std::make_index_sequence<static_cast<std::size_t>(lanes)>;

    static WEFT_ALWAYS_INLINE type load(const Dual<T>* p) {
        const T* const q = &p->value;
        const auto a = register_of(part::load(q)), b = register_of(part::load(q + lanes));
        return {batch(shuffle_even(a, b, sequence{})), batch(shuffle_odd(a, b, sequence{}))};
    }
    static WEFT_ALWAYS_INLINE void store(Dual<T>* p, const type& x) {
        T* const q = &p->value;
        const auto a = register_of(x.value), b = register_of(x.tangent);
        part::store(q, batch(interleave_low(a, b, sequence{})));
        part::store(q + lanes, batch(interleave_high(a, b, sequence{})));
    }
    static WEFT_ALWAYS_INLINE type splat(const Dual<T>& a) { return {part::splat(a.value), part::splat(a.tangent)}; }
    template <index Distance>
    static WEFT_ALWAYS_INLINE type exchanged(const type& a) {
        return {part::template exchanged<Distance>(a.value), part::template exchanged<Distance>(a.tangent)};
    }
};

} // namespace detail

/// The elements T of one SIMD register, or a structure of them (Dual).
template <class T>
using Packet = typename detail::PacketOf<T>::type;

/// Elements per Packet<T>.
template <class T>
inline constexpr index lanes = detail::PacketOf<T>::lanes;

/// The packet of the elements at p, which need not be aligned.
template <class T>
WEFT_ALWAYS_INLINE Packet<T> load_packet(const T* p) {
    return detail::PacketOf<T>::load(p);
}
/// Writes the elements of a packet to p, which need not be aligned.
template <class T>
WEFT_ALWAYS_INLINE void store_packet(T* p, const std::type_identity_t<Packet<T>>& a) {
    detail::PacketOf<T>::store(p, a);
}
/// The packet of which every element is a.
template <class T>
WEFT_ALWAYS_INLINE Packet<T> splat(const T& a) {
    return detail::PacketOf<T>::splat(a);
}

/// Stores the first n < lanes<T> elements, and nothing behind them.
template <class T>
WEFT_ALWAYS_INLINE void store_first(T* p, const std::type_identity_t<Packet<T>>& a, index n) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) {
        _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1u), a);
        return;
    } else if constexpr (std::is_same_v<T, double>) {
        _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1u), a);
        return;
    }
#endif
    alignas(64) T buffer[static_cast<std::size_t>(lanes<T>)];
    store_packet(buffer, a);
    for (index i = 0; i < n; ++i) p[i] = buffer[i];
}

/// A packet of the first n < lanes<T> elements, and `fill` in the other lanes; nothing behind them is read.
template <class T>
WEFT_ALWAYS_INLINE Packet<T> load_first(const T* p, index n, const T& fill) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>)
        return Packet<T>(_mm512_mask_loadu_ps(splat(fill), static_cast<__mmask16>((1u << n) - 1u), p));
    if constexpr (std::is_same_v<T, double>)
        return Packet<T>(_mm512_mask_loadu_pd(splat(fill), static_cast<__mmask8>((1u << n) - 1u), p));
#endif
    alignas(64) T buffer[static_cast<std::size_t>(lanes<T>)];
    for (index i = 0; i < lanes<T>; ++i) buffer[i] = i < n ? p[i] : fill;
    return load_packet(buffer);
}

/// Bit u is set where lane u is not zero; NaN is not.
template <class T>
WEFT_ALWAYS_INLINE std::uint32_t nonzero_lanes(const Packet<T>& a) {
#ifdef __AVX512F__
    if constexpr (std::is_same_v<T, float>)
        return _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    else if constexpr (std::is_same_v<T, double>)
        return _mm512_cmp_pd_mask(a, _mm512_setzero_pd(), _CMP_NEQ_UQ);
    else
#elif defined(__AVX2__)
    if constexpr (std::is_same_v<T, float>)
        return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_NEQ_UQ)));
    else if constexpr (std::is_same_v<T, double>)
        return static_cast<std::uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a, _mm256_setzero_pd(), _CMP_NEQ_UQ)));
    else
#endif
    {
        T lane[static_cast<std::size_t>(lanes<T>)];
        store_packet(lane, a);
        std::uint32_t bits = 0;
        for (index u = 0; u < lanes<T>; ++u)
            bits |= static_cast<std::uint32_t>(lane[static_cast<std::size_t>(u)] != T{}) << u;
        return bits;
    }
}

/// The first n lanes; the others 0. n may be lanes<T> or more.
template <class T>
WEFT_ALWAYS_INLINE Packet<T> first_lanes(const std::type_identity_t<Packet<T>>& a, index n) {
    if (n >= lanes<T>) return a;
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>)
        return Packet<T>(_mm512_maskz_mov_ps(static_cast<__mmask16>((1u << n) - 1u), a));
    else if constexpr (std::is_same_v<T, double>)
        return Packet<T>(_mm512_maskz_mov_pd(static_cast<__mmask8>((1u << n) - 1u), a));
#endif
    alignas(64) T buffer[static_cast<std::size_t>(lanes<T>)] = {};
    store_first(buffer, a, n);
    return load_packet(buffer);
}

/// At least the first n elements at p; what is behind them may be read, or not.
template <class T>
WEFT_ALWAYS_INLINE Packet<T> load_first(const T* p, [[maybe_unused]] index n) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>)
        return Packet<T>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), p));
    else if constexpr (std::is_same_v<T, double>)
        return Packet<T>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1u), p));
    else
#endif
        return load_packet(p);
}

/// As load_first, for short rows one behind the other: half a packet is read as such, since a whole one, masked or not,
/// would lie on two cache lines half of the time.
template <class T>
WEFT_ALWAYS_INLINE Packet<T> load_short(const T* p, index n) {
#if defined(__AVX512VL__)
    if constexpr (std::is_same_v<T, float>)
        if (n <= 8)
            return Packet<T>(_mm512_zextps256_ps512(_mm256_maskz_loadu_ps(static_cast<__mmask8>((1u << n) - 1u), p)));
    if constexpr (std::is_same_v<T, double>)
        if (n <= 4)
            return Packet<T>(_mm512_zextpd256_pd512(_mm256_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1u), p)));
#endif
    return load_first(p, n);
}

/// Sum over the lanes.
template <class T>
WEFT_ALWAYS_INLINE T sum_lanes(const std::type_identity_t<Packet<T>>& a) {
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
#if XSIMD_VERSION_MAJOR < 9
        return xsimd::hadd(a);
#else
        return xsimd::reduce_add(a);
#endif
    } else if constexpr (lanes<T> > 1) { // Dual
        using Part = decltype(T::value);
        return T{sum_lanes<Part>(a.value), sum_lanes<Part>(a.tangent)};
    } else {
        return a;
    }
}

/// The lanes combined by a monoid, halves with halves: lane 0 has all of them.
template <class Monoid, class T>
WEFT_ALWAYS_INLINE Packet<T> combine_lanes(const std::type_identity_t<Packet<T>>& a) {
    return [&]<std::size_t... K>(std::index_sequence<K...>) {
        Packet<T> all = a;
        ((all = Monoid::combine(all, detail::PacketOf<T>::template exchanged<(lanes<T> >> (K + 1))>(all))), ...);
        return all;
    }
    (std::make_index_sequence<std::bit_width(static_cast<std::size_t>(lanes<T>)) - 1>{});
}
/// What lane 0 has.
template <class T>
WEFT_ALWAYS_INLINE T first_lane(const std::type_identity_t<Packet<T>>& a) {
    if constexpr (lanes<T> == 1) {
        return a;
    } else {
        T lane[static_cast<std::size_t>(lanes<T>)];
        store_packet(lane, a);
        return lane[0];
    }
}

/// The first (Part 0) or second half of the lanes, in double.
template <int Part>
WEFT_ALWAYS_INLINE Packet<double> widen_part(const Packet<float>& a) {
#if defined(__AVX512F__)
    const __m512d both = _mm512_castps_pd(a);
    // the unmasked forms trip a false warning of g++ 12
    const __m256d half = Part == 0 ? _mm512_castpd512_pd256(both) : _mm512_maskz_extractf64x4_pd(0xff, both, 1);
    return Packet<double>(_mm512_maskz_cvtps_pd(0xff, _mm256_castpd_ps(half)));
#elif defined(__AVX2__)
    return Packet<double>(_mm256_cvtps_pd(Part == 0 ? _mm256_castps256_ps128(a) : _mm256_extractf128_ps(a, 1)));
#else
    float from[static_cast<std::size_t>(lanes<float>)];
    double to[static_cast<std::size_t>(lanes<double>)];
    store_packet(from, a);
    for (index i = 0; i < lanes<double>; ++i) to[i] = from[Part * lanes<double> + i];
    return load_packet(to);
#endif
}

/// Run-time lane numbers for `permute`.
template <class T>
struct LaneIndex {
    using part = T;
#if defined(__AVX512F__)
    using type = __m512i;
#elif defined(__AVX2__)
    using type = __m256i;
#else
    using type = std::array<int, 16>;
#endif
};
/// Value and tangent are permuted alike.
template <class T>
struct LaneIndex<Dual<T>> : LaneIndex<T> {};
/// What LaneIndex<T> says the type of lane numbers is.
template <class T>
using LaneIndexOf = typename LaneIndex<T>::type;

/// Lane numbers for `permute`, each below lanes<T>.
template <class T>
LaneIndexOf<T> make_lane_index(const int* lane) {
    using Part [[maybe_unused]] = typename LaneIndex<T>::part;
#if defined(__AVX512F__)
    if constexpr (sizeof(Part) == 4) {
        return _mm512_loadu_si512(lane);
    } else {
        alignas(64) long long wide[8];
        for (int i = 0; i < 8; ++i) wide[i] = lane[i];
        return _mm512_load_si512(wide);
    }
#elif defined(__AVX2__)
    if constexpr (sizeof(Part) == 4) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane));
    } else { // pairs of 32-bit lanes
        alignas(32) int pairs[8];
        for (int i = 0; i < 4; ++i) {
            pairs[2 * i] = 2 * lane[i];
            pairs[2 * i + 1] = 2 * lane[i] + 1;
        }
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(pairs));
    }
#else
    std::array<int, 16> copy{};
    for (index i = 0; i < lanes<T>; ++i) copy[static_cast<std::size_t>(i)] = lane[i];
    return copy;
#endif
}

/// Lane i of the result is lane `lane[i]` of `a`.
template <class T>
WEFT_ALWAYS_INLINE Packet<T> permute(const std::type_identity_t<Packet<T>>& a, const LaneIndexOf<T>& lane) {
    if constexpr (std::is_same_v<T, float>) {
#if defined(__AVX512F__)
        // the unmasked form trips a false warning of g++ 12
        return Packet<T>(_mm512_maskz_permutexvar_ps(0xffff, lane, a));
#elif defined(__AVX2__)
        return Packet<T>(_mm256_permutevar8x32_ps(a, lane));
#endif
    } else if constexpr (std::is_same_v<T, double>) {
#if defined(__AVX512F__)
        return Packet<T>(_mm512_maskz_permutexvar_pd(0xff, lane, a));
#elif defined(__AVX2__)
        return Packet<T>(_mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(a), lane)));
#endif
    } else if constexpr (lanes<T> > 1) { // Dual
        using Part = typename LaneIndex<T>::part;
        return {permute<Part>(a.value, lane), permute<Part>(a.tangent, lane)};
    } else {
        return a;
    }
#if !defined(__AVX2__)
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
        alignas(64) T from[static_cast<std::size_t>(lanes<T>)], to[static_cast<std::size_t>(lanes<T>)];
        store_packet(from, a);
        for (std::size_t i = 0; i < static_cast<std::size_t>(lanes<T>); ++i)
            to[i] = from[static_cast<std::size_t>(lane[i])];
        return load_packet(to);
    }
#endif
}

/// a where it is larger than b, else b, as x86 has an instruction for; others say otherwise of zeros and NaN.
template <class P>
WEFT_ALWAYS_INLINE P larger(const P& a, const P& b) {
#if defined(__x86_64__) || defined(__i386__)
    if constexpr (requires { typename P::batch_bool_type; })
        return xsimd::max(a, b);
    else
#endif
        return select(a > b, a, b);
}
/// a where it is smaller than b, else b, likewise.
template <class P>
WEFT_ALWAYS_INLINE P smaller(const P& a, const P& b) {
#if defined(__x86_64__) || defined(__i386__)
    if constexpr (requires { typename P::batch_bool_type; })
        return xsimd::min(a, b);
    else
#endif
        return select(a < b, a, b);
}

/// a * b + c, fused where the instruction set has it (xsimd 8 has no AVX-512 fma).
template <class P>
WEFT_ALWAYS_INLINE P multiply_add(const P& a, const P& b, const P& c) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<P, Packet<float>>) return P(_mm512_fmadd_ps(a, b, c));
    if constexpr (std::is_same_v<P, Packet<double>>) return P(_mm512_fmadd_pd(a, b, c));
#elif defined(__FMA__) && defined(__AVX2__)
    if constexpr (std::is_same_v<P, Packet<float>>) return P(_mm256_fmadd_ps(a, b, c));
    if constexpr (std::is_same_v<P, Packet<double>>) return P(_mm256_fmadd_pd(a, b, c));
#elif defined(__aarch64__)
    if constexpr (std::is_same_v<P, Packet<float>>) return P(vfmaq_f32(c, a, b));
    if constexpr (std::is_same_v<P, Packet<double>>) return P(vfmaq_f64(c, a, b));
#endif
    return a * b + c;
}

/// a b - product, exact where `product` is a b rounded: what the multiplication lost.
template <class P>
WEFT_ALWAYS_INLINE P product_error(const P& a, const P& b, const P& product) {
    if constexpr (std::is_arithmetic_v<P>) {
        return std::fma(a, b, -product);
    } else {
#if defined(__AVX512F__) || (defined(__FMA__) && defined(__AVX2__)) || defined(__aarch64__)
        return multiply_add(a, b, P(-product));
#else // Dekker's products of halves
        const P splitter(typename P::value_type(sizeof(typename P::value_type) == 4 ? 0x1p12 + 1 : 0x1p27 + 1));
        const P scaled_a = splitter * a, scaled_b = splitter * b;
        const P high_a = scaled_a - (scaled_a - a), high_b = scaled_b - (scaled_b - b);
        const P low_a = a - high_a, low_b = b - high_b;
        return ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b;
#endif
    }
}

/// The nearest integer, halves to the even one.
template <class P>
WEFT_ALWAYS_INLINE P nearest_integer(const P& a) {
    if constexpr (std::is_arithmetic_v<P>)
        return std::nearbyint(a);
    else
        return xsimd::nearbyint(a);
}

namespace detail {

/// 2^n for packets of integers n of normal exponent.
template <class P>
WEFT_ALWAYS_INLINE P power_of_two(const P& n) {
    constexpr bool single = std::is_same_v<P, Packet<float>>;
    using Integer = std::conditional_t<single, std::int32_t, std::int64_t>;
    using Part = std::conditional_t<single, float, double>;
    // After this addition the low bits of the fraction are n.
    constexpr Part shift = single ? 0x1.8p23f : static_cast<Part>(0x1.8p52);
    constexpr Integer one = single ? 0x3f800000 : static_cast<Integer>(0x3ff0000000000000);
    constexpr int fraction = single ? 23 : 52;
#if XSIMD_VERSION_MAJOR < 9
    using Bits = xsimd::batch<Integer>;
    return xsimd::bitwise_cast<P>((xsimd::bitwise_cast<Bits>(n + P(shift)) << fraction) + Bits(one));
#else
    using Bits = xsimd::batch<Integer>;
    return xsimd::bitwise_cast<Part>((xsimd::bitwise_cast<Integer>(n + P(shift)) << fraction) + Bits(one));
#endif
}

} // namespace detail

/// a * 2^n for integers n; 2^n must be a normal number.
template <class P>
WEFT_ALWAYS_INLINE P scale_exponent_within(const P& a, const P& n) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<P, Packet<float>>)
        return P(_mm512_scalef_ps(a, n));
    else
        return P(_mm512_scalef_pd(a, n));
#else
    return a * detail::power_of_two(n);
#endif
}
/// a * 2^n, also where the result overflows or is subnormal; for |a| < 2^8 (double: 2^11) and integers n of at most
/// twice a normal exponent. An n so small that nothing is left multiplies by 0: underflow takes a processor a hundred
/// times as long.
template <class P>
WEFT_ALWAYS_INLINE P scale_exponent(const P& a, const P& n) {
    if constexpr (std::is_arithmetic_v<P>) {
        return std::ldexp(a, static_cast<int>(n == n ? n : P(0)));
    } else {
        using Part = typename P::value_type;
        constexpr Part least = std::is_same_v<Part, float> ? -158 : -1086;
#if defined(__AVX512F__)
        const P m = select(n < P(least), P(-std::numeric_limits<Part>::infinity()), n);
        if constexpr (std::is_same_v<Part, float>)
            return P(_mm512_scalef_ps(a, m));
        else
            return P(_mm512_scalef_pd(a, m));
#else
        const P half = nearest_integer(n * P(Part(0.5)));
        const P rest = select(n < P(least), P(0), detail::power_of_two(n - half));
        return a * detail::power_of_two(half) * rest;
#endif
    }
}

/// A number as 2^exponent fraction, the fraction from sqrt(1/2) to sqrt(2).
template <class P>
struct SplitExponent {
    P exponent, fraction;
};
/// For packets of positive finite numbers, subnormal ones too; whatever it be for others.
template <class P>
WEFT_ALWAYS_INLINE SplitExponent<P> split_exponent(const P& a) {
    using Part = typename P::value_type;
#if defined(__AVX512F__)
    P exponent, fraction; // from 1 to 2
    if constexpr (std::is_same_v<P, Packet<float>>) {
        exponent = P(_mm512_getexp_ps(a));
        fraction = P(_mm512_getmant_ps(a, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src));
    } else {
        exponent = P(_mm512_getexp_pd(a));
        fraction = P(_mm512_getmant_pd(a, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src));
    }
    const auto above = fraction > P(Part(1.4142135623730951));
    return {select(above, P(exponent + P(Part(1))), exponent), select(above, P(fraction * P(Part(0.5))), fraction)};
#else
    constexpr bool single = std::is_same_v<P, Packet<float>>;
    using Integer = std::conditional_t<single, std::int32_t, std::int64_t>;
    using Bits = xsimd::batch<Integer>;
    constexpr int fraction = single ? 23 : 52, bias = single ? 127 : 1023;
    constexpr Integer one = Integer{bias} << fraction, ones = (Integer{1} << fraction) - 1;
    constexpr Integer root = single ? 0x3f3504f3 : static_cast<Integer>(0x3fe6a09e667f3bcd); // sqrt(1/2)
    const auto to_bits = [](const P& x) {
#if XSIMD_VERSION_MAJOR < 9
        return xsimd::bitwise_cast<Bits>(x);
#else
        return xsimd::bitwise_cast<Integer>(x);
#endif
    };
    const auto from_bits = [](const Bits& x) {
#if XSIMD_VERSION_MAJOR < 9
        return xsimd::bitwise_cast<P>(x);
#else
        return xsimd::bitwise_cast<Part>(x);
#endif
    };
    const Part up = single ? Part(0x1p24) : Part(0x1p54), shift = single ? Part(0x1p23) : Part(0x1p52);
    const auto subnormal = a < P(std::numeric_limits<Part>::min());
    const Bits bits = to_bits(select(subnormal, P(a * P(up)), a)) + Bits(one - root);
    // The biased exponent, as the low bits of a number whose unit they are.
    const P biased = from_bits(((bits >> fraction) & Bits(Integer{2 * bias + 1})) | to_bits(P(shift)));
    const P offset = select(subnormal, P(shift + Part(bias + (single ? 24 : 54))), P(shift + Part(bias)));
    return {biased - offset, from_bits((bits & Bits(ones)) + Bits(root))};
#endif
}

} // namespace weft::inline WEFT_ABI
