// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// 1 / a, correctly rounded. Slope -y^2.
struct Reciprocal {
    static constexpr auto name = "reciprocal";
    static constexpr double cost = 0.2;
    static constexpr math::Accuracy accuracy = math::correctly_rounded;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return P(1) / a;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P&, const P& y) {
        return -(y * y);
    }
};

/// @copydoc weft::Reciprocal
template <Expression A>
auto reciprocal(A&& a) {
    return apply<Reciprocal>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
