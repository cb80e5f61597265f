// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a sigmoid(1.702 a), a cheap GELU: Hendrycks & Gimpel (arXiv 1606.08415); -0 at -infinity.
/// Slope s (1 + 1.702 a (1 - s)) with s = sigmoid(1.702 a).
struct QuickGelu {
    static constexpr auto name = "quick_gelu";
    static constexpr double cost = 1;
    static constexpr math::Accuracy accuracy{2, 2};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        if constexpr (math::is_dual<P>) {
            return math::dual_value<QuickGelu>(a);
        } else {
            const P x = math::within(a, 800), inner = math::number<P>(factor) * x;
            const P lost = product_error(math::number<P>(factor), x, inner) + math::rounding_of<P>(factor) * x;
            return math::times_sigmoid(a, inner, lost);
        }
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        const P inner = math::number<P>(factor) * math::within(a, 800), s = math::sigmoid(inner);
        return s * (P(1) + inner * (P(1) - s));
    }

private:
    static constexpr double factor = 1.702;
};

/// @copydoc weft::QuickGelu
template <Expression A>
auto quick_gelu(A&& a) {
    return apply<QuickGelu>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
