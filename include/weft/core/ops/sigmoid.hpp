// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// 1 / (1 + e^-a), from 0 to 1, without overflow; subnormal results too. Slope y (1 - y).
struct Sigmoid {
    static constexpr auto name = "sigmoid";
    static constexpr double cost = 0.9;
    static constexpr math::Accuracy accuracy{2, 2};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::sigmoid(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P&, const P& y) {
        return y * (P(1) - y);
    }
};

/// @copydoc weft::Sigmoid
template <Expression A>
auto sigmoid(A&& a) {
    return apply<Sigmoid>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
