// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a (1 + tanh(u)) / 2 with u = sqrt(2/pi) (a + 0.044715 a^3), PyTorch's gelu(approximate="tanh"). For
/// a > 0 within 3 ulp; for a < 0 the sum cancels, and the error is that of 1.
/// Slope (1 + t) / 2 + a (1 - t^2) u' / 2 with t = tanh(u).
struct GeluTanh {
    static constexpr auto name = "gelu_tanh";
    static constexpr double cost = 1.5;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::number<P>(0.5) * a * (P(1) + math::tanh(inner(a)));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        const P t = math::tanh(inner(a));
        const P inner_slope = math::number<P>(scale) * (P(1) + math::number<P>(3 * cubic) * a * a);
        return math::number<P>(0.5) * ((P(1) + t) + a * (P(1) - t) * (P(1) + t) * inner_slope);
    }

private:
    static constexpr double scale = std::numbers::inv_sqrtpi * std::numbers::sqrt2, cubic = 0.044715;
    template <class P>
    static WEFT_ALWAYS_INLINE P inner(const P& a) {
        return math::number<P>(scale) * a * (P(1) + math::number<P>(cubic) * a * a);
    }
};

template <Expression A>
auto gelu_tanh(A&& a) {
    return apply<GeluTanh>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
