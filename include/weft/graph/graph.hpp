// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/derived_values.hpp>
#include <weft/core/evaluate.hpp>
#include <weft/graph/csr.hpp>

#include <fmt/format.h>

#include <iosfwd>
#include <limits>
#include <memory>
#include <utility>

namespace weft::inline WEFT_ABI {

namespace detail {

inline constexpr index most_nodes = std::numeric_limits<std::int32_t>::max();

inline index checked_node_count(index count, const char* argument) {
    if (count < 0 || count > most_nodes)
        throw error("Graph", "{} is {}: it must be from 0 to {}", argument, count, most_nodes);
    return count;
}

/// `ends[e]` of edges e as int32, each in [0, nodes); the memory is shared when it is int32 already.
template <class T>
Tensor<std::int32_t, 1> checked_ends(const Tensor<T, 1>& ends, index nodes, const char* argument, const char* end) {
    const index edges = ends.size();
    if (edges > most_nodes)
        throw error("Graph", "{} has {} edges: at most {} are possible", argument, edges, most_nodes);
    const T* const p = ends.data();
    bool good = true;
    for (index e = 0; e < edges; ++e) good &= std::cmp_greater_equal(p[e], 0) && std::cmp_less(p[e], nodes);
    for (index e = 0; !good && e < edges; ++e)
        if (std::cmp_less(p[e], 0) || std::cmp_greater_equal(p[e], nodes))
            throw error("Graph", "{}: the {} of edge {} is {}: it must be from 0 to below {}, the number of {} nodes",
                        argument, end, e, p[e], nodes, end);
    return ends;
}

/// What all copies of a graph share.
struct GraphState {
    index num_src;
    index num_dst;
    Tensor<std::int32_t, 1> sources;
    Tensor<std::int32_t, 1> destinations;
    Once in_made;
    Once out_made;
    Csr in;
    Csr out;
    DerivedValues derived;
};

} // namespace detail

/// A directed graph: edge e carries messages from source node sources()[e] to destination node destinations()[e].
/// Sources and destinations are two sets of nodes (bipartite) or, in the square case, the same one. Immutable; copies
/// share everything, also what is made on first use: the edges ordered by destination, by source, and what `cached`
/// keeps. All members may be called from many threads at once. Duplicate edges and loops are kept; nodes without
/// edges, graphs without edges and without nodes are legal.
class Graph {
public:
    /// No nodes and no edges.
    Graph() : Graph(Tensor<std::int32_t, 1>(), Tensor<std::int32_t, 1>(), 0, 0) {}
    // A graph that was moved from stays usable: moving copies.
    Graph(const Graph&) = default;
    Graph& operator=(const Graph&) = default;

    /// edge_index [2, E]: sources, then destinations, among the same `num_nodes` nodes; integers of any width. int32
    /// in row-major order is shared, not copied. Errors: another shape; a node out of range; 2^31 or more edges.
    template <Expression E>
    requires(E::rank == 2 && std::integral<typename E::value_type>) Graph(const E& edge_index, index num_nodes)
        : Graph(edge_index, detail::checked_node_count(num_nodes, "num_nodes"), num_nodes) {}
    /// The same between `num_src` source and `num_dst` destination nodes.
    template <Expression E>
    requires(E::rank == 2 && std::integral<typename E::value_type>)
        Graph(const E& edge_index, index num_src, index num_dst)
        : Graph(end_of(edge_index, 0), end_of(edge_index, 1), num_src, num_dst, "edge_index", "edge_index") {}

    /// Edge e from sources[e] to destinations[e]. Errors: their numbers differ; a node out of range; 2^31 or more
    /// edges.
    template <Expression S, Expression D>
    requires(S::rank == 1 && D::rank == 1 && std::integral<typename S::value_type> &&
             std::integral<typename D::value_type>)
        Graph(const S& sources, const D& destinations, index num_src, index num_dst)
        : Graph(Tensor<typename S::value_type, 1>(sources), Tensor<typename D::value_type, 1>(destinations), num_src,
                num_dst, "sources", "destinations") {}

    /// Edges as pairs (source, destination): `Graph::from_edges({{0, 1}, {1, 2}}, 3)`. Errors: a node out of range.
    static Graph from_edges(const std::vector<std::pair<index, index>>& edges, index num_nodes) {
        return from_edges(edges, detail::checked_node_count(num_nodes, "num_nodes"), num_nodes);
    }
    /// The same between two sets of nodes.
    static Graph from_edges(const std::vector<std::pair<index, index>>& edges, index num_src, index num_dst) {
        auto ends = Tensor<index, 2>::empty({2, static_cast<index>(edges.size())});
        index* to = ends.mutable_data();
        for (const auto& edge : edges) *to++ = edge.first;
        for (const auto& edge : edges) *to++ = edge.second;
        return Graph(end_of(ends, 0), end_of(ends, 1), num_src, num_dst, "edges", "edges");
    }

    /// Duplicates count.
    index num_edges() const noexcept { return state_->sources.size(); }
    /// Nodes that edges leave.
    index num_src() const noexcept { return state_->num_src; }
    /// Nodes that edges enter.
    index num_dst() const noexcept { return state_->num_dst; }
    /// As many sources as destinations: they are the same nodes.
    bool is_square() const noexcept { return num_src() == num_dst(); }
    /// Nodes of a square graph. Errors: the graph is not square.
    index num_nodes() const {
        if (!is_square())
            throw error("num_nodes", "the graph has {} source and {} destination nodes: ask for num_src or num_dst",
                        num_src(), num_dst());
        return num_dst();
    }

    /// [E], in the order the edges were given.
    const Tensor<std::int32_t, 1>& sources() const noexcept { return state_->sources; }
    /// The destination of each edge, likewise.
    const Tensor<std::int32_t, 1>& destinations() const noexcept { return state_->destinations; }
    /// [2, E]: sources, then destinations.
    Tensor<std::int32_t, 2> edge_index() const {
        auto ends = Tensor<std::int32_t, 2>::empty({2, num_edges()});
        std::int32_t* const to = ends.mutable_data();
        std::copy_n(sources().data(), num_edges(), to);
        std::copy_n(destinations().data(), num_edges(), to + num_edges());
        return ends;
    }

    /// The edges by destination. Made on first use, O(N + E).
    const Csr& in() const {
        state_->in_made([&] { state_->in = sort_edges(destinations(), sources(), num_dst()); });
        return state_->in;
    }
    /// The edges by source, each with its slot in `in()`. Made on first use, O(N + E).
    const Csr& out() const {
        state_->out_made([&] {
            Csr csr = sort_edges(sources(), destinations(), num_src());
            if (in().eid_is_identity) {
                csr.slot = csr.eid;
            } else {
                const auto slot_of = detail::inverse_permutation(in().eid);
                csr.slot = Tensor<std::int32_t, 1>::empty(csr.eid.shape());
                std::int32_t* const to = csr.slot.mutable_data();
                for (index p = 0; p < num_edges(); ++p) to[p] = slot_of.data()[csr.eid.data()[p]];
            }
            state_->out = std::move(csr);
        });
        return state_->out;
    }

    /// The value of make(), computed once for each key and kept as long as the graph; `Key` is a type of the caller's
    /// own with ==, say the options. Returns a copy: the value should share its memory, as tensors and graphs do. It
    /// must not hold this graph, which would then never be freed.
    template <class Key, class Make>
    auto cached(const Key& key, Make&& make) const {
        return state_->derived.get(key, std::forward<Make>(make));
    }

    /// Number of edges that enter each destination, [num_dst]; duplicates and loops count.
    template <class T = std::int32_t>
    Tensor<T, 1> in_degree() const {
        return degree<T>(in());
    }
    /// Number of edges that leave each source, [num_src].
    template <class T = std::int32_t>
    Tensor<T, 1> out_degree() const {
        return degree<T>(out());
    }

    /// Whether an edge goes from a node to itself; when the graph is not square, to the node of the same number.
    bool has_self_loops() const {
        struct Key {
            bool operator==(const Key&) const = default;
        };
        return cached(Key{}, [&] {
            const std::int32_t* const from = sources().data();
            const std::int32_t* const to = destinations().data();
            for (index e = 0; e < num_edges(); ++e)
                if (from[e] == to[e]) return true;
            return false;
        });
    }

    /// The graph with every edge turned round, in the same order. Kept with the graph.
    Graph reverse() const {
        struct Key {
            bool operator==(const Key&) const = default;
        };
        return cached(Key{}, [&] { return unchecked(destinations(), sources(), num_dst(), num_src()); });
    }

    /// Whether two names are copies of one graph.
    bool same_as(const Graph& other) const noexcept { return state_ == other.state_; }

    /// A graph of edges that are known to be in range, as transforms make them.
    static Graph unchecked(Tensor<std::int32_t, 1> sources, Tensor<std::int32_t, 1> destinations, index num_src,
                           index num_dst) {
        return Graph(make_state(std::move(sources), std::move(destinations), num_src, num_dst));
    }

private:
    explicit Graph(std::shared_ptr<detail::GraphState> state) : state_(std::move(state)) {}

    template <class S, class D>
    Graph(const Tensor<S, 1>& sources, const Tensor<D, 1>& destinations, index num_src, index num_dst,
          const char* sources_name, const char* destinations_name) {
        detail::checked_node_count(num_src, "num_src");
        detail::checked_node_count(num_dst, "num_dst");
        if (sources.size() != destinations.size())
            throw error("Graph", "{} has {} edges, {} has {}: there must be one of each for every edge", sources_name,
                        sources.size(), destinations_name, destinations.size());
        auto from = detail::checked_ends(sources, num_src, sources_name, "source");
        auto to = detail::checked_ends(destinations, num_dst, destinations_name, "destination");
        state_ = make_state(std::move(from), std::move(to), num_src, num_dst);
    }

    static std::shared_ptr<detail::GraphState>
    make_state(Tensor<std::int32_t, 1> sources, Tensor<std::int32_t, 1> destinations, index num_src, index num_dst) {
        auto state = std::allocate_shared<detail::GraphState>(detail::PoolAllocator<detail::GraphState>());
        state->num_src = num_src;
        state->num_dst = num_dst;
        state->sources = std::move(sources);
        state->destinations = std::move(destinations);
        return state;
    }

    template <class E>
    static Tensor<typename E::value_type, 1> end_of(const E& edge_index, index row) {
        using T = typename E::value_type;
        if (edge_index.shape()[0] != 2)
            throw error("Graph", "edge_index is {}: it must be [2, E], sources, then destinations",
                        detail::shape_text(edge_index.shape()));
        const Tensor<T, 2> ends = edge_index;
        const index edges = ends.extent(1);
        return Tensor<T, 1>::share(ends.storage(), ends.data() + row * edges, {edges});
    }

    template <class T>
    static Tensor<T, 1> degree(const Csr& csr) {
        const index rows = csr.row_ptr.size() - 1;
        auto d = Tensor<T, 1>::empty({rows});
        T* const to = d.mutable_data();
        for (index i = 0; i < rows; ++i) to[i] = static_cast<T>(csr.row_ptr.data()[i + 1] - csr.row_ptr.data()[i]);
        return d;
    }

    std::shared_ptr<detail::GraphState> state_;
};

namespace detail {

inline std::string graph_text(const Graph& g) {
    return g.is_square() ? message("Graph({} nodes, {} edges)", {g.num_dst(), g.num_edges()})
                         : message("Graph({} -> {} nodes, {} edges)", {g.num_src(), g.num_dst(), g.num_edges()});
}

} // namespace detail

template <class Char, class Traits>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out, const Graph& g) {
    const std::string text = detail::graph_text(g);
    return out.write(text.data(), static_cast<std::streamsize>(text.size()));
}

} // namespace weft::inline WEFT_ABI

/// `Graph(2708 nodes, 10556 edges)`, `Graph(6 -> 4 nodes, 10 edges)`
template <>
struct fmt::formatter<weft::Graph> {
    constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
    template <class Context>
    auto format(const weft::Graph& g, Context& context) const {
        return fmt::format_to(context.out(), "{}", weft::detail::graph_text(g));
    }
};
