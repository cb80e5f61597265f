// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a / b; of integers the quotient rounded towards zero (b = 0 is an error of the caller).
/// Slopes 1/b and -y/b.
struct Divide {
    static constexpr auto name = "divide";
    static constexpr double cost = 0.2;
    static constexpr math::Accuracy accuracy = math::correctly_rounded;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return a / b;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope_a(const P&, const P& b, const P&) {
        return P(1) / b;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope_b(const P&, const P& b, const P& y) {
        return -y / b;
    }
};

/// @copydoc weft::Divide
template <class A, class B>
requires Operands<A, B>
auto operator/(A&& a, B&& b) { return apply<Divide>(std::forward<A>(a), std::forward<B>(b)); }

} // namespace weft::inline WEFT_ABI
