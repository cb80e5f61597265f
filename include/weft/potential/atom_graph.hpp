// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/neighbor_list.hpp>

#include <cmath>
#include <vector>

namespace weft::inline WEFT_ABI::potential {

/// The atoms of one structure or of several, as a model of certain elements sees them.
struct AtomGraph {
    Graph graph;                          ///< edges from senders to receivers, both atoms
    Tensor<std::int32_t, 1> element;      ///< [atoms]: which of the model's elements each is
    Tensor<std::int32_t, 1> present;      ///< [P]: those that are there, ascending
    Tensor<std::int32_t, 1> place;        ///< [atoms]: which of these each is
    Tensor<std::int32_t, 1> sender_place; ///< [edges]: the sender's
    Tensor<std::int32_t, 1> pair;         ///< [edges]: elements x the sender's element + the receiver's

    AtomGraph() = default;
    /// `element` [atoms], each from 0 to below `elements`.
    AtomGraph(const Graph& g, const Tensor<std::int32_t, 1>& elements_of_atoms, index elements)
        : graph(g), element(elements_of_atoms) {
        std::vector<std::int32_t> place_of(static_cast<std::size_t>(elements), -1), there;
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
        pair = Tensor<std::int32_t, 1>::empty({g.num_edges()});
        std::int32_t *const to_sender = sender_place.mutable_data(), *const to_pair = pair.mutable_data();
        for (index e = 0; e < g.num_edges(); ++e) {
            const std::int32_t from = g.sources().data()[e], at = g.destinations().data()[e];
            to_sender[e] = to_place[from];
            to_pair[e] = element.data()[from] * static_cast<std::int32_t>(elements) + element.data()[at];
        }
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
