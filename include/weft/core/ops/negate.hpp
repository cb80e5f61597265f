// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// -a
struct Negate {
    static constexpr auto name = "negate";
    static constexpr double cost = 0.1;
    static constexpr math::Accuracy accuracy = math::exact;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return -a;
    }
    template <class P>
    static MinusOne slope(const P&, const P&) {
        return {};
    }
};

/// @copydoc weft::Negate
template <Expression A>
auto operator-(A&& a) {
    return apply<Negate>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
