// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_order.hpp>

namespace weft::inline WEFT_ABI {

/// Edges from each node to its graph, from the graph of each node, batch [N], ascending, in [0, count): a readout is a
/// reduction over them, `mean_in(members, src(x))`. Errors: batch is not sorted or out of range.
template <Positions B>
requires(B::rank == 1) Graph graph_members(const B& batch, index count) {
    detail::checked_node_count(count, "count");
    const auto of_node = detail::checked_positions(batch, count, "batch");
    const index* const b = of_node.data();
    for (index v = 1; v < of_node.size(); ++v)
        if (b[v] < b[v - 1])
            throw error("batch", "node {} is in graph {}, node {} in graph {}: batch must be sorted", v - 1, b[v - 1],
                        v, b[v]);
    return Graph::unchecked(arange<std::int32_t>(of_node.size()), Tensor<std::int32_t, 1>(of_node), of_node.size(),
                            count);
}

/// Several square graphs as one without edges between them: the nodes of graph i are the rows ptr[i], ...,
/// ptr[i + 1] - 1. Graphs without nodes keep their place.
class GraphBatch {
public:
    /// No graphs.
    GraphBatch() = default;

    /// A graph whose node v belongs to graph batch[v]. Errors: the graph is not square; batch is not [N], not sorted or
    /// not within [0, count); an edge between two graphs.
    template <Positions B>
    requires(B::rank == 1) GraphBatch(const Graph& g, const B& batch, index count) : graph_(g), count_(count) {
        if (batch.shape()[0] != g.num_nodes())
            throw error("batch", "batch is {}, the graph has {} nodes: there must be one number for each",
                        detail::shape_text(batch.shape()), g.num_nodes());
        members_ = graph_members(batch, count);
        const std::int32_t* const b = members_.destinations().data();
        for (index e = 0; e < g.num_edges(); ++e) {
            const std::int32_t from = g.sources().data()[e], to = g.destinations().data()[e];
            if (b[from] != b[to])
                throw error("batch", "edge {} goes from graph {} to graph {}: edges must stay within a graph", e,
                            b[from], b[to]);
        }
    }

    /// All nodes and edges.
    const Graph& graph() const noexcept { return graph_; }
    /// Also those without nodes.
    index num_graphs() const noexcept { return count_; }
    /// [N] the graph of each node, ascending.
    const Tensor<std::int32_t, 1>& batch() const noexcept { return members_.destinations(); }
    /// [graphs + 1] where the nodes of each graph begin.
    const Tensor<std::int32_t, 1>& ptr() const { return members_.in().row_ptr; }
    /// Edges from each node to its graph; see graph_members.
    const Graph& members() const noexcept { return members_; }
    /// [E] the graph of each edge.
    Tensor<std::int32_t, 1> edge_batch() const { return gather(batch(), graph_.sources()); }

private:
    Graph graph_;
    Graph members_;
    index count_ = 0;
};

/// The graphs one behind the other: their nodes and edges in order. Errors: a graph is not square; more than 2^31 - 1
/// nodes or edges.
template <class G = Graph> // a template, so that it is compiled only where it is used
GraphBatch batch(const std::vector<std::type_identity_t<G>>& graphs) {
    index nodes = 0, edges = 0;
    for (const Graph& g : graphs) {
        nodes += g.num_nodes();
        edges += g.num_edges();
    }
    detail::checked_node_count(nodes, "the number of all nodes");
    detail::checked_node_count(edges, "the number of all edges");
    auto sources = Tensor<std::int32_t, 1>::empty({edges}), destinations = Tensor<std::int32_t, 1>::empty({edges});
    auto of_node = Tensor<index, 1>::empty({nodes});
    std::int32_t *to_source = sources.mutable_data(), *to_destination = destinations.mutable_data();
    index* to_batch = of_node.mutable_data();
    std::int32_t first = 0;
    for (std::size_t i = 0; i < graphs.size(); ++i) {
        const Graph& g = graphs[i];
        const auto shifted = [first](std::int32_t v) { return v + first; };
        to_source = std::transform(g.sources().data(), g.sources().data() + g.num_edges(), to_source, shifted);
        to_destination =
            std::transform(g.destinations().data(), g.destinations().data() + g.num_edges(), to_destination, shifted);
        to_batch = std::fill_n(to_batch, g.num_nodes(), static_cast<index>(i));
        first += static_cast<std::int32_t>(g.num_nodes());
    }
    return GraphBatch(Graph::unchecked(std::move(sources), std::move(destinations), nodes, nodes), of_node,
                      static_cast<index>(graphs.size()));
}

namespace detail {

/// The edges of each graph of a batch, in their order.
template <class B>
Grouping edges_by_graph(const B& b) {
    return group_by(Tensor<index, 1>(b.edge_batch()), b.num_graphs());
}
inline Tensor<index, 1> edges_of(const Grouping& grouping, index graph) {
    const index begin = grouping.begin.data()[graph], end = grouping.begin.data()[graph + 1];
    return Tensor<index, 1>::share(grouping.order.storage(), grouping.order.data() + begin, {end - begin});
}

} // namespace detail

/// The graphs of a batch, each with its own numbers of nodes again: the inverse of `batch`. O(N + E)
template <std::same_as<GraphBatch> B>
std::vector<Graph> unbatch(const B& b) {
    const auto grouping = detail::edges_by_graph(b);
    std::vector<Graph> graphs;
    graphs.reserve(static_cast<std::size_t>(b.num_graphs()));
    for (index i = 0; i < b.num_graphs(); ++i) {
        const auto edges = detail::edges_of(grouping, i);
        const std::int32_t first = b.ptr().data()[i];
        const index nodes = b.ptr().data()[i + 1] - first;
        const auto own = [&](const Tensor<std::int32_t, 1>& ends) {
            auto shifted = Tensor<std::int32_t, 1>::empty(edges.shape());
            std::int32_t* const to = shifted.mutable_data();
            for (index e = 0; e < edges.size(); ++e) to[e] = ends.data()[edges.data()[e]] - first;
            return shifted;
        };
        graphs.push_back(Graph::unchecked(own(b.graph().sources()), own(b.graph().destinations()), nodes, nodes));
    }
    return graphs;
}

/// The rows of x [N, ...] of each graph's nodes, without copying; gradients flow through them. Errors: x has not one
/// row for each node.
template <Expression X>
requires(X::rank >= 1) auto unbatch(const GraphBatch& b, const X& x) {
    if (x.shape()[0] != b.graph().num_nodes())
        throw error("unbatch", "x is {}, the batch has {} nodes: there must be one row for each",
                    detail::shape_text(x.shape()), b.graph().num_nodes());
    const auto rows = eval(x);
    std::vector<decltype(slice(rows, 0, 0, 0))> parts;
    parts.reserve(static_cast<std::size_t>(b.num_graphs()));
    for (index i = 0; i < b.num_graphs(); ++i)
        parts.push_back(slice(rows, 0, b.ptr().data()[i], b.ptr().data()[i + 1]));
    return parts;
}

/// The rows of w [E, ...] of each graph's edges; gradients flow through them. Errors: w has not one row for each edge.
template <Expression W>
auto unbatch_edges(const GraphBatch& b, const W& w) {
    detail::check_edge_rows("unbatch_edges", b.graph(), w);
    const auto rows = eval(w);
    const auto grouping = detail::edges_by_graph(b);
    std::vector<decltype(gather(rows, grouping.order))> parts;
    parts.reserve(static_cast<std::size_t>(b.num_graphs()));
    for (index i = 0; i < b.num_graphs(); ++i) parts.push_back(gather(rows, detail::edges_of(grouping, i)));
    return parts;
}

/// Rows of several graphs, each [rows, ...], one behind the other: the features of a batch. No parts give
/// extents 0. Errors: the shapes differ in more than the number of rows.
template <class T, int N>
requires(N >= 1) Tensor<T, N> concat_rows(std::span<const Tensor<T, N>> parts) {
    Extents<N> shape{};
    if (!parts.empty()) shape = detail::with_rows(parts[0].shape(), 0);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (detail::with_rows(parts[i].shape(), 0) != detail::with_rows(shape, 0))
            throw error("concat_rows", "part 0 is {}, part {} is {}: they must be equal but for axis 0",
                        detail::shape_text(parts[0].shape()), i, detail::shape_text(parts[i].shape()));
        shape[0] += parts[i].extent(0);
    }
    auto rows = Tensor<T, N>::empty(shape);
    T* to = rows.mutable_data();
    for (const auto& part : parts) to = std::copy_n(part.data(), part.size(), to);
    return rows;
}
/// The same of a vector.
template <class T, int N>
requires(N >= 1) Tensor<T, N> concat_rows(const std::vector<Tensor<T, N>>& parts) {
    return concat_rows(std::span<const Tensor<T, N>>(parts));
}

} // namespace weft::inline WEFT_ABI
