// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a (1 + tanh(u)) / 2 with u = sqrt(2/pi) (a + 0.044715 a^3), PyTorch's gelu(approximate="tanh"); -0 at -infinity.
/// Slope s (1 + 2 a (1 - s) u') with s = (1 + tanh(u)) / 2 = sigmoid(2 u).
struct GeluTanh {
    static constexpr auto name = "gelu_tanh";
    static constexpr double cost = 1.5;
    static constexpr math::Accuracy accuracy{2, 2};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        if constexpr (math::is_dual<P>) {
            return math::dual_value<GeluTanh>(a);
        } else {
            // 2 u, and what its rounding loses, which the exponential would multiply by 2 u
            const P x = math::within(a, 40), square = x * x;
            const P factor = math::number<P>(2 * scale), linear = factor * x;
            const P linear_lost = product_error(factor, x, linear) + math::rounding_of<P>(2 * scale) * x;
            const P cubic_factor = math::number<P>(cubic), growth = cubic_factor * square;
            const P growth_lost = product_error(cubic_factor, square, growth) +
                                  cubic_factor * product_error(x, x, square) + math::rounding_of<P>(cubic) * square;
            const P sum = P(1) + growth;
            const P sum_lost = smaller(P(1), growth) - (sum - larger(P(1), growth)) + growth_lost;
            const P inner = linear * sum;
            const P lost = product_error(linear, sum, inner) + linear * sum_lost + linear_lost * sum;
            return math::times_sigmoid(a, inner, lost);
        }
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        const P x = math::within(a, 40), growth = math::number<P>(cubic) * x * x;
        const P linear = math::number<P>(2 * scale) * x, s = math::sigmoid(P(linear * (P(1) + growth)));
        return s * (P(1) + linear * (P(1) - s) * (P(1) + P(3) * growth));
    }

private:
    static constexpr double scale = std::numbers::inv_sqrtpi * std::numbers::sqrt2, cubic = 0.044715;
};

/// @copydoc weft::GeluTanh
template <Expression A>
auto gelu_tanh(A&& a) {
    return apply<GeluTanh>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
