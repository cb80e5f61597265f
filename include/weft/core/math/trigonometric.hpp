// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math/basic.hpp>

/// Sine, cosine and tangent of radians.
namespace weft::inline WEFT_ABI::math {

namespace detail {

/// Which lanes reduce_angle is for: neither infinities nor NaN.
template <class P>
WEFT_ALWAYS_INLINE auto is_near(const P& a) {
    return magnitude(a) <= either<P>(1024, 4096);
}
/// near_or_far where a lane is far: seldom, so not inlined.
template <class P, class F>
WEFT_NOINLINE P far_lanes(P near, P a, F f) {
    using T = typename P::value_type;
    T from[P::size], far[P::size];
    store_packet<T>(from, a);
    for (std::size_t k = 0; k < P::size; ++k) far[k] = f(from[k]);
    return select(is_near(a), near, load_packet<T>(far));
}
/// `near`, but f(a) in the lanes that are not near: what a lane has does not depend on those beside it.
template <class P, class F>
WEFT_ALWAYS_INLINE P near_or_far(const P& near, const P& a, F f) {
    if (xsimd::all(is_near(a))) [[likely]]
        return near;
    return far_lanes(near, a, f);
}

/// r + n part, and what that loses added to `low`.
template <class P>
WEFT_ALWAYS_INLINE void add_part(P& r, P& low, const P& n, const P& part) {
    const P next = multiply_add(n, part, r);
    low = low + multiply_add(n, part, P(r - next));
    r = next;
}

/// An angle as quadrant pi/2 + rest, |rest| <= pi/4, with the sine and cosine of the rest.
template <class P>
struct Angle {
    P quadrant; ///< 0, 1, 2 or 3
    P sine, cosine;
};
/// pi/2 in four parts, the first three so short that their products with up to 2^12 are exact. Polynomials by Remez's
/// algorithm, relative error 4e-9 (double: 4e-18).
template <class P>
WEFT_ALWAYS_INLINE Angle<P> reduce_angle(const P& a) {
    const P n = nearest_integer(P(a * number<P>(2 * std::numbers::inv_pi)));
    P r = multiply_add(n, either<P>(-1.5703125, -1.5707963267341256), a), low = P(0);
    add_part(r, low, n, either<P>(-0.0004837512969970703, -6.077100506303966e-11));
    add_part(r, low, n, either<P>(-7.549533620476723e-08, -2.0222662487111665e-21));
    add_part(r, low, n, either<P>(-2.5633440682570896e-12, -8.4784276603689e-32));
    const P square = r * r;
    P s, c;
    if constexpr (is_single<P>) {
        s = polynomial(square, -0.000195152298931276466, 0.00833216042714045003, -0.166666546057780599);
        c = polynomial(square, 0.000024433084780001831, -0.0013887315633276954, 0.0416666456703379679);
    } else {
        s = polynomial(square, 1.58962070485986978e-10, -2.50507474552331848e-8, 2.75573136201307014e-6,
                       -0.000198412698295883719, 0.00833333333332212055, -0.166666666666666307);
        c = polynomial(square, -1.13585135825860642e-11, 2.08757004196963313e-9, -2.75573141763748428e-7,
                       0.0000248015872888423956, -0.00138888888888730432, 0.0416666666666665929);
    }
    const P cosine = multiply_add(square, P(multiply_add(square, c, number<P>(-0.5))), P(1)) - r * low;
    const P sine = r + multiply_add(low, cosine, P(square * r * s));
    const P quarter = number<P>(0.25) * n;
    return {n - number<P>(4) * xsimd::floor(quarter), sine, cosine};
}

template <class P>
WEFT_ALWAYS_INLINE P sin_packet(const P& a) {
    const auto [quadrant, sine, cosine] = reduce_angle(a);
    const P y = select((quadrant == P(1)) | (quadrant == number<P>(3)), cosine, sine);
    return select(a == P(0), a, P(select(quadrant >= number<P>(2), P(-y), y)));
}
template <class P>
WEFT_ALWAYS_INLINE P cos_packet(const P& a) {
    const auto [quadrant, sine, cosine] = reduce_angle(a);
    const auto one = quadrant == P(1);
    const P y = select(one | (quadrant == number<P>(3)), sine, cosine);
    return select(one | (quadrant == number<P>(2)), P(-y), y);
}
template <class P>
WEFT_ALWAYS_INLINE P tan_packet(const P& a) {
    const auto [quadrant, sine, cosine] = reduce_angle(a);
    const auto odd = (quadrant == P(1)) | (quadrant == number<P>(3));
    return select(a == P(0), a, P(select(odd, P(-cosine), sine) / select(odd, sine, cosine)));
}

} // namespace detail

template <class P>
WEFT_ALWAYS_INLINE P cos(const P& a);

/// The sine of radians; beyond 1024 (double: 4096) lane by lane.
template <class P>
WEFT_ALWAYS_INLINE P sin(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        return P(math::sin(a.value), a.tangent * math::cos(a.value));
    } else if constexpr (detail::is_packet<P>) {
        return detail::near_or_far(detail::sin_packet(a), a, [](auto x) { return std::sin(x); });
    } else {
        using std::sin;
        return sin(a);
    }
}

/// The cosine of radians; likewise.
template <class P>
WEFT_ALWAYS_INLINE P cos(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        return P(math::cos(a.value), -a.tangent * math::sin(a.value));
    } else if constexpr (detail::is_packet<P>) {
        return detail::near_or_far(detail::cos_packet(a), a, [](auto x) { return std::cos(x); });
    } else {
        using std::cos;
        return cos(a);
    }
}

/// The tangent of radians; likewise.
template <class P>
WEFT_ALWAYS_INLINE P tan(const P& a) {
    detail::require_fractional<P>();
    if constexpr (is_dual<P>) {
        const auto y = math::tan(a.value);
        return P(y, a.tangent * (decltype(y)(1) + y * y));
    } else if constexpr (detail::is_packet<P>) {
        return detail::near_or_far(detail::tan_packet(a), a, [](auto x) { return std::tan(x); });
    } else {
        using std::tan;
        return tan(a);
    }
}

} // namespace weft::inline WEFT_ABI::math
