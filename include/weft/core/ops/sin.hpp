// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The sine of a in radians; NaN for infinite a. Slope cos(a).
struct Sin {
    static constexpr auto name = "sin";
    static constexpr double cost = 0.9;
    static constexpr math::Accuracy accuracy{1.5, 1.5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::sin(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return math::cos(a);
    }
};

/// @copydoc weft::Sin
template <Expression A>
auto sin(A&& a) {
    return apply<Sin>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
