// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The smallest integer not below a. No gradient flows.
struct Ceil {
    static constexpr auto name = "ceil";
    static constexpr double cost = 0.1;
    static constexpr bool differentiable = false;
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::ceil(a);
    }
};

/// @copydoc weft::Ceil
template <Expression A>
auto ceil(A&& a) {
    return apply<Ceil>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
