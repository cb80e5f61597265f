// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// (a + 3) / 6 between 0 and 1. Slope 1/6, and 0 from -3 down and from 3 up, as in PyTorch.
struct Hardsigmoid {
    static constexpr auto name = "hardsigmoid";
    static constexpr double cost = 0.2;
    static constexpr math::Accuracy accuracy{1, 1};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a < P(-3), P(0), select(a > P(3), P(1), (a + P(3)) / P(6)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint(const P& adj, const P& a, const P&) {
        return select(a > P(-3), select(a < P(3), adj / P(6), P(0)), P(0));
    }
};

/// @copydoc weft::Hardsigmoid
template <Expression A>
auto hardsigmoid(A&& a) {
    return apply<Hardsigmoid>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
