// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>

#include <cmath>
#include <concepts>
#include <numbers>
#include <type_traits>
#include <utility>

namespace weft::inline WEFT_ABI::math {

/// The constant c as a P.
template <class P>
WEFT_ALWAYS_INLINE constexpr P number(double c) {
    return weft::detail::dual_constant<P>(c);
}

/// The largest errors of a function, in units of the last place of the exact result; tests hold it to them. They are
/// those of packets, whatever the instruction set; scalars have the errors of `<cmath>` where it has the function.
struct Accuracy {
    double single_precision, double_precision;
};
/// Nothing is rounded.
inline constexpr Accuracy exact{0, 0};
/// Rounded once.
inline constexpr Accuracy correctly_rounded{0.5, 0.5};

/// Whether P is a Dual, of scalars or packets.
template <class P>
inline constexpr bool is_dual = false;
template <class P>
inline constexpr bool is_dual<Dual<P>> = true;

/// The value of Op for a Dual, by its value and slope.
template <class Op, class P>
WEFT_ALWAYS_INLINE P dual_value(const P& a) {
    const auto y = Op::value(a.value);
    return P(y, a.tangent * Op::slope(a.value, y));
}

namespace detail {

/// A SIMD vector of float or double.
template <class P>
inline constexpr bool is_packet = false;
template <class T, class A>
inline constexpr bool is_packet<xsimd::batch<T, A>> = true;

/// The scalars are floats.
template <class P>
inline constexpr bool is_single = sizeof(typename weft::detail::DualScalar<P>::type) == 4;

template <class P>
constexpr void require_fractional() {
    static_assert(!std::is_integral_v<P>, "weft: this function needs floating-point elements: use cast<float>(x)");
}

/// |a|, and |a| with the sign of b, of packets and scalars.
template <class P>
WEFT_ALWAYS_INLINE P magnitude(const P& a) {
    if constexpr (is_packet<P>)
        return xsimd::abs(a);
    else
        return std::fabs(a);
}
template <class P>
WEFT_ALWAYS_INLINE P with_sign_of(const P& a, const P& b) {
    if constexpr (is_packet<P>)
        return xsimd::copysign(a, b);
    else
        return std::copysign(a, b);
}

/// Horner's scheme, the highest power's coefficient first. (A fold: loops over lists of constants are not unrolled.)
template <class P, std::same_as<double>... C>
WEFT_ALWAYS_INLINE P horner(const P& x, double highest, C... rest) {
    P y = number<P>(highest);
    ((y = multiply_add(y, x, number<P>(rest))), ...);
    return y;
}
template <std::size_t First, class P, std::size_t N, std::size_t... I>
WEFT_ALWAYS_INLINE P every_second(const P& square, const double (&c)[N], std::index_sequence<I...>) {
    return horner(square, c[First + 2 * I]...);
}
/// A polynomial, the highest power's coefficient first. Of many coefficients, those of even and of odd powers are taken
/// side by side, but for the last two, which decide how the result is rounded.
template <class P, std::same_as<double>... C>
WEFT_ALWAYS_INLINE P polynomial(const P& x, C... coefficients) {
    constexpr std::size_t n = sizeof...(C);
    if constexpr (n < 9) {
        return horner(x, coefficients...);
    } else {
        const double c[n] = {coefficients...};
        const P square = x * x;
        const P even = every_second<(n + 1) % 2>(square, c, std::make_index_sequence<(n - 1) / 2>{});
        const P odd = every_second<n % 2>(square, c, std::make_index_sequence<(n - 2) / 2>{});
        const P high = multiply_add(odd, x, even);
        return multiply_add(multiply_add(high, x, number<P>(c[n - 2])), x, number<P>(c[n - 1]));
    }
}

/// The polynomial with all coefficients times `factor`.
template <class P, std::same_as<double>... C>
WEFT_ALWAYS_INLINE P scaled_polynomial(const P& x, double factor, C... coefficients) {
    return polynomial(x, (factor * coefficients)...);
}

} // namespace detail

/// A constant that is not the same for float as for double.
template <class P>
WEFT_ALWAYS_INLINE constexpr P either(double single_precision, double double_precision) {
    return number<P>(detail::is_single<P> ? single_precision : double_precision);
}

/// What c loses as a P.
template <class P>
WEFT_ALWAYS_INLINE constexpr P rounding_of(double c) {
    return either<P>(c - static_cast<double>(static_cast<float>(c)), 0);
}
/// min(max(a, -bound), bound); NaN stays NaN.
template <class P>
WEFT_ALWAYS_INLINE P within(const P& a, double bound) {
    return smaller(number<P>(bound), larger(number<P>(-bound), a));
}

} // namespace weft::inline WEFT_ABI::math
