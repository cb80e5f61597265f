// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/neighbor_sampler.hpp>

#include <iterator>

namespace weft::inline WEFT_ABI {

/// Options of `NeighborLoader`.
struct NeighborLoaderOptions {
    std::vector<index> fan_outs; ///< see NeighborSamplerOptions
    bool replace = false;        ///< see NeighborSamplerOptions
    index batch_size = 1;        ///< nodes of a mini-batch; the last one of an epoch may have fewer
    bool shuffle = true;         ///< whether every epoch has its own order of the nodes
    std::uint64_t seed = 0;      ///< of the orders and the samples
};

/// Mini-batches of nodes of a square graph with their sampled neighbourhoods. Each iteration over it is an epoch in
/// which every node is once a seed: `for (const SampledSubgraph& batch : loader) ...`. The batches of the n-th epoch
/// depend on the arguments of the constructor alone. Only the latest iteration may be going on.
class NeighborLoader {
public:
    /// Errors: g is not square; a node out of range or named twice; batch_size is not positive; a fan-out below -1.
    template <Positions I>
    requires(I::rank == 1) NeighborLoader(const Graph& g, const I& nodes, const NeighborLoaderOptions& options)
        : sampler_(g, {.fan_outs = options.fan_outs, .replace = options.replace}),
          nodes_(detail::checked_positions(nodes, g.num_nodes(), "NeighborLoader")),
          options_(options), generator_{.seed = options.seed} {
        if (options.batch_size < 1)
            throw error("NeighborLoader", "batch_size is {}: it must be positive", options.batch_size);
        std::vector<char> named(static_cast<std::size_t>(g.num_nodes()));
        for (const index node : nodes_.values())
            if (std::exchange(named[static_cast<std::size_t>(node)], true))
                throw error("NeighborLoader", "nodes has node {} twice: it would be a seed twice in an epoch", node);
    }

    /// Mini-batches in an epoch.
    index size() const noexcept { return (nodes_.size() + options_.batch_size - 1) / options_.batch_size; }

    /// Goes through the batches of one epoch.
    class Iterator {
    public:
        using value_type = SampledSubgraph;
        using difference_type = std::ptrdiff_t;

        /// At the first batch.
        explicit Iterator(NeighborLoader& loader) : loader_(&loader) { load(); }
        const SampledSubgraph& operator*() const noexcept { return batch_; }
        const SampledSubgraph* operator->() const noexcept { return &batch_; }
        Iterator& operator++() {
            ++position_;
            load();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return position_ == loader_->size(); }

    private:
        void load() {
            if (position_ < loader_->size()) batch_ = loader_->batch(position_);
        }

        NeighborLoader* loader_;
        index position_ = 0;
        SampledSubgraph batch_;
    };

    /// Begins the next epoch.
    Iterator begin() {
        generator_ = {.seed = options_.seed, .stream = epoch_++};
        if (options_.shuffle) nodes_ = gather(nodes_, Tensor<index, 1>::from(permutation(generator_, nodes_.size())));
        return Iterator(*this);
    }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    SampledSubgraph batch(index position) {
        const index begin = position * options_.batch_size;
        const index count = std::min(options_.batch_size, nodes_.size() - begin);
        return sampler_(Tensor<index, 1>::share(nodes_.storage(), nodes_.data() + begin, {count}), generator_);
    }

    NeighborSampler sampler_;
    Tensor<index, 1> nodes_;
    NeighborLoaderOptions options_;
    Generator generator_; // of the epoch
    std::uint64_t epoch_ = 0;
};

} // namespace weft::inline WEFT_ABI
