// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>

#include <cmath>
#include <complex>
#include <concepts>
#include <numbers>
#include <type_traits>

/// Elementary functions of scalars, packets and Duals of either, for the bodies of operations. Special values are those
/// of <cmath>: NaN in, NaN out; overflow to infinity and gradual underflow where the exact result does so.
/// Accuracies are in units of the last place, measured against long double.
namespace weft::inline WEFT_ABI::math {

/// The constant c as a P.
template <class P>
WEFT_ALWAYS_INLINE constexpr P number(double c) {
    return weft::detail::dual_constant<P>(c);
}

namespace detail {

template <class P>
inline constexpr bool is_dual = false;
template <class P>
inline constexpr bool is_dual<Dual<P>> = true;

/// A SIMD vector of float or double.
template <class P>
inline constexpr bool is_packet = false;
template <class T, class A>
inline constexpr bool is_packet<xsimd::batch<T, A>> = true;

template <class P>
constexpr void require_fractional() {
    static_assert(!std::is_integral_v<P>, "weft: this function needs floating-point elements: use cast<float>(x)");
}

/// Horner's scheme, the highest power's coefficient first. (A fold: loops over lists of constants are not unrolled.)
template <class P, std::same_as<double>... C>
WEFT_ALWAYS_INLINE P polynomial(const P& x, double highest, C... rest) {
    P y = number<P>(highest);
    ((y = multiply_add(y, x, number<P>(rest))), ...);
    return y;
}

/// e^a = 2^n (1 + p), n an integer, 1 + p from sqrt(1/2) to sqrt(2).
template <class P>
struct PowerOfTwo {
    P n, p;
};
// With r = a - n log(2): p = r + r^2 q(r), where q interpolates at the Chebyshev points of |r| <= log(2) / 2 (relative
// error of 1 + p 1.1e-8 for float, 1.8e-17 for double).
template <class P>
WEFT_ALWAYS_INLINE PowerOfTwo<P> reduce_exponent(const P& a) {
    constexpr bool single = sizeof(typename P::value_type) == 4;
    // Beyond these the result is 0 or infinity.
    const P low = number<P>(single ? -105 : -746), high = number<P>(single ? 89 : 710);
    const P x = smaller(high, larger(low, a));
    const P n = nearest_integer(x * number<P>(std::numbers::log2e));
    // log(2) in two parts, the first with so few bits that its product with n is exact.
    P r = multiply_add(n, number<P>(single ? -0.693359375 : -6.93147180369123816490e-01), x);
    r = multiply_add(n, number<P>(single ? 2.12194440054690583e-4 : -1.90821492927058770002e-10), r);
    P q;
    if constexpr (single)
        q = polynomial(r, 1.39262508314976117e-3, 8.36323288368261820e-3, 4.16665542129841503e-2,
                       1.66665766661199283e-1, 0.5);
    else
        q = polynomial(r, 2.51004725056949960e-8, 2.76202015910315488e-7, 2.75572682769056962e-6,
                       2.48015210578682052e-5, 1.98412698631715560e-4, 1.38888889173670806e-3, 8.33333333333003820e-3,
                       4.16666666666238205e-2, 1.66666666666666675e-1, 0.5);
    return {n, multiply_add(P(r * r), q, r)};
}

template <class P>
WEFT_ALWAYS_INLINE P exp_packet(const P& a) {
    const auto [n, p] = reduce_exponent(a);
    return scale_exponent(P(p + P(1)), n);
}
template <class P>
WEFT_ALWAYS_INLINE P expm1_packet(const P& a) {
    const auto [n, p] = reduce_exponent(a);
    const P half = scale_exponent(number<P>(0.5), n); // 2^n itself may be too large
    const P y = multiply_add(half, p, P(half - number<P>(0.5)));
    return select(a == P(0), a, P(y + y));
}
/// 1 - 2 / (e^(2 |a|) + 1), below 5/8 a + a^3 r(a^2) with the polynomial or rational function r of the Cephes library.
template <class P>
WEFT_ALWAYS_INLINE P tanh_packet(const P& a) {
    constexpr bool single = sizeof(typename P::value_type) == 4;
    const P magnitude = xsimd::abs(a), square = a * a;
    const auto large = magnitude > number<P>(0.625);
    const P power = exp_packet(P(magnitude + magnitude)) + P(1);
    if constexpr (single) {
        const P r = polynomial(square, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
                               -3.33332819422e-1);
        const P small = multiply_add(P(square * a), r, a);
        return select(large, P(xsimd::copysign(P(P(1) - number<P>(2) / power), a)), small);
    } else {
        const P p =
            polynomial(square, -9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3);
        const P q = polynomial(square, 1, 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3);
        const P fraction = select(large, number<P>(-2), P(square * p)) / select(large, power, q);
        return select(large, P(xsimd::copysign(P(P(1) + fraction), a)), P(multiply_add(a, fraction, a)));
    }
}

} // namespace detail

/// e^a, within 1.5 ulp, subnormal results too.
template <class P>
WEFT_ALWAYS_INLINE P exp(const P& a) {
    detail::require_fractional<P>();
    if constexpr (detail::is_dual<P>) {
        const auto y = math::exp(a.value);
        return P(y, a.tangent * y);
    } else if constexpr (detail::is_packet<P>) {
        return detail::exp_packet(a);
    } else {
        using std::exp;
        return exp(a);
    }
}
/// e^a - 1, within 2 ulp.
template <class P>
WEFT_ALWAYS_INLINE P expm1(const P& a) {
    detail::require_fractional<P>();
    if constexpr (detail::is_packet<P>) {
        return detail::expm1_packet(a);
    } else {
        using std::expm1;
        return expm1(a);
    }
}
/// The natural logarithm, within 1 ulp.
template <class P>
WEFT_ALWAYS_INLINE P log(const P& a) {
    detail::require_fractional<P>();
    using std::log;
    return log(a);
}
/// log(1 + a), within 1 ulp.
template <class P>
WEFT_ALWAYS_INLINE P log1p(const P& a) {
    detail::require_fractional<P>();
    using std::log1p;
    return log1p(a);
}
/// The square root, correctly rounded.
template <class P>
WEFT_ALWAYS_INLINE P sqrt(const P& a) {
    detail::require_fractional<P>();
    using std::sqrt;
    return sqrt(a);
}
/// The sine of radians, within 2 ulp for |a| <= 1000.
template <class P>
WEFT_ALWAYS_INLINE P sin(const P& a) {
    detail::require_fractional<P>();
    using std::sin;
    return sin(a);
}
/// The cosine of radians, within 2 ulp for |a| <= 1000.
template <class P>
WEFT_ALWAYS_INLINE P cos(const P& a) {
    detail::require_fractional<P>();
    using std::cos;
    return cos(a);
}
/// The tangent of radians, within 3 ulp for |a| <= 1000.
template <class P>
WEFT_ALWAYS_INLINE P tan(const P& a) {
    detail::require_fractional<P>();
    using std::tan;
    return tan(a);
}
/// The hyperbolic tangent, within 1.5 ulp.
template <class P>
WEFT_ALWAYS_INLINE P tanh(const P& a) {
    detail::require_fractional<P>();
    if constexpr (detail::is_packet<P>) {
        return detail::tanh_packet(a);
    } else {
        using std::tanh;
        return tanh(a);
    }
}
/// The error function, within 3 ulp for float and 75 for double.
template <class P>
WEFT_ALWAYS_INLINE P erf(const P& a) {
    detail::require_fractional<P>();
    using std::erf;
    return erf(a);
}

/// a to the power b, within 1 ulp; lane by lane.
template <class P>
WEFT_ALWAYS_INLINE P pow(const P& a, const P& b) {
    detail::require_fractional<P>();
    if constexpr (detail::is_packet<P>) {
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
template <class P>
WEFT_ALWAYS_INLINE P floor(const P& a) {
    if constexpr (std::is_integral_v<P>) {
        return a;
    } else {
        using std::floor;
        return floor(a);
    }
}
template <class P>
WEFT_ALWAYS_INLINE P ceil(const P& a) {
    if constexpr (std::is_integral_v<P>) {
        return a;
    } else {
        using std::ceil;
        return ceil(a);
    }
}
/// The nearest integer, halves to the even one.
template <class P>
WEFT_ALWAYS_INLINE P round(const P& a) {
    if constexpr (std::is_integral_v<P>)
        return a;
    else if constexpr (detail::is_dual<P>)
        return P(math::round(a.value));
    else if constexpr (detail::is_packet<P>)
        return nearest_integer(a);
    else
        return std::nearbyint(a);
}

/// a b + c; rounded once where the instruction set can.
template <class P>
WEFT_ALWAYS_INLINE P fma(const P& a, const P& b, const P& c) {
    if constexpr (detail::is_dual<P>)
        return P(math::fma(a.value, b.value, c.value),
                 math::fma(a.tangent, b.value, math::fma(a.value, b.tangent, c.tangent)));
    else
        return weft::multiply_add(a, b, c);
}

} // namespace weft::inline WEFT_ABI::math
