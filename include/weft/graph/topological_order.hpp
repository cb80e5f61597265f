// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>

#include <algorithm>
#include <vector>

namespace weft::inline WEFT_ABI {

/// Either an order of the nodes in which every edge leads forwards, or a cycle.
struct TopologicalOrder {
    Tensor<std::int32_t, 1> order;   ///< [N] the nodes; empty where there is a cycle
    Tensor<std::int32_t, 1> level;   ///< [N] edges of the longest path to each node; empty where there is a cycle
    std::vector<std::int32_t> cycle; ///< nodes, each with an edge to the next one and the last to the first; or empty
};

/// See TopologicalOrder; a loop is a cycle. Kahn's algorithm, O(N + E). Errors: the graph is not square.
template <class = void>
TopologicalOrder topological_order(const Graph& g) {
    const index nodes = g.num_nodes();
    const std::int32_t *const ptr = g.out().row_ptr.data(), *const col = g.out().col.data();
    auto order = Tensor<std::int32_t, 1>::empty({nodes}), level = Tensor<std::int32_t, 1>::zeros({nodes});
    auto waiting = Tensor<std::int32_t, 1>(g.in_degree()); // edges from nodes that are not in the order yet
    std::int32_t *const to = order.mutable_data(), *const depth = level.mutable_data(),
                        *const left = waiting.mutable_data();
    index count = 0;
    for (std::int32_t u = 0; u < nodes; ++u)
        if (left[u] == 0) to[count++] = u;
    for (index p = 0; p < count; ++p) {
        const std::int32_t u = to[p];
        for (index e = ptr[u]; e < ptr[u + 1]; ++e) {
            const std::int32_t v = col[e];
            depth[v] = std::max(depth[v], depth[u] + 1);
            if (--left[v] == 0) to[count++] = v;
        }
    }
    if (count == nodes) return {order, level, {}};

    // Every node that is left has an edge from another such node: going back along them leads into a cycle.
    const std::int32_t *const in_ptr = g.in().row_ptr.data(), *const in_col = g.in().col.data();
    std::vector<std::int32_t> path;
    std::vector<index> place(static_cast<std::size_t>(nodes), -1);
    auto v = static_cast<std::int32_t>(std::find_if(left, left + nodes, [](std::int32_t n) { return n > 0; }) - left);
    while (place[static_cast<std::size_t>(v)] < 0) {
        place[static_cast<std::size_t>(v)] = static_cast<index>(path.size());
        path.push_back(v);
        v = *std::find_if(in_col + in_ptr[v], in_col + in_ptr[v + 1], [&](std::int32_t u) { return left[u] > 0; });
    }
    path.erase(path.begin(), path.begin() + place[static_cast<std::size_t>(v)]);
    std::reverse(path.begin(), path.end());
    return {{}, {}, path};
}

} // namespace weft::inline WEFT_ABI
