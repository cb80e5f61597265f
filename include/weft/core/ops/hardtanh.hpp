// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// min(max(a, -1), 1); NaN stays NaN. Slope 0 at -1 and at 1, as in PyTorch. See `clamp` for other bounds.
struct Hardtanh {
    static constexpr auto name = "hardtanh";
    static constexpr double cost = 0.1;
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a < P(-1), P(-1), select(a > P(1), P(1), a));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint(const P& adj, const P& a, const P&) {
        return select(a > P(-1), select(a < P(1), adj, P(0)), P(0));
    }
};

/// @copydoc weft::Hardtanh
template <Expression A>
auto hardtanh(A&& a) {
    return apply<Hardtanh>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
