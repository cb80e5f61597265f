// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math/erf.hpp>
#include <weft/core/math/exp.hpp>
#include <weft/core/math/log.hpp>
#include <weft/core/math/trigonometric.hpp>

#include <complex>

/// Elementary functions of scalars, packets and Duals of either, for the bodies of operations. Special values are those
/// of `<cmath>`: NaN in, NaN out; overflow to infinity and gradual underflow where the exact result does so. Accuracies
/// are stated at the operations (core/ops).
namespace weft::inline WEFT_ABI::math {

/// The square root, correctly rounded.
template <class P>
WEFT_ALWAYS_INLINE P sqrt(const P& a) {
    detail::require_fractional<P>();
    using std::sqrt;
    return sqrt(a);
}
/// a to the power b, within 1 ulp; lane by lane.
template <class P>
WEFT_ALWAYS_INLINE P pow(const P& a, const P& b) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        using R = decltype(P::value);
        const R y = math::pow(a.value, b.value), zero(0);
        const R base_slope = select(b.value == zero, zero, R(b.value * math::pow(a.value, R(b.value - number<R>(1)))));
        // Not taken where the exponent is a constant, so that a negative base, of no logarithm, is fine there.
        const R exponent_slope = select((a.value == zero) & (b.value >= zero), zero, R(y * math::log(a.value)));
        return P(y, a.tangent * base_slope + select(b.tangent == zero, zero, R(exponent_slope * b.tangent)));
    } else if constexpr (detail::is_packet<P>) {
        using T = typename P::value_type;
        T base[P::size], exponent[P::size];
        store_packet<T>(base, a);
        store_packet<T>(exponent, b);
        for (std::size_t i = 0; i < P::size; ++i) base[i] = std::pow(base[i], exponent[i]);
        return load_packet<T>(base);
    } else {
        using std::pow;
        return pow(a, b);
    }
}

namespace detail {

/// a rounded to an integer, with the sign of a: without instructions for it, xsimd makes -0 to 0.
template <class P>
WEFT_ALWAYS_INLINE P keep_sign_of_zero(const P& rounded, [[maybe_unused]] const P& a) {
#ifndef __SSE4_1__
    if constexpr (is_dual<P>)
        return P(keep_sign_of_zero(rounded.value, a.value), rounded.tangent);
    else if constexpr (is_packet<P>)
        return with_sign_of(rounded, a);
#endif
    return rounded;
}

} // namespace detail

/// |a|, of integers too.
template <class P>
WEFT_ALWAYS_INLINE P abs(const P& a) {
    if constexpr (std::is_integral_v<P>) {
        return select(a < P(0), P(-a), a);
    } else {
        using std::abs;
        return abs(a);
    }
}
/// The largest integer not above a; of an integer itself.
template <class P>
WEFT_ALWAYS_INLINE P floor(const P& a) {
    if constexpr (std::is_integral_v<P>) {
        return a;
    } else {
        using std::floor;
        return detail::keep_sign_of_zero(P(floor(a)), a);
    }
}
/// The smallest integer not below a; of an integer itself.
template <class P>
WEFT_ALWAYS_INLINE P ceil(const P& a) {
    if constexpr (std::is_integral_v<P>) {
        return a;
    } else {
        using std::ceil;
        return detail::keep_sign_of_zero(P(ceil(a)), a);
    }
}
/// The nearest integer, halves to the even one.
template <class P>
WEFT_ALWAYS_INLINE P round(const P& a) {
    if constexpr (std::is_integral_v<P>)
        return a;
    else if constexpr (is_dual<P>)
        return P(math::round(a.value));
    else if constexpr (detail::is_packet<P>)
        return nearest_integer(a);
    else
        return std::nearbyint(a);
}

/// a b + c; rounded once where the instruction set can.
template <class P>
WEFT_ALWAYS_INLINE P fma(const P& a, const P& b, const P& c) {
    if constexpr (is_dual<P>)
        return P(math::fma(a.value, b.value, c.value),
                 math::fma(a.tangent, b.value, math::fma(a.value, b.tangent, c.tangent)));
    else
        return weft::multiply_add(a, b, c);
}

} // namespace weft::inline WEFT_ABI::math
