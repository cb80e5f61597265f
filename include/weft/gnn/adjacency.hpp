// SPDX-License-Identifier: MIT
#pragma once

#include <weft/grad/checkpoint.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/graph/normalize.hpp>
#include <weft/nn/dropout.hpp>

/// The adjacency matrix of a graph as a function of features, h [N, F] to A h. Given a dropout too, each entry of A is
/// dropped with its probability, anew in every call.
namespace weft::inline WEFT_ABI::gnn::detail {

/// Every edge weighs 1, normalised as by gcn_norm; no value per edge is stored but what a dropout draws.
template <class T>
struct UnweightedAdjacency {
    Graph graph;
    Tensor<T, 2> scale, self;

    template <Expression H>
    auto operator()(const H& h) const {
        return eval(scale * sum_in(graph, src(scale * h)) + self * h);
    }
    template <Expression H>
    auto operator()(const H& h, const nn::Dropout& dropout) const {
        const auto edges = dropout.template mask<T, 1>({graph.num_edges()});
        const auto loops = dropout.template mask<T, 2>({graph.num_nodes(), 1});
        return eval(scale * sum_in(graph, edge(edges) * src(scale * h)) + self * loops * h);
    }
    /// weft::checkpoint of f(adjacency, h).
    template <class F, Expression H>
    auto checkpoint(const F& f, const H& h) const {
        return weft::checkpoint([f, a = *this](const auto& x) { return f(a, x); }, h);
    }
};

/// Edges with weights that are normalised already.
template <class W>
struct WeightedAdjacency {
    WeightedGraph<W> matrix;

    template <Expression H>
    auto operator()(const H& h) const {
        return sum_in(matrix.graph, src(h) * edge(matrix.weight));
    }
    template <Expression H>
    auto operator()(const H& h, const nn::Dropout& dropout) const {
        const auto mask = dropout.template mask<typename W::value_type, 1>(matrix.weight.shape());
        return sum_in(matrix.graph, src(h) * edge(matrix.weight * mask));
    }
    template <class F, Expression H>
    auto checkpoint(const F& f, const H& h) const {
        const auto function = [f, graph = matrix.graph](const auto& weight, const auto& x) {
            return f(gnn::detail::WeightedAdjacency<std::remove_cvref_t<decltype(weight)>>{{graph, weight}}, x);
        };
        return weft::checkpoint(function, matrix.weight, h);
    }
};
template <class W>
WeightedAdjacency(WeightedGraph<W>) -> WeightedAdjacency<W>; // clang 14 deduces none for aggregates

template <class T>
UnweightedAdjacency<T> normalized_adjacency(const Graph& g, const GcnNormOptions& options) {
    const auto norm = gcn_norm<T>(g, options);
    return {norm.graph, unsqueeze(norm.scale, 1), unsqueeze(norm.self, 1)};
}
/// With edge weights w [E], normalised as by gcn_norm.
template <class W>
auto normalized_adjacency(const Graph& g, const W& w, const GcnNormOptions& options) {
    return WeightedAdjacency{gcn_norm(g, w, options)};
}

} // namespace weft::inline WEFT_ABI::gnn::detail
