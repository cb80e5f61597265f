// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/adjacency.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/digraph_operators.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// The graphs that DGCN propagates over, normalised as GCNConv does.
template <class T>
struct DGCNGraphs {
    using Part = WeightedGraph<Tensor<T, 1>>;
    Part undirected; ///< A + A^T
    Part in;         ///< second_order_proximity over nodes that edges come from
    Part out;        ///< second_order_proximity over nodes that edges lead to
};

/// See DGCNGraphs. Cost and errors as second_order_proximity.
template <class T = float, Expression W>
DGCNGraphs<T> dgcn_graphs(const Graph& g, const W& w, ProximityDivisor divisor = ProximityDivisor::code) {
    const auto weight = eval(cast<double>(eval(w)));
    const auto normalized = [](const auto& m) { return weft::detail::operator_as<T>(gcn_norm(m.graph, m.weight)); };
    const auto in = second_order_proximity(g, weight, Step::against, divisor);
    return {normalized(to_undirected(g, weight)), normalized(in),
            normalized(second_order_proximity(g, weight, Step::along, divisor))};
}

/// Options of `DGCNConv`.
struct DGCNOptions {
    ProximityDivisor divisor = ProximityDivisor::code;
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Tong et al., Directed Graph Convolutional Network (arXiv 2004.13970): x W^T, propagated over each of the three
/// DGCNGraphs, plus b, side by side. Parameters `lin.weight` [out, in] (Glorot), `bias` [out] (zeros).
template <class T>
struct DGCNConv {
    nn::Linear<T> lin;
    std::optional<Parameter<T, 1>> bias;
    DGCNOptions options;

    DGCNConv() = default;
    /// Errors: a negative number of channels.
    DGCNConv(index in_channels, index out_channels, const DGCNOptions& o = {})
        : lin(in_channels, out_channels, {.bias = false, .generator = o.generator}), options(o) {
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        nn::glorot_uniform(lin.weight, o.generator ? *o.generator : unseeded);
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({out_channels}));
        options.generator = nullptr;
    }

    /// x [N, in] to [N, 3 out]. The operators are kept with the graph. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        struct Key {
            ProximityDivisor divisor;
            bool operator==(const Key&) const = default;
        };
        return (*this)(
            g.cached(Key{options.divisor},
                     [&] { return dgcn_graphs<T>(g, Tensor<double, 1>::ones({g.num_edges()}), options.divisor); }),
            x);
    }
    /// The same with operators that are there.
    template <Expression X>
    auto operator()(const DGCNGraphs<T>& graphs, const X& expression) const {
        const auto x = detail::checked_features("DGCNConv", "x", expression, graphs.in.graph.num_nodes(), "nodes",
                                                lin.in_features());
        const auto h = lin(x);
        const auto propagate = [&](const auto& m) {
            const auto y = sum_in(m.graph, src(h) * edge(m.weight));
            return bias ? eval(y + *bias) : y;
        };
        return concat(1, propagate(graphs.undirected), propagate(graphs.in), propagate(graphs.out));
    }

    void visit(auto&& v) {
        v("lin", lin);
        v("bias", bias);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
