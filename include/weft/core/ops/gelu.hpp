// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a times the normal distribution at a, a (1 + erf(a / sqrt(2))) / 2: the exact form and PyTorch's default;
/// -0 at -infinity. Hendrycks & Gimpel (arXiv 1606.08415).
/// Slope (1 + erf(a / sqrt(2))) / 2 + a e^(-a^2/2) / sqrt(2 pi).
struct Gelu {
    static constexpr auto name = "gelu";
    static constexpr double cost = 1.5;
    static constexpr math::Accuracy accuracy{5.5, 5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        if constexpr (math::is_dual<P>)
            return math::dual_value<Gelu>(a);
        else
            return math::times_normal(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        if constexpr (math::is_dual<P>) {
            // the density times 2 - a^2
            using Part = decltype(P::value);
            constexpr double density = std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2;
            const Part x = math::within(a.value, 40), half = math::number<Part>(-0.5) * x * x;
            const Part curvature = math::number<Part>(density) * math::exp(half) * (half + half + Part(2));
            return P(math::times_normal_slope(a.value), a.tangent * curvature);
        } else {
            return math::times_normal_slope(a);
        }
    }
};

/// @copydoc weft::Gelu
template <Expression A>
auto gelu(A&& a) {
    return apply<Gelu>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
