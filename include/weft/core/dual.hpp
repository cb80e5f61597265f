// SPDX-License-Identifier: MIT
#pragma once

#include <weft/fwd.hpp>

#include <cmath>
#include <concepts>
#include <numbers>
#include <type_traits>

namespace weft::inline WEFT_ABI {

/// `mask ? a : b`; the scalar twin of the packets' `select`. Both branches have been computed already.
template <class T>
WEFT_ALWAYS_INLINE constexpr T select(bool mask, const T& a, const T& b) {
    return mask ? a : b;
}

namespace detail {

template <class P>
struct DualScalar {
    using type = typename P::value_type;
};
template <class P>
requires std::is_arithmetic_v<P>
struct DualScalar<P> {
    using type = P;
};
template <class P>
struct DualScalar<Dual<P>> : DualScalar<P> {};

template <class P, class C>
WEFT_ALWAYS_INLINE constexpr P dual_constant(const C& c) {
    if constexpr (std::same_as<P, C>) {
        return c;
    } else {
        return P(static_cast<typename DualScalar<P>::type>(c));
    }
}

template <class C, class P>
concept DualConstant = std::same_as<C, P> || std::is_arithmetic_v<C>;

} // namespace detail

/// A number and its derivative in one direction: forward-mode differentiation. P is a scalar or a SIMD packet.
///
/// Functions of a Dual compute the function of the value, and its slope at the value times the tangent. Comparisons
/// look at values only and return what P's comparison returns (bool or a mask of lanes).
template <class P>
struct Dual {
    P value;
    P tangent;

    Dual() = default;
    /// Of its parts.
    constexpr Dual(const P& value_, const P& tangent_) : value(value_), tangent(tangent_) {}
    /// A constant: its tangent is zero.
    template <detail::DualConstant<P> C>
    constexpr Dual(const C& constant)
        : value(detail::dual_constant<P>(constant)), tangent(detail::dual_constant<P>(0)) {}

    friend WEFT_ALWAYS_INLINE constexpr Dual operator+(const Dual& a) { return a; }
    friend WEFT_ALWAYS_INLINE constexpr Dual operator-(const Dual& a) { return {-a.value, -a.tangent}; }

    friend WEFT_ALWAYS_INLINE constexpr Dual operator+(const Dual& a, const Dual& b) {
        return {a.value + b.value, a.tangent + b.tangent};
    }
    friend WEFT_ALWAYS_INLINE constexpr Dual operator-(const Dual& a, const Dual& b) {
        return {a.value - b.value, a.tangent - b.tangent};
    }
    friend WEFT_ALWAYS_INLINE constexpr Dual operator*(const Dual& a, const Dual& b) {
        return {a.value * b.value, a.tangent * b.value + a.value * b.tangent};
    }
    friend WEFT_ALWAYS_INLINE constexpr Dual operator/(const Dual& a, const Dual& b) {
        const P quotient = a.value / b.value;
        return {quotient, (a.tangent - quotient * b.tangent) / b.value};
    }

    template <detail::DualConstant<P> C>
    friend WEFT_ALWAYS_INLINE constexpr Dual operator+(const Dual& a, const C& c) {
        return {a.value + detail::dual_constant<P>(c), a.tangent};
    }
    template <detail::DualConstant<P> C>
    friend WEFT_ALWAYS_INLINE constexpr Dual operator+(const C& c, const Dual& a) {
        return {detail::dual_constant<P>(c) + a.value, a.tangent};
    }
    template <detail::DualConstant<P> C>
    friend WEFT_ALWAYS_INLINE constexpr Dual operator-(const Dual& a, const C& c) {
        return {a.value - detail::dual_constant<P>(c), a.tangent};
    }
    template <detail::DualConstant<P> C>
    friend WEFT_ALWAYS_INLINE constexpr Dual operator-(const C& c, const Dual& a) {
        return {detail::dual_constant<P>(c) - a.value, -a.tangent};
    }
    template <detail::DualConstant<P> C>
    friend WEFT_ALWAYS_INLINE constexpr Dual operator*(const Dual& a, const C& c) {
        const P factor = detail::dual_constant<P>(c);
        return {a.value * factor, a.tangent * factor};
    }
    template <detail::DualConstant<P> C>
    friend WEFT_ALWAYS_INLINE constexpr Dual operator*(const C& c, const Dual& a) {
        return a * c;
    }
    template <detail::DualConstant<P> C>
    friend WEFT_ALWAYS_INLINE constexpr Dual operator/(const Dual& a, const C& c) {
        const P divisor = detail::dual_constant<P>(c);
        return {a.value / divisor, a.tangent / divisor};
    }
    template <detail::DualConstant<P> C>
    friend WEFT_ALWAYS_INLINE constexpr Dual operator/(const C& c, const Dual& a) {
        const P quotient = detail::dual_constant<P>(c) / a.value;
        return {quotient, -quotient * a.tangent / a.value};
    }

    constexpr Dual& operator+=(const auto& b) { return *this = *this + b; }
    constexpr Dual& operator-=(const auto& b) { return *this = *this - b; }
    constexpr Dual& operator*=(const auto& b) { return *this = *this * b; }
    constexpr Dual& operator/=(const auto& b) { return *this = *this / b; }

    friend WEFT_ALWAYS_INLINE constexpr auto operator==(const Dual& a, const Dual& b) { return a.value == b.value; }
    friend WEFT_ALWAYS_INLINE constexpr auto operator!=(const Dual& a, const Dual& b) { return a.value != b.value; }
    friend WEFT_ALWAYS_INLINE constexpr auto operator<(const Dual& a, const Dual& b) { return a.value < b.value; }
    friend WEFT_ALWAYS_INLINE constexpr auto operator<=(const Dual& a, const Dual& b) { return a.value <= b.value; }
    friend WEFT_ALWAYS_INLINE constexpr auto operator>(const Dual& a, const Dual& b) { return a.value > b.value; }
    friend WEFT_ALWAYS_INLINE constexpr auto operator>=(const Dual& a, const Dual& b) { return a.value >= b.value; }

    friend auto isnan(const Dual& a) {
        using std::isnan;
        return isnan(a.value);
    }

    friend WEFT_ALWAYS_INLINE Dual fma(const Dual& a, const Dual& b, const Dual& c) {
        using std::fma;
        return {fma(a.value, b.value, c.value), fma(a.tangent, b.value, fma(a.value, b.tangent, c.tangent))};
    }

    /// The smaller one, `a` when they are equal; NaN when one of them is.
    friend constexpr Dual min(const Dual& a, const Dual& b) {
        return select(b.value < a.value, b, select(b.value == b.value, a, b));
    }
    /// The larger one, `a` when they are equal; NaN when one of them is.
    friend constexpr Dual max(const Dual& a, const Dual& b) {
        return select(a.value < b.value, b, select(b.value == b.value, a, b));
    }
    /// -1, 0 or 1; 0 for NaN. The tangent is zero.
    friend constexpr Dual sign(const Dual& a) { return sign_value(a.value); }
    /// The slope at 0 is 0.
    friend Dual abs(const Dual& a) {
        using std::abs;
        return {abs(a.value), a.tangent * sign_value(a.value)};
    }
    friend Dual floor(const Dual& a) {
        using std::floor;
        return floor(a.value);
    }
    friend Dual ceil(const Dual& a) {
        using std::ceil;
        return ceil(a.value);
    }
    /// To the nearest integer, halves away from zero. The tangent is zero.
    friend Dual round(const Dual& a) {
        using std::round;
        return round(a.value);
    }

    friend Dual exp(const Dual& a) {
        using std::exp;
        const P y = exp(a.value);
        return {y, a.tangent * y};
    }
    friend Dual expm1(const Dual& a) {
        using std::exp, std::expm1;
        return {expm1(a.value), a.tangent * exp(a.value)};
    }
    friend Dual log(const Dual& a) {
        using std::log;
        return {log(a.value), a.tangent / a.value};
    }
    friend Dual log1p(const Dual& a) {
        using std::log1p;
        return {log1p(a.value), a.tangent / (number(1) + a.value)};
    }
    friend Dual sqrt(const Dual& a) {
        using std::sqrt;
        const P y = sqrt(a.value);
        return {y, number(0.5) * a.tangent / y};
    }
    /// 1 / sqrt(a), to full precision.
    friend Dual rsqrt(const Dual& a) {
        using std::sqrt;
        const P y = number(1) / sqrt(a.value);
        return {y, number(-0.5) * a.tangent * y / a.value};
    }

    friend Dual sin(const Dual& a) {
        using std::sin, std::cos;
        return {sin(a.value), a.tangent * cos(a.value)};
    }
    friend Dual cos(const Dual& a) {
        using std::sin, std::cos;
        return {cos(a.value), -a.tangent * sin(a.value)};
    }
    friend Dual tan(const Dual& a) {
        using std::tan;
        const P y = tan(a.value);
        return {y, a.tangent * (number(1) + y * y)};
    }
    friend Dual asin(const Dual& a) {
        using std::asin, std::sqrt;
        return {asin(a.value), a.tangent / sqrt((number(1) - a.value) * (number(1) + a.value))};
    }
    friend Dual acos(const Dual& a) {
        using std::acos, std::sqrt;
        return {acos(a.value), -a.tangent / sqrt((number(1) - a.value) * (number(1) + a.value))};
    }
    friend Dual atan(const Dual& a) {
        using std::atan;
        return {atan(a.value), a.tangent / (number(1) + a.value * a.value)};
    }
    /// The angle of the point (x, y), in (-pi, pi].
    friend Dual atan2(const Dual& y, const Dual& x) {
        using std::atan2;
        const P square = x.value * x.value + y.value * y.value;
        return {atan2(y.value, x.value), (x.value * y.tangent - y.value * x.tangent) / square};
    }

    friend Dual sinh(const Dual& a) {
        using std::sinh, std::cosh;
        return {sinh(a.value), a.tangent * cosh(a.value)};
    }
    friend Dual cosh(const Dual& a) {
        using std::sinh, std::cosh;
        return {cosh(a.value), a.tangent * sinh(a.value)};
    }
    friend Dual tanh(const Dual& a) {
        using std::tanh;
        const P y = tanh(a.value);
        return {y, a.tangent * (number(1) - y * y)};
    }
    friend Dual asinh(const Dual& a) {
        using std::asinh, std::sqrt;
        return {asinh(a.value), a.tangent / sqrt(number(1) + a.value * a.value)};
    }
    friend Dual acosh(const Dual& a) {
        using std::acosh, std::sqrt;
        return {acosh(a.value), a.tangent / sqrt((a.value - number(1)) * (a.value + number(1)))};
    }
    friend Dual atanh(const Dual& a) {
        using std::atanh;
        return {atanh(a.value), a.tangent / ((number(1) - a.value) * (number(1) + a.value))};
    }

    friend Dual erf(const Dual& a) {
        using std::erf;
        return {erf(a.value), a.tangent * erf_slope(a.value)};
    }
    friend Dual erfc(const Dual& a) {
        using std::erfc;
        return {erfc(a.value), -a.tangent * erf_slope(a.value)};
    }

    /// a to the power b. A negative base is fine where the exponent is a constant (tangent 0).
    friend Dual pow(const Dual& a, const Dual& b) {
        using std::pow;
        const P y = pow(a.value, b.value);
        return {y, a.tangent * power_base_slope(a.value, b.value) + power_exponent_tangent(a.value, b, y)};
    }
    template <detail::DualConstant<P> C>
    friend Dual pow(const Dual& a, const C& c) {
        using std::pow;
        const P exponent = detail::dual_constant<P>(c);
        return {pow(a.value, exponent), a.tangent * power_base_slope(a.value, exponent)};
    }
    template <detail::DualConstant<P> C>
    friend Dual pow(const C& c, const Dual& b) {
        using std::pow;
        const P base = detail::dual_constant<P>(c), y = pow(base, b.value);
        return {y, power_exponent_tangent(base, b, y)};
    }

private:
    template <class C>
    static WEFT_ALWAYS_INLINE constexpr P number(C c) {
        return detail::dual_constant<P>(c);
    }

    static constexpr P sign_value(const P& x) {
        return select(x > number(0), number(1), select(x < number(0), number(-1), number(0)));
    }

    static P erf_slope(const P& x) {
        using std::exp;
        return number(2 * std::numbers::inv_sqrtpi) * exp(-(x * x));
    }

    static P power_base_slope(const P& base, const P& exponent) {
        using std::pow;
        return select(exponent == number(0), number(0), exponent * pow(base, exponent - number(1)));
    }

    // y log(base) b', but 0 where the exponent is a constant, and 0 at base 0 (its limit for exponents >= 0).
    static P power_exponent_tangent(const P& base, const Dual& b, const P& y) {
        using std::log;
        const P full = select(base == number(0), select(b.value >= number(0), number(0), y * log(base)), y * log(base));
        return select(b.tangent == number(0), number(0), full * b.tangent);
    }
};

/// Where the mask of P's lanes is set `a`, elsewhere `b`.
template <class M, class P>
requires(!std::same_as<M, bool>) WEFT_ALWAYS_INLINE
    constexpr Dual<P> select(const M& mask, const Dual<P>& a, const Dual<P>& b) {
    return {select(mask, a.value, b.value), select(mask, a.tangent, b.tangent)};
}

} // namespace weft::inline WEFT_ABI
