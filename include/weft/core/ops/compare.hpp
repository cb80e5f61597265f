// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>

namespace weft::inline WEFT_ABI {

/// a == b as a mask of bool; false for NaN.
struct Equal {
    static constexpr auto name = "equal";
    static constexpr bool differentiable = false;
    template <class T>
    using result = bool;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return select(a == b, P(1), P(0));
    }
};

/// a != b as a mask of bool; true for NaN.
struct NotEqual {
    static constexpr auto name = "not_equal";
    static constexpr bool differentiable = false;
    template <class T>
    using result = bool;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return select(a == b, P(0), P(1));
    }
};

/// a < b as a mask of bool; false for NaN.
struct Less {
    static constexpr auto name = "less";
    static constexpr bool differentiable = false;
    template <class T>
    using result = bool;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return select(a < b, P(1), P(0));
    }
};

/// a <= b as a mask of bool; false for NaN.
struct LessEqual {
    static constexpr auto name = "less_equal";
    static constexpr bool differentiable = false;
    template <class T>
    using result = bool;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return select(a <= b, P(1), P(0));
    }
};

/// a > b as a mask of bool; false for NaN.
struct Greater {
    static constexpr auto name = "greater";
    static constexpr bool differentiable = false;
    template <class T>
    using result = bool;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return select(a > b, P(1), P(0));
    }
};

/// a >= b as a mask of bool; false for NaN.
struct GreaterEqual {
    static constexpr auto name = "greater_equal";
    static constexpr bool differentiable = false;
    template <class T>
    using result = bool;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return select(a >= b, P(1), P(0));
    }
};

/// @copydoc weft::Equal
template <class A, class B>
requires Operands<A, B>
auto operator==(A&& a, B&& b) { return apply<Equal>(std::forward<A>(a), std::forward<B>(b)); }
/// @copydoc weft::NotEqual
template <class A, class B>
requires Operands<A, B>
auto operator!=(A&& a, B&& b) { return apply<NotEqual>(std::forward<A>(a), std::forward<B>(b)); }
/// @copydoc weft::Less
template <class A, class B>
requires Operands<A, B>
auto operator<(A&& a, B&& b) { return apply<Less>(std::forward<A>(a), std::forward<B>(b)); }
/// @copydoc weft::LessEqual
template <class A, class B>
requires Operands<A, B>
auto operator<=(A&& a, B&& b) { return apply<LessEqual>(std::forward<A>(a), std::forward<B>(b)); }
/// @copydoc weft::Greater
template <class A, class B>
requires Operands<A, B>
auto operator>(A&& a, B&& b) { return apply<Greater>(std::forward<A>(a), std::forward<B>(b)); }
/// @copydoc weft::GreaterEqual
template <class A, class B>
requires Operands<A, B>
auto operator>=(A&& a, B&& b) { return apply<GreaterEqual>(std::forward<A>(a), std::forward<B>(b)); }

} // namespace weft::inline WEFT_ABI
