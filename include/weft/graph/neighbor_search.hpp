// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/atom_bins.hpp>
#include <weft/graph/pair_vector.hpp>

#include <bit>
#include <vector>

namespace weft::inline WEFT_ABI::detail {

/// Finds the neighbours of atoms bin by bin: what may be near the atoms of a bin is laid side by side once for all of
/// them, in the order the edges will have. For one thread.
class NeighborSearch {
public:
    NeighborSearch(const AtomBins& bins, std::span<const double> positions, const Cell& cell, double cutoff)
        : bins_(bins), pairs_(positions.data(), cell), square_(cutoff * cutoff) {}

    /// Prepares for the atoms of a bin; `sorted`: so that their neighbours are found in order of sender and shift.
    void enter(index bin, bool sorted) {
        first_ = bins_.first.data()[bin];
        collect(bin);
        if (sorted) sort();
        place();
    }

    /// The number of edges to the atom at p in the order of the bins, which must be in the bin entered.
    index find(std::int32_t p) {
        constexpr index w = PairVectors::width;
        const index n = bins_.order.size(), count = std::ssize(senders_);
        double* const x = places_.data();
        const index stride = count + w;
        const double* const place = bins_.places.data() + p;
        const Packet<double> x0 = splat(place[0]), x1 = splat(place[n]), x2 = splat(place[2 * n]);
        const Packet<double> maybe = splat(bins_.maybe), middle = splat(0.5 * (bins_.surely + bins_.maybe));
        Packet<double> doubt = splat(std::numeric_limits<double>::max());
        double& own = x[own_[static_cast<std::size_t>(p - first_)]];
        const double moved_away = std::exchange(own, std::numeric_limits<double>::infinity());
        std::int32_t* const to = found_.data();
        index found = 0;
        for (index k = 0; k < count; k += w) {
            const Packet<double> d0 = load_packet(x + k) - x0, d1 = load_packet(x + stride + k) - x1,
                                 d2 = load_packet(x + 2 * stride + k) - x2;
            const Packet<double> d = multiply_add(d2, d2, multiply_add(d1, d1, Packet<double>(d0 * d0)));
            const Packet<double> gap = d - middle;
            doubt = smaller(doubt, larger(gap, Packet<double>(-gap)));
            const std::uint32_t bits = nonzero_lanes<double>(larger(Packet<double>(maybe - d), splat(0.0)));
            found += append_lanes(bits, static_cast<std::int32_t>(k), to + found);
        }
        own = moved_away;
        number_found_ = found;
        if (PairVectors::below(doubt, bins_.maybe - bins_.surely) != 0) decide(p);
        return number_found_;
    }

    /// What was found last, for the atom at p: senders and shifts [found, 3].
    void write(std::int32_t p, std::int32_t* senders, std::int32_t* shifts) const {
        const std::int32_t* const wraps = bins_.wraps.data() + 3 * index{p};
        const std::int32_t w0 = wraps[0], w1 = wraps[1], w2 = wraps[2];
        for (index e = 0; e < number_found_; ++e) {
            const index k = found_[static_cast<std::size_t>(e)];
            const std::int32_t* const shift = shifts_.data() + 3 * k;
            senders[e] = senders_[static_cast<std::size_t>(k)];
            shifts[3 * e] = shift[0] - w0;
            shifts[3 * e + 1] = shift[1] - w1;
            shifts[3 * e + 2] = shift[2] - w2;
        }
    }

private:
    /// Atoms begin, ..., end - 1 in the order of the bins, in an image of the cell.
    struct Run {
        std::int32_t begin, end;
        std::array<std::int32_t, 3> shift; // from the image to the cell
        std::array<double, 3> image;       // where it begins
    };
    struct Candidate {
        std::int32_t sender, at; // its place in the order of the bins
        std::int32_t run;
    };

    static index floor_divide(index a, index b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

    std::pair<index, index> range(std::size_t axis, index bin) const {
        const index low = bin - bins_.reach[axis], high = bin + bins_.reach[axis];
        if (bins_.periodic[axis]) return {low, high};
        return {std::max<index>(low, 0), std::min(high, bins_.counts[axis] - 1)};
    }

    /// The candidates in the order of their places, those of one sender by ascending shift.
    void collect(index bin) {
        const std::int32_t* const first = bins_.first.data();
        const auto& counts = bins_.counts;
        runs_.clear();
        candidates_.clear();
        const auto [low0, high0] = range(0, bin / counts[2] / counts[1]);
        const auto [low1, high1] = range(1, bin / counts[2] % counts[1]);
        const auto [low2, high2] = range(2, bin % counts[2]);
        // Descending, as the shifts lead back from the images.
        for (index b0 = high0; b0 >= low0; --b0) {
            const index image0 = floor_divide(b0, counts[0]);
            for (index b1 = high1; b1 >= low1; --b1) {
                const index image1 = floor_divide(b1, counts[1]);
                const index column = (b0 - image0 * counts[0]) * counts[1] + b1 - image1 * counts[1];
                for (index b2 = high2; b2 >= low2;) {
                    const index image2 = floor_divide(b2, counts[2]), lowest = std::max(low2, image2 * counts[2]);
                    const std::int32_t* const begin = first + column * counts[2] - image2 * counts[2];
                    if (begin[lowest] < begin[b2 + 1]) add_run(begin[lowest], begin[b2 + 1], {image0, image1, image2});
                    b2 = lowest - 1;
                }
            }
        }
    }

    void add_run(std::int32_t begin, std::int32_t end, const std::array<index, 3>& image) {
        Run run{begin, end, {}, {}};
        for (std::size_t k = 0; k < 3; ++k) run.shift[k] = static_cast<std::int32_t>(-image[k]);
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t k = 0; k < 3; ++k) run.image[c] -= run.shift[k] * bins_.basis[3 * k + c];
        if (std::ssize(candidates_) + end - begin > std::numeric_limits<std::int32_t>::max() - 64)
            throw error("neighbor_list", "more than 2^31 images of atoms are within the cutoff");
        const auto number = static_cast<std::int32_t>(runs_.size());
        runs_.push_back(run);
        for (std::int32_t q = begin; q < end; ++q) candidates_.push_back({bins_.order.data()[q], q, number});
    }

    /// Sorts the candidates by sender, stably: by digits, from the last one on.
    void sort() {
        if (std::is_sorted(candidates_.begin(), candidates_.end(),
                           [](const Candidate& a, const Candidate& b) { return a.sender < b.sender; }))
            return;
        const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint32_t>(bins_.order.size() - 1)));
        const int passes = (bits + 7) / 8, digit_bits = (bits + passes - 1) / passes;
        const std::int32_t mask = (1 << digit_bits) - 1;
        sorted_.resize(candidates_.size());
        for (int shift = 0; shift < bits; shift += digit_bits) {
            std::int32_t next[256] = {};
            for (const Candidate& c : candidates_) ++next[c.sender >> shift & mask];
            std::int32_t before = 0;
            for (std::int32_t digit = 0; digit <= mask; ++digit) before += std::exchange(next[digit], before);
            for (const Candidate& c : candidates_)
                sorted_[static_cast<std::size_t>(next[c.sender >> shift & mask]++)] = c;
            candidates_.swap(sorted_);
        }
    }

    /// Lays out where the candidates are.
    void place() {
        const index n = bins_.order.size(), count = std::ssize(candidates_), stride = count + PairVectors::width;
        const double* const x = bins_.places.data();
        const std::int32_t* const wraps = bins_.wraps.data();
        places_.resize(static_cast<std::size_t>(3 * stride));
        found_.resize(static_cast<std::size_t>(stride));
        senders_.resize(static_cast<std::size_t>(count));
        shifts_.resize(static_cast<std::size_t>(3 * count));
        own_.resize(static_cast<std::size_t>(count));
        for (index k = 0; k < count; ++k) {
            const Candidate& c = candidates_[static_cast<std::size_t>(k)];
            const Run& run = runs_[static_cast<std::size_t>(c.run)];
            senders_[static_cast<std::size_t>(k)] = c.sender;
            bool home = true;
            for (index axis = 0; axis < 3; ++axis) {
                const auto a = static_cast<std::size_t>(axis);
                places_[static_cast<std::size_t>(axis * stride + k)] = x[axis * n + c.at] + run.image[a];
                shifts_[static_cast<std::size_t>(3 * k + axis)] = run.shift[a] + wraps[3 * index{c.at} + axis];
                home = home && run.shift[a] == 0;
            }
            if (home && c.at >= first_ && c.at - first_ < count) own_[static_cast<std::size_t>(c.at - first_)] = k;
        }
        for (index axis = 0; axis < 3; ++axis)
            std::fill_n(places_.begin() + axis * stride + count, PairVectors::width,
                        std::numeric_limits<double>::infinity());
    }

    /// Leaves of what was found what is within the cutoff as the positions that were given say.
    WEFT_NOINLINE void decide(std::int32_t p) {
        constexpr index w = PairVectors::width;
        const PairVectors::Vectors to = pairs_.position(bins_.order.data()[p]);
        const std::int32_t* const wraps = bins_.wraps.data() + 3 * index{p};
        index kept = 0;
        for (index e = 0; e < number_found_; e += w) {
            const index count = std::min(w, number_found_ - e);
            std::int32_t numbers[w], senders[w], shifts[3 * w];
            for (index u = 0; u < count; ++u) {
                const auto number = static_cast<std::size_t>(found_[static_cast<std::size_t>(e + u)]);
                numbers[u] = static_cast<std::int32_t>(number);
                senders[u] = senders_[number];
                for (std::size_t k = 0; k < 3; ++k)
                    shifts[3 * static_cast<std::size_t>(u) + k] = shifts_[3 * number + k] - wraps[k];
            }
            const auto v = pairs_.shifted(PairVectors::difference(to, pairs_.positions(senders, count)), shifts, count);
            const std::uint32_t bits = PairVectors::within(v, square_, count);
            for (index u = 0; u < count; ++u)
                if ((bits >> u & 1u) != 0) found_[static_cast<std::size_t>(kept++)] = numbers[u];
        }
        number_found_ = kept;
    }

    const AtomBins& bins_;
    PairVectors pairs_;
    double square_;
    std::int32_t first_ = 0; // atom of the bin
    std::vector<Run> runs_;
    std::vector<Candidate> candidates_, sorted_;
    std::vector<double> places_;                 // [3, candidates + a packet]
    std::vector<std::int32_t> senders_, shifts_; // [candidates], [candidates, 3]
    std::vector<index> own_;                     // of each atom of the bin, which candidate it is itself
    std::vector<std::int32_t> found_;            // candidates, ascending
    index number_found_ = 0;
};

} // namespace weft::inline WEFT_ABI::detail
