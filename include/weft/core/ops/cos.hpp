// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The cosine of a in radians; NaN for infinite a. Slope -sin(a).
struct Cos {
    static constexpr auto name = "cos";
    static constexpr double cost = 0.9;
    static constexpr math::Accuracy accuracy{1.5, 1.5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::cos(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return -math::sin(a);
    }
};

/// @copydoc weft::Cos
template <Expression A>
auto cos(A&& a) {
    return apply<Cos>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
