// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The tangent of a in radians; NaN for infinite a. Slope 1 + y^2.
struct Tan {
    static constexpr auto name = "tan";
    static constexpr double cost = 1.1;
    static constexpr math::Accuracy accuracy{3.5, 3.5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::tan(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P&, const P& y) {
        return P(1) + y * y;
    }
};

/// @copydoc weft::Tan
template <Expression A>
auto tan(A&& a) {
    return apply<Tan>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
