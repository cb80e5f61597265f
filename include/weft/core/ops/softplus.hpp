// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// log(1 + e^a) as max(a, 0) + log1p(e^-|a|): never overflows, keeps its digits for very negative a.
/// Slope sigmoid(a).
struct Softplus {
    static constexpr auto name = "softplus";
    static constexpr double cost = 1.6;
    static constexpr math::Accuracy accuracy{2, 2};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a < P(0), P(0), a) + math::log1p(math::exp(P(select(a < P(0), a, -a))));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return math::sigmoid(a);
    }
};

/// @copydoc weft::Softplus
template <Expression A>
auto softplus(A&& a) {
    return apply<Softplus>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
