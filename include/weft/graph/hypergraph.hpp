// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/coalesce.hpp>

/// A hypergraph is a bipartite Graph from nodes to the hyperedges that they are members of, `Graph(incidence, nodes,
/// hyperedges)` with incidence [2, P]: nodes, then hyperedges. Empty hyperedges and nodes in none are legal.
namespace weft::inline WEFT_ABI {

/// Hyperedges that lead from some nodes, their tail, to others, their head.
struct DirectedHypergraph {
    Graph tail; ///< nodes to the hyperedges that leave them
    Graph head; ///< nodes to the hyperedges that enter them

    /// Errors: tail and head have other numbers of nodes or of hyperedges.
    DirectedHypergraph(Graph tails, Graph heads) : tail(std::move(tails)), head(std::move(heads)) {
        if (tail.num_src() != head.num_src() || tail.num_dst() != head.num_dst())
            throw error("DirectedHypergraph", "tail is {}, head is {}: nodes and hyperedges must be the same ones",
                        detail::graph_text(tail), detail::graph_text(head));
    }

    /// Nodes.
    index num_nodes() const noexcept { return tail.num_src(); }
    /// Hyperedges.
    index num_hyperedges() const noexcept { return tail.num_dst(); }
    /// Heads become tails.
    DirectedHypergraph reverse() const { return {head, tail}; }
};

/// The graph that joins any two different members of a hyperedge in both directions, coalesced. O(sum of the squares of
/// the sizes of hyperedges). Errors: more edges than a graph can have.
template <class = void>
Graph clique_expansion(const Graph& incidence) {
    const Csr& in = incidence.in();
    const auto members = [&](index hyperedge) {
        const auto* const ptr = in.row_ptr.data();
        return in.col.values().subspan(static_cast<std::size_t>(ptr[hyperedge]),
                                       static_cast<std::size_t>(ptr[hyperedge + 1] - ptr[hyperedge]));
    };
    index pairs = 0;
    for (index m = 0; m < incidence.num_dst(); ++m) {
        const auto size = static_cast<index>(members(m).size());
        pairs += size * (size - 1);
        detail::check_edge_count("clique_expansion", pairs);
    }
    std::vector<std::int32_t> sources, destinations;
    sources.reserve(static_cast<std::size_t>(pairs));
    destinations.reserve(static_cast<std::size_t>(pairs));
    for (index m = 0; m < incidence.num_dst(); ++m)
        for (const std::int32_t u : members(m))
            for (const std::int32_t v : members(m))
                if (u != v) {
                    sources.push_back(u);
                    destinations.push_back(v);
                }
    return coalesce(Graph::unchecked(Tensor<std::int32_t, 1>::from(sources),
                                     Tensor<std::int32_t, 1>::from(destinations), incidence.num_src(),
                                     incidence.num_src()));
}

/// The graph whose nodes are those of the hypergraph and then its hyperedges, each joined to its members in both
/// directions: first all edges to hyperedges in the order of the incidences, then all from them. Errors: more nodes or
/// edges than a graph can have.
template <class = void>
Graph star_expansion(const Graph& incidence) {
    const index nodes = incidence.num_src();
    const index all = detail::checked_node_count(nodes + incidence.num_dst(), "nodes and hyperedges of star_expansion");
    detail::check_edge_count("star_expansion", 2 * incidence.num_edges());
    const Tensor<std::int32_t, 1> hyperedges = incidence.destinations() + static_cast<std::int32_t>(nodes);
    return Graph::unchecked(concat(0, incidence.sources(), hyperedges), concat(0, hyperedges, incidence.sources()), all,
                            all);
}

} // namespace weft::inline WEFT_ABI
