// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/pool_allocator.hpp>
#include <weft/graph/neighbor_list.hpp>

#include <array>
#include <cmath>

namespace weft::inline WEFT_ABI::potential {

/// The atoms of one structure or of several, as a model of certain elements sees them.
struct AtomGraph {
    Graph graph;                          ///< edges from senders to receivers, both atoms
    Tensor<std::int32_t, 1> element;      ///< [atoms]: which of the model's elements each is
    Tensor<std::int32_t, 1> present;      ///< [P]: those that are there, ascending
    Tensor<std::int32_t, 1> place;        ///< [atoms]: which of these each is
    Tensor<std::int32_t, 1> sender_place; ///< [edges]: the sender's
    Tensor<std::int32_t, 1> element_pair; ///< [edges]: elements x the sender's element + the receiver's

    /// The two edges between a pair of atoms have the same length: [edges] the number of each edge's pair, and [pairs]
    /// one edge of each. Both empty where the list does not say which edges these are.
    Tensor<std::int32_t, 1> pair_of_edge, edge_of_pair;

    AtomGraph() = default;
    /// `element` [atoms], each from 0 to below `elements`.
    AtomGraph(const NeighborList& list, const Tensor<std::int32_t, 1>& elements_of_atoms, index elements)
        : AtomGraph(list.graph, elements_of_atoms, elements) {
        find_pairs(list);
    }
    /// The same of any graph, whose edges are no pairs then.
    AtomGraph(const Graph& g, const Tensor<std::int32_t, 1>& elements_of_atoms, index elements)
        : graph(g), element(elements_of_atoms) {
        weft::detail::PoolVector<std::int32_t> place_of(static_cast<std::size_t>(elements), -1), there;
        for (const std::int32_t z : element.values()) place_of[static_cast<std::size_t>(z)] = 0;
        for (index z = 0; z < elements; ++z)
            if (place_of[static_cast<std::size_t>(z)] == 0) {
                place_of[static_cast<std::size_t>(z)] = static_cast<std::int32_t>(there.size());
                there.push_back(static_cast<std::int32_t>(z));
            }
        present =
            Tensor<std::int32_t, 1>::from(std::span<const std::int32_t>(there), {static_cast<index>(there.size())});
        place = Tensor<std::int32_t, 1>::empty(element.shape());
        std::int32_t* const to_place = place.mutable_data();
        for (index a = 0; a < element.size(); ++a) to_place[a] = place_of[static_cast<std::size_t>(element.data()[a])];
        sender_place = Tensor<std::int32_t, 1>::empty({g.num_edges()});
        element_pair = Tensor<std::int32_t, 1>::empty({g.num_edges()});
        std::int32_t *const to_sender = sender_place.mutable_data(), *const to_pair = element_pair.mutable_data();
        for (index e = 0; e < g.num_edges(); ++e) {
            const std::int32_t from = g.sources().data()[e], at = g.destinations().data()[e];
            to_sender[e] = to_place[from];
            to_pair[e] = element.data()[from] * static_cast<std::int32_t>(elements) + element.data()[at];
        }
    }

private:
    /// An edge's pair is counted where the edge comes first of the two; the other is found in the row of its receiver.
    void find_pairs(const NeighborList& list) {
        const index edges = list.graph.num_edges();
        const std::int32_t *const from = list.graph.sources().data(), *const at = list.graph.destinations().data(),
                                  *const shift = list.shifts.data(), *const row = list.graph.in().row_ptr.data();
        pair_of_edge = Tensor<std::int32_t, 1>::empty({edges});
        std::int32_t* const to = pair_of_edge.mutable_data();
        const auto key = [&](index e) { return std::array{from[e], shift[3 * e], shift[3 * e + 1], shift[3 * e + 2]}; };
        std::fill_n(to, edges, -1);
        weft::detail::PoolVector<std::int32_t> firsts;
        firsts.reserve(static_cast<std::size_t>(edges / 2));
        for (index e = 0; e < edges; ++e) {
            if (to[e] >= 0) continue;
            to[e] = static_cast<std::int32_t>(firsts.size());
            firsts.push_back(static_cast<std::int32_t>(e));
            const std::array other{at[e], -shift[3 * e], -shift[3 * e + 1], -shift[3 * e + 2]};
            index low = row[from[e]], high = row[from[e] + 1];
            while (low < high) {
                const index middle = (low + high) / 2;
                if (key(middle) < other)
                    low = middle + 1;
                else
                    high = middle;
            }
            if (low < row[from[e] + 1] && key(low) == other) to[low] = to[e];
        }
        edge_of_pair =
            Tensor<std::int32_t, 1>::from(std::span<const std::int32_t>(firsts), {static_cast<index>(firsts.size())});
    }
};

/// Errors: two atoms are less than 1e-6 Å apart, where radial functions have no direction; it names them. `vectors`
/// [edges, 3].
inline void require_apart(const NeighborList& list, const Tensor<double, 2>& vectors) {
    const double* const v = vectors.data();
    for (index e = 0; e < vectors.extent(0); ++e)
        if (const double square = v[3 * e] * v[3 * e] + v[3 * e + 1] * v[3 * e + 1] + v[3 * e + 2] * v[3 * e + 2];
            !(square >= 1e-12))
            throw error("potential", "atoms {} and {} are {} Å apart: must be at least 1e-6", list.graph.sources()(e),
                        list.graph.destinations()(e), std::sqrt(square));
}

} // namespace weft::inline WEFT_ABI::potential
