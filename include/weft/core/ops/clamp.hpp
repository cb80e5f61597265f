// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>

namespace weft::inline WEFT_ABI {

/// min(max(a, low), high): high where low > high. NaN stays NaN. The gradient goes to a within [low, high],
/// else to the bound that was taken.
struct Clamp {
    static constexpr auto name = "clamp";
    static constexpr double cost = 0.2;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& low, const P& high) {
        const P raised = select(a < low, low, a);
        return select(raised > high, high, raised);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_a(const P& adj, const P& a, const P& low, const P& high, const P&) {
        return select((a < low) | (a > high), P(0), adj);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_b(const P& adj, const P& a, const P& low, const P& high, const P&) {
        return select((a < low) & (low <= high), adj, P(0));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_c(const P& adj, const P& a, const P& low, const P& high, const P&) {
        const P raised = select(a < low, low, a);
        return select(raised > high, adj, P(0));
    }
};

/// `low` and `high` are numbers or expressions.
template <Expression A, detail::OperandOf L, detail::OperandOf H>
auto clamp(A&& a, L&& low, H&& high) {
    return apply<Clamp>(std::forward<A>(a), std::forward<L>(low), std::forward<H>(high));
}

} // namespace weft::inline WEFT_ABI
