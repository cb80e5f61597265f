// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/neighbor_list.hpp>

namespace weft::inline WEFT_ABI {

/// One of each two edges (i, j, S) and (j, i, -S) of a list, in their order: the one that leads to the higher atom, and
/// between images of one atom that whose first component of S that is not 0 is positive. O(E)
inline NeighborList half_list(const NeighborList& list) {
    const index edges = list.graph.num_edges();
    const std::int32_t* const sender = list.graph.sources().data();
    const std::int32_t* const receiver = list.graph.destinations().data();
    const std::int32_t* const shift = list.shifts.data();
    std::vector<index> kept;
    kept.reserve(static_cast<std::size_t>(edges) / 2);
    for (index e = 0; e < edges; ++e) {
        const std::int32_t* const s = shift + 3 * e;
        const std::int32_t leading = s[0] != 0 ? s[0] : s[1] != 0 ? s[1] : s[2];
        if (sender[e] < receiver[e] || (sender[e] == receiver[e] && leading > 0)) kept.push_back(e);
    }
    const index count = std::ssize(kept);
    auto senders = Tensor<std::int32_t, 1>::empty({count}), receivers = Tensor<std::int32_t, 1>::empty({count});
    auto shifts = Tensor<std::int32_t, 2>::empty({count, 3});
    std::int32_t* const to_sender = senders.mutable_data();
    std::int32_t* const to_receiver = receivers.mutable_data();
    std::int32_t* const to_shift = shifts.mutable_data();
    for (index k = 0; k < count; ++k) {
        const index e = kept[static_cast<std::size_t>(k)];
        to_sender[k] = sender[e];
        to_receiver[k] = receiver[e];
        std::copy_n(shift + 3 * e, 3, to_shift + 3 * k);
    }
    return {Graph::unchecked(senders, receivers, list.graph.num_src(), list.graph.num_dst()), shifts};
}

} // namespace weft::inline WEFT_ABI
