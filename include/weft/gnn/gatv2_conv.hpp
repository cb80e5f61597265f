// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/attention.hpp>
#include <weft/graph/row_sum.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `GATv2Conv`.
struct GATv2Options {
    index heads = 1;
    bool concat = true;          ///< heads side by side; else their mean
    double negative_slope = 0.2; ///< of the leaky ReLU within the scores
    double dropout = 0;          ///< of the attention weights, in training
    bool add_self_loops = true;  ///< loops of the graph are replaced by one at every node
    index edge_dim = 0;          ///< features per edge; 0: none
    std::optional<double> fill_value =
        std::nullopt;               ///< features of the added loops; none: the mean of those of the edges that enter
    bool bias = true;               ///< of lin_l and lin_r too
    bool share_weights = false;     ///< lin_l transforms destinations too
    index in_channels_dst = -1;     ///< features of destinations in a bipartite graph; -1: one node set
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Graph attention whose ranking of neighbours depends on the node that asks: Brody et al., How Attentive are Graph
/// Attention Networks? (arXiv 2105.14491). With l = lin_l x and r = lin_r x, [N, H, C], an edge from j to i scores
/// <att, leaky_relu(l_j + r_i (+ lin_edge e))> per head; the softmax over the edges that enter i weighs the sum of l_j.
/// Parameters `lin_l.weight` [H C, in], `lin_l.bias`, `lin_r.weight`, `lin_r.bias` (with share_weights none), `att`
/// [1, H, C], `lin_edge.weight` [H C, edge_dim], `bias`. Nothing of size E x C is stored.
template <class T>
struct GATv2Conv : detail::AttentionCalls<GATv2Conv<T>> {
    nn::Linear<T> lin_l;
    std::optional<nn::Linear<T>> lin_r, lin_edge;
    Parameter<T, 3> att;
    std::optional<Parameter<T, 1>> bias;
    nn::Dropout attention_dropout;
    GATv2Options options;

    GATv2Conv() = default;
    /// `out`: channels per head. Errors: heads or edge_dim out of range; shared weights for destinations of another
    /// width.
    GATv2Conv(index in, index out, const GATv2Options& o = {}) : attention_dropout(o.dropout), options(o) {
        detail::check_heads("GATv2Conv", o.heads, o.edge_dim);
        const index in_dst = o.in_channels_dst < 0 ? in : o.in_channels_dst;
        if (o.share_weights && in_dst != in)
            throw error("GATv2Conv", "share_weights needs as many features of sources ({}) as of destinations ({})", in,
                        in_dst);
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        Generator& generator = o.generator ? *o.generator : unseeded;
        const auto linear = [&](index features, bool with_bias) {
            nn::Linear<T> l(features, o.heads * out, {.bias = with_bias, .generator = &generator});
            nn::glorot_uniform(l.weight, generator);
            return l;
        };
        lin_l = linear(in, o.bias);
        if (!o.share_weights) lin_r = linear(in_dst, o.bias);
        if (o.edge_dim > 0) lin_edge = linear(o.edge_dim, false);
        att.set_value(Tensor<T, 3>::zeros({1, o.heads, out}));
        nn::glorot_uniform(att, generator);
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({o.concat ? o.heads * out : out}));
        options.generator = nullptr;
    }

    void visit(auto&& v) {
        v("att", att);
        v("bias", bias);
        v("lin_l", lin_l);
        v("lin_r", lin_r);
        v("lin_edge", lin_edge);
    }

private:
    friend detail::AttentionCalls<GATv2Conv>;

    template <bool WithWeights, class S, class D, class A>
    auto attend(const Graph& g, const S& x_src, const D& x_dst, const A& given) const {
        const auto edge_attr = detail::checked_edge_attr<S, D>("GATv2Conv", g, given, options.edge_dim);
        const nn::Linear<T>& destinations = lin_r ? *lin_r : lin_l;
        const auto [from, to] = detail::checked_ends<A>("GATv2Conv", g, x_src, x_dst, lin_l.in_features(),
                                                        destinations.in_features(), options.in_channels_dst >= 0);
        const auto l = detail::heads_of(lin_l, from, options.heads);
        const auto r = detail::heads_of(destinations, to, options.heads);
        const auto edges = detail::attention_edges(g, edge_attr, options);
        if constexpr (std::same_as<A, detail::None>) {
            return combine<WithWeights>(edges.graph, l, src(l) + dst(r));
        } else {
            const auto e = detail::heads_of(*lin_edge, edges.weight, options.heads);
            return combine<WithWeights>(edges.graph, l, src(l) + dst(r) + edge(e));
        }
    }
    template <bool WithWeights, class L, class Sum>
    auto combine(const Graph& g, const L& l, const Sum& sum_of_ends) const {
        const auto weights_of_channels = reshape(att, Extents<2>{att.extent(1), att.extent(2)});
        const auto score = row_dot(leaky_relu(sum_of_ends, options.negative_slope), weights_of_channels);
        const auto sums = detail::attention_sum<T>(g, score, src(l), attention_dropout, options.heads);
        auto out = detail::plus_bias(detail::join_heads(sums, options.concat), bias);
        auto weights = detail::attention_weights<WithWeights>(g, score);
        return WithAttention<decltype(out), decltype(weights)>{out, weights, g};
    }
};

} // namespace weft::inline WEFT_ABI::gnn
