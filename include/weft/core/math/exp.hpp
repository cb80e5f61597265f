// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math/basic.hpp>

/// The exponential function and what is made of it.
namespace weft::inline WEFT_ABI::math {

namespace detail {

/// A power of e as 2^n (1 + p), n an integer, 1 + p from sqrt(1/2) to sqrt(2): products with it are rounded once, also
/// where the power itself would be subnormal.
template <class P>
struct Exponential {
    P n, p;
    WEFT_ALWAYS_INLINE P value() const { return scale_exponent(P(p + number<P>(1)), n); }
    /// The same where 2^n is a normal number.
    WEFT_ALWAYS_INLINE P normal_value() const { return scale_exponent_within(P(p + number<P>(1)), n); }
    WEFT_ALWAYS_INLINE P times(const P& x) const { return scale_exponent(P(multiply_add(p, x, x)), n); }
};
/// e^(n log(2) + r). p = r + r^2 q(r), where q interpolates at the Chebyshev points of |r| <= log(2) / 2 (relative
/// error of 1 + p 1.1e-8 for float, 1.8e-17 for double).
template <class P>
WEFT_ALWAYS_INLINE Exponential<P> exponential_of_parts(const P& n, const P& r) {
    P q;
    if constexpr (is_single<P>)
        q = polynomial(r, 1.39262508314976117e-3, 8.36323288368261820e-3, 4.16665542129841503e-2,
                       1.66665766661199283e-1, 0.5);
    else
        q = polynomial(r, 2.51004725056949960e-8, 2.76202015910315488e-7, 2.75572682769056962e-6,
                       2.48015210578682052e-5, 1.98412698631715560e-4, 1.38888889173670806e-3, 8.33333333333003820e-3,
                       4.16666666666238205e-2, 1.66666666666666675e-1, 0.5);
    return {n, multiply_add(P(r * r), q, r)};
}
/// log(2) in two parts, the first with so few bits that its product with n is exact.
template <class P>
WEFT_ALWAYS_INLINE P minus_log2_high() {
    return either<P>(-0.693359375, -6.93147180369123816490e-01);
}
template <class P>
WEFT_ALWAYS_INLINE P minus_log2_low() {
    return either<P>(2.12194440054690583e-4, -1.90821492927058770002e-10);
}

/// e^a, or e^(a + low) with what a number a cannot hold, of packets and scalars, for |a| <= 130 (double: 800).
template <class P>
WEFT_ALWAYS_INLINE Exponential<P> exponential(const P& a) {
    const P n = nearest_integer(P(a * number<P>(std::numbers::log2e)));
    const P r = multiply_add(n, minus_log2_high<P>(), a);
    return exponential_of_parts(n, multiply_add(n, minus_log2_low<P>(), r));
}
template <class P>
WEFT_ALWAYS_INLINE Exponential<P> exponential(const P& a, const P& low) {
    const P n = nearest_integer(P(a * number<P>(std::numbers::log2e)));
    const P r = multiply_add(n, minus_log2_high<P>(), a);
    return exponential_of_parts(n, P(r + multiply_add(n, minus_log2_low<P>(), low)));
}

/// Beyond this, e^-a and a e^-a are 0.
template <class P>
WEFT_ALWAYS_INLINE constexpr P vanishing_exponent() {
    return either<P>(110, 760);
}
template <class P>
WEFT_ALWAYS_INLINE Exponential<P> bounded_exponential(const P& a) {
    return exponential(smaller(either<P>(89, 710), larger(P(-vanishing_exponent<P>()), a)));
}

/// a where e^-a decides about 1 / (1 + e^-a), else a bound.
template <class P>
WEFT_ALWAYS_INLINE P logistic_argument(const P& a) {
    return smaller(either<P>(80, 680), larger(P(-vanishing_exponent<P>()), a));
}
/// a / (1 + e) for e = 2^n (1 + p), as 2^-n a / (2^-n + 1 + p), which is rounded once where e is large.
template <class P>
WEFT_ALWAYS_INLINE P logistic_share(const P& a, const Exponential<P>& e) {
    const P weight = scale_exponent(P(1), P(-e.n));
    return scale_exponent(P(a / ((weight + e.p) + P(1))), P(-e.n));
}

template <class P>
WEFT_ALWAYS_INLINE P expm1_packet(const P& a) {
    // below the first bound the result is -1
    const auto [n, p] = exponential(smaller(either<P>(89, 710), larger(either<P>(-20, -40), a)));
    const P half = scale_exponent_within(P(1), P(n - P(1))); // 2^n itself may be too large
    const P y = multiply_add(half, p, P(half - number<P>(0.5)));
    return select(a == P(0), a, P(y + y));
}
/// 1 - 2 / (e^(2 |a|) + 1), below 5/8 a + a^3 r(a^2) with the polynomial or rational function r of the Cephes library.
template <class P>
WEFT_ALWAYS_INLINE P tanh_packet(const P& a) {
    const P size = magnitude(a), square = a * a;
    const auto large = size > number<P>(0.625);
    // beyond the bound the result is 1
    const P power = exponential(smaller(either<P>(20, 40), P(size + size))).normal_value() + P(1);
    if constexpr (is_single<P>) {
        const P r = polynomial(square, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
                               -3.33332819422e-1);
        const P small = multiply_add(P(square * a), r, a);
        return with_sign_of(P(select(large, P(P(1) - number<P>(2) / power), small)), a);
    } else {
        const P p =
            polynomial(square, -9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3);
        const P q =
            polynomial(square, 1.0, 1.12811678491631932401e2, 2.23548839060100448583e3, 4.84406305325125486048e3);
        const P fraction = select(large, number<P>(-2), P(square * p)) / select(large, power, q);
        return with_sign_of(P(select(large, P(P(1) + fraction), P(multiply_add(a, fraction, a)))), a);
    }
}

} // namespace detail

/// e^a; subnormal results too.
template <class P>
WEFT_ALWAYS_INLINE P exp(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        const auto y = math::exp(a.value);
        return P(y, a.tangent * y);
    } else if constexpr (detail::is_packet<P>) {
        return detail::bounded_exponential(a).value();
    } else {
        using std::exp;
        return exp(a);
    }
}

/// e^a - 1, without cancellation near 0.
template <class P>
WEFT_ALWAYS_INLINE P expm1(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        return P(math::expm1(a.value), a.tangent * math::exp(a.value));
    } else if constexpr (detail::is_packet<P>) {
        return detail::expm1_packet(a);
    } else {
        using std::expm1;
        return expm1(a);
    }
}

/// The hyperbolic tangent.
template <class P>
WEFT_ALWAYS_INLINE P tanh(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        const auto y = math::tanh(a.value);
        return P(y, a.tangent * ((decltype(y)(1) - y) * (decltype(y)(1) + y)));
    } else if constexpr (detail::is_packet<P>) {
        return detail::tanh_packet(a);
    } else {
        using std::tanh;
        return tanh(a);
    }
}

/// 1 / (1 + e^-a); subnormal results too.
template <class P>
WEFT_ALWAYS_INLINE P sigmoid(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        const auto y = math::sigmoid(a.value);
        return P(y, a.tangent * (y * (decltype(y)(1) - y)));
    } else if constexpr (detail::is_packet<P>) {
        return detail::logistic_share(P(1), detail::exponential(P(-detail::logistic_argument(a))));
    } else {
        using std::exp, std::abs;
        const P power = exp(-abs(a));
        return (a < P(0) ? power : P(1)) / (P(1) + power);
    }
}

/// a / (1 + e^-w), of packets and scalars, for w = a, or a w + low of the sign of a and no smaller size with what its
/// rounding lost, to full relative precision; subnormal results too, and -0 at -infinity.
template <class P>
WEFT_ALWAYS_INLINE P times_sigmoid(const P& a) {
    const P bounded = larger(P(-detail::vanishing_exponent<P>()), a);
    return detail::logistic_share(bounded, detail::exponential(P(-detail::logistic_argument(bounded))));
}
/// The same of w + low.
template <class P>
WEFT_ALWAYS_INLINE P times_sigmoid(const P& a, const P& w, const P& low) {
    const P bounded = larger(P(-detail::vanishing_exponent<P>()), a);
    return detail::logistic_share(bounded, detail::exponential(P(-detail::logistic_argument(w)), P(-low)));
}

/// a tanh(log(1 + e^a)), likewise.
template <class P>
WEFT_ALWAYS_INLINE P times_tanh_softplus(const P& a) {
    const auto negative = a < P(0);
    // beyond the second bound the result is a
    const P bound = select(negative, P(detail::vanishing_exponent<P>()), either<P>(20, 40));
    const P size = smaller(bound, detail::magnitude(a));
    const auto power = detail::exponential(P(-size));
    const P e = power.value(), twice = e + e;
    // the hyperbolic tangent is e (e + 2) / (e (e + 2) + 2), or 1 - 2 e^2 / (1 + 2 e + 2 e^2)
    const P numerator = select(negative, P(e + number<P>(2)), twice);
    const P denominator = multiply_add(e, numerator, P(select(negative, number<P>(2), P(P(1) + twice))));
    return larger(P(0), a) - power.times(P(size * numerator / denominator));
}

} // namespace weft::inline WEFT_ABI::math
