// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/adjacency.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `GCNConv`.
struct GCNOptions {
    bool improved = false;      ///< self loops weigh 2
    bool add_self_loops = true; ///< where a node has none yet
    bool normalize = true;      ///< by the square roots of the degrees of both ends
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Graph convolution, y = D^-1/2 (A + I) D^-1/2 x W^T + b: Kipf & Welling, Semi-Supervised Classification with Graph
/// Convolutional Networks (arXiv 1609.02907). Parameters `lin.weight` [out, in] (Glorot), `bias` [out] (zeros). The
/// product with the graph is taken on the side of fewer channels. O(E min(in, out) + N in out).
template <class T>
struct GCNConv {
    nn::Linear<T> lin;
    std::optional<Parameter<T, 1>> bias;
    GCNOptions options;

    GCNConv() = default;
    /// Errors: add_self_loops without normalize.
    GCNConv(index in_channels, index out_channels, const GCNOptions& o = {})
        : lin(in_channels, out_channels, {.bias = false, .generator = o.generator}), options(o) {
        if (o.add_self_loops && !o.normalize)
            throw error("GCNConv",
                        "add_self_loops needs normalize: set add_self_loops = false, or add the loops to the "
                        "graph with add_remaining_self_loops");
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        nn::glorot_uniform(lin.weight, o.generator ? *o.generator : unseeded);
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({out_channels}));
        options.generator = nullptr;
    }

    /// x [N, in] to [N, out]. Errors: x or the graph do not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        if (!options.normalize) return layer(g, x, [&](const auto& h) { return sum_in(g, src(h)); });
        return layer(g, x, detail::normalized_adjacency<T>(g, {options.improved, options.add_self_loops}));
    }
    /// The same with weights of the edges, edge_weight [E].
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& x, const W& edge_weight) const {
        weft::detail::check_edge_rows("GCNConv", g, edge_weight, "edge_weight");
        if (!options.normalize)
            return layer<W>(g, x, [&](const auto& h) { return sum_in(g, src(h) * edge(edge_weight)); });
        return layer<W>(g, x, detail::normalized_adjacency(g, edge_weight, {options.improved, options.add_self_loops}));
    }

    void visit(auto&& v) {
        v("lin", lin);
        v("bias", bias);
    }

private:
    template <class... Others, class X, class Propagate>
    auto layer(const Graph& g, const X& expression, Propagate&& propagate) const {
        const auto x = detail::checked_features<Others...>("GCNConv", "x", expression, g.num_src(), "source nodes",
                                                           lin.in_features());
        const bool propagate_first = lin.in_features() < lin.out_features();
        const auto y = propagate_first ? lin(propagate(x)) : propagate(lin(x));
        return bias ? eval(y + *bias) : y;
    }
};

} // namespace weft::inline WEFT_ABI::gnn
