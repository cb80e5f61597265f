// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>
#include <weft/so3/convolution_plan.hpp>

#include <optional>

/// Sums over the edges that leave a node, while the edges are visited by the nodes that they reach.
namespace weft::inline WEFT_ABI::so3::detail {

/// Each chunk of rows of the csr has rows of its own, in planes, for those nodes that its edges come from; at the end
/// they are added up in the order of the chunks. So the sums do not depend on the number of threads.
template <class T>
class SourceSums {
public:
    /// The chunks are [bounds[c], bounds[c + 1]); `nodes` is the number of sources.
    SourceSums(const PlanarLayout& layout, const Csr& csr, std::span<const index> bounds, index nodes)
        : layout_(layout), csr_(csr), bounds_(bounds), nodes_(nodes), parts_(bounds.size() - 1) {}

    /// The rows of one chunk, all of which are 0 at first.
    class Part {
    public:
        Part(SourceSums& all, index chunk) : layout_(all.layout_), row_of_(all.nodes_) {
            auto& nodes = all.parts_[static_cast<std::size_t>(chunk)].nodes;
            const std::int32_t *const ptr = all.csr_.row_ptr.data(), *const col = all.csr_.col.data();
            std::int32_t* const row_of = row_of_.data();
            std::fill_n(row_of, all.nodes_, -1);
            const index begin = ptr[all.bounds_[static_cast<std::size_t>(chunk)]],
                        end = ptr[all.bounds_[static_cast<std::size_t>(chunk) + 1]];
            for (index e = begin; e < end; ++e) row_of[col[e]] = 0;
            nodes.reserve(static_cast<std::size_t>(std::min(all.nodes_, end - begin)));
            for (index n = 0; n < all.nodes_; ++n)
                if (row_of[n] == 0) {
                    row_of[n] = static_cast<std::int32_t>(nodes.size());
                    nodes.push_back(static_cast<std::int32_t>(n));
                }
            count_ = static_cast<index>(nodes.size());
            auto& rows = all.parts_[static_cast<std::size_t>(chunk)].rows;
            rows.emplace(layout_.row() * count_ + 16);
            rows_ = rows->data();
            std::fill_n(rows_, layout_.row() * count_, T{});
        }
        T* row(index plane, index node) { return rows_ + layout_.at(plane, count_, row_of_.data()[node]); }

    private:
        const PlanarLayout& layout_;
        weft::detail::Scratch<std::int32_t> row_of_;
        index count_;
        T* rows_;
    };

    /// In the layout mul_ir, [nodes, dim].
    Tensor<T, 2> sum() {
        auto total = Tensor<T, 2>::empty({nodes_, layout_.dim()});
        T* const to = total.mutable_data();
        constexpr index grain = 64;
        weft::detail::for_each_chunk(
            (nodes_ + grain - 1) / grain, static_cast<double>(total.size()) * 4, [&](index chunk) {
                const index begin = chunk * grain, end = std::min(nodes_, begin + grain);
                weft::detail::PoolVector<std::size_t> next; // of each part, its first node that has not been reached
                next.reserve(parts_.size());
                for (const RowsOfNodes& part : parts_)
                    next.push_back(static_cast<std::size_t>(
                        std::lower_bound(part.nodes.begin(), part.nodes.end(), begin) - part.nodes.begin()));
                weft::detail::Scratch<T> sum(layout_.row() + 16);
                for (index node = begin; node < end; ++node) {
                    std::fill_n(sum.data(), layout_.row(), T{});
                    for (std::size_t p = 0; p < parts_.size(); ++p) {
                        RowsOfNodes& part = parts_[p];
                        if (next[p] == part.nodes.size() || part.nodes[next[p]] != node) continue;
                        for (index plane = 0; plane < layout_.planes(); ++plane)
                            weft::detail::combine_run<SumOf>(
                                sum.data() + layout_.at(plane, 1, 0),
                                part.rows->data() + layout_.at(plane, static_cast<index>(part.nodes.size()),
                                                               static_cast<index>(next[p])),
                                layout_.row(plane));
                        ++next[p];
                    }
                    layout_.unpack(sum.data(), to + node * layout_.dim());
                }
            });
        return total;
    }

private:
    struct RowsOfNodes {
        weft::detail::PoolVector<std::int32_t> nodes; // ascending
        std::optional<weft::detail::Scratch<T>> rows;
    };

    const PlanarLayout& layout_;
    const Csr& csr_;
    std::span<const index> bounds_;
    index nodes_;
    weft::detail::PoolVector<RowsOfNodes> parts_;
};

} // namespace weft::inline WEFT_ABI::so3::detail
