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

    double cutoff() const noexcept { return cutoff_; }
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
        NeighborList wide = neighbor_list(positions, cell, cutoff_ + skin_);
        const Csr& in = wide.graph.in();
        const std::int32_t* const row = in.row_ptr.data();
        const index n = wide.graph.num_nodes();
        const auto rows = static_cast<std::size_t>(n);
        stale_ = true;
        built_.clear(); // good again when all else is
        first_group_.resize(rows + 1);
        shifted_.resize(rows);
        counts_.resize(rows);
        index groups = 0;
        std::int32_t largest_shift = 0;
        for (index i = 0; i < n; ++i) {
            const auto at = static_cast<std::size_t>(i);
            first_group_[at] = groups;
            groups += (row[i + 1] - row[i] + width - 1) / width;
            std::int32_t largest = 0;
            for (index k = 3 * index{row[i]}; k < 3 * index{row[i + 1]}; ++k)
                largest = std::max(largest, std::abs(wide.shifts.data()[k]));
            shifted_[at] = largest > 0;
            largest_shift = std::max(largest_shift, largest);
        }
        first_group_[rows] = groups;
        within_.resize(static_cast<std::size_t>(groups));

        // Rounding errors of a distance must not exceed what is left of the skin.
        double scale = cutoff_ + skin_ + detail::largest_coordinate(positions);
        for (std::size_t k = 0; k < 3; ++k) scale += largest_shift * detail::length(cell.vector(k));
        farthest_ = std::max(0.0, 0.5 * skin_ - 1e-14 * scale);
        cell_ = cell;
        wide_ = std::move(wide);
        built_.assign(positions.begin(), positions.end());
        ++rebuilds_;
    }

    /// Calls body(chunk, row) for the rows of the wide list, on all threads; a pair takes `nanoseconds`.
    template <class F>
    void for_each_row(double nanoseconds, F&& body) const {
        const auto chunks = wide_.graph.in().chunks();
        detail::for_each_chunk(std::ssize(chunks) - 1, nanoseconds * static_cast<double>(wide_.graph.num_edges()),
                               [&](index chunk) {
                                   const auto c = static_cast<std::size_t>(chunk);
                                   for (index i = chunks[c]; i < chunks[c + 1]; ++i) body(c, i);
                               });
    }

    /// Which pairs of the wide list are within the cutoff; whether they are others than before.
    bool search(std::span<const double> positions) {
        const detail::PairVectors pairs(positions.data(), cell_);
        const std::int32_t* const row = wide_.graph.in().row_ptr.data();
        const std::int32_t* const sender = wide_.graph.sources().data();
        const std::int32_t* const shift = wide_.shifts.data();
        const double square = cutoff_ * cutoff_;
        changed_.assign(wide_.graph.in().chunks().size(), 0);
        for_each_row(1.5, [&](std::size_t chunk, index i) {
            const auto at = static_cast<std::size_t>(i);
            const auto receiver = pairs.position(static_cast<std::int32_t>(i));
            std::uint8_t* within = within_.data() + first_group_[at];
            std::int32_t count = 0;
            std::uint32_t changes = 0;
            for (index e = row[i]; e < row[i + 1]; e += width) {
                const index together = std::min<index>(width, row[i + 1] - e);
                auto v = detail::PairVectors::difference(receiver, pairs.positions(sender + e, together));
                if (shifted_[at] != 0) v = pairs.shifted(v, shift + 3 * e, together);
                const std::uint32_t bits = detail::PairVectors::within(v, square, together);
                changes |= bits ^ *within;
                *within++ = static_cast<std::uint8_t>(bits);
                count += detail::lane_numbers.count[bits];
            }
            counts_[at] = count;
            changed_[chunk] |= static_cast<std::uint8_t>(changes);
        });
        return std::any_of(changed_.begin(), changed_.end(), [](std::uint8_t c) { return c != 0; });
    }

    /// Makes the list of the pairs within the cutoff. After a rebuild its graph may still be the one there is.
    void collect() {
        const std::int32_t* const row = wide_.graph.in().row_ptr.data();
        const std::int32_t* const sender = wide_.graph.sources().data();
        const std::int32_t* const shift = wide_.shifts.data();
        const index n = wide_.graph.num_nodes();
        const auto starts = detail::row_starts(counts_.data(), n);
        const std::int32_t* const start = starts.data();
        const index edges = start[n];
        auto senders = Tensor<std::int32_t, 1>::empty({edges}), receivers = Tensor<std::int32_t, 1>::empty({edges});
        auto shifts = Tensor<std::int32_t, 2>::empty({edges, 3});
        std::int32_t* const to_sender = senders.mutable_data();
        std::int32_t* const to_receiver = receivers.mutable_data();
        std::int32_t* const to_shift = shifts.mutable_data();
        for_each_row(1.5, [&](std::size_t, index i) {
            const std::uint8_t* within = within_.data() + first_group_[static_cast<std::size_t>(i)];
            index to = start[i];
            for (index e = row[i]; e < row[i + 1]; e += width) {
                const std::uint8_t bits = *within++;
                for (std::uint8_t k = 0; k < detail::lane_numbers.count[bits]; ++k, ++to) {
                    const index from = e + detail::lane_numbers.of[bits][k];
                    to_sender[to] = sender[from];
                    for (index axis = 0; axis < 3; ++axis) to_shift[3 * to + axis] = shift[3 * from + axis];
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

    double cutoff_, skin_;
    index rebuilds_ = 0;
    NeighborList list_;
    bool stale_ = true; // list_ is not what within_ says
    // As of the last rebuild:
    NeighborList wide_;
    Cell cell_;
    std::vector<double> built_;         // positions
    double farthest_ = 0;               // how far atoms may have moved
    std::vector<index> first_group_;    // [n + 1] where the pairs of each atom begin, in groups of a packet
    std::vector<std::uint8_t> shifted_; // [n] whether an atom has a pair with S other than 0
    // As of the last call:
    std::vector<std::uint8_t> within_;  // [groups] bit u: pair u of the group is within the cutoff
    std::vector<std::int32_t> counts_;  // [n] how many pairs each atom has
    std::vector<std::uint8_t> changed_; // [chunks]
};

} // namespace weft::inline WEFT_ABI
