// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a (a + 3) / 6 from -3 to 3, 0 below and a above. Slope a/3 + 1/2, and 0 from -3 down, 1 from 3 up, as in PyTorch.
struct Hardswish {
    static constexpr auto name = "hardswish";
    static constexpr double cost = 0.3;
    static constexpr math::Accuracy accuracy{2, 2};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a < P(-3), P(0), select(a > P(3), a, a * (a + P(3)) / P(6)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint(const P& adj, const P& a, const P&) {
        return select(a >= P(3), adj, select(a > P(-3), adj * (a / P(3) + math::number<P>(0.5)), P(0)));
    }
};

/// @copydoc weft::Hardswish
template <Expression A>
auto hardswish(A&& a) {
    return apply<Hardswish>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
