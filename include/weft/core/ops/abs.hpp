// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// |a|. Slope sign(a), 0 at 0.
struct Abs {
    static constexpr auto name = "abs";
    static constexpr double cost = 0.1;
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::abs(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint(const P& adj, const P& a, const P&) {
        return select(a > P(0), adj, select(a < P(0), -adj, P(0)));
    }
};

/// @copydoc weft::Abs
template <Expression A>
auto abs(A&& a) {
    return apply<Abs>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
