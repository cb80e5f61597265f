// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/self_loops.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

struct Coalesced {
    Graph graph;
    Tensor<index, 1> to; // where each edge of the old graph went
};

inline Coalesced coalesced(const Graph& g) {
    const index edges = g.num_edges();
    const std::int32_t *const s = g.sources().data(), *const d = g.destinations().data();
    // A stable sort by source of what is sorted by destination already is sorted by both.
    const Csr by_source = sort_edges(g.in().col, g.in().eid, g.num_src());
    auto to = Tensor<index, 1>::empty({edges});
    auto sources = Tensor<std::int32_t, 1>::empty({edges}), destinations = Tensor<std::int32_t, 1>::empty({edges});
    index* const place = to.mutable_data();
    std::int32_t *const to_s = sources.mutable_data(), *const to_d = destinations.mutable_data();
    index count = 0;
    for (index p = 0; p < edges; ++p) {
        const std::int32_t e = by_source.col.data()[p];
        if (count == 0 || to_s[count - 1] != s[e] || to_d[count - 1] != d[e]) {
            to_s[count] = s[e];
            to_d[count++] = d[e];
        }
        place[e] = count - 1;
    }
    const auto first = [&](const Tensor<std::int32_t, 1>& t) {
        return Tensor<std::int32_t, 1>::from(t.values().first(static_cast<std::size_t>(count)), {count});
    };
    return {Graph::unchecked(first(sources), first(destinations), g.num_src(), g.num_dst()), to};
}

/// The edges of g, then all of them turned round.
inline Graph both_directions(const Graph& g) {
    check_edge_count("to_undirected", 2 * g.num_edges());
    return Graph::unchecked(concat(0, g.sources(), g.destinations()), concat(0, g.destinations(), g.sources()),
                            g.num_nodes(), g.num_nodes());
}

} // namespace detail

/// Edges sorted by source, then destination, each pair once. O(N + E).
inline Graph coalesce(const Graph& g) { return detail::coalesced(g).graph; }
/// The same with values of the edges, w [E, ...]; those of duplicates are combined. Gradients flow through w.
template <Expression W>
auto coalesce(const Graph& g, const W& w, Reduce reduce = Reduce::sum) {
    detail::check_edge_rows("coalesce", g, w);
    const auto merged = detail::coalesced(g);
    return WeightedGraph{merged.graph, scatter(w, merged.to, merged.graph.num_edges(), reduce)};
}

/// Every edge in both directions, coalesced. Errors: the graph is not square.
inline Graph to_undirected(const Graph& g) { return coalesce(detail::both_directions(g)); }
/// The same with values of the edges, w [E, ...], equal in both directions; those of duplicates are combined. A loop is
/// its own reverse: it counts twice.
template <Expression W>
auto to_undirected(const Graph& g, const W& w, Reduce reduce = Reduce::sum) {
    detail::check_edge_rows("to_undirected", g, w);
    const auto values = eval(w);
    return coalesce(detail::both_directions(g), concat(0, values, values), reduce);
}

} // namespace weft::inline WEFT_ABI
