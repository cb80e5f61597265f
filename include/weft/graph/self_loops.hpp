// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_order.hpp>

/// Loops: edges from a node to itself. In a graph that is not square, source and destination of equal number count as
/// the same node, and there are as many as there are of the fewer ones, as in PyTorch Geometric. The new structures are
/// kept with the graph they were made of. Gradients flow through the weights.
namespace weft::inline WEFT_ABI {

/// A graph and values of its edges, [E] or [E, ...].
template <class W>
struct WeightedGraph {
    Graph graph;
    W weight;
};

template <class W>
WeightedGraph(Graph, W) -> WeightedGraph<W>;

namespace detail {

/// Errors: more edges than a graph can have.
inline void check_edge_count(const char* operation, index edges) {
    if (edges > most_nodes) throw error(operation, "{} edges: at most {} are possible", edges, most_nodes);
}

/// A graph made of the edges of another one.
struct Rewired {
    Graph graph;
    Tensor<index, 1> from; // which edge each one was; the number of old edges for a new one
};

enum class LoopChange { remove, add, add_remaining };

inline Rewired rewire_loops(const Graph& g, LoopChange change) {
    return g.cached(change, [&] {
        const index edges = g.num_edges();
        const index loops = change == LoopChange::remove ? 0 : std::min(g.num_src(), g.num_dst());
        const std::int32_t *const s = g.sources().data(), *const d = g.destinations().data();
        std::vector<index> from, loop_from(static_cast<std::size_t>(loops), edges);
        from.reserve(static_cast<std::size_t>(edges + loops));
        for (index e = 0; e < edges; ++e) {
            if (change == LoopChange::add || s[e] != d[e])
                from.push_back(e);
            else if (change == LoopChange::add_remaining)
                loop_from[static_cast<std::size_t>(s[e])] = e;
        }
        const auto kept = static_cast<index>(from.size());
        check_edge_count("add_self_loops", kept + loops);
        for (const index e : loop_from) from.push_back(e);
        auto sources = Tensor<std::int32_t, 1>::empty({kept + loops});
        auto destinations = Tensor<std::int32_t, 1>::empty({kept + loops});
        std::int32_t *const to_s = sources.mutable_data(), *const to_d = destinations.mutable_data();
        for (index p = 0; p < kept; ++p) {
            to_s[p] = s[from[static_cast<std::size_t>(p)]];
            to_d[p] = d[from[static_cast<std::size_t>(p)]];
        }
        for (index i = 0; i < loops; ++i) to_s[kept + i] = to_d[kept + i] = static_cast<std::int32_t>(i);
        return Rewired{Graph::unchecked(std::move(sources), std::move(destinations), g.num_src(), g.num_dst()),
                       Tensor<index, 1>::from(from)};
    });
}

/// The rows of w for rewired edges; `fill` for new ones.
template <class W>
auto rewired_rows(const Rewired& rewired, const W& w, typename W::value_type fill) {
    using T = typename W::value_type;
    const auto row = Tensor<T, W::rank>::full(with_rows(w.shape(), 1), fill);
    return gather(concat(0, w, row), rewired.from);
}

} // namespace detail

/// The graph without loops; the same graph when it has none.
inline Graph remove_self_loops(const Graph& g) {
    return g.has_self_loops() ? detail::rewire_loops(g, detail::LoopChange::remove).graph : g;
}
/// The same with values of the edges, w [E, ...].
template <Expression W>
auto remove_self_loops(const Graph& g, const W& w) {
    detail::check_edge_rows("remove_self_loops", g, w);
    using Rows = decltype(gather(w, Tensor<index, 1>()));
    if (!g.has_self_loops()) return WeightedGraph<Rows>{g, Rows(contiguous(w))};
    const auto rewired = detail::rewire_loops(g, detail::LoopChange::remove);
    return WeightedGraph<Rows>{rewired.graph, gather(w, rewired.from)};
}

/// The edges of g, then a loop at every node 0, ..., N - 1, whether it has one already or not.
inline Graph add_self_loops(const Graph& g) { return detail::rewire_loops(g, detail::LoopChange::add).graph; }
/// The same with values of the edges, w [E, ...]; those of the new loops are `fill`.
template <Expression W>
auto add_self_loops(const Graph& g, const W& w, typename W::value_type fill = typename W::value_type(1)) {
    detail::check_edge_rows("add_self_loops", g, w);
    const auto rewired = detail::rewire_loops(g, detail::LoopChange::add);
    return WeightedGraph{rewired.graph, detail::rewired_rows(rewired, w, fill)};
}
/// The same; the values of node i's new loop are those of the edges of g that enter i, combined; as scatter does it
/// where there are none (0; 1 for mul).
template <Expression W>
auto add_self_loops(const Graph& g, const W& w, Reduce reduce) {
    detail::check_edge_rows("add_self_loops", g, w);
    const auto values = eval(w);
    const auto loops = scatter(values, g.destinations(), g.num_dst(), reduce);
    return WeightedGraph{add_self_loops(g), concat(0, values, slice(loops, 0, 0, std::min(g.num_src(), g.num_dst())))};
}

/// The edges of g that are no loops, then a loop at every node 0, ..., N - 1.
inline Graph add_remaining_self_loops(const Graph& g) {
    return detail::rewire_loops(g, detail::LoopChange::add_remaining).graph;
}
/// The same with values of the edges, w [E, ...]. A node that had loops keeps the values of the last of them; at the
/// others they are `fill`.
template <Expression W>
auto add_remaining_self_loops(const Graph& g, const W& w, typename W::value_type fill = typename W::value_type(1)) {
    detail::check_edge_rows("add_remaining_self_loops", g, w);
    const auto rewired = detail::rewire_loops(g, detail::LoopChange::add_remaining);
    return WeightedGraph{rewired.graph, detail::rewired_rows(rewired, w, fill)};
}

} // namespace weft::inline WEFT_ABI
