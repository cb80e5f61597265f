// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a for a > 0, else slope * a.
struct LeakyRelu {
    static constexpr auto name = "leaky_relu";
    static constexpr double cost = 0.1;
    static constexpr math::Accuracy accuracy = math::correctly_rounded;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& slope) {
        return select(a > P(0), a, slope * a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_a(const P& adj, const P& a, const P& slope, const P&) {
        return select(a > P(0), adj, adj * slope);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_b(const P& adj, const P& a, const P&, const P&) {
        return select(a > P(0), P(0), adj * a);
    }
};

/// @copydoc weft::LeakyRelu
template <Expression A>
auto leaky_relu(A&& a, double slope = 0.01) {
    return apply<LeakyRelu>(std::forward<A>(a), slope);
}

} // namespace weft::inline WEFT_ABI
