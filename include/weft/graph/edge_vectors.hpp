// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/neighbor_list.hpp>

namespace weft::inline WEFT_ABI {

/// [E, 3], x_j - x_i + S . cell of the edges of a list at these positions: the vectors by which neighbor_list decides,
/// bit for bit. O(E). Errors: the number of positions is not that of the list's atoms, or not a multiple of 3.
inline Tensor<double, 2> edge_vectors(const NeighborList& list, std::span<const double> positions, const Cell& cell) {
    const index n = detail::atom_count(positions, "edge_vectors"), edges = list.graph.num_edges();
    if (n != list.graph.num_nodes())
        throw error("edge_vectors", "{} positions: the list has {} atoms", n, list.graph.num_nodes());
    constexpr index w = detail::PairVectors::width;
    const detail::PairVectors pairs(positions.data(), cell);
    const std::int32_t* const sender = list.graph.sources().data();
    const std::int32_t* const receiver = list.graph.destinations().data();
    const std::int32_t* const shift = list.shifts.data();
    auto vectors = Tensor<double, 2>::empty({edges, 3});
    double* const to = vectors.mutable_data();
    constexpr index grain = 1 << 12;
    detail::for_each_chunk((edges + grain - 1) / grain, 3.0 * static_cast<double>(edges), [&](index chunk) {
        for (index e = chunk * grain, end = std::min(edges, e + grain); e < end; e += w) {
            const index count = std::min(w, end - e);
            const auto apart = detail::PairVectors::difference(pairs.positions(receiver + e, count),
                                                               pairs.positions(sender + e, count));
            const auto v = pairs.shifted(apart, detail::PairVectors::shifts(shift + 3 * e, count));
            double lane[3][w];
            for (std::size_t c = 0; c < 3; ++c) store_packet(lane[c], v[c]);
            for (index u = 0; u < count; ++u)
                for (index c = 0; c < 3; ++c) to[3 * (e + u) + c] = lane[c][u];
        }
    });
    return vectors;
}
/// The same for positions [n, 3].
inline Tensor<double, 2> edge_vectors(const NeighborList& list, const Tensor<double, 2>& positions, const Cell& cell) {
    return edge_vectors(list, detail::coordinates(positions, "edge_vectors"), cell);
}

} // namespace weft::inline WEFT_ABI
