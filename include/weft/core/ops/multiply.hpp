// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a * b
struct Multiply {
    static constexpr auto name = "multiply";
    static constexpr math::Accuracy accuracy = math::correctly_rounded;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return a * b;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope_a(const P&, const P& b, const P&) {
        return b;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope_b(const P& a, const P&, const P&) {
        return a;
    }
};

/// @copydoc weft::Multiply
template <class A, class B>
requires Operands<A, B>
auto operator*(A&& a, B&& b) { return apply<Multiply>(std::forward<A>(a), std::forward<B>(b)); }

} // namespace weft::inline WEFT_ABI
