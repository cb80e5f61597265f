// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The complementary error function 1 - erf(a), without cancellation; subnormal results too.
/// Slope -2 / sqrt(pi) e^(-a^2).
struct Erfc {
    static constexpr auto name = "erfc";
    static constexpr double cost = 1.3;
    static constexpr math::Accuracy accuracy{3.5, 4};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::erfc(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return math::number<P>(-2 * std::numbers::inv_sqrtpi) * math::exp(P(-(a * a)));
    }
};

/// @copydoc weft::Erfc
template <Expression A>
auto erfc(A&& a) {
    return apply<Erfc>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
