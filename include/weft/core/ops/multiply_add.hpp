// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a b + c, rounded once where the instruction set can.
struct MultiplyAdd {
    static constexpr auto name = "fma";
    static constexpr double cost = 0.1;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b, const P& c) {
        return math::fma(a, b, c);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope_a(const P&, const P& b, const P&, const P&) {
        return b;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope_b(const P& a, const P&, const P&, const P&) {
        return a;
    }
    template <class P>
    static One slope_c(const P&, const P&, const P&, const P&) {
        return {};
    }
};

/// @copydoc weft::MultiplyAdd
template <detail::OperandOf A, detail::OperandOf B, detail::OperandOf C>
requires(Expression<A> || Expression<B> || Expression<C>) auto fma(A&& a, B&& b, C&& c) {
    return apply<MultiplyAdd>(std::forward<A>(a), std::forward<B>(b), std::forward<C>(c));
}

} // namespace weft::inline WEFT_ABI
