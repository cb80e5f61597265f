// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/graph/graph.hpp>

namespace weft::inline WEFT_ABI {

/// Some nodes of a graph and the edges among them. Features: `gather(x, nodes)`; values of edges: `gather(w, edges)`.
struct Subgraph {
    Graph graph;
    Tensor<std::int32_t, 1> nodes;   ///< the number that node i had
    Tensor<std::int32_t, 1> edges;   ///< the position that edge e had, ascending
    Tensor<bool, 1> edge_mask;       ///< [old E] whether an edge is among them
    Tensor<std::int32_t, 1> mapping; ///< where the nodes that were asked for are among `nodes`
};

namespace detail {

/// `mapping` stays empty. `nodes`: in range.
template <class I>
Subgraph induced_subgraph(const Graph& g, const Tensor<I, 1>& nodes) {
    const index count = nodes.size(), edges = g.num_edges();
    std::vector<std::int32_t> number(static_cast<std::size_t>(g.num_nodes()), -1);
    for (index i = 0; i < count; ++i) {
        std::int32_t& n = number[static_cast<std::size_t>(nodes.data()[i])];
        if (n >= 0) throw error("subgraph", "node {} is named twice, at positions {} and {}", nodes.data()[i], n, i);
        n = static_cast<std::int32_t>(i);
    }
    Subgraph result;
    result.nodes = Tensor<std::int32_t, 1>(nodes);
    result.edge_mask = Tensor<bool, 1>::zeros({edges});
    bool* const mask = result.edge_mask.mutable_data();
    std::vector<std::int32_t> kept, sources, destinations;
    for (index e = 0; e < edges; ++e) {
        const std::int32_t s = number[static_cast<std::size_t>(g.sources().data()[e])];
        const std::int32_t d = number[static_cast<std::size_t>(g.destinations().data()[e])];
        if (s < 0 || d < 0) continue;
        mask[e] = true;
        kept.push_back(static_cast<std::int32_t>(e));
        sources.push_back(s);
        destinations.push_back(d);
    }
    result.edges = Tensor<std::int32_t, 1>::from(kept);
    result.graph = Graph::unchecked(Tensor<std::int32_t, 1>::from(sources), Tensor<std::int32_t, 1>::from(destinations),
                                    count, count);
    return result;
}

} // namespace detail

/// The nodes `nodes`, renumbered in this order, and the edges of g among them, in their old order. O(N + E). Errors: g
/// is not square; a node out of range or named twice.
template <Positions I>
requires(I::rank == 1) Subgraph subgraph(const Graph& g, const I& nodes) {
    Subgraph result = detail::induced_subgraph(g, detail::checked_positions(nodes, g.num_nodes(), "subgraph"));
    result.mapping = arange<std::int32_t>(result.nodes.size());
    return result;
}

/// The nodes from which at most `hops` edges lead to one of `nodes`, in ascending order, and all edges among them.
/// O(N + E). Errors: g is not square; a node out of range; a negative number of hops.
template <Positions I>
requires(I::rank == 1) Subgraph k_hop_subgraph(const Graph& g, const I& nodes, index hops) {
    if (hops < 0) throw error("k_hop_subgraph", "hops is {}: it must not be negative", hops);
    const auto seeds = detail::checked_positions(nodes, g.num_nodes(), "k_hop_subgraph");
    const Csr& in = g.in();
    std::vector<index> place(static_cast<std::size_t>(g.num_nodes()), -1);
    std::vector<index> reached; // those that the latest hop reached are behind the others
    const auto reach = [&](index node) {
        if (place[static_cast<std::size_t>(node)] >= 0) return;
        place[static_cast<std::size_t>(node)] = 0;
        reached.push_back(node);
    };
    for (const index seed : seeds.values()) reach(seed);
    std::size_t begin = 0;
    for (index hop = 0; hop < hops && begin < reached.size(); ++hop)
        for (const std::size_t end = reached.size(); begin < end; ++begin) {
            const index node = reached[begin];
            for (index p = in.row_ptr.data()[node]; p < in.row_ptr.data()[node + 1]; ++p) reach(in.col.data()[p]);
        }
    std::sort(reached.begin(), reached.end());
    for (std::size_t i = 0; i < reached.size(); ++i)
        place[static_cast<std::size_t>(reached[i])] = static_cast<index>(i);
    Subgraph result = detail::induced_subgraph(g, Tensor<index, 1>::from(reached));
    result.mapping = Tensor<std::int32_t, 1>::empty(seeds.shape());
    for (index i = 0; i < seeds.size(); ++i)
        result.mapping.mutable_data()[i] = static_cast<std::int32_t>(place[static_cast<std::size_t>(seeds.data()[i])]);
    return result;
}
/// The same around one node.
template <std::integral I>
Subgraph k_hop_subgraph(const Graph& g, I node, index hops) {
    return k_hop_subgraph(g, Tensor<index, 1>::from({static_cast<index>(node)}), hops);
}

} // namespace weft::inline WEFT_ABI
