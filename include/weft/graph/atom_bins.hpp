// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>
#include <weft/core/tensor.hpp>
#include <weft/graph/cell.hpp>

#include <cstdint>
#include <limits>

namespace weft::inline WEFT_ABI::detail {

/// Atoms wrapped into the cell and ordered by bins of it, so that all neighbours of an atom are within `reach` bins of
/// its own, in the cell and its images; on axes that are not periodic the bins cover what the atoms do.
struct AtomBins {
    std::array<index, 3> counts{}; ///< bins along each axis; the last axis is the fastest
    std::array<index, 3> reach{};
    std::array<double, 9> basis{};
    std::array<bool, 3> periodic{};
    Tensor<std::int32_t, 1> first; ///< [bins + 1] the first atom of each bin
    Tensor<std::int32_t, 1> order; ///< [n] atoms by bin, ascending within
    Tensor<double, 2> places;      ///< [3, n] where these are, wrapped
    Tensor<std::int32_t, 2> wraps; ///< [n, 3] how many cells each of these was away
    bool wrapped = false;          ///< whether one was
    /// Squared distances of wrapped atoms that are below the cutoff whatever their rounding errors, and that may be.
    double surely = 0, maybe = 0;
};

/// Errors: a number is not finite.
inline double largest_coordinate(std::span<const double> positions) {
    double largest = 0;
    bool finite = true;
    for (const double v : positions) {
        finite &= std::abs(v) <= std::numeric_limits<double>::max();
        largest = std::max(largest, std::abs(v));
    }
    for (std::size_t k = 0; !finite && k < positions.size(); ++k)
        if (!std::isfinite(positions[k]))
            throw error("neighbor_list", "coordinate {} of atom {} is {}: it must be finite", k % 3, k / 3,
                        positions[k]);
    return largest;
}

/// How space is divided into bins, in numbers that may be too large for integers.
struct BinGrid {
    std::array<double, 3> counts{1, 1, 1}, reach{};
    double candidates = 0; // atoms near a bin
    double cost = 0;

    /// Counts that would make more bins than atoms (or a few) are lowered, the thinnest bins first.
    BinGrid(index atoms, const std::array<double, 3>& extents, const std::array<bool, 3>& periodic, double range,
            std::array<double, 3> wanted)
        : counts(wanted) {
        const auto n = static_cast<double>(atoms), most_bins = std::max(n, 64.0);
        for (double& count : counts) count = std::clamp(count, 1.0, most_bins);
        while (counts[0] * counts[1] * counts[2] > most_bins) {
            std::size_t thinnest = 3;
            for (std::size_t k = 0; k < 3; ++k)
                if (counts[k] > 1 && (thinnest == 3 || extents[k] * counts[thinnest] < extents[thinnest] * counts[k]))
                    thinnest = k;
            counts[thinnest] = std::floor((counts[thinnest] + 1) / 2);
        }
        candidates = n;
        for (std::size_t k = 0; k < 3; ++k) {
            reach[k] = std::ceil(range * counts[k] / extents[k]);
            if (!periodic[k]) reach[k] = std::min(reach[k], counts[k] - 1);
            candidates *= (periodic[k] ? 2 * reach[k] + 1 : std::min(2 * reach[k] + 1, counts[k])) / counts[k];
        }
        // Each candidate of a bin is sorted and placed, which takes as long as comparing it with 12 atoms.
        cost = candidates * (12 * counts[0] * counts[1] * counts[2] + n);
    }
};

/// Bins about as wide as the range, or half of it where that saves work: in small cells.
inline BinGrid choose_bins(index atoms, const std::array<double, 3>& extents, const std::array<bool, 3>& periodic,
                           double range) {
    const auto grid_of = [&](unsigned halved) {
        std::array<double, 3> wanted{};
        for (std::size_t k = 0; k < 3; ++k)
            wanted[k] = std::floor(extents[k] / range * ((halved >> k & 1u) != 0 ? 2 : 1));
        return BinGrid(atoms, extents, periodic, range, wanted);
    };
    BinGrid best = grid_of(0);
    for (unsigned halved = 1; halved < 8; ++halved)
        if (const BinGrid grid = grid_of(halved); grid.cost < best.cost) best = grid;
    return best;
}

/// O(n): there are at most as many bins as atoms, and a few. Errors: see neighbor_list.
inline AtomBins bin_atoms(std::span<const double> positions, const Cell& cell, double cutoff) {
    const auto n = static_cast<index>(positions.size()) / 3;
    const double largest = largest_coordinate(positions);
    AtomBins bins;
    bins.basis = cell.basis();
    bins.periodic = cell.periodic;
    const auto inverse = cell.inverse();
    const auto heights = cell.heights();

    auto fractions = Tensor<double, 2>::empty({n, 3});
    auto wraps = Tensor<std::int32_t, 2>::empty({n, 3});
    double* const fraction = fractions.mutable_data();
    std::int32_t* const wrap = wraps.mutable_data();
    constexpr index grain = 4096;
    const index chunks = (n + grain - 1) / grain;
    for_each_chunk(chunks, 10.0 * static_cast<double>(n), [&](index chunk) {
        for (index i = chunk * grain; i < std::min(n, (chunk + 1) * grain); ++i)
            for (index k = 0; k < 3; ++k) {
                const auto column = static_cast<std::size_t>(k);
                const double* const x = positions.data() + 3 * i;
                const double f = x[0] * inverse[column] + x[1] * inverse[3 + column] + x[2] * inverse[6 + column];
                const double cells = bins.periodic[column] ? std::floor(f) : 0;
                if (!(std::abs(cells) < 0x1p29))
                    throw error("neighbor_list", "atom {} is {} cells away along axis {}: it must be less than 2^29", i,
                                cells, k);
                fraction[3 * i + k] = f - cells;
                wrap[3 * i + k] = static_cast<std::int32_t>(cells);
            }
    });
    std::array<double, 3> low{0, 0, 0}, high{1, 1, 1};
    std::array<std::int32_t, 3> farthest{};
    for (std::size_t k = 0; k < 3; ++k) {
        if (bins.periodic[k]) {
            for (index i = 0; i < n; ++i) farthest[k] = std::max(farthest[k], std::abs(wrap[3 * i + index(k)]));
            bins.wrapped = bins.wrapped || farthest[k] > 0;
            continue;
        }
        low[k] = std::numeric_limits<double>::max();
        high[k] = std::numeric_limits<double>::lowest();
        for (index i = 0; i < n; ++i) {
            low[k] = std::min(low[k], fraction[3 * i + index(k)]);
            high[k] = std::max(high[k], fraction[3 * i + index(k)]);
        }
    }

    // What rounding, magnified by the cell's skew, can make of a distance between wrapped atoms and images.
    double scale = cutoff + largest, skew = 1;
    for (std::size_t k = 0; k < 3; ++k) {
        if (!bins.periodic[k]) continue;
        const double length = detail::length(cell.vector(k));
        scale += (farthest[k] + cutoff / heights[k] + 2) * length;
        skew = std::max(skew, length / heights[k]);
    }
    const double margin = 1e-13 * skew * scale, range = cutoff + margin;
    if (!(margin < cutoff))
        throw error("neighbor_list", "coordinates up to {} are too large to tell distances of {} apart in float64",
                    largest, cutoff);
    bins.surely = (cutoff - margin) * (cutoff - margin);
    bins.maybe = range * range;

    std::array<double, 3> extents{};
    for (std::size_t k = 0; k < 3; ++k) extents[k] = (high[k] - low[k]) * heights[k];
    const BinGrid grid = choose_bins(n, extents, bins.periodic, range);
    const auto& counts = grid.counts;
    for (std::size_t k = 0; k < 3; ++k) {
        if (!(grid.reach[k] < 0x1p29) || !(grid.candidates * static_cast<double>(n) < 0x1p40))
            throw error("neighbor_list", "a cutoff of {} is too large for the cell: each atom has about {} candidates",
                        cutoff, grid.candidates);
        bins.counts[k] = static_cast<index>(counts[k]);
        bins.reach[k] = static_cast<index>(grid.reach[k]);
    }

    auto bin_of = Tensor<std::int32_t, 1>::empty({n});
    std::int32_t* const bin = bin_of.mutable_data();
    std::array<double, 3> bins_per_fraction{};
    for (std::size_t k = 0; k < 3; ++k) bins_per_fraction[k] = high[k] > low[k] ? counts[k] / (high[k] - low[k]) : 0;
    for_each_chunk(chunks, 10.0 * static_cast<double>(n), [&](index chunk) {
        for (index i = chunk * grain; i < std::min(n, (chunk + 1) * grain); ++i) {
            index b = 0;
            for (std::size_t k = 0; k < 3; ++k) {
                const double at = (fraction[3 * i + index(k)] - low[k]) * bins_per_fraction[k];
                b = b * bins.counts[k] + static_cast<index>(std::clamp(at, 0.0, counts[k] - 1));
            }
            bin[i] = static_cast<std::int32_t>(b);
        }
    });
    const index total = bins.counts[0] * bins.counts[1] * bins.counts[2];
    bins.first = Tensor<std::int32_t, 1>::zeros({total + 1});
    bins.order = Tensor<std::int32_t, 1>::empty({n});
    std::int32_t* const first = bins.first.mutable_data();
    std::int32_t* const order = bins.order.mutable_data();
    for (index i = 0; i < n; ++i) ++first[bin[i]];
    std::int32_t before = 0;
    for (index b = 0; b <= total; ++b) before += std::exchange(first[b], before);
    for (index i = 0; i < n; ++i) order[first[bin[i]]++] = static_cast<std::int32_t>(i);
    std::copy_backward(first, first + total, first + total + 1); // each has moved on to where the next began
    first[0] = 0;

    bins.places = Tensor<double, 2>::empty({3, n});
    bins.wraps = Tensor<std::int32_t, 2>::empty({n, 3});
    double* const places = bins.places.mutable_data();
    std::int32_t* const ordered_wraps = bins.wraps.mutable_data();
    for_each_chunk(chunks, 10.0 * static_cast<double>(n), [&](index chunk) {
        for (index p = chunk * grain; p < std::min(n, (chunk + 1) * grain); ++p) {
            const double* const x = positions.data() + 3 * index{order[p]};
            const std::int32_t* const w = wrap + 3 * index{order[p]};
            for (index c = 0; c < 3; ++c) {
                const auto at = static_cast<std::size_t>(c);
                places[c * n + p] =
                    x[c] - (w[0] * bins.basis[at] + w[1] * bins.basis[3 + at] + w[2] * bins.basis[6 + at]);
                ordered_wraps[3 * p + c] = w[c];
            }
        }
    });
    return bins;
}

} // namespace weft::inline WEFT_ABI::detail
