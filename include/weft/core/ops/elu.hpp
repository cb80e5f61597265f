// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a for a > 0, else alpha (e^a - 1). Slope 1 for a > 0, else y + alpha.
struct Elu {
    static constexpr auto name = "elu";
    static constexpr double cost = 1;
    static constexpr math::Accuracy accuracy{2, 2};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& alpha) {
        return select(a > P(0), a, alpha * math::expm1(a));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_a(const P& adj, const P& a, const P& alpha, const P& y) {
        return select(a > P(0), adj, adj * (y + alpha));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_b(const P& adj, const P& a, const P&, const P&) {
        return select(a > P(0), P(0), adj * math::expm1(a));
    }
};

/// @copydoc weft::Elu
template <Expression A>
auto elu(A&& a, double alpha = 1) {
    return apply<Elu>(std::forward<A>(a), alpha);
}

} // namespace weft::inline WEFT_ABI
