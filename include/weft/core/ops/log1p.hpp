// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// log(1 + a) without cancellation near 0: -infinity at -1, NaN below. Slope 1 / (1 + a).
struct Log1p {
    static constexpr auto name = "log1p";
    static constexpr double cost = 0.9;
    static constexpr math::Accuracy accuracy{1, 1};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::log1p(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return P(1) / (P(1) + a);
    }
};

/// @copydoc weft::Log1p
template <Expression A>
auto log1p(A&& a) {
    return apply<Log1p>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
