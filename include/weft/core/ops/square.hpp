// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a^2, slope 2 a.
struct Square {
    static constexpr auto name = "square";
    static constexpr double cost = 0.1;
    static constexpr math::Accuracy accuracy = math::correctly_rounded;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return a * a;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return a + a;
    }
};

/// @copydoc weft::Square
template <Expression A>
auto square(A&& a) {
    return apply<Square>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
