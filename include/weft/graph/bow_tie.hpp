// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/degree_histogram.hpp>
#include <weft/graph/strong_components.hpp>

namespace weft::inline WEFT_ABI {

/// How many nodes are in the largest strong component (of several, that of the least number), lead to it, are led to
/// from it, and neither: Broder et al., Graph structure in the Web (2000).
struct BowTie {
    index core = 0, in = 0, out = 0, other = 0;
};

/// See BowTie. O(N + E). Errors: the graph is not square.
template <class = void>
BowTie bow_tie(const Graph& g) {
    const auto strong = strong_components(g);
    const index nodes = g.num_nodes();
    if (nodes == 0) return {};
    const auto sizes = degree_histogram(strong.component);
    const index largest = std::max_element(sizes.begin(), sizes.end()) - sizes.begin();
    // Nodes that the core leads to, with it, over the edges of one of the two orders.
    const auto reached = [&](const Csr& csr) {
        std::vector<char> seen(static_cast<std::size_t>(nodes), false);
        std::vector<index> open;
        const auto add = [&](index u) {
            if (std::exchange(seen[static_cast<std::size_t>(u)], true)) return;
            open.push_back(u);
        };
        for (index u = 0; u < nodes; ++u)
            if (strong.component(u) == largest) add(u);
        for (std::size_t done = 0; done < open.size(); ++done) {
            const index u = open[done];
            for (index e = csr.row_ptr.data()[u]; e < csr.row_ptr.data()[u + 1]; ++e) add(csr.col.data()[e]);
        }
        return static_cast<index>(open.size());
    };
    const index core = sizes[static_cast<std::size_t>(largest)];
    const index in = reached(g.in()) - core, out = reached(g.out()) - core;
    return {core, in, out, nodes - core - in - out};
}

} // namespace weft::inline WEFT_ABI
