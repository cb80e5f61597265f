// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// lambda a for a > 0, else lambda alpha (e^a - 1) with lambda 1.0507... and alpha 1.6733..., which keep the mean and
/// variance of normal inputs: Klambauer et al. (arXiv 1706.02515). Slope lambda for a > 0, else y + lambda alpha.
struct Selu {
    static constexpr auto name = "selu";
    static constexpr double cost = 1;
    static constexpr math::Accuracy accuracy{3, 3};
    static constexpr double alpha = 1.6732632423543772848170429916717, lambda = 1.0507009873554804934193349852946;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a > P(0), math::number<P>(lambda) * a, math::number<P>(lambda * alpha) * math::expm1(a));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P& y) {
        return select(a > P(0), math::number<P>(lambda), y + math::number<P>(lambda * alpha));
    }
};

/// @copydoc weft::Selu
template <Expression A>
auto selu(A&& a) {
    return apply<Selu>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
