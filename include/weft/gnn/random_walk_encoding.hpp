// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/directed_norm.hpp>
#include <weft/graph/edge_reduce.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Random walk positional encoding [N, steps] of a square graph with edge weights w [E]: column k - 1 has for each node
/// the probability that a walk along the edges that begins there is back after k steps, (P^k)_ii with P = D_out^-1 A.
/// An edge is taken with a probability in proportion to its weight, duplicates add up, and a walk ends at a node
/// without edges. Dwivedi et al., Graph Neural Networks with Learnable Structural and Positional Representations (arXiv
/// 2110.07875). No gradient. O(steps N E) time; memory is O(64 N + E). Errors: the graph is not square; w is not [E],
/// or a weight not a number; steps is negative.
template <Expression W>
requires(W::rank == 1) auto random_walk_encoding(const Graph& g, const W& w, index steps) {
    using T = typename W::value_type;
    const index nodes = g.num_nodes();
    if (steps < 0) throw error("random_walk_encoding", "steps is {}: it must not be negative", steps);
    const auto transition = to_destination_order(g, directed_norm(g, Tensor<T, 1>(w), DirectedNorm::row));
    const Csr& in = g.in();
    const auto ordered = Graph::unchecked(in.col, gather(g.destinations(), in.eid), nodes, nodes);
    auto result = Tensor<T, 2>::empty({nodes, steps});
    for (index begin = 0; begin < nodes; begin += 64) {
        const index width = std::min<index>(64, nodes - begin);
        // Columns of a power of P^T, which has the same diagonal.
        auto x = Tensor<T, 2>::zeros({nodes, width});
        for (index i = 0; i < width; ++i) x(begin + i, i) = T(1);
        for (index k = 0; k < steps; ++k) {
            x = sum_in(ordered, src(x) * edge(transition));
            for (index i = 0; i < width; ++i) result(begin + i, k) = x.data()[(begin + i) * width + i];
        }
    }
    return result;
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
template <class T = float>
Tensor<T, 2> directed_random_walk_encoding(const Graph& g, index steps) {
    return directed_random_walk_encoding(g, Tensor<T, 1>::ones({g.num_edges()}), steps);
}

} // namespace weft::inline WEFT_ABI::gnn
