// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// max(x, 0); NaN stays NaN. Slope 0 at 0, as in PyTorch.
struct Relu {
    static constexpr auto name = "relu";
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a < P(0), P(0), a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint(const P& adj, const P& a, const P&) {
        return select(a > P(0), adj, P(0));
    }
};

/// @copydoc weft::Relu
template <Expression A>
auto relu(A&& a) {
    return apply<Relu>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
