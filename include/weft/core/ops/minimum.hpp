// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The smaller of a and b; NaN if one of them is. Equal operands share the gradient half and half, as in PyTorch.
struct Minimum {
    static constexpr auto name = "minimum";
    static constexpr double cost = 0.1;
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        return select(a < b, a, select(a == a, b, a));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_a(const P& adj, const P& a, const P& b, const P&) {
        return select(a == b, adj * math::number<P>(0.5), select(a < b, adj, select(a == a, P(0), adj)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint_b(const P& adj, const P& a, const P& b, const P&) {
        return select(a == b, adj * math::number<P>(0.5), select(a < b, P(0), select(a == a, adj, P(0))));
    }
};

/// @copydoc weft::Minimum
template <class A, class B>
requires Operands<A, B>
auto minimum(A&& a, B&& b) { return apply<Minimum>(std::forward<A>(a), std::forward<B>(b)); }

} // namespace weft::inline WEFT_ABI
