// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The largest integer not above a. No gradient flows.
struct Floor {
    static constexpr auto name = "floor";
    static constexpr double cost = 0.1;
    static constexpr bool differentiable = false;
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::floor(a);
    }
};

/// @copydoc weft::Floor
template <Expression A>
auto floor(A&& a) {
    return apply<Floor>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
