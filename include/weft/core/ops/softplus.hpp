// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// log(1 + e^a) as max(a, 0) + log1p(e^-|a|): never overflows, keeps its digits for very negative a.
/// Slope sigmoid(a). Within 2 ulp.
struct Softplus {
    static constexpr auto name = "softplus";
    static constexpr double cost = 1.6;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a < P(0), P(0), a) + math::log1p(math::exp(-math::abs(a)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return P(1) / (P(1) + math::exp(-a));
    }
};

template <Expression A>
auto softplus(A&& a) {
    return apply<Softplus>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
