// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math/exp.hpp>

/// The error function, its complement, and the normal distribution.
namespace weft::inline WEFT_ABI::math {

namespace detail {

/// erfc(a) for a >= 0 as e^(-a^2) times `factor`, or the normal distribution at -a as e^(-a^2 / 2) times `factor`.
template <class P>
struct GaussianTail {
    Exponential<P> power;
    P factor;
};
enum class Gaussian { erfc, normal };
/// Beyond this, the tail is 0, even a times the normal distribution.
template <Gaussian G, class P>
WEFT_ALWAYS_INLINE constexpr P vanishing_tail() {
    return G == Gaussian::erfc ? either<P>(10.6, 27.5) : either<P>(15, 39);
}
/// |a| where the normal distribution at -|a| decides about a times that at a, or about its slope, else a bound.
template <class P>
WEFT_ALWAYS_INLINE P normal_argument(const P& a) {
    return smaller(select(a < P(0), vanishing_tail<Gaussian::normal, P>(), either<P>(6, 9)), magnitude(a));
}
/// Of packets and scalars, from 0 to vanishing_tail. With t = (a - k) / (a + k): factor = f(t) / (a + k), f by Remez's
/// algorithm, relative error 3.3e-9 (double: 1.9e-17). The normal distribution has k sqrt(2) instead of k, so that its
/// argument is not rounded; for float, k is such that both and the first coefficients are nearly floats.
template <Gaussian G, class P>
WEFT_ALWAYS_INLINE GaussianTail<P> gaussian_tail(const P& a) {
    constexpr bool normal = G == Gaussian::normal;
    const P k = either<P>(3.001953125 * (normal ? std::numbers::sqrt2 : 1), 4 * (normal ? std::numbers::sqrt2 : 1));
    const P sum = a + k, inverse = P(1) / sum;
    // What the sum and its inverse lose goes to t and to the power.
    const P sum_lost = smaller(a, k) - (sum - larger(a, k));
    const P lost = multiply_add(sum_lost, inverse, product_error(sum, inverse, P(1)));
    const P twice = number<P>(2) * k;
    const P t = multiply_add(P(twice * inverse), lost, multiply_add(P(-twice), inverse, P(1)));
    const double factor = normal ? std::numbers::sqrt2 / 2 : 1;
    P y;
    if constexpr (is_single<P>)
        y = scaled_polynomial(t, factor, -0.00032853550510481, -0.0004969083820469677, 0.0030838714446872473,
                              -0.0011639930307865143, -0.027045201510190964, 0.11992800235748291, -0.3109878897666931,
                              0.5906921625137329, -0.8836472034454346, 1.0740689039230347);
    else
        y = scaled_polynomial(t, factor, -2.74473105107289932e-9, -1.37822861959540567e-8, 9.60442567845746259e-9,
                              1.24210274359738272e-7, -8.69304479725942576e-8, -8.483900495674642e-7,
                              1.43258443534662994e-6, 4.69667331387471455e-6, -0.0000188647198432857181,
                              -3.63629976518258023e-6, 0.000176813943493451878, -0.000455052362881351216,
                              -0.000280959076991978217, 0.00611205560259844328, -0.0263700533158307169,
                              0.076381514914178683, -0.174010937241533055, 0.330851587877792782, -0.540853831313186174,
                              0.773208702265240772, -0.976548729080882443, 1.09599566100049111);
    const P scaled = number<P>(normal ? -0.5 : -1) * a, square = scaled * a;
    return {exponential(square, P(product_error(scaled, a, square) - lost)), y * inverse};
}

/// erf(a) / a - 1 of a^2, for |a| <= 1, by Remez's algorithm; relative error of erf 1.3e-9 (double: 7.4e-18).
template <class P>
WEFT_ALWAYS_INLINE P erf_ratio(const P& square) {
    if constexpr (is_single<P>)
        return polynomial(square, 0.0000785384982842940885, -0.000801020269927250679, 0.00518833048259248783,
                          -0.0268538145820725174, 0.112835852486056348, -0.376126258374651042, 0.128379165729559368);
    else
        return polynomial(square, -7.77946297176159689e-10, 1.37109887041905231e-8, -1.6206318752969209e-7,
                          1.6447132699786621e-6, -0.0000149247124395348141, 0.0001205529358693695,
                          -0.00085483259297662443, 0.00522397760613084217, -0.0268661706431134137, 0.112837916709442003,
                          -0.3761263890318352, 0.128379167095512566);
}

template <class P>
WEFT_ALWAYS_INLINE P erf_packet(const P& a) {
    const P size = magnitude(a);
    const auto tail = gaussian_tail<Gaussian::erfc>(smaller(either<P>(5, 7), size)); // beyond which it is 1
    const P far = P(1) - tail.power.times(tail.factor);
    return select(size < P(1), P(multiply_add(a, erf_ratio(P(a * a)), a)), with_sign_of(far, a));
}
template <class P>
WEFT_ALWAYS_INLINE P erfc_packet(const P& a) {
    const P size = magnitude(a);
    const auto tail = gaussian_tail<Gaussian::erfc>(smaller(vanishing_tail<Gaussian::erfc, P>(), size));
    const P far = tail.power.times(tail.factor);
    const P near = multiply_add(P(-a), erf_ratio(P(a * a)), P(P(1) - a));
    return select(size < number<P>(0.75), near, select(a < P(0), P(number<P>(2) - far), far));
}

/// The slope of the error function, 2 / sqrt(pi) e^(-a^2).
template <class P>
WEFT_ALWAYS_INLINE P erf_slope(const P& a) {
    return number<P>(2 * std::numbers::inv_sqrtpi) * math::exp(P(-(a * a)));
}

} // namespace detail

/// The error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to a.
template <class P>
WEFT_ALWAYS_INLINE P erf(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        return P(math::erf(a.value), a.tangent * detail::erf_slope(a.value));
    } else if constexpr (detail::is_packet<P>) {
        return detail::erf_packet(a);
    } else {
        using std::erf;
        return erf(a);
    }
}

/// 1 - erf(a), without cancellation; subnormal results too.
template <class P>
WEFT_ALWAYS_INLINE P erfc(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        return P(math::erfc(a.value), -a.tangent * detail::erf_slope(a.value));
    } else if constexpr (detail::is_packet<P>) {
        return detail::erfc_packet(a);
    } else {
        using std::erfc;
        return erfc(a);
    }
}

/// a times the normal distribution at a, and the slope of that, to full relative precision; of packets and scalars.
template <class P>
WEFT_ALWAYS_INLINE P times_normal(const P& a) {
    const P size = detail::normal_argument(a);
    const auto tail = detail::gaussian_tail<detail::Gaussian::normal>(size);
    return larger(P(0), a) - tail.power.times(P(size * tail.factor));
}
/// The slope of times_normal: that of a times the normal distribution at a.
template <class P>
WEFT_ALWAYS_INLINE P times_normal_slope(const P& a) {
    constexpr double density = std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2;
    const P size = detail::normal_argument(a);
    const auto tail = detail::gaussian_tail<detail::Gaussian::normal>(size);
    const P y = tail.power.times(P(multiply_add(number<P>(-density), size, tail.factor)));
    return select(a < P(0), y, P(P(1) - y));
}

} // namespace weft::inline WEFT_ABI::math
