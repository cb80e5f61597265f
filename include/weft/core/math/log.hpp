// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math/basic.hpp>

/// Logarithms.
namespace weft::inline WEFT_ABI::math {

namespace detail {

/// 2^n and 1 + f, from sqrt(1/2) to sqrt(2): log(2) n + log(1 + f) + low, for a low beside which the rest is large.
/// With s = f / (2 + f) as fdlibm: log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + s^2 r(s^2)), the polynomial r by Remez's
/// algorithm (relative error of the logarithm 8e-10 for float, 1.3e-18 for double).
template <class P>
WEFT_ALWAYS_INLINE P log_of_parts(const P& n, const P& f, const P& low) {
    const P s = f / (number<P>(2) + f), square = s * s, half = number<P>(0.5) * f * f;
    P r;
    if constexpr (is_single<P>)
        r = polynomial(square, 0.298744065689358422, 0.399774500950590065, 0.666667770479191337);
    else
        r = polynomial(square, 0.147990681026921617, 0.153137556763840642, 0.181835751638461903, 0.222221983786090182,
                       0.285714287441390449, 0.399999999994075044, 0.666666666666673538);
    // log(2) in two parts, the first with so few bits that its product with n is exact
    const P rest = multiply_add(n, either<P>(-2.12194440054690583e-4, 1.90821492927058770002e-10), low);
    const P small = multiply_add(s, P(multiply_add(square, r, half)), rest);
    return multiply_add(n, either<P>(0.693359375, 6.93147180369123816490e-01), P(f - (half - small)));
}

/// The special cases of a logarithm of a with the value y elsewhere.
template <class P>
WEFT_ALWAYS_INLINE P log_limits(const P& a, const P& y) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const P finite = select(a < number<P>(infinity), y, a); // infinity, NaN
    return select(a > P(0), finite,
                  select(a == P(0), number<P>(-infinity), number<P>(std::numeric_limits<double>::quiet_NaN())));
}

template <class P>
WEFT_ALWAYS_INLINE P log_packet(const P& a) {
    const auto [n, fraction] = split_exponent(a);
    return log_limits(a, log_of_parts(n, P(fraction - P(1)), P(0)));
}
template <class P>
WEFT_ALWAYS_INLINE P log1p_packet(const P& a) {
    const P sum = P(1) + a;
    const auto [n, fraction] = split_exponent(sum);
    const P lost = smaller(P(1), a) - (sum - larger(P(1), a));
    return select(a == P(0), a, log_limits(sum, log_of_parts(n, P(fraction - P(1)), P(lost / sum))));
}

} // namespace detail

/// The natural logarithm.
template <class P>
WEFT_ALWAYS_INLINE P log(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        return P(math::log(a.value), a.tangent / a.value);
    } else if constexpr (detail::is_packet<P>) {
        return detail::log_packet(a);
    } else {
        using std::log;
        return log(a);
    }
}

/// log(1 + a), without cancellation near 0.
template <class P>
WEFT_ALWAYS_INLINE P log1p(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        return P(math::log1p(a.value), a.tangent / (number<decltype(P::value)>(1) + a.value));
    } else if constexpr (detail::is_packet<P>) {
        return detail::log1p_packet(a);
    } else {
        using std::log1p;
        return log1p(a);
    }
}

} // namespace weft::inline WEFT_ABI::math
