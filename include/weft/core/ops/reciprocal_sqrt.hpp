// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// 1 / sqrt(a), no hardware estimate. Infinite at 0, NaN for a < 0. Slope -y / (2 a).
struct ReciprocalSqrt {
    static constexpr auto name = "rsqrt";
    static constexpr double cost = 0.4;
    static constexpr math::Accuracy accuracy{1.5, 1.5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return P(1) / math::sqrt(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P& y) {
        return math::number<P>(-0.5) * y / a;
    }
};

/// @copydoc weft::ReciprocalSqrt
template <Expression A>
auto rsqrt(A&& a) {
    return apply<ReciprocalSqrt>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
