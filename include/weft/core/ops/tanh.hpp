// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The hyperbolic tangent, within [-1, 1]. Slope (1 - y)(1 + y).
struct Tanh {
    static constexpr auto name = "tanh";
    static constexpr double cost = 1.3;
    static constexpr math::Accuracy accuracy{1.5, 1.5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::tanh(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P&, const P& y) {
        return (P(1) - y) * (P(1) + y);
    }
};

/// @copydoc weft::Tanh
template <Expression A>
auto tanh(A&& a) {
    return apply<Tanh>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
