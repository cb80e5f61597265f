// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// log(sigmoid(a)) as min(a, 0) - log1p(e^-|a|): never overflows, keeps its digits for large a.
/// Slope sigmoid(-a).
struct LogSigmoid {
    static constexpr auto name = "logsigmoid";
    static constexpr double cost = 1.6;
    static constexpr math::Accuracy accuracy{2, 2};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return select(a < P(0), a, P(0)) - math::log1p(math::exp(P(select(a < P(0), a, -a))));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        return math::sigmoid(P(-a));
    }
};

/// @copydoc weft::LogSigmoid
template <Expression A>
auto logsigmoid(A&& a) {
    return apply<LogSigmoid>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
