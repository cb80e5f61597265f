// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// max(a, 0)^2: So et al. (arXiv 2109.08668); NaN stays NaN. Slope 2 max(a, 0).
struct SquaredRelu {
    static constexpr auto name = "squared_relu";
    static constexpr double cost = 0.1;
    static constexpr math::Accuracy accuracy = math::correctly_rounded;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        const P positive = select(a < P(0), P(0), a);
        return positive * positive;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint(const P& adj, const P& a, const P&) {
        return select(a > P(0), adj * (a + a), P(0));
    }
};

/// @copydoc weft::SquaredRelu
template <Expression A>
auto squared_relu(A&& a) {
    return apply<SquaredRelu>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
