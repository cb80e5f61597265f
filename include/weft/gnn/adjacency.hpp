// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_reduce.hpp>
#include <weft/graph/normalize.hpp>

/// The adjacency matrix of a graph as a function of features, h [N, F] to A h.
namespace weft::inline WEFT_ABI::gnn::detail {

/// With every edge of weight 1, normalised as by gcn_norm; no value per edge is stored.
template <class T>
auto normalized_adjacency(const Graph& g, const GcnNormOptions& options) {
    const auto norm = gcn_norm<T>(g, options);
    return [graph = norm.graph, scale = eval(unsqueeze(norm.scale, 1)), self = eval(unsqueeze(norm.self, 1))](
               const auto& h) { return eval(scale * sum_in(graph, src(scale * h)) + self * h); };
}
/// With edge weights w [E], normalised as by gcn_norm.
template <class W>
auto normalized_adjacency(const Graph& g, const W& w, const GcnNormOptions& options) {
    return [norm = gcn_norm(g, w, options)](const auto& h) { return sum_in(norm.graph, src(h) * edge(norm.weight)); };
}

} // namespace weft::inline WEFT_ABI::gnn::detail
