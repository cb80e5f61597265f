// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// -1, 0 or 1; 0 for NaN, as in PyTorch. No gradient flows.
struct Sign {
    static constexpr auto name = "sign";
    static constexpr double cost = 0.1;
    static constexpr bool differentiable = false;
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a > P(0), P(1), select(a < P(0), P(-1), P(0)));
    }
};

/// @copydoc weft::Sign
template <Expression A>
auto sign(A&& a) {
    return apply<Sign>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
