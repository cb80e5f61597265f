// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a for a > 0, else alpha (e^(a/alpha) - 1), so that the slope is continuous: Barron (arXiv 1704.07483).
/// Slope 1 for a > 0, else y / alpha + 1; that of alpha 0 for a > 0, else y / alpha - a / alpha (y / alpha + 1).
struct Celu {
    static constexpr auto name = "celu";
    static constexpr double cost = 1;
    static constexpr math::Accuracy accuracy{2.5, 2.5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& alpha) {
        return select(a > P(0), a, alpha * math::expm1(P(a / alpha)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_a(const P& adj, const P& a, const P& alpha, const P& y) {
        return select(a > P(0), adj, adj * (y / alpha + P(1)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_b(const P& adj, const P& a, const P& alpha, const P& y) {
        const P ratio = y / alpha;
        return select(a > P(0), P(0), adj * (ratio - a / alpha * (ratio + P(1))));
    }
};

/// @copydoc weft::Celu
template <Expression A>
auto celu(A&& a, double alpha = 1) {
    return apply<Celu>(std::forward<A>(a), alpha);
}

} // namespace weft::inline WEFT_ABI
