// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>

namespace weft::inline WEFT_ABI {

/// a and b, as a mask of bool; whatever is not 0 counts as true.
struct LogicalAnd {
    static constexpr auto name = "logical_and";
    static constexpr bool differentiable = false;
    template <class T>
    using result = bool;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return select((a == P(0)) | (b == P(0)), P(0), P(1));
    }
};

/// a or b, as a mask of bool; whatever is not 0 counts as true.
struct LogicalOr {
    static constexpr auto name = "logical_or";
    static constexpr bool differentiable = false;
    template <class T>
    using result = bool;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return select((a == P(0)) & (b == P(0)), P(0), P(1));
    }
};

/// not a, as a mask of bool: true where a is 0.
struct LogicalNot {
    static constexpr auto name = "logical_not";
    static constexpr bool differentiable = false;
    template <class T>
    using result = bool;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a == P(0), P(1), P(0));
    }
};

/// @copydoc weft::LogicalAnd
template <class A, class B>
requires Operands<A, B>
auto operator&&(A&& a, B&& b) { return apply<LogicalAnd>(std::forward<A>(a), std::forward<B>(b)); }
/// @copydoc weft::LogicalOr
template <class A, class B>
requires Operands<A, B>
auto operator||(A&& a, B&& b) { return apply<LogicalOr>(std::forward<A>(a), std::forward<B>(b)); }
/// @copydoc weft::LogicalNot
template <Expression A>
auto operator!(A&& a) {
    return apply<LogicalNot>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
