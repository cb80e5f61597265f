// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// 1 / (1 + e^-a), from 0 to 1, without overflow. Slope y (1 - y). Within 3 ulp for |a| <= 80.
struct Sigmoid {
    static constexpr auto name = "sigmoid";
    static constexpr double cost = 0.9;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return P(1) / (P(1) + math::exp(-a));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P&, const P& y) {
        return y * (P(1) - y);
    }
};

template <Expression A>
auto sigmoid(A&& a) {
    return apply<Sigmoid>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
