// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a - b
struct Subtract {
    static constexpr auto name = "subtract";
    static constexpr double cost = 0.1;
    static constexpr unsigned unit_slopes = 0b01;
    static constexpr math::Accuracy accuracy = math::correctly_rounded;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return a - b;
    }
    template <class P>
    static One slope_a(const P&, const P&, const P&) {
        return {};
    }
    template <class P>
    static MinusOne slope_b(const P&, const P&, const P&) {
        return {};
    }
};

/// @copydoc weft::Subtract
template <class A, class B>
requires Operands<A, B>
auto operator-(A&& a, B&& b) { return apply<Subtract>(std::forward<A>(a), std::forward<B>(b)); }

} // namespace weft::inline WEFT_ABI
