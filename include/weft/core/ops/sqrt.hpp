// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The square root, correctly rounded; NaN for a < 0. Slope 1 / (2 y), infinite at 0.
struct Sqrt {
    static constexpr auto name = "sqrt";
    static constexpr double cost = 0.3;
    static constexpr math::Accuracy accuracy = math::correctly_rounded;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::sqrt(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P&, const P& y) {
        return math::number<P>(0.5) / y;
    }
};

/// @copydoc weft::Sqrt
template <Expression A>
auto sqrt(A&& a) {
    return apply<Sqrt>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
