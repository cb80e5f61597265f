// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/gnn/attention.hpp>
#include <weft/graph/hypergraph.hpp>

namespace weft::inline WEFT_ABI::gnn {

namespace detail {

/// product(x) after times(x), or before it where that leaves fewer channels to send along edges.
template <class X, class Times, class Product>
auto on_fewer_channels(const X& x, bool times_first, Times&& times, Product&& product) {
    return times_first ? product(times(x)) : times(product(x));
}

} // namespace detail

/// Over what the attention weights of a hypergraph add up to 1.
enum class HypergraphAttention {
    members,    ///< the nodes of a hyperedge
    hyperedges, ///< the hyperedges of a node
};

/// Options of `HypergraphConv`.
struct HypergraphOptions {
    bool use_attention = false;
    HypergraphAttention attention = HypergraphAttention::members;
    index heads = 1;             ///< with use_attention
    bool concat = true;          ///< heads side by side; else their mean
    double negative_slope = 0.2; ///< of the leaky ReLU of the scores
    double dropout = 0;          ///< of the attention weights, in training
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Hypergraph convolution, y = D^-1 H W B^-1 H^T x Theta + b, with the incidence matrix H [nodes, hyperedges], weights
/// W of hyperedges, their sizes B and the sums D of the weights of each node's hyperedges: Bai et al., Hypergraph
/// Convolution and Hypergraph Attention (arXiv 1901.08150). With use_attention a node's h = x Theta^T [H, C] and a
/// hyperedge's e, from features through the same matrix, score leaky_relu(<att, [h | e]>) per head, and H becomes the
/// softmax of that over `attention`. Parameters `lin.weight` [H C, in] (Glorot), `att` [1, H, 2 C], `bias`. An empty
/// hyperedge and a node in none count 0. O(P C + N in C) for P memberships.
template <class T>
struct HypergraphConv {
    nn::Linear<T> lin;
    std::optional<Parameter<T, 3>> att;
    std::optional<Parameter<T, 1>> bias;
    nn::Dropout attention_dropout;
    HypergraphOptions options;

    HypergraphConv() = default;
    /// `out`: channels per head. Errors: heads < 1, or several without use_attention.
    HypergraphConv(index in, index out, const HypergraphOptions& o = {}) : attention_dropout(o.dropout), options(o) {
        detail::check_heads("HypergraphConv", o.heads, 0);
        if (o.heads > 1 && !o.use_attention)
            throw error("HypergraphConv", "heads is {}: must be 1 without use_attention", o.heads);
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        Generator& generator = o.generator ? *o.generator : unseeded;
        lin = nn::Linear<T>(in, o.heads * out, {.bias = false, .generator = &generator});
        nn::glorot_uniform(lin.weight, generator);
        if (o.use_attention) {
            att.emplace(Tensor<T, 3>::zeros({1, o.heads, 2 * out}));
            nn::glorot_uniform(*att, generator);
        }
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({o.concat ? o.heads * out : out}));
        options.generator = nullptr;
    }

    /// x [N, in] to [N, out]; `incidence` is the graph from nodes to hyperedges. Errors: x does not fit; the layer has
    /// attention, which needs hyperedge_attr.
    template <Expression X>
    auto operator()(const Graph& incidence, const X& x) const {
        check_attention(false);
        return convolve(incidence, x, [&](const auto& h) { return both_means(incidence, h); });
    }
    /// The same with weights of the hyperedges, hyperedge_weight [M]. Errors: also a weight that is not a number, and
    /// weights of a node's hyperedges that add up to less than 0.
    template <Expression X, Expression W>
    requires(W::rank == 1) auto operator()(const Graph& incidence, const X& x, const W& hyperedge_weight) const {
        check_attention(false);
        const auto w = detail::recorded_with<X>(checked_weight(incidence, hyperedge_weight));
        return convolve<W>(incidence, x, [&](const auto& h) {
            return eval(unsqueeze(inverse_weights(incidence, w), 1) *
                        sum_out(incidence, dst(unsqueeze(w, 1) * mean_in(incidence, src(h)))));
        });
    }
    /// With attention: hyperedge_attr [M, in] to [N, H C], or [N, C] without concat. Errors: it does not fit; the layer
    /// has no attention.
    template <Expression X, Expression A>
    requires(A::rank == 2) auto operator()(const Graph& incidence, const X& x, const A& hyperedge_attr) const {
        return attend(incidence, x, hyperedge_attr,
                      [&](const auto& e, const auto& alpha) { return mean_out(incidence, edge(alpha) * dst(e)); });
    }
    /// The same with weights of the hyperedges, hyperedge_weight [M].
    template <Expression X, Expression W, Expression A>
    requires(W::rank == 1 && A::rank == 2) auto operator()(const Graph& incidence, const X& x,
                                                           const W& hyperedge_weight, const A& hyperedge_attr) const {
        const auto w = detail::recorded_with<X, A>(checked_weight(incidence, hyperedge_weight));
        return attend<W>(incidence, x, hyperedge_attr, [&](const auto& e, const auto& alpha) {
            const auto column = [](const auto& values) { return unsqueeze(unsqueeze(values, 1), 2); };
            return eval(column(inverse_weights(incidence, w)) * sum_out(incidence, edge(alpha) * dst(column(w) * e)));
        });
    }

    void visit(auto&& v) {
        v("att", att);
        v("bias", bias);
        v("lin", lin);
    }

private:
    void check_attention(bool given) const {
        if (given && !att) throw error("HypergraphConv", "hyperedge_attr is given, but this layer has no attention");
        if (!given && att) throw error("HypergraphConv", "hyperedge_attr is missing: this layer has attention");
    }
    template <class... Others, class X>
    auto features(const Graph& incidence, const X& x) const {
        return detail::checked_features<Others...>("HypergraphConv", "x", x, incidence.num_src(), "nodes",
                                                   lin.in_features());
    }
    template <class W>
    static auto checked_weight(const Graph& incidence, const W& hyperedge_weight) {
        const auto w = eval(hyperedge_weight);
        if (w.size() != incidence.num_dst())
            throw error("HypergraphConv", "hyperedge_weight is {}: it must be [{}], one for each hyperedge",
                        weft::detail::shape_text(w.shape()), incidence.num_dst());
        for (index m = 0; m < w.size(); ++m)
            if (!(w.data()[m] == w.data()[m]))
                throw error("HypergraphConv", "the weight of hyperedge {} is not a number", m);
        return w;
    }
    /// [N] 1 / the sum of the weights of a node's hyperedges; 0 where that is 0.
    template <class W>
    static auto inverse_weights(const Graph& incidence, const W& w) {
        return square(weft::detail::inverse_sqrt_degree("HypergraphConv", sum_out(incidence, dst(w))));
    }
    template <class H>
    static auto both_means(const Graph& incidence, const H& h) {
        return mean_out(incidence, dst(mean_in(incidence, src(h))));
    }

    template <class... Others, class X, class Propagate>
    auto convolve(const Graph& incidence, const X& x, Propagate&& propagate) const {
        return detail::plus_bias(detail::on_fewer_channels(features<Others...>(incidence, x),
                                                           lin.in_features() < lin.out_features(), propagate,
                                                           [&](const auto& h) { return lin(h); }),
                                 bias);
    }
    template <class... Others, class X, class A, class Spread>
    auto attend(const Graph& incidence, const X& x, const A& hyperedge_attr, Spread&& spread) const {
        check_attention(true);
        const auto attr = detail::checked_features<X, Others...>("HypergraphConv", "hyperedge_attr", hyperedge_attr,
                                                                 incidence.num_dst(), "hyperedges", lin.in_features());
        const auto h = detail::heads_of(lin, features<A, Others...>(incidence, x), options.heads);
        const index channels = h.extent(2);
        const auto score_of = [&](const auto& values, index half) {
            return sum<2>(values * slice(*att, 2, half * channels, (half + 1) * channels));
        };
        const auto score = leaky_relu(
            src(score_of(h, 0)) + dst(score_of(detail::heads_of(lin, attr, options.heads), 1)), options.negative_slope);
        const auto weights = options.attention == HypergraphAttention::members ? softmax_in(incidence, score)
                                                                               : softmax_out(incidence, score);
        const auto alpha = attention_dropout(weights);
        const auto y = spread(mean_in(incidence, edge(alpha) * src(h)), alpha);
        return detail::plus_bias(detail::join_heads(y, options.concat), bias);
    }
};

/// Options of `DirectedHypergraphConv`.
struct DirectedHypergraphOptions {
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// y = D_h^-1 H B_t^-1 T^T x W + b with the incidence matrices T of tails and H of heads: a hyperedge takes the mean of
/// its tail, a node the mean of the hyperedges that enter it. Parameters `weight` [in, out] (Glorot), `bias` [out]
/// (zeros). An empty tail and a node that none enters count 0.
template <class T>
struct DirectedHypergraphConv {
    Parameter<T, 2> weight;
    std::optional<Parameter<T, 1>> bias;

    DirectedHypergraphConv() = default;
    /// From `in` features to `out`. Errors: one of them is negative.
    DirectedHypergraphConv(index in, index out, const DirectedHypergraphOptions& o = {}) {
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        weight.set_value(Tensor<T, 2>::empty({in, out}));
        nn::glorot_uniform(weight, o.generator ? *o.generator : unseeded);
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({out}));
    }

    /// x [N, in] to [N, out]. Errors: x does not fit.
    template <Expression X>
    auto operator()(const DirectedHypergraph& g, const X& expression) const {
        const auto x = detail::checked_features("DirectedHypergraphConv", "x", expression, g.num_nodes(), "nodes",
                                                weight.extent(0));
        return detail::plus_bias(detail::on_fewer_channels(
                                     x, weight.extent(0) < weight.extent(1),
                                     [&](const auto& h) { return mean_out(g.head, dst(mean_in(g.tail, src(h)))); },
                                     [&](const auto& h) { return matmul(h, weight); }),
                                 bias);
    }

    void visit(auto&& v) {
        v("weight", weight);
        v("bias", bias);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
