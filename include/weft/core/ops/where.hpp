// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>

namespace weft::inline WEFT_ABI {

/// a where the condition is not 0, else b. The operand that was not taken gets no gradient, whatever the adjoint.
struct Where {
    static constexpr auto name = "where";
    static constexpr double cost = 0.1;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& condition, const P& a, const P& b) {
        return select(condition == P(0), b, a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_a(const P&, const P&, const P&, const P&, const P&) {
        return P(0);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_b(const P& adj, const P& condition, const P&, const P&, const P&) {
        return select(condition == P(0), P(0), adj);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_c(const P& adj, const P& condition, const P&, const P&, const P&) {
        return select(condition == P(0), adj, P(0));
    }
};

/// @copydoc weft::Where
template <Expression C, detail::OperandOf A, detail::OperandOf B>
auto where(C&& condition, A&& a, B&& b) {
    return apply<Where>(std::forward<C>(condition), std::forward<A>(a), std::forward<B>(b));
}

} // namespace weft::inline WEFT_ABI
