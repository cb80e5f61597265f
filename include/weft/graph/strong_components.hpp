// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/graph/coalesce.hpp>

namespace weft::inline WEFT_ABI {

/// Sets of nodes of which each leads to each other.
struct StrongComponents {
    Tensor<std::int32_t, 1> component; ///< [N] of each node
    index count = 0;
};

/// The strongly connected components of a square graph, numbered so that an edge between two of them leads to the lower
/// number (Tarjan, Depth-first search and linear graph algorithms, 1972). Kept with the graph. O(N + E), without
/// recursion. Errors: the graph is not square.
template <class = void>
StrongComponents strong_components(const Graph& g) {
    struct Key {
        bool operator==(const Key&) const = default;
    };
    const index nodes = g.num_nodes();
    return g.cached(Key{}, [&] {
        constexpr std::int32_t none = -1;
        struct Visit {
            std::int32_t node, next; // the slot of the next edge to follow
        };
        const std::int32_t *const ptr = g.out().row_ptr.data(), *const col = g.out().col.data();
        const auto size = static_cast<std::size_t>(nodes);
        std::vector<std::int32_t> found(size, none),
            low(size);                  // when the search came to a node; the earliest it leads to
        std::vector<std::int32_t> open; // found, and without a component yet
        std::vector<Visit> path;
        const auto at = [](std::int32_t node) { return static_cast<std::size_t>(node); };
        auto component = Tensor<std::int32_t, 1>::full({nodes}, none);
        std::int32_t* const to = component.mutable_data();
        std::int32_t count = 0, time = 0;
        const auto enter = [&](std::int32_t node) {
            found[at(node)] = low[at(node)] = time++;
            open.push_back(node);
            path.push_back({node, ptr[node]});
        };
        for (std::int32_t start = 0; start < nodes; ++start) {
            if (found[at(start)] != none) continue;
            enter(start);
            while (!path.empty()) {
                const std::int32_t u = path.back().node;
                if (path.back().next < ptr[u + 1]) {
                    const std::int32_t v = col[path.back().next++];
                    if (found[at(v)] == none)
                        enter(v);
                    else if (to[v] == none)
                        low[at(u)] = std::min(low[at(u)], found[at(v)]);
                    continue;
                }
                path.pop_back();
                if (!path.empty()) low[at(path.back().node)] = std::min(low[at(path.back().node)], low[at(u)]);
                if (low[at(u)] != found[at(u)]) continue;
                std::int32_t member = none;
                do {
                    member = open.back();
                    open.pop_back();
                    to[member] = count;
                } while (member != u);
                ++count;
            }
        }
        return StrongComponents{component, count};
    });
}

/// The graph of the strong components, joined where an edge leads from one to another, coalesced: it has no cycles.
template <class = void>
Graph condensation(const Graph& g) {
    const StrongComponents parts = strong_components(g);
    return coalesce(remove_self_loops(Graph::unchecked(
        gather(parts.component, g.sources()), gather(parts.component, g.destinations()), parts.count, parts.count)));
}

} // namespace weft::inline WEFT_ABI
