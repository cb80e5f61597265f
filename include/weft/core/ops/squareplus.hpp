// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// (a + sqrt(a^2 + b)) / 2, a softplus without exponential: Barron (arXiv 2112.11687); b > 0 says how round it is.
/// Slope y / sqrt(a^2 + b), that of b 1 / (4 sqrt(a^2 + b)).
struct Squareplus {
    static constexpr auto name = "squareplus";
    static constexpr double cost = 0.4;
    static constexpr math::Accuracy accuracy{3, 3};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a, const P& b) {
        const P half = math::number<P>(0.5), sum = half * root(a, b) + half * math::abs(a);
        return select(a < P(0), math::number<P>(0.25) * b / sum, sum);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope_a(const P& a, const P& b, const P& y) {
        return y / root(a, b);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope_b(const P& a, const P& b, const P&) {
        return math::number<P>(0.25) / root(a, b);
    }

private:
    template <class P>
    static WEFT_ALWAYS_INLINE P root(const P& a, const P& b) {
        const P size = math::abs(a);
        // beyond, a^2 would overflow, and b makes no difference
        const auto large = size > math::either<P>(1e18, 1e153);
        return select(large, size, math::sqrt(P(select(large, P(1), a) * a + b)));
    }
};

/// @copydoc weft::Squareplus
template <Expression A>
auto squareplus(A&& a, double b = 4) {
    return apply<Squareplus>(std::forward<A>(a), b);
}

} // namespace weft::inline WEFT_ABI
