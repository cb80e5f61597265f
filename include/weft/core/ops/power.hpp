// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a to the power b, as std::pow (NaN for a < 0 and fractional b; pow(a, 0) = 1 and pow(1, b) = 1 even for NaN).
/// Slopes b a^(b-1), which is 0 for b = 0, and y log(a), which is 0 at a = 0 for b >= 0.
/// See `square`, `sqrt` and `reciprocal_sqrt` for the cheap cases.
struct Power {
    static constexpr auto name = "pow";
    static constexpr double cost = 5;
    static constexpr math::Accuracy accuracy{1, 1};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return math::pow(a, b);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_a(const P& adj, const P& a, const P& b, const P&) {
        return select(b == P(0), P(0), adj * b * math::pow(a, b - P(1)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_b(const P& adj, const P& a, const P& b, const P& y) {
        return select((a == P(0)) & (b >= P(0)), P(0), adj * y * math::log(a));
    }
};

/// @copydoc weft::Power
template <class A, class B>
requires Operands<A, B>
auto pow(A&& a, B&& b) { return apply<Power>(std::forward<A>(a), std::forward<B>(b)); }

} // namespace weft::inline WEFT_ABI
