// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// e^a - 1 without cancellation near 0. Slope y + 1.
struct Expm1 {
    static constexpr auto name = "expm1";
    static constexpr double cost = 0.9;
    static constexpr math::Accuracy accuracy{2, 2};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::expm1(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P&, const P& y) {
        return y + P(1);
    }
};

/// @copydoc weft::Expm1
template <Expression A>
auto expm1(A&& a) {
    return apply<Expm1>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
