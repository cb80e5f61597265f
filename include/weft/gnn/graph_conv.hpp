// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/aggregation.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_order.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `GraphConv`.
struct GraphConvOptions {
    Aggregation aggr = Aggregation::add;
    bool bias = true;
    index in_channels_dst = -1;     ///< features of destinations in a bipartite graph; -1: as sources
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// y_i = W_rel aggr_j w_ij x_j + b + W_root x_i: Morris et al., Weisfeiler and Leman Go Neural (arXiv 1810.02244).
/// Parameters `lin_rel.weight` [out, in], `lin_rel.bias`, `lin_root.weight` [out, in_dst].
template <class T>
struct GraphConv {
    nn::Linear<T> lin_rel, lin_root;
    GraphConvOptions options;

    GraphConv() = default;
    /// Errors: a negative number of channels.
    GraphConv(index in_channels, index out_channels, const GraphConvOptions& o = {})
        : lin_rel(in_channels, out_channels, {.bias = o.bias, .generator = o.generator}),
          lin_root(o.in_channels_dst < 0 ? in_channels : o.in_channels_dst, out_channels,
                   {.bias = false, .generator = o.generator}),
          options(o) {
        options.generator = nullptr;
    }

    /// x [N, in] to [N, out]. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        const auto h = features(g, x);
        return convolve(h, aggregate(g, src(h), options.aggr));
    }
    /// The same with weights of the edges, edge_weight [E].
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& x, const W& edge_weight) const {
        weft::detail::check_edge_rows("GraphConv", g, edge_weight, "edge_weight");
        const auto h = features<W>(g, x);
        return convolve(h, aggregate(g, src(h) * edge(edge_weight), options.aggr));
    }
    /// x_src [N_src, in], x_dst [N_dst, in_dst] to [N_dst, out].
    template <Expression S, Expression D>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst) const {
        const auto from = sources<D>(g, x_src);
        return convolve(destinations<S>(g, x_dst), aggregate(g, src(from), options.aggr));
    }
    /// The same with `edge_weight` [E].
    template <Expression S, Expression D, Expression W>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst, const W& edge_weight) const {
        weft::detail::check_edge_rows("GraphConv", g, edge_weight, "edge_weight");
        const auto from = sources<D, W>(g, x_src);
        return convolve(destinations<S, W>(g, x_dst), aggregate(g, src(from) * edge(edge_weight), options.aggr));
    }

    void visit(auto&& v) {
        v("lin_rel", lin_rel);
        v("lin_root", lin_root);
    }

private:
    template <class... Others, class X>
    auto features(const Graph& g, const X& x) const {
        return detail::checked_features<Others...>("GraphConv", "x", x, g.num_nodes(), "nodes", lin_rel.in_features());
    }
    template <class... Others, class X>
    auto sources(const Graph& g, const X& x) const {
        return detail::checked_features<Others...>("GraphConv", "x_src", x, g.num_src(), "source nodes",
                                                   lin_rel.in_features());
    }
    template <class... Others, class X>
    auto destinations(const Graph& g, const X& x) const {
        return detail::checked_features<Others...>("GraphConv", "x_dst", x, g.num_dst(), "destination nodes",
                                                   lin_root.in_features());
    }
    template <class X, class S>
    auto convolve(const X& x, const S& sums) const {
        return eval(lin_rel(sums) + lin_root(x));
    }
};

} // namespace weft::inline WEFT_ABI::gnn
