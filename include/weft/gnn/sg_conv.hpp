// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/adjacency.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `SGConv`.
struct SGOptions {
    index K = 1;                ///< steps
    bool add_self_loops = true; ///< where a node has none yet
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Simple graph convolution, y = A^K x W^T + b with A the normalised adjacency matrix of GCNConv: Wu et al. (arXiv
/// 1902.07153). Parameters `lin.weight` [out, in], `lin.bias`. The products with the graph are taken on the side of
/// fewer channels. O(K E min(in, out) + N in out).
template <class T>
struct SGConv {
    nn::Linear<T> lin;
    SGOptions options;

    SGConv() = default;
    /// Errors: K is negative.
    SGConv(index in_channels, index out_channels, const SGOptions& o = {})
        : lin(in_channels, out_channels, {.bias = o.bias, .generator = o.generator}), options(o) {
        if (o.K < 0) throw error("SGConv", "K is {}: must not be negative", o.K);
        options.generator = nullptr;
    }

    /// x [N, in] to [N, out]. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        return layer(g, x, detail::normalized_adjacency<T>(g, {.add_self_loops = options.add_self_loops}));
    }
    /// The same with weights of the edges, edge_weight [E].
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& x, const W& edge_weight) const {
        weft::detail::check_edge_rows("SGConv", g, edge_weight, "edge_weight");
        return layer<W>(g, x, detail::normalized_adjacency(g, edge_weight, {.add_self_loops = options.add_self_loops}));
    }

    void visit(auto&& v) { v("lin", lin); }

private:
    template <class... Others, class X, class Adjacency>
    auto layer(const Graph& g, const X& expression, const Adjacency& adjacency) const {
        const auto x =
            detail::checked_features<Others...>("SGConv", "x", expression, g.num_nodes(), "nodes", lin.in_features());
        if (lin.in_features() <= lin.out_features()) return lin(power(adjacency, x));
        return lin.add_bias(power(adjacency, matmul(x, transpose(lin.weight))));
    }
    template <class Adjacency, class H>
    auto power(const Adjacency& adjacency, const H& h) const {
        decltype(adjacency(adjacency(h))) y(h);
        for (index k = 0; k < options.K; ++k) y = adjacency(y);
        return y;
    }
};

} // namespace weft::inline WEFT_ABI::gnn
