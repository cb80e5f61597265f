// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a sigmoid(a), also called swish; -0 at -infinity. Slope s (1 + a (1 - s)) with s = sigmoid(a).
struct Silu {
    static constexpr auto name = "silu";
    static constexpr double cost = 1;
    static constexpr math::Accuracy accuracy{2, 2};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        if constexpr (math::is_dual<P>)
            return math::dual_value<Silu>(a);
        else
            return math::times_sigmoid(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        const P x = math::within(a, 800), s = math::sigmoid(x);
        return s * (P(1) + x * (P(1) - s));
    }
};

/// @copydoc weft::Silu
template <Expression A>
auto silu(A&& a) {
    return apply<Silu>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
