// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>
#include <weft/graph/neighbor_search.hpp>

namespace weft::inline WEFT_ABI {

/// The pairs of atoms that are near each other. Edge e goes from the sender i = graph.sources()[e] to the receiver
/// j = graph.destinations()[e]; their vector is x_j - x_i + S . cell, where S is shifts[e] and x the positions as they
/// were given, in the cell or not. Edges are sorted by receiver, then sender, then S.
struct NeighborList {
    Graph graph;                    ///< the atoms and the pairs
    Tensor<std::int32_t, 2> shifts; ///< [E, 3] S, in lattice vectors
};

namespace detail {

inline std::span<const double> coordinates(const Tensor<double, 2>& positions, const char* operation) {
    if (positions.extent(1) != 3)
        throw error(operation, "positions are {}: they must be [n, 3]", shape_text(positions.shape()));
    return positions.values();
}
inline index atom_count(std::span<const double> positions, const char* operation) {
    if (positions.size() % 3 != 0)
        throw error(operation, "{} coordinates: there must be three for each atom", positions.size());
    if (std::cmp_greater(positions.size() / 3, most_nodes))
        throw error(operation, "{} atoms: at most {} are possible", positions.size() / 3, most_nodes);
    return static_cast<index>(positions.size()) / 3;
}

/// [rows + 1] where each row begins, from the number of edges of each. Errors: 2^31 or more edges.
inline Tensor<std::int32_t, 1> row_starts(const std::int32_t* counts, index rows) {
    auto starts = Tensor<std::int32_t, 1>::empty({rows + 1});
    std::int32_t* const to = starts.mutable_data();
    index edges = 0;
    for (index i = 0; i < rows; ++i) {
        to[i] = static_cast<std::int32_t>(edges);
        edges += counts[i];
        if (edges > most_nodes) throw error("neighbor_list", "more than {} pairs are within the cutoff", most_nodes);
    }
    to[rows] = static_cast<std::int32_t>(edges);
    return starts;
}

} // namespace detail

/// All pairs of atoms that are less than `cutoff` apart, in both directions, with all periodic images; but not an atom
/// and itself, S = 0. positions: x, y, z of each atom. O(n) for atoms about evenly distributed in any cell (cell lists:
/// Allen, Tildesley, Computer Simulation of Liquids, 1987, 5.3); every pair is decided upon by the vector above,
/// in float64. Errors: the number of coordinates is not a multiple of 3; a coordinate or lattice vector is not finite;
/// the cutoff is not positive and finite; singular cell (see Cell::basis); atoms so far away, or a cutoff so large for
/// the cell, that distances or pairs have no sense: rounding as large as the cutoff, 2^29 cells, 2^31 pairs, 2^40
/// candidates.
inline NeighborList neighbor_list(std::span<const double> positions, const Cell& cell, double cutoff) {
    const index n = detail::atom_count(positions, "neighbor_list");
    if (!(cutoff > 0) || !std::isfinite(cutoff))
        throw error("neighbor_list", "the cutoff is {}: it must be positive and finite", cutoff);
    const detail::AtomBins bins = detail::bin_atoms(positions, cell, cutoff);

    const std::int32_t* const order = bins.order.data();
    const std::int32_t* const first = bins.first.data();
    const auto chunks = detail::balanced_rows(bins.first, 128);
    const auto for_each_atom = [&](bool sorted,
                                   auto&& body) { // body(search, p), in parallel, p in the order of the bins
        detail::for_each_chunk(std::ssize(chunks) - 1, 300.0 * static_cast<double>(n), [&](index chunk) {
            detail::NeighborSearch search(bins, positions, cell, cutoff);
            const auto c = static_cast<std::size_t>(chunk);
            for (index bin = chunks[c]; bin < chunks[c + 1]; ++bin) {
                if (first[bin] == first[bin + 1]) continue;
                search.enter(bin, sorted);
                for (std::int32_t p = first[bin]; p < first[bin + 1]; ++p) body(search, p);
            }
        });
    };
    auto counts = Tensor<std::int32_t, 1>::empty({n});
    std::int32_t* const count = counts.mutable_data();
    for_each_atom(false, [&](detail::NeighborSearch& search, std::int32_t p) {
        const index found = search.find(p);
        if (found > detail::most_nodes)
            throw error("neighbor_list", "more than {} pairs are within the cutoff", detail::most_nodes);
        count[order[p]] = static_cast<std::int32_t>(found);
    });
    const auto starts = detail::row_starts(count, n);
    const std::int32_t* const start = starts.data();
    const index edges = start[n];
    auto senders = Tensor<std::int32_t, 1>::empty({edges}), receivers = Tensor<std::int32_t, 1>::empty({edges});
    auto shifts = Tensor<std::int32_t, 2>::empty({edges, 3});
    std::int32_t* const to_sender = senders.mutable_data();
    std::int32_t* const to_receiver = receivers.mutable_data();
    std::int32_t* const to_shift = shifts.mutable_data();
    for_each_atom(true, [&](detail::NeighborSearch& search, std::int32_t p) {
        search.find(p);
        const std::int32_t receiver = order[p];
        search.write(p, to_sender + start[receiver], to_shift + 3 * index{start[receiver]});
        std::fill(to_receiver + start[receiver], to_receiver + start[receiver + 1], receiver);
    });
    return {Graph::unchecked(senders, receivers, n, n), shifts};
}
/// The same for positions [n, 3].
inline NeighborList neighbor_list(const Tensor<double, 2>& positions, const Cell& cell, double cutoff) {
    return neighbor_list(detail::coordinates(positions, "neighbor_list"), cell, cutoff);
}

} // namespace weft::inline WEFT_ABI
