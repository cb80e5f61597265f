// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// min(max(a, 0), 6); NaN stays NaN. Slope 0 at 0 and at 6, as in PyTorch.
struct Relu6 {
    static constexpr auto name = "relu6";
    static constexpr double cost = 0.1;
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a < P(0), P(0), select(a > P(6), P(6), a));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint(const P& adj, const P& a, const P&) {
        return select(a > P(0), select(a < P(6), adj, P(0)), P(0));
    }
};

/// @copydoc weft::Relu6
template <Expression A>
auto relu6(A&& a) {
    return apply<Relu6>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
