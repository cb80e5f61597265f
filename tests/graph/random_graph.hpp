// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>

namespace weft_test {

/// `edges` edges between random nodes, the same in every run. A third of them are duplicates of others and a tenth
/// loops; the last node and every seventh have no edges.
inline weft::Graph random_bipartite_graph(weft::index num_src, weft::index num_dst, weft::index edges,
                                          unsigned seed = 1) {
    std::uint64_t state = seed * 0x9e3779b97f4a7c15ull;
    const auto draw = [&](weft::index below) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<weft::index>((state >> 33) % static_cast<std::uint64_t>(below));
    };
    const auto node = [&](weft::index count) {
        const weft::index v = draw(std::max<weft::index>(count - 1, 1));
        return v % 7 == 6 && v > 0 ? v - 1 : v;
    };
    std::vector<std::pair<weft::index, weft::index>> list;
    for (weft::index e = 0; e < edges; ++e) {
        const weft::index kind = draw(30);
        if (kind < 10 && e > 0) {
            list.push_back(list[static_cast<std::size_t>(draw(e))]);
        } else if (kind < 13) {
            const weft::index v = node(std::min(num_src, num_dst));
            list.emplace_back(v, v);
        } else {
            const weft::index source = node(num_src), destination = node(num_dst);
            list.emplace_back(source, destination);
        }
    }
    return weft::Graph::from_edges(list, num_src, num_dst);
}
inline weft::Graph random_graph(weft::index nodes, weft::index edges, unsigned seed = 1) {
    return random_bipartite_graph(nodes, nodes, edges, seed);
}

/// The edges as pairs.
inline std::vector<std::pair<weft::index, weft::index>> edge_list(const weft::Graph& g) {
    std::vector<std::pair<weft::index, weft::index>> list;
    for (weft::index e = 0; e < g.num_edges(); ++e) list.emplace_back(g.sources()(e), g.destinations()(e));
    return list;
}

} // namespace weft_test
