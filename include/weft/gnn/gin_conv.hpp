// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/relu.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/nn/linear.hpp>

#include <optional>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `GINConv`.
struct GINOptions {
    double eps = 0;
    bool train_eps = false; ///< eps is a parameter; else a constant
};

namespace detail {

/// The weight 1 + eps of a node's own features in GIN and GINE: `eps` [1] is a parameter, or a buffer.
template <class T>
struct OwnWeight {
    std::optional<Parameter<T, 1>> trained;
    Tensor<T, 1> constant;

    OwnWeight() = default;
    explicit OwnWeight(const GINOptions& o) {
        const auto eps = Tensor<T, 1>::full({1}, T(o.eps));
        if (o.train_eps)
            trained.emplace(eps);
        else
            constant = eps;
    }
    /// (1 + eps) x + sum
    template <class X, class S>
    auto plus(const X& x, const S& sum) const {
        return trained ? eval((T(1) + *trained) * x + sum) : eval((T(1) + constant.item()) * x + sum);
    }
    void visit(auto&& v) {
        if (trained)
            v("eps", *trained);
        else
            v("eps", constant);
    }
};

} // namespace detail

/// y_i = nn((1 + eps) x_i + sum of x_j): Xu et al., How Powerful are Graph Neural Networks? (arXiv 1810.00826). `nn` is
/// any module, often nn::Sequential{Linear, ReLU, Linear}. Parameters `nn.…`, and `eps` [1] with train_eps, else a
/// buffer of that name.
template <class T, class NN>
struct GINConv {
    NN nn;
    detail::OwnWeight<T> own;

    GINConv() = default;
    /// Of a network for sums of features.
    explicit GINConv(NN network, const GINOptions& o = {}) : nn(std::move(network)), own(o) {}

    /// x [N, in] to what nn makes of [N, in]. Errors: the graph is not square; x has not a row for each node.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        const auto h = detail::checked_features("GINConv", "x", x, g.num_nodes(), "nodes", x.shape()[1]);
        return nn(own.plus(h, sum_in(g, src(h))));
    }
    /// x_src [N_src, in], x_dst [N_dst, in].
    template <Expression S, Expression D>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst) const {
        const index in = x_src.shape()[1];
        const auto from = detail::checked_features<D>("GINConv", "x_src", x_src, g.num_src(), "source nodes", in);
        const auto to = detail::checked_features<S>("GINConv", "x_dst", x_dst, g.num_dst(), "destination nodes", in);
        return nn(own.plus(to, sum_in(g, src(from))));
    }

    void visit(auto&& v) {
        own.visit(v);
        v("nn", nn);
    }
};

/// Options of `GINEConv`.
struct GINEOptions {
    double eps = 0;
    bool train_eps = false;         ///< eps is a parameter; else a constant
    index edge_dim = 0;             ///< features per edge, which `lin` takes to those of nodes; 0: as many as these
    index in_channels = 0;          ///< features per node, needed with edge_dim
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// y_i = nn((1 + eps) x_i + sum of relu(x_j + e_ij)): Hu et al., Strategies for Pre-training Graph Neural Networks
/// (arXiv 1905.12265). Parameters as in GINConv, and `lin.weight` [in, edge_dim], `lin.bias` with edge_dim. Nothing of
/// size E x in is stored unless edge_dim asks for it.
template <class T, class NN>
struct GINEConv {
    NN nn;
    detail::OwnWeight<T> own;
    std::optional<weft::nn::Linear<T>> lin;

    GINEConv() = default;
    /// Errors: edge_dim without in_channels.
    explicit GINEConv(NN network, const GINEOptions& o = {})
        : nn(std::move(network)), own(GINOptions{o.eps, o.train_eps}) {
        if (o.edge_dim < 0) throw error("GINEConv", "edge_dim is {}: must not be negative", o.edge_dim);
        if (o.edge_dim == 0) return;
        if (o.in_channels <= 0) throw error("GINEConv", "edge_dim needs in_channels, the number of features per node");
        lin.emplace(o.edge_dim, o.in_channels, weft::nn::LinearOptions{.generator = o.generator});
    }

    /// x [N, in], edge_attr [E, in], or [E, edge_dim] if the layer has edge_dim. Errors: one of them does not fit.
    template <Expression X, Expression A>
    auto operator()(const Graph& g, const X& x, const A& edge_attr) const {
        const index in = lin ? lin->out_features() : x.shape()[1];
        const auto h = detail::checked_features<A>("GINEConv", "x", x, g.num_nodes(), "nodes", in);
        return convolve(g, h, h, edge_attr);
    }
    /// x_src [N_src, in], x_dst [N_dst, in], edge_attr as above.
    template <Expression S, Expression D, Expression A>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst, const A& edge_attr) const {
        const index in = lin ? lin->out_features() : x_src.shape()[1];
        return convolve(
            g, detail::checked_features<D, A>("GINEConv", "x_src", x_src, g.num_src(), "source nodes", in),
            detail::checked_features<S, A>("GINEConv", "x_dst", x_dst, g.num_dst(), "destination nodes", in),
            edge_attr);
    }

    void visit(auto&& v) {
        own.visit(v);
        v("lin", lin);
        v("nn", nn);
    }

private:
    template <class S, class D, class A>
    auto convolve(const Graph& g, const S& from, const D& to, const A& edge_attr) const {
        const auto e = detail::checked_features("GINEConv", "edge_attr", edge_attr, g.num_edges(), "edges",
                                                lin ? lin->in_features() : from.extent(1));
        const auto messages = [&](const auto& values) { return sum_in(g, relu(src(from) + edge(values))); };
        const auto through = [&](const auto& values) { return (*lin)(detail::recorded_with<S, D>(values)); };
        return nn(own.plus(to, lin ? messages(through(e)) : decltype(messages(through(e)))(messages(e))));
    }
};

} // namespace weft::inline WEFT_ABI::gnn
