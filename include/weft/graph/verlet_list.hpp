// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/neighbor_list.hpp>

namespace weft::inline WEFT_ABI {

/// Neighbour lists of atoms that move little from call to call: a list with a larger cutoff, by `skin`, is kept and
/// searched again only when some atom has moved by more than half of the skin (Verlet, Physical Review 159, 98, 1967).
class VerletList {
public:
    /// Errors: the cutoff is not positive and finite; the skin is negative or not finite.
    VerletList(double cutoff, double skin) : cutoff_(cutoff), skin_(skin) {
        if (!(cutoff > 0) || !std::isfinite(cutoff))
            throw error("VerletList", "the cutoff is {}: it must be positive and finite", cutoff);
        if (!(skin >= 0) || !std::isfinite(cutoff + skin))
            throw error("VerletList", "the skin is {}: it must be finite and not negative", skin);
    }

    /// Neighbours are at most so far away.
    double cutoff() const noexcept { return cutoff_; }
    /// How much farther those are that it keeps.
    double skin() const noexcept { return skin_; }
    /// How often the wide list was made.
    index rebuilds() const noexcept { return rebuilds_; }

    /// neighbor_list(positions, cell, cutoff), to the bit. While no pair of atoms enters or leaves the list its graph
    /// stays the same object, with all that is kept with it. The reference is good until the next call. O(n + pairs in
    /// the wide list), and a neighbour list when atoms have moved too far, or the cell or the number of atoms is
    /// another. Errors: those of neighbor_list, and nothing has changed.
    const NeighborList& update(std::span<const double> positions, const Cell& cell) {
        detail::atom_count(positions, "VerletList");
        if (!still_valid(positions, cell)) rebuild(positions, cell);
        stale_ = search(positions) || stale_;
        if (stale_) collect();
        stale_ = false;
        return list_;
    }
    /// The same for positions [n, 3].
    const NeighborList& update(const Tensor<double, 2>& positions, const Cell& cell) {
        return update(detail::coordinates(positions, "VerletList"), cell);
    }

private:
    static constexpr index width = detail::PairVectors::width;

    /// Whether all pairs within the cutoff must be in the wide list. Never with coordinates that are not finite.
    bool still_valid(std::span<const double> positions, const Cell& cell) const {
        if (rebuilds_ == 0 || positions.size() != built_.size() || !(cell == cell_)) return false;
        bool near = true;
        for (std::size_t i = 0; i < built_.size(); i += 3) {
            const double d0 = positions[i] - built_[i], d1 = positions[i + 1] - built_[i + 1],
                         d2 = positions[i + 2] - built_[i + 2];
            near &= d0 * d0 + d1 * d1 + d2 * d2 <= farthest_ * farthest_;
        }
        return near;
    }

    void rebuild(std::span<const double> positions, const Cell& cell) {
        const NeighborList wide = neighbor_list(positions, cell, cutoff_ + skin_);
        const Csr& in = wide.graph.in();
        const std::int32_t* const row = in.row_ptr.data();
        const index n = wide.graph.num_nodes();
        const auto rows = static_cast<std::size_t>(n);
        stale_ = true;
        built_.clear(); // good again when all else is
        chunks_.assign(in.chunks().begin(), in.chunks().end());
        first_group_.resize(rows + 1);
        counts_.resize(rows);
        first_group_[0] = 0;
        for (std::size_t i = 0; i < rows; ++i)
            first_group_[i + 1] = first_group_[i] + (row[i + 1] - row[i] + width - 1) / width;
        const auto groups = static_cast<std::size_t>(first_group_[rows]);
        senders_.assign(groups, {});
        shifts_.assign(groups, {});
        shifted_.assign(groups, 0);
        used_.resize(groups);
        within_.resize(groups);
        std::int32_t largest_shift = 0;
        for (std::size_t i = 0; i < rows; ++i) {
            auto g = static_cast<std::size_t>(first_group_[i]);
            for (index e = row[i]; e < row[i + 1]; e += width, ++g) {
                const index together = std::min<index>(width, row[i + 1] - e);
                used_[g] = static_cast<std::uint8_t>((1u << together) - 1u);
                for (index u = 0; u < together; ++u) {
                    senders_[g].of[u] = wide.graph.sources().data()[e + u];
                    for (index axis = 0; axis < 3; ++axis) {
                        const std::int32_t shift = wide.shifts.data()[3 * (e + u) + axis];
                        shifts_[g].of[axis][u] = shift;
                        if (shift != 0) shifted_[g] = 1;
                        largest_shift = std::max(largest_shift, std::abs(shift));
                    }
                }
            }
        }

        // Rounding errors of a distance must not exceed what is left of the skin.
        double scale = cutoff_ + skin_ + detail::largest_coordinate(positions);
        for (std::size_t k = 0; k < 3; ++k) scale += largest_shift * detail::length(cell.vector(k));
        farthest_ = std::max(0.0, 0.5 * skin_ - 1e-14 * scale);
        cell_ = cell;
        built_.assign(positions.begin(), positions.end());
        ++rebuilds_;
    }

    /// Calls body(chunk, row, first group, past the last) for the rows of the wide list, on all threads.
    template <class F>
    void for_each_row(F&& body) const {
        const double nanoseconds = 10.0 * static_cast<double>(senders_.size());
        detail::for_each_chunk(std::ssize(chunks_) - 1, nanoseconds, [&](index chunk) {
            const auto c = static_cast<std::size_t>(chunk);
            for (index i = chunks_[c]; i < chunks_[c + 1]; ++i) {
                const auto at = static_cast<std::size_t>(i);
                body(c, i, static_cast<std::size_t>(first_group_[at]), static_cast<std::size_t>(first_group_[at + 1]));
            }
        });
    }

    /// Which pairs of the wide list are within the cutoff; whether they are others than before.
    bool search(std::span<const double> positions) {
        const detail::PairVectors pairs(positions.data(), cell_);
        const double square = cutoff_ * cutoff_;
        changed_.assign(chunks_.size(), 0);
        for_each_row([&](std::size_t chunk, index i, std::size_t begin, std::size_t end) {
            const auto receiver = pairs.position(static_cast<std::int32_t>(i));
            std::int32_t count = 0;
            std::uint32_t changes = 0;
            for (std::size_t g = begin; g < end; ++g) {
                auto v = detail::PairVectors::difference(receiver, pairs.positions(senders_[g].of, width));
                if (shifted_[g] != 0) v = pairs.shifted(v, detail::PairVectors::shift_lanes(shifts_[g].of[0]));
                const std::uint32_t bits = detail::PairVectors::within(v, square, width) & used_[g];
                changes |= bits ^ within_[g];
                within_[g] = static_cast<std::uint8_t>(bits);
                count += detail::lane_numbers.count[bits];
            }
            counts_[static_cast<std::size_t>(i)] = count;
            changed_[chunk] |= static_cast<std::uint8_t>(changes);
        });
        return std::any_of(changed_.begin(), changed_.end(), [](std::uint8_t c) { return c != 0; });
    }

    /// Makes the list of the pairs within the cutoff. After a rebuild its graph may still be the one there is.
    void collect() {
        const auto n = std::ssize(counts_);
        const auto starts = detail::row_starts(counts_.data(), n);
        const std::int32_t* const start = starts.data();
        const index edges = start[n];
        auto senders = Tensor<std::int32_t, 1>::empty({edges}), receivers = Tensor<std::int32_t, 1>::empty({edges});
        auto shifts = Tensor<std::int32_t, 2>::empty({edges, 3});
        std::int32_t* const to_sender = senders.mutable_data();
        std::int32_t* const to_receiver = receivers.mutable_data();
        std::int32_t* const to_shift = shifts.mutable_data();
        for_each_row([&](std::size_t, index i, std::size_t begin, std::size_t end) {
            index to = start[i];
            for (std::size_t g = begin; g < end; ++g) {
                const std::int32_t* const lane = detail::lane_numbers.of[within_[g]];
                for (std::uint8_t k = 0; k < detail::lane_numbers.count[within_[g]]; ++k, ++to) {
                    to_sender[to] = senders_[g].of[lane[k]];
                    for (index axis = 0; axis < 3; ++axis) to_shift[3 * to + axis] = shifts_[g].of[axis][lane[k]];
                }
            }
            std::fill(to_receiver + start[i], to_receiver + start[i + 1], static_cast<std::int32_t>(i));
        });
        const auto same = [](const Tensor<std::int32_t, 1>& a, const Tensor<std::int32_t, 1>& b) {
            return std::equal(a.data(), a.data() + a.size(), b.data(), b.data() + b.size());
        };
        if (list_.graph.num_nodes() != n || !same(list_.graph.sources(), senders) ||
            !same(list_.graph.destinations(), receivers))
            list_.graph = Graph::unchecked(senders, receivers, n, n);
        list_.shifts = shifts;
    }

    /// Groups are as many pairs of one receiver as a packet has lanes.
    struct Senders {
        std::int32_t of[width];
    };
    struct Shifts {
        std::int32_t of[3][width];
    };

    double cutoff_, skin_;
    index rebuilds_ = 0;
    NeighborList list_;
    bool stale_ = true; // list_ is not what within_ says
    // The wide list, as of the last rebuild:
    Cell cell_;
    std::vector<double> built_;         // positions
    double farthest_ = 0;               // how far atoms may have moved
    std::vector<Senders> senders_;      // [groups], 0 in lanes that are not used
    std::vector<Shifts> shifts_;        // [groups]
    std::vector<std::uint8_t> shifted_; // [groups] whether some S is not 0
    std::vector<std::uint8_t> used_;    // [groups] bit u: lane u is
    std::vector<index> first_group_;    // [n + 1] where the groups of each receiver begin
    std::vector<index> chunks_;         // ranges of receivers
    // As of the last call:
    std::vector<std::uint8_t> within_;  // [groups] bit u: pair u of the group is within the cutoff
    std::vector<std::int32_t> counts_;  // [n] how many pairs each receiver has
    std::vector<std::uint8_t> changed_; // [chunks]
};

} // namespace weft::inline WEFT_ABI
