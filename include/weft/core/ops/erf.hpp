// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// The error function 2 / sqrt(pi) * integral from 0 to a of e^(-t^2). Slope 2 / sqrt(pi) * e^(-a^2).
struct Erf {
    static constexpr auto name = "erf";
    static constexpr double cost = 1.3;
    static constexpr math::Accuracy accuracy{1.5, 1.5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return math::erf(a);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return math::number<P>(2 * std::numbers::inv_sqrtpi) * math::exp(-(a * a));
    }
};

/// @copydoc weft::Erf
template <Expression A>
auto erf(A&& a) {
    return apply<Erf>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
