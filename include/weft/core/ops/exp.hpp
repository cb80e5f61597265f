// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// e^a: overflows to infinity and underflows gradually where the exact result does. Slope y.
struct Exp {
    static constexpr auto name = "exp";
    static constexpr double cost = 0.7;
    static constexpr math::Accuracy accuracy{1.5, 1.5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::exp(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P&, const P& y) {
        return y;
    }
};

/// @copydoc weft::Exp
template <Expression A>
auto exp(A&& a) {
    return apply<Exp>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
