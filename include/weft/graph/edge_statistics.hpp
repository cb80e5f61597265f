// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/grad/var.hpp>
#include <weft/graph/edge_softmax.hpp>

namespace weft::inline WEFT_ABI {

/// log(sum(exp(e))) over the edges that enter each destination, without overflow; -inf where there are none. Two
/// sweeps.
template <EdgeExpression E>
auto logsumexp_in(const Graph& g, const E& e) {
    const auto maximum = detail::detached(max_in(g, e));
    return eval(log(sum_in(g, exp(e - dst(maximum)))) + maximum);
}
/// Mean squared deviation from the mean over the edges that enter each destination (without Bessel's correction); 0
/// where there are none. Two sweeps, so that nothing cancels.
template <EdgeExpression E>
auto var_in(const Graph& g, const E& e) {
    const auto mean = detail::detached(mean_in(g, e)); // its gradient is zero: deviations sum to zero
    return mean_in(g, square(e - dst(mean)));
}
/// Standard deviation over the edges that enter each destination, 0 (with gradient 0) where the variance is at most
/// 1e-5, as in PyTorch Geometric.
template <EdgeExpression E>
auto std_in(const Graph& g, const E& e) {
    using T = typename E::value_type;
    const auto variance = var_in(g, e);
    return eval(where(variance > T(1e-5), sqrt(maximum(variance, T(1e-5))), T(0)));
}
/// log(sum(exp(e))) over the edges that leave each source; otherwise as logsumexp_in.
template <EdgeExpression E>
auto logsumexp_out(const Graph& g, const E& e) {
    return logsumexp_in(g.reverse(), detail::mirrored(e));
}
/// Variance over the edges that leave each source; otherwise as var_in.
template <EdgeExpression E>
auto var_out(const Graph& g, const E& e) {
    return var_in(g.reverse(), detail::mirrored(e));
}
/// Standard deviation over the edges that leave each source; otherwise as std_in.
template <EdgeExpression E>
auto std_out(const Graph& g, const E& e) {
    return std_in(g.reverse(), detail::mirrored(e));
}

} // namespace weft::inline WEFT_ABI
