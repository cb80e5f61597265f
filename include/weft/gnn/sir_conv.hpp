// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/gnn/attention.hpp>
#include <weft/gnn/pair_linear.hpp>
#include <weft/gnn/per_edge.hpp>
#include <weft/nn/activation.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// How SIRConv aggregates; `symmetric`: the sum of messages over sqrt(out-degree of j, in-degree of i), both at least
/// 1, without added loops; `max`: after linear_relation, and 0 for a node without edges.
enum class SIRAggregation { sum, mean, symmetric, max };

namespace detail {

/// The aggregate of activation(message) over the edges through `relation`, which is linear: where the aggregation is,
/// too, it is applied once per node, else per edge.
template <class Message, class A, class R>
auto sir_aggregate(const Graph& g, const Message& message, const A& activation, const R& relation, SIRAggregation how) {
    const auto m = per_edge(nn::Sequential(activation), message);
    using T = weft::detail::compute_type<Message>;
    using Y = decltype(relation(sum_in(g, m)));
    const auto scale = [](const Tensor<T, 1>& degree) { return Tensor<T, 1>(T(1) / sqrt(maximum(degree, T(1)))); };
    switch (how) {
    case SIRAggregation::sum:
        return relation(sum_in(g, m));
    case SIRAggregation::mean:
        return relation(mean_in(g, m));
    case SIRAggregation::symmetric: {
        const auto from = scale(g.out_degree<T>()), to = scale(g.in_degree<T>());
        return relation(eval(unsqueeze(to, 1) * sum_in(g, m * src(from))));
    }
    case SIRAggregation::max:
        break;
    }
    return Y(max_in(g, per_edge(nn::Sequential(activation, relation), message)));
}

} // namespace detail

/// Options of `SIRConv`.
struct SIROptions {
    SIRAggregation aggr = SIRAggregation::sum;
    bool inner_bias = true;         ///< of linear_query
    bool outer_bias = true;         ///< of linear_relation
    double dropout = 0;             ///< of queries, keys and edge terms, in training
    index edge_dim = 0;             ///< features per edge (SIREConv of the paper's code); 0: none
    index in_channels_dst = -1;     ///< features of destinations in a bipartite graph; -1: as sources
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Soft-isomorphic relational graph convolution, y_i = W_R aggr_j activation(W_Q x_i + b_Q + W_K x_j (+ W_E e_ij)) +
/// b_R: Lim et al., Contextualized Messages Boost Graph Representations (arXiv 2403.12529). `activation` is an
/// activation or a module from [hidden] to [hidden]. Parameters `linear_query`, `linear_key`, `linear_edge`,
/// `linear_relation`, `activation.…`. O(N (in + out) hidden + E hidden) for an activation; nothing of size E x hidden
/// is stored.
template <class T, class A = nn::ReLU>
struct SIRConv {
    nn::Linear<T> linear_query, linear_key, linear_relation;
    std::optional<nn::Linear<T>> linear_edge;
    A activation;
    nn::Dropout dropout{0};
    SIROptions options;

    SIRConv() = default;
    /// Errors: edge_dim is negative; dropout is not in [0, 1].
    SIRConv(index in, index hidden, index out, A function = {}, const SIROptions& o = {})
        : activation(std::move(function)), dropout(o.dropout), options(o) {
        if (o.edge_dim < 0) throw error("SIRConv", "edge_dim is {}: must not be negative", o.edge_dim);
        const auto linear = [&](index from, index to, bool bias) {
            return nn::Linear<T>(from, to, {.bias = bias, .generator = o.generator});
        };
        linear_query = linear(o.in_channels_dst < 0 ? in : o.in_channels_dst, hidden, o.inner_bias);
        linear_key = linear(in, hidden, false);
        if (o.edge_dim > 0) linear_edge = linear(o.edge_dim, hidden, false);
        linear_relation = linear(hidden, out, o.outer_bias);
        options.generator = nullptr;
    }

    /// x [N, in] to [N, out]. Errors: the graph is not square; x does not fit; edge features are missing.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        const auto h = features(x, g.num_nodes(), "x", "nodes", linear_key);
        return convolve(g, h, h, detail::None{});
    }
    /// The same with features of the edges, edge_attr [E, edge_dim].
    template <Expression X, Expression E>
    auto operator()(const Graph& g, const X& x, const E& edge_attr) const {
        const auto h = features<E>(x, g.num_nodes(), "x", "nodes", linear_key);
        return convolve(g, h, h, edge_attr);
    }
    /// x_src [N_src, in], x_dst [N_dst, in_dst] to [N_dst, out].
    template <Expression S, Expression D>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst) const {
        return convolve(g, sources<D>(g, x_src), destinations<S>(g, x_dst), detail::None{});
    }
    /// The same with `edge_attr` [E, edge_dim].
    template <Expression S, Expression D, Expression E>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst, const E& edge_attr) const {
        return convolve(g, sources<D, E>(g, x_src), destinations<S, E>(g, x_dst), edge_attr);
    }

    void visit(auto&& v) {
        v("linear_query", linear_query);
        v("linear_key", linear_key);
        v("linear_edge", linear_edge);
        v("activation", activation);
        v("linear_relation", linear_relation);
    }

private:
    template <class... Others, class X>
    auto features(const X& x, index count, const char* argument, const char* of, const nn::Linear<T>& linear) const {
        return detail::checked_features<Others...>("SIRConv", argument, x, count, of, linear.in_features());
    }
    template <class... Others, class S>
    auto sources(const Graph& g, const S& x) const {
        return features<Others...>(x, g.num_src(), "x_src", "source nodes", linear_key);
    }
    template <class... Others, class D>
    auto destinations(const Graph& g, const D& x) const {
        return features<Others...>(x, g.num_dst(), "x_dst", "destination nodes", linear_query);
    }

    template <class S, class D, class E>
    auto convolve(const Graph& g, const S& x_src, const D& x_dst, const E& given) const {
        const auto edge_attr =
            detail::checked_edge_attr<S, D>("SIRConv", g, given, linear_edge ? linear_edge->in_features() : 0);
        const auto message = dst(dropout(linear_query(x_dst))) + src(dropout(linear_key(x_src)));
        if constexpr (std::same_as<E, detail::None>)
            return detail::sir_aggregate(g, message, activation, linear_relation, options.aggr);
        else
            return detail::sir_aggregate(g, message + edge(dropout((*linear_edge)(edge_attr))), activation,
                                         linear_relation, options.aggr);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
