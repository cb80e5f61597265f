// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/directed_norm.hpp>
#include <weft/graph/edge_reduce.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Landing probabilities [K, steps] of random walks along the edges of a square graph with edge weights w [E]: entry
/// (p, k - 1) is the probability that a walk from `sources[p]` is at `destinations[p]` after k steps, an entry of P^k
/// with P = D_out^-1 A. An edge is taken with a probability in proportion to its weight, duplicates add up, and a walk
/// ends at a node without edges. No gradient. O(steps E) for each different source; memory O(64 N + E). Errors: the
/// graph is not square; w is not [E], or a weight not a number; a node out of range; different numbers of sources and
/// destinations; steps is negative.
template <Expression W, Positions S, Positions D>
requires(W::rank == 1 && S::rank == 1 && D::rank == 1) auto landing_probabilities(const Graph& g, const W& w,
                                                                                  const S& sources,
                                                                                  const D& destinations, index steps) {
    using T = typename W::value_type;
    constexpr auto name = "landing_probabilities";
    const index nodes = g.num_nodes(), count = sources.shape()[0];
    if (steps < 0) throw error(name, "steps is {}: it must not be negative", steps);
    if (destinations.shape()[0] != count)
        throw error(name, "sources is [{}], destinations is [{}]: there must be one of each for every pair", count,
                    destinations.shape()[0]);
    const auto from = weft::detail::checked_positions(sources, nodes, name);
    const auto to = weft::detail::checked_positions(destinations, nodes, name);
    const auto transition = to_destination_order(g, directed_norm(g, Tensor<T, 1>(w), DirectedNorm::row));
    const Csr& in = g.in();
    const auto ordered = Graph::unchecked(in.col, gather(g.destinations(), in.eid), nodes, nodes);

    const auto by_source = weft::detail::group_by(from, nodes);
    const index* const first = by_source.begin.data();
    std::vector<index> starts;
    for (index i = 0; i < nodes; ++i)
        if (first[i] < first[i + 1]) starts.push_back(i);
    auto result = Tensor<T, 2>::empty({count, steps});
    for (std::size_t begin = 0; begin < starts.size(); begin += 64) {
        const auto block = std::span(starts).subspan(begin, std::min<std::size_t>(64, starts.size() - begin));
        const index width = std::ssize(block);
        // Column c is the row block[c] of a power of P.
        auto x = Tensor<T, 2>::zeros({nodes, width});
        for (index c = 0; c < width; ++c) x(block[static_cast<std::size_t>(c)], c) = T(1);
        for (index k = 0; k < steps; ++k) {
            x = sum_in(ordered, src(x) * edge(transition));
            for (index c = 0; c < width; ++c) {
                const index start = block[static_cast<std::size_t>(c)];
                for (index p = first[start]; p < first[start + 1]; ++p) {
                    const index pair = by_source.order.data()[p];
                    result(pair, k) = x.data()[to.data()[pair] * width + c];
                }
            }
        }
    }
    return result;
}

/// Random walk positional encoding [N, steps]: for each node, the probabilities that a walk that begins there is back
/// after 1, ..., steps steps; see landing_probabilities. Dwivedi et al., Graph Neural Networks with Learnable
/// Structural and Positional Representations (arXiv 2110.07875). O(steps N E). Errors: as there.
template <Expression W>
requires(W::rank == 1) auto random_walk_encoding(const Graph& g, const W& w, index steps) {
    const auto nodes = arange<index>(g.num_nodes());
    return landing_probabilities(g, w, nodes, nodes, steps);
}
/// The same with every edge of weight 1.
template <class T = float>
Tensor<T, 2> random_walk_encoding(const Graph& g, index steps) {
    return random_walk_encoding(g, Tensor<T, 1>::ones({g.num_edges()}), steps);
}

/// [N, 2 steps]: random_walk_encoding of a directed graph, then that of the graph with its edges turned round. Geisler
/// et al., Transformers Meet Directed Graphs (arXiv 2302.00049). Errors: as there.
template <Expression W>
requires(W::rank == 1) auto directed_random_walk_encoding(const Graph& g, const W& w, index steps) {
    return concat(1, random_walk_encoding(g, w, steps), random_walk_encoding(g.reverse(), w, steps));
}
/// The same with every edge of weight 1.
template <class T = float>
Tensor<T, 2> directed_random_walk_encoding(const Graph& g, index steps) {
    return directed_random_walk_encoding(g, Tensor<T, 1>::ones({g.num_edges()}), steps);
}

} // namespace weft::inline WEFT_ABI::gnn
