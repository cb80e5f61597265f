// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The nearest integer, halves to the even one, as in PyTorch and NumPy. No gradient flows.
struct Round {
    static constexpr auto name = "round";
    static constexpr double cost = 0.1;
    static constexpr bool differentiable = false;
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::round(a);
    }
};

/// @copydoc weft::Round
template <Expression A>
auto round(A&& a) {
    return apply<Round>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
