// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/philox.hpp>
#include <weft/graph/graph.hpp>

#include <numeric>

namespace weft::inline WEFT_ABI {

/// The neighbourhood that a NeighborSampler found: what k layers need to compute the rows of the seeds. Features of its
/// nodes: `gather(x, sample.nodes)`; values of its edges: `gather(w, sample.edges)`.
struct NeighborSample {
    /// Square, on the nodes found. Edges lie hop by hop, then by destination.
    Graph graph;
    /// The number each node had: the seeds, then the others in order of discovery.
    Tensor<std::int32_t, 1> nodes;
    /// The position each edge had.
    Tensor<std::int32_t, 1> edges;
    /// How many nodes each hop discovered, [hops + 1]: first the number of seeds.
    std::vector<index> nodes_per_hop;
    /// How many edges each hop drew, [hops].
    std::vector<index> edges_per_hop;

    /// The number of seeds: they are the nodes 0, ..., batch_size() - 1.
    index batch_size() const { return nodes_per_hop.front(); }

    /// What layer `layer` of as many layers as there are hops has to compute, and no more: a bipartite graph from the
    /// nodes of hops 0, ..., hops - layer to those before the last of them, which are the first rows of both. The last
    /// layer ends at the seeds. Shares the memory of `graph`. Errors: no such layer.
    Graph layer_graph(index layer) const {
        const auto hops = static_cast<index>(edges_per_hop.size());
        if (layer < 0 || layer >= hops)
            throw error("layer_graph", "layer is {}: it must be from 0 to below {}, the number of hops", layer, hops);
        const auto sum = [](const std::vector<index>& counts, index count) {
            return std::accumulate(counts.begin(), counts.begin() + count, index{0});
        };
        const index num_edges = sum(edges_per_hop, hops - layer);
        const auto first = [&](const Tensor<std::int32_t, 1>& ends) {
            return Tensor<std::int32_t, 1>::share(ends.storage(), ends.data(), {num_edges});
        };
        return Graph::unchecked(first(graph.sources()), first(graph.destinations()),
                                sum(nodes_per_hop, hops - layer + 1), sum(nodes_per_hop, hops - layer));
    }
};

struct NeighborSamplerOptions {
    /// Whether an edge may be drawn several times; then a node with any edge draws exactly as many as were asked for.
    bool replace = false;
};

namespace detail {

/// Random numbers that are a function of the seed, the hop and the node.
class NodeRandom {
public:
    NodeRandom(std::uint64_t seed, std::uint32_t hop, std::uint32_t node)
        : counter_{0, hop, node, 0}, key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {}

    /// One of 0, ..., end - 1, unbiased, by Lemire's multiplication (arXiv 1805.10941). `end`: at least 1.
    std::uint32_t below(std::uint32_t end) {
        std::uint64_t product = std::uint64_t{word()} * end;
        if (static_cast<std::uint32_t>(product) < end) {
            const std::uint32_t bias = (0u - end) % end;
            while (static_cast<std::uint32_t>(product) < bias) product = std::uint64_t{word()} * end;
        }
        return static_cast<std::uint32_t>(product >> 32);
    }

private:
    std::uint32_t word() {
        if (left_ == 0) {
            words_ = philox4x32(counter_, key_);
            ++counter_[0];
            left_ = words_.size();
        }
        return words_[--left_];
    }

    std::array<std::uint32_t, 4> counter_;
    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> words_{};
    std::size_t left_ = 0;
};

/// `count` <= `size` of the numbers 0, ..., size - 1, every set of them equally likely: Floyd's algorithm (Bentley,
/// Floyd: Programming pearls: a sample of brilliance, 1987). `taken` is scratch memory.
inline void choose_distinct(NodeRandom& random, std::uint32_t size, std::uint32_t count, std::int32_t* out,
                            std::vector<std::uint64_t>& taken) {
    const bool few = count <= 32; // then looking through them beats marking them
    if (!few) taken.assign(size / 64 + 1, 0);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t last = size - count + i;
        std::uint32_t chosen = random.below(last + 1);
        bool known = false;
        if (few)
            for (std::uint32_t k = 0; k < i; ++k) known |= out[k] == static_cast<std::int32_t>(chosen);
        else
            known = (taken[chosen / 64] >> chosen % 64 & 1) != 0;
        if (known) chosen = last;
        if (!few) taken[chosen / 64] |= std::uint64_t{1} << chosen % 64;
        out[i] = static_cast<std::int32_t>(chosen);
    }
}

} // namespace detail

/// Draws neighbourhoods for training by mini-batches (Hamilton et al., Inductive Representation Learning on Large
/// Graphs, arXiv 1706.02216): from the seeds, hop by hop, every newly discovered node draws some of the edges that
/// enter it. What a node draws depends on the seed of the call, the hop and the node alone, so the result is the same
/// on any number of threads. An object keeps a mark per node of the graph and its scratch memory between calls, so each
/// thread of the caller needs an object of its own.
class NeighborSampler {
public:
    /// `fan_outs`: how many edges a node draws at each hop, the seeds' first; -1: all. A node with fewer edges draws
    /// all of them. Errors: the graph is not square; no hops, or a fan-out below -1.
    NeighborSampler(const Graph& graph, std::vector<index> fan_outs, const NeighborSamplerOptions& options = {})
        : graph_(graph), fan_outs_(std::move(fan_outs)), options_(options),
          place_(static_cast<std::size_t>(graph.num_nodes()), -1) {
        if (fan_outs_.empty()) throw error("NeighborSampler", "fan_outs is empty: there must be one for each hop");
        for (std::size_t hop = 0; hop < fan_outs_.size(); ++hop)
            if (fan_outs_[hop] < -1 || fan_outs_[hop] > detail::most_nodes)
                throw error("NeighborSampler", "fan_outs[{}] is {}: it must be from 0 to {}, or -1 for all", hop,
                            fan_outs_[hop], detail::most_nodes);
    }

    const Graph& graph() const noexcept { return graph_; }
    const std::vector<index>& fan_outs() const noexcept { return fan_outs_; }

    /// The neighbourhood of the nodes `seeds`; another one for another `seed`. With all fan-outs -1 its nodes are those
    /// of k_hop_subgraph, its edges those of them that enter a node less than `hops` away. O(nodes + edges found).
    /// Errors: a node out of range or named twice; 2^31 or more edges.
    template <Positions I>
    requires(I::rank == 1) NeighborSample sample(const I& seeds, std::uint64_t seed) {
        return sample_around(detail::checked_positions(seeds, graph_.num_nodes(), "NeighborSampler"), seed);
    }

private:
    // Forgets the nodes of a sample, also after an exception.
    struct Cleaner {
        NeighborSampler& sampler;
        ~Cleaner() {
            for (const std::int32_t node : sampler.nodes_) sampler.place_[static_cast<std::size_t>(node)] = -1;
            sampler.nodes_.clear();
            sampler.sources_.clear();
            sampler.destinations_.clear();
            sampler.edges_.clear();
        }
    };

    NeighborSample sample_around(const Tensor<index, 1>& seeds, std::uint64_t seed) {
        const Cleaner cleaner{*this};
        NeighborSample result;
        for (index i = 0; i < seeds.size(); ++i) {
            const auto node = static_cast<std::int32_t>(seeds.data()[i]);
            if (const std::int32_t other = place(node); other != static_cast<std::int32_t>(i))
                throw error("NeighborSampler", "node {} is named twice, at positions {} and {}", node, other, i);
        }
        result.nodes_per_hop.push_back(seeds.size());
        std::size_t first = 0;
        for (std::size_t hop = 0; hop < fan_outs_.size(); ++hop) {
            const std::size_t known = nodes_.size(), drawn = edges_.size();
            draw(first, hop, seed);
            constexpr std::size_t ahead = 16;
            for (std::size_t e = drawn; e < edges_.size(); ++e) {
                if (e + ahead < edges_.size())
                    __builtin_prefetch(&place_[static_cast<std::size_t>(sources_[e + ahead])]);
                sources_[e] = place(sources_[e]);
            }
            result.nodes_per_hop.push_back(static_cast<index>(nodes_.size() - known));
            result.edges_per_hop.push_back(static_cast<index>(edges_.size() - drawn));
            first = known;
        }
        const auto count = static_cast<index>(nodes_.size());
        result.nodes = Tensor<std::int32_t, 1>::from(nodes_);
        result.edges = Tensor<std::int32_t, 1>::from(edges_);
        result.graph = Graph::unchecked(Tensor<std::int32_t, 1>::from(sources_),
                                        Tensor<std::int32_t, 1>::from(destinations_), count, count);
        return result;
    }

    /// Where a node is among those found; it is added to them when it is not there.
    std::int32_t place(std::int32_t node) {
        std::int32_t& at = place_[static_cast<std::size_t>(node)];
        if (at < 0) {
            nodes_.push_back(node);
            at = static_cast<std::int32_t>(nodes_.size()) - 1;
        }
        return at;
    }

    /// Appends the edges that the nodes found from position `first` on draw. Sources keep their old numbers.
    void draw(std::size_t first, std::size_t hop, std::uint64_t seed) {
        const Csr& in = graph_.in();
        const std::int32_t *const row_ptr = in.row_ptr.data(), *const col = in.col.data(), *const eid = in.eid.data();
        const index fan_out = fan_outs_[hop];
        const bool replace = options_.replace && fan_out >= 0;
        const auto drawing = static_cast<index>(nodes_.size() - first);
        begin_.assign(static_cast<std::size_t>(drawing) + 1, static_cast<index>(edges_.size()));
        for (std::size_t i = 0; i < static_cast<std::size_t>(drawing); ++i) {
            const std::int32_t node = nodes_[first + i];
            const index degree = row_ptr[node + 1] - row_ptr[node];
            const index most = replace && degree > 0 ? detail::most_nodes : degree;
            begin_[i + 1] = begin_[i] + (fan_out < 0 ? degree : std::min(fan_out, most));
        }
        const index total = begin_.back();
        if (total > detail::most_nodes)
            throw error("NeighborSampler", "{} edges at hop {}: at most {} are possible", total, hop,
                        detail::most_nodes);
        sources_.resize(static_cast<std::size_t>(total));
        destinations_.resize(static_cast<std::size_t>(total));
        edges_.resize(static_cast<std::size_t>(total));

        constexpr index grain = 64;
        const double nanoseconds = 10.0 * static_cast<double>(total - begin_[0] + drawing);
        detail::for_each_chunk((drawing + grain - 1) / grain, nanoseconds, [&](index chunk) {
            std::vector<std::uint64_t> taken;
            for (index i = chunk * grain, end = std::min(drawing, i + grain); i < end; ++i) {
                const std::size_t position = first + static_cast<std::size_t>(i);
                const std::int32_t node = nodes_[position], row = row_ptr[node];
                const auto degree = static_cast<std::uint32_t>(row_ptr[node + 1] - row);
                const index begin = begin_[static_cast<std::size_t>(i)];
                const index count = begin_[static_cast<std::size_t>(i) + 1] - begin;
                std::int32_t* const edge = edges_.data() + begin;
                detail::NodeRandom random(seed, static_cast<std::uint32_t>(hop), static_cast<std::uint32_t>(node));
                if (replace)
                    for (index k = 0; k < count; ++k) edge[k] = static_cast<std::int32_t>(random.below(degree));
                else if (count < static_cast<index>(degree))
                    detail::choose_distinct(random, degree, static_cast<std::uint32_t>(count), edge, taken);
                else
                    std::iota(edge, edge + count, 0);
                for (index k = 0; k < count; ++k) {
                    const std::int32_t slot = row + edge[k];
                    sources_[static_cast<std::size_t>(begin + k)] = col[slot];
                    destinations_[static_cast<std::size_t>(begin + k)] = static_cast<std::int32_t>(position);
                    edge[k] = eid[slot];
                }
            }
        });
    }

    Graph graph_;
    std::vector<index> fan_outs_;
    NeighborSamplerOptions options_;
    std::vector<std::int32_t> place_; // of each node of the graph among nodes_, or -1
    std::vector<std::int32_t> nodes_, sources_, destinations_, edges_;
    std::vector<index> begin_;
};

} // namespace weft::inline WEFT_ABI
