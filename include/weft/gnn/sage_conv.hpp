// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>
#include <weft/gnn/aggregation.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `SAGEConv`.
struct SAGEOptions {
    Aggregation aggr = Aggregation::mean;
    bool normalize = false;  ///< rows of the result to unit length
    bool root_weight = true; ///< the node's own features too
    bool project = false;    ///< neighbours' features through relu(lin x) first
    bool bias = true;
    index in_channels_dst = -1;     ///< features of destinations in a bipartite graph; -1: as sources
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// y_i = W_l aggr_j x_j + b + W_r x_i: Hamilton et al., Inductive Representation Learning on Large Graphs (arXiv
/// 1706.02216). Parameters `lin_l.weight`, `lin_l.bias`, `lin_r.weight`, with `project` `lin.weight`, `lin.bias`. A
/// node without neighbours aggregates 0. A mean or sum is taken on the side of fewer channels.
template <class T>
struct SAGEConv {
    std::optional<nn::Linear<T>> lin;
    nn::Linear<T> lin_l;
    std::optional<nn::Linear<T>> lin_r;
    SAGEOptions options;

    SAGEConv() = default;
    /// Errors: a negative number of channels.
    SAGEConv(index in_channels, index out_channels, const SAGEOptions& o = {})
        : lin_l(in_channels, out_channels, {.bias = o.bias, .generator = o.generator}), options(o) {
        if (o.project) lin.emplace(in_channels, in_channels, nn::LinearOptions{.generator = o.generator});
        if (o.root_weight)
            lin_r.emplace(o.in_channels_dst < 0 ? in_channels : o.in_channels_dst, out_channels,
                          nn::LinearOptions{.bias = false, .generator = o.generator});
        options.generator = nullptr;
    }

    /// x [N, in] to [N, out]. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        const auto h = detail::checked_features("SAGEConv", "x", x, g.num_nodes(), "nodes", lin_l.in_features());
        return convolve(g, h, h);
    }
    /// x_src [N_src, in], x_dst [N_dst, in_dst] to [N_dst, out]. Errors: one of them does not fit.
    template <Expression S, Expression D>
    auto operator()(const Graph& g, const S& x_src, const D& x_dst) const {
        return convolve(
            g,
            detail::checked_features<D>("SAGEConv", "x_src", x_src, g.num_src(), "source nodes", lin_l.in_features()),
            detail::checked_features<S>("SAGEConv", "x_dst", x_dst, g.num_dst(), "destination nodes",
                                        lin_r ? lin_r->in_features() : x_dst.extent(1)));
    }

    void visit(auto&& v) {
        v("lin", lin);
        v("lin_l", lin_l);
        v("lin_r", lin_r);
    }

private:
    template <class S, class D>
    auto convolve(const Graph& g, const S& x_src, const D& x_dst) const {
        const auto x = lin ? eval(relu((*lin)(x_src))) : eval(relu_free(x_src));
        const bool linear = options.aggr == Aggregation::mean || options.aggr == Aggregation::add;
        auto y = linear && lin_l.out_features() < lin_l.in_features()
                     ? lin_l.add_bias(aggregate(g, src(matmul(x, transpose(lin_l.weight))), options.aggr))
                     : lin_l(aggregate(g, src(x), options.aggr));
        if (lin_r) y = eval(y + (*lin_r)(x_dst));
        if (!options.normalize) return y;
        // y / max(|y|, 1e-12), with the gradient of a zero row finite
        return eval(y / sqrt(maximum(sum<1>(square(y), keepdim), T(1e-24))));
    }
    // The type that relu((*lin)(x)) has, without computing it.
    template <class X>
    static auto relu_free(const X& x) {
        using Projected = decltype(eval(relu(std::declval<const nn::Linear<T>&>()(x))));
        return Projected(eval(x));
    }
};

} // namespace weft::inline WEFT_ABI::gnn
