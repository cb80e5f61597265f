// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/iteration.hpp>
#include <weft/core/random.hpp>
#include <weft/graph/graph.hpp>

namespace weft::inline WEFT_ABI {

/// What a NeighborSampler finds around some nodes. Features: `gather(x, nodes)`; values of edges: `gather(w, edges)`.
/// Nodes and edges are in the order of the hops that found them, so that what the first hops found is a prefix.
struct SampledSubgraph {
    Graph graph;                      ///< the sampled edges among the nodes found, destinations ascending
    Tensor<std::int32_t, 1> nodes;    ///< the number that node i had: the seeds, then in the order they were found
    Tensor<std::int32_t, 1> edges;    ///< the position that edge e had
    std::vector<index> nodes_per_hop; ///< [hops + 1] how many nodes were found: the seeds, then by each hop
    std::vector<index> edges_per_hop; ///< [hops] how many edges were sampled

    /// Nodes that were asked for, the first of `nodes`.
    index num_seeds() const { return nodes_per_hop.front(); }
    /// Hops that were sampled.
    index num_hops() const { return std::ssize(edges_per_hop); }

    /// The part of the graph that layer `layer` of a network of num_hops() layers needs, as a bipartite graph: its
    /// sources are the first num_src() nodes, its destinations the first num_dst() of these. The last layer's
    /// destinations are the seeds. O(1) but for the order of the edges. Errors: a layer out of range.
    Graph layer(index layer) const {
        if (layer < 0 || layer >= num_hops())
            throw error("SampledSubgraph", "layer is {}: there are {} hops, and a layer for each", layer, num_hops());
        const auto hops = num_hops() - layer;
        const index edge_count = std::accumulate(edges_per_hop.begin(), edges_per_hop.begin() + hops, index{0});
        const index num_dst = std::accumulate(nodes_per_hop.begin(), nodes_per_hop.begin() + hops, index{0});
        const auto first_of = [&](const Tensor<std::int32_t, 1>& ends) {
            return Tensor<std::int32_t, 1>::share(ends.storage(), ends.data(), {edge_count});
        };
        return Graph::unchecked(first_of(graph.sources()), first_of(graph.destinations()),
                                num_dst + nodes_per_hop[static_cast<std::size_t>(hops)], num_dst);
    }
};

/// Options of `NeighborSampler`.
struct NeighborSamplerOptions {
    /// For each hop, how many of the edges that enter a node are taken, -1 for all.
    std::vector<index> fan_outs;
    /// Whether an edge may be taken more than once; then a node with edges gets as many as the fan-out says.
    bool replace = false;
};

namespace detail {

/// The random numbers of one node in one hop.
class NodeRandom {
public:
    NodeRandom(std::uint64_t key, index hop, std::int32_t node)
        : key_{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)},
          counter_{0, static_cast<std::uint32_t>(node), static_cast<std::uint32_t>(hop), 0} {}

    /// Each of [0, n) equally likely: Lemire, Fast random integer generation in an interval (2019).
    std::int32_t below(std::int32_t n) {
        const auto range = static_cast<std::uint32_t>(n);
        std::uint64_t product = std::uint64_t{next()} * range;
        if (static_cast<std::uint32_t>(product) < range)
            for (const std::uint32_t bias = (0 - range) % range; static_cast<std::uint32_t>(product) < bias;)
                product = std::uint64_t{next()} * range;
        return static_cast<std::int32_t>(product >> 32);
    }

private:
    std::uint32_t next() {
        if (used_ == words_.size()) {
            words_ = philox4x32(counter_, key_);
            ++counter_[0];
            used_ = 0;
        }
        return words_[used_++];
    }

    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> counter_;
    std::array<std::uint32_t, 4> words_{};
    std::size_t used_ = 4;
};

/// `count` different numbers of [0, n), each set equally likely, in ascending order: Floyd's algorithm (Bentley &
/// Floyd, A sample of brilliance, 1987) on a sorted list.
inline void sample_distinct(NodeRandom& random, std::int32_t n, std::int32_t count, std::int32_t* out) {
    std::int32_t* end = out;
    for (std::int32_t top = n - count; top < n; ++top) {
        const std::int32_t r = random.below(top + 1);
        std::int32_t* const place = std::lower_bound(out, end, r);
        if (place != end && *place == r) {
            *end++ = top; // above all so far
        } else {
            std::copy_backward(place, end, end + 1);
            *place = r;
            ++end;
        }
    }
}

} // namespace detail

/// Samples neighbourhoods of a square graph: hop by hop, some of the edges that enter each node found by the hop
/// before (Hamilton et al., arXiv 1706.02216). Keeps a mark for each node of the graph, 4 N bytes, of which a call
/// touches only what it finds. Not for use from two threads at once; copies are independent.
class NeighborSampler {
public:
    /// Errors: g is not square; a fan-out below -1.
    NeighborSampler(const Graph& g, NeighborSamplerOptions options)
        : graph_(g), options_(std::move(options)), number_(static_cast<std::size_t>(g.num_nodes()), -1) {
        for (const index fan_out : options_.fan_outs)
            if (fan_out < -1)
                throw error("NeighborSampler", "fan_outs has {}: it must be a number of edges, or -1 for all", fan_out);
        (void)graph_.in();
    }

    /// As given.
    const NeighborSamplerOptions& options() const noexcept { return options_; }

    /// The neighbourhood of the nodes `seeds`. A node's sample is a function of the generator, the hop and the node
    /// alone; the generator moves as a draw of one integer does. The edges of a node keep their order, but with
    /// `replace` are in the order of the draw. O(edges found), and at most fan-out^2 moves for a node. Errors: a seed
    /// out of range or named twice; 2^31 or more edges.
    template <Positions I>
    requires(I::rank == 1) SampledSubgraph operator()(const I& seeds, Generator& generator) {
        const auto checked = detail::checked_positions(seeds, graph_.num_nodes(), "NeighborSampler");
        std::uint64_t key = 0;
        fill_integers(generator, &key, 1, 0, std::numeric_limits<std::uint64_t>::max());
        return sample(checked, key);
    }

private:
    SampledSubgraph sample(const Tensor<index, 1>& seeds, std::uint64_t key) {
        SampledSubgraph result;
        std::vector<std::int32_t> nodes, sources, destinations, edges;
        // Takes the marks away again, also after an exception.
        const struct Unmark {
            std::vector<std::int32_t>& number;
            const std::vector<std::int32_t>& nodes;
            ~Unmark() {
                for (const std::int32_t node : nodes) number[static_cast<std::size_t>(node)] = -1;
            }
        } unmark{number_, nodes};

        const auto number_of = [&](std::int32_t node) {
            std::int32_t& number = number_[static_cast<std::size_t>(node)];
            if (number < 0) {
                nodes.push_back(node);
                number = static_cast<std::int32_t>(nodes.size() - 1);
            }
            return number;
        };
        for (index i = 0; i < seeds.size(); ++i)
            if (const auto first = number_of(static_cast<std::int32_t>(seeds.data()[i])); first != i)
                throw error("NeighborSampler", "seeds names node {} twice, at positions {} and {}", seeds.data()[i],
                            first, i);
        result.nodes_per_hop.push_back(seeds.size());

        std::size_t begin = 0;
        for (index hop = 0; hop < std::ssize(options_.fan_outs); ++hop) {
            const std::span<const std::int32_t> frontier = std::span(nodes).subspan(begin);
            const std::vector<index> first =
                places(frontier, options_.fan_outs[static_cast<std::size_t>(hop)], static_cast<index>(edges.size()));
            const auto found = static_cast<std::size_t>(first.back());
            sources.resize(found);
            destinations.resize(found);
            edges.resize(found);
            draw(key, hop, frontier, first, sources.data(), edges.data());
            const std::size_t end = nodes.size(); // `frontier` may dangle from here on
            for (std::size_t i = begin; i < end; ++i)
                for (auto e = static_cast<std::size_t>(first[i - begin]);
                     e < static_cast<std::size_t>(first[i - begin + 1]); ++e) {
                    sources[e] = number_of(sources[e]);
                    destinations[e] = static_cast<std::int32_t>(i);
                }
            begin = end;
            result.nodes_per_hop.push_back(static_cast<index>(nodes.size() - end));
            result.edges_per_hop.push_back(first.back() - first.front());
        }
        const auto count = static_cast<index>(nodes.size());
        result.nodes = Tensor<std::int32_t, 1>::from(nodes);
        result.edges = Tensor<std::int32_t, 1>::from(edges);
        result.graph = Graph::unchecked(Tensor<std::int32_t, 1>::from(sources),
                                        Tensor<std::int32_t, 1>::from(destinations), count, count);
        return result;
    }

    /// Where the edges of each node of a hop begin among all that are sampled, and where they end.
    std::vector<index> places(std::span<const std::int32_t> frontier, index fan_out, index start) const {
        const std::int32_t* const ptr = graph_.in().row_ptr.data();
        std::vector<index> first{start};
        first.reserve(frontier.size() + 1);
        for (const std::int32_t node : frontier) {
            const index degree = ptr[node + 1] - ptr[node];
            const bool all = fan_out < 0 || (options_.replace ? degree == 0 : degree < fan_out);
            const index count = all ? degree : fan_out;
            if (count > detail::most_nodes - first.back())
                throw error("NeighborSampler", "more than {} edges: fan_outs or the number of seeds is too large",
                            detail::most_nodes);
            first.push_back(first.back() + count);
        }
        return first;
    }

    /// Chooses the edges of each node of a hop: their old sources and positions.
    void draw(std::uint64_t key, index hop, std::span<const std::int32_t> frontier, const std::vector<index>& first,
              std::int32_t* sources, std::int32_t* edges) const {
        const Csr& in = graph_.in();
        const bool all = options_.fan_outs[static_cast<std::size_t>(hop)] < 0;
        constexpr index grain = 256; // nodes
        const auto size = std::ssize(frontier);
        const double nanoseconds = 20.0 * static_cast<double>(first.back() - first.front());
        detail::for_each_chunk((size + grain - 1) / grain, nanoseconds, [&](index chunk) {
            for (index i = chunk * grain; i < std::min(size, (chunk + 1) * grain); ++i) {
                const std::int32_t node = frontier[static_cast<std::size_t>(i)];
                const std::int32_t start = in.row_ptr.data()[node], degree = in.row_ptr.data()[node + 1] - start;
                const index from = first[static_cast<std::size_t>(i)], to = first[static_cast<std::size_t>(i + 1)];
                const auto count = static_cast<std::int32_t>(to - from);
                detail::NodeRandom random(key, hop, node);
                if (all || (!options_.replace && count == degree))
                    std::iota(edges + from, edges + to, 0);
                else if (options_.replace)
                    std::generate(edges + from, edges + to, [&] { return random.below(degree); });
                else
                    detail::sample_distinct(random, degree, count, edges + from);
                for (index e = from; e < to; ++e) {
                    const std::int32_t slot = start + edges[e];
                    sources[e] = in.col.data()[slot];
                    edges[e] = in.eid.data()[slot];
                }
            }
        });
    }

    Graph graph_;
    NeighborSamplerOptions options_;
    std::vector<std::int32_t> number_; // of each node among those found, -1 between calls
};

} // namespace weft::inline WEFT_ABI
