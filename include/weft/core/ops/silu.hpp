// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a sigmoid(a), also called swish; NaN at -infinity, as in PyTorch. Within 3 ulp for |a| <= 80.
/// Slope s (1 + a (1 - s)) with s = sigmoid(a).
struct Silu {
    static constexpr auto name = "silu";
    static constexpr double cost = 1;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return a / (P(1) + math::exp(-a));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        const P s = P(1) / (P(1) + math::exp(-a));
        return s * (P(1) + a * (P(1) - s));
    }
};

template <Expression A>
auto silu(A&& a) {
    return apply<Silu>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
