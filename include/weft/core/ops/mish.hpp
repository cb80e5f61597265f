// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a tanh(log(1 + e^a)): Misra (arXiv 1908.08681); -0 at -infinity. Slope t + a s (1 - t^2) with t = tanh(log(1 + e^a))
/// and s = sigmoid(a).
struct Mish {
    static constexpr auto name = "mish";
    static constexpr double cost = 1.2;
    static constexpr math::Accuracy accuracy{4.5, 4};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        if constexpr (math::is_dual<P>)
            return math::dual_value<Mish>(a);
        else
            return math::times_tanh_softplus(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        // With e = e^-|a| and t = n / d: 1 - t^2 is 4 (1 + e)^2 / d^2, for a >= 0 times e^2.
        const P x = math::within(a, 800);
        const auto negative = x < P(0);
        const P e = math::exp(P(select(negative, x, -x))), twice = e + e;
        const P n = select(negative, e * (e + P(2)), P(1) + twice), d = n + select(negative, P(2), e * twice);
        const P rest = math::number<P>(4) * x * e * (P(1) + e) * select(negative, P(1), e);
        return (n + rest / d) / d;
    }
};

/// @copydoc weft::Mish
template <Expression A>
auto mish(A&& a) {
    return apply<Mish>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
