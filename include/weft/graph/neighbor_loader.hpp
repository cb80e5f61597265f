// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/random.hpp>
#include <weft/graph/neighbor_sampler.hpp>

#include <iterator>

namespace weft::inline WEFT_ABI {

struct NeighborLoaderOptions {
    index batch_size = 128;
    bool shuffle = true;    ///< in another order in every epoch
    bool drop_last = false; ///< leave out a last batch of fewer nodes
    bool replace = false;   ///< as in NeighborSamplerOptions
    std::uint64_t seed = 0;
};

/// Mini-batches of nodes with their sampled neighbourhoods. Everything is a function of the options, the number of the
/// epoch and the number of the batch, on any number of threads:
///
///     NeighborLoader loader(graph, data.train, {10, 10}, {.batch_size = 64});
///     for (int epoch = 0; epoch < 10; ++epoch)
///         for (const NeighborSample& batch : loader.epoch(epoch)) {
///             const auto logits = net(batch.graph, Var{gather(data.x, batch.nodes)});
///             ... // of which the first batch.batch_size() rows count
///         }
///
/// An object serves one thread at a time (see NeighborSampler) and must outlive its epochs.
class NeighborLoader {
public:
    /// The batches of an epoch, each sampled when it is asked for.
    class Epoch {
    public:
        class Iterator {
        public:
            using iterator_category = std::input_iterator_tag;
            using value_type = NeighborSample;
            using difference_type = index;
            using pointer = void;
            using reference = NeighborSample;

            Iterator() = default;
            NeighborSample operator*() const { return (*epoch_)[batch_]; }
            Iterator& operator++() {
                ++batch_;
                return *this;
            }
            Iterator operator++(int) {
                Iterator old = *this;
                ++batch_;
                return old;
            }
            bool operator==(const Iterator&) const = default;

        private:
            friend Epoch;
            Iterator(const Epoch* epoch, index batch) : epoch_(epoch), batch_(batch) {}
            const Epoch* epoch_ = nullptr;
            index batch_ = 0;
        };

        /// Number of batches.
        index size() const { return loader_->num_batches(); }
        Iterator begin() const { return {this, 0}; }
        Iterator end() const { return {this, size()}; }
        /// Errors: no such batch.
        NeighborSample operator[](index batch) const {
            if (batch < 0 || batch >= size())
                throw error("NeighborLoader", "batch {}: the epoch has {} batches", batch, size());
            const index first = batch * loader_->options_.batch_size;
            const index count = std::min(loader_->options_.batch_size, nodes_.size() - first);
            return loader_->sampler_.sample(Tensor<index, 1>::share(nodes_.storage(), nodes_.data() + first, {count}),
                                            seeds_[static_cast<std::size_t>(batch)]);
        }

    private:
        friend NeighborLoader;
        Epoch(NeighborLoader& loader, index number) : loader_(&loader), nodes_(loader.nodes_) {
            Generator generator{loader.options_.seed, static_cast<std::uint64_t>(number)};
            if (loader.options_.shuffle) {
                nodes_ = Tensor<index, 1>::empty(loader.nodes_.shape());
                index* to = nodes_.mutable_data();
                for (const std::int64_t from : permutation(generator, nodes_.size()))
                    *to++ = loader.nodes_.data()[from];
            }
            seeds_.resize(static_cast<std::size_t>(loader.num_batches()));
            fill_integers(generator, seeds_.data(), loader.num_batches(), 0, std::numeric_limits<std::uint64_t>::max());
        }

        NeighborLoader* loader_;
        Tensor<index, 1> nodes_;
        std::vector<std::uint64_t> seeds_;
    };

    /// Batches of the nodes `nodes` of a graph. Errors: a node out of range or named twice; a batch size below 1; see
    /// NeighborSampler.
    template <Positions I>
    requires(I::rank == 1) NeighborLoader(const Graph& graph, const I& nodes, std::vector<index> fan_outs,
                                          const NeighborLoaderOptions& options = {})
        : sampler_(graph, std::move(fan_outs), {.replace = options.replace}), options_(options),
          nodes_(detail::checked_positions(nodes, graph.num_nodes(), "NeighborLoader")) {
        if (options.batch_size < 1)
            throw error("NeighborLoader", "batch_size is {}: it must be at least 1", options.batch_size);
        std::vector<bool> named(static_cast<std::size_t>(graph.num_nodes()));
        for (const index node : nodes_.values()) {
            if (named[static_cast<std::size_t>(node)]) throw error("NeighborLoader", "node {} is named twice", node);
            named[static_cast<std::size_t>(node)] = true;
        }
    }

    /// Number of batches in an epoch.
    index num_batches() const noexcept {
        const index whole = nodes_.size() / options_.batch_size;
        return whole + (!options_.drop_last && nodes_.size() % options_.batch_size > 0 ? 1 : 0);
    }
    Epoch epoch(index number) { return Epoch(*this, number); }

private:
    NeighborSampler sampler_;
    NeighborLoaderOptions options_;
    Tensor<index, 1> nodes_;
};

} // namespace weft::inline WEFT_ABI
