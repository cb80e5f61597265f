// SPDX-License-Identifier: MIT
#pragma once

#include "roofline.hpp"

#include <weft/graph/graph.hpp>

#include <string>

/// The graphs of the benchmarks, as bench/peers/inputs.py makes them.
namespace weft_bench {

/// Output `counter` of SplitMix64 (Steele, Lea, Flood 2014).
inline std::uint64_t splitmix64(std::uint64_t counter) {
    std::uint64_t z = (counter + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/// Edge e goes from splitmix64(2e) % nodes to splitmix64(2e + 1) % nodes; [2, edges].
inline weft::Tensor<std::int32_t, 2> random_edges(weft::index nodes, weft::index edges) {
    auto ends = weft::Tensor<std::int32_t, 2>::empty({2, edges});
    std::int32_t* const to = ends.mutable_data();
    for (weft::index e = 0; e < edges; ++e)
        for (weft::index end = 0; end < 2; ++end)
            to[end * edges + e] = static_cast<std::int32_t>(splitmix64(static_cast<std::uint64_t>(2 * e + end)) %
                                                            static_cast<std::uint64_t>(nodes));
    return ends;
}

inline weft::Graph random_graph(weft::index nodes, weft::index edges) { return {random_edges(nodes, edges), nodes}; }

/// Nodes, edges and channels of a benchmark on a random graph, with the name of its size.
struct GraphSize {
    weft::index nodes, edges, channels;
    std::string text() const {
        return std::to_string(nodes) + "x" + std::to_string(edges) + "x" + std::to_string(channels);
    }
};

/// Bytes that a sum over the edges moves when no row is found in a cache: for each edge its number and the row it
/// brings, for each node a row in and a row out.
inline double edge_sum_bytes(const GraphSize& s) {
    const auto n = static_cast<double>(s.nodes), e = static_cast<double>(s.edges), f = static_cast<double>(s.channels);
    return e * (4 + 4 * f) + 8 * n * f;
}

/// The same for attention with heads of width channels / heads: forward, and what its backward moves.
inline double attention_bytes(const GraphSize& s, weft::index heads) {
    const auto h = static_cast<double>(heads), n = static_cast<double>(s.nodes), e = static_cast<double>(s.edges);
    const auto f = static_cast<double>(s.channels);
    return e * (4 + 4 * h + 4 * f) + 8 * n * f + 4 * n * h;
}
inline double attention_backward_bytes(const GraphSize& s, weft::index heads) {
    const auto h = static_cast<double>(heads), n = static_cast<double>(s.nodes), e = static_cast<double>(s.edges);
    const auto f = static_cast<double>(s.channels);
    return 2 * e * (4 + 8 * h + 4 * f) + 16 * n * f;
}

} // namespace weft_bench
