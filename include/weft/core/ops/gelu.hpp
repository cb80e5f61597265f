// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a (1 + erf(a / sqrt(2))) / 2, the exact form and PyTorch's default. For a > 0 within 3 ulp
/// (double: 30); for a < 0 the sum cancels, and the error is that of 1.
/// Slope (1 + erf(a / sqrt(2))) / 2 + a e^(-a^2/2) / sqrt(2 pi).
struct Gelu {
    static constexpr auto name = "gelu";
    static constexpr double cost = 1.5;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::number<P>(0.5) * a * (P(1) + math::erf(a * math::number<P>(std::numbers::sqrt2 / 2)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        const P normal = math::number<P>(0.5) * (P(1) + math::erf(a * math::number<P>(std::numbers::sqrt2 / 2)));
        constexpr double density = std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2;
        return normal + a * math::number<P>(density) * math::exp(math::number<P>(-0.5) * a * a);
    }
};

template <Expression A>
auto gelu(A&& a) {
    return apply<Gelu>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
