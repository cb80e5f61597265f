// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The natural logarithm: -infinity at 0, NaN for a < 0. Slope 1 / a.
struct Log {
    static constexpr auto name = "log";
    static constexpr double cost = 0.7;
    static constexpr math::Accuracy accuracy{1, 1};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::log(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return P(1) / a;
    }
};

/// @copydoc weft::Log
template <Expression A>
auto log(A&& a) {
    return apply<Log>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
