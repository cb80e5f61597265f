// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>
#include <weft/graph/directed_norm.hpp>
#include <weft/graph/edge_reduce.hpp>

namespace weft::inline WEFT_ABI {

/// Options of `page_rank`.
struct PageRankOptions {
    double damping = 0.85;    ///< how often the walk follows an edge; else it goes anywhere
    double tolerance = 1e-12; ///< of the sum of the changes of a step
    index max_iterations = 1000;
};

/// How often a random walk over the edges, chosen by their weights w [E], is at each node: [N], sums to 1 (Brin & Page,
/// The Anatomy of a Large-Scale Hypertextual Web Search Engine, 1998). From a node without edges it goes anywhere. In
/// double. O(E) a step. Errors: the graph is not square; w is not [E]; a weight is negative or not a number; damping is
/// not in [0, 1); it does not converge in max_iterations.
template <std::same_as<double> Real = double>
Tensor<Real, 1> page_rank(const Graph& g, const std::type_identity_t<Tensor<Real, 1>>& w,
                          const PageRankOptions& options = {}) {
    constexpr auto name = "page_rank";
    const double damping = options.damping;
    const index nodes = g.num_nodes();
    if (!(damping >= 0 && damping < 1)) throw error(name, "damping is {}: must be in [0, 1)", damping);
    const auto weight = detail::checked_weights(name, g, w);
    for (index e = 0; e < weight.size(); ++e)
        if (weight(e) < 0) throw error(name, "the weight of edge {} is {}: must not be negative", e, weight(e));
    if (nodes == 0) return Tensor<Real, 1>::zeros({0});
    const auto step = directed_norm(g, weight, DirectedNorm::row);
    const Tensor<Real, 1> stuck = cast<Real>(sum_out(g, edge(weight)) == 0.0);
    auto rank = Tensor<Real, 1>::full({nodes}, 1 / static_cast<Real>(nodes));
    for (index i = 0; i < options.max_iterations; ++i) {
        const double anywhere = damping * sum(rank * stuck).item() + 1 - damping;
        const Tensor<Real, 1> next = damping * sum_in(g, src(rank) * edge(step)) + anywhere / static_cast<Real>(nodes);
        const double change = sum(abs(next - rank)).item();
        rank = next;
        if (change <= options.tolerance) return rank / sum(rank);
    }
    throw error(name, "no convergence to {} in {} iterations", options.tolerance, options.max_iterations);
}
/// The same with every edge of weight 1.
template <std::same_as<double> Real = double>
Tensor<Real, 1> page_rank(const Graph& g, const PageRankOptions& options = {}) {
    return page_rank<Real>(g, Tensor<Real, 1>::ones({g.num_edges()}), options);
}

} // namespace weft::inline WEFT_ABI
