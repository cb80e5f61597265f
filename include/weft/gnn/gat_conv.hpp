// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/attention.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `GATConv`.
struct GATOptions {
    index heads = 1;
    bool concat = true;          ///< heads side by side; else their mean
    double negative_slope = 0.2; ///< of the leaky ReLU of the scores
    double dropout = 0;          ///< of the attention weights, in training
    bool add_self_loops = true;  ///< loops of the graph are replaced by one at every node
    index edge_dim = 0;          ///< features per edge; 0: none
    std::optional<double> fill_value =
        std::nullopt; ///< features of the added loops; none: the mean of those of the edges that enter
    bool bias = true;
    index in_channels_dst = -1;     ///< features of destinations in a bipartite graph; -1: one node set
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Graph attention: Velickovic et al. (arXiv 1710.10903). With h = x W^T, [N, H, C], an edge from j to i scores
/// leaky_relu(<att_src, h_j> + <att_dst, h_i> (+ <att_edge, W_e e>)) per head; the softmax over the edges that enter i
/// weighs the sum of h_j. Parameters `lin.weight` [H C, in] (bipartite: `lin_src.weight`, `lin_dst.weight`), `att_src`,
/// `att_dst`, `att_edge` [1, H, C], `lin_edge.weight` [H C, edge_dim], `bias`. Nothing of size E x C is stored.
template <class T>
struct GATConv : detail::AttentionCalls<GATConv<T>> {
    std::optional<nn::Linear<T>> lin, lin_src, lin_dst, lin_edge;
    Parameter<T, 3> att_src, att_dst;
    std::optional<Parameter<T, 3>> att_edge;
    std::optional<Parameter<T, 1>> bias;
    nn::Dropout attention_dropout;
    GATOptions options;

    GATConv() = default;
    /// `out`: channels per head.
    GATConv(index in, index out, const GATOptions& o = {}) : attention_dropout(o.dropout), options(o) {
        detail::check_heads("GATConv", o.heads, o.edge_dim);
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        Generator& generator = o.generator ? *o.generator : unseeded;
        const auto linear = [&](std::optional<nn::Linear<T>>& l, index features) {
            l.emplace(features, o.heads * out, nn::LinearOptions{.bias = false, .generator = &generator});
            nn::glorot_uniform(l->weight, generator);
        };
        if (o.in_channels_dst < 0) {
            linear(lin, in);
        } else {
            linear(lin_src, in);
            linear(lin_dst, o.in_channels_dst);
        }
        const auto attention = [&](Parameter<T, 3>& a) {
            a.set_value(Tensor<T, 3>::zeros({1, o.heads, out}));
            nn::glorot_uniform(a, generator);
        };
        attention(att_src);
        attention(att_dst);
        if (o.edge_dim > 0) {
            linear(lin_edge, o.edge_dim);
            attention(att_edge.emplace());
        }
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({o.concat ? o.heads * out : out}));
        options.generator = nullptr;
    }

    void visit(auto&& v) {
        v("att_src", att_src);
        v("att_dst", att_dst);
        v("att_edge", att_edge);
        v("bias", bias);
        v("lin", lin);
        v("lin_src", lin_src);
        v("lin_dst", lin_dst);
        v("lin_edge", lin_edge);
    }

private:
    friend detail::AttentionCalls<GATConv>;

    template <bool WithWeights, class S, class D, class A>
    auto attend(const Graph& g, const S& x_src, const D& x_dst, const A& edge_attr) const {
        if constexpr (std::same_as<D, detail::None>) {
            if (!lin) throw error("GATConv", "this layer is bipartite: call bipartite(graph, x_src, x_dst)");
            const auto h = heads_of(
                *lin, detail::checked_features<A>("GATConv", "x", x_src, g.num_nodes(), "nodes", lin->in_features()));
            return weigh<WithWeights>(g, h, sum<2>(h * att_src), sum<2>(h * att_dst), edge_attr);
        } else {
            if (!lin_src) throw error("GATConv", "this layer has one node set: give it in_channels_dst for two");
            const auto [s, d] = detail::checked_ends<A>("GATConv", g, x_src, x_dst, lin_src->in_features(),
                                                        lin_dst->in_features(), true);
            const auto h = heads_of(*lin_src, s), to = heads_of(*lin_dst, d);
            return weigh<WithWeights>(g, h, sum<2>(h * att_src), sum<2>(to * att_dst), edge_attr);
        }
    }
    template <class X>
    auto heads_of(const nn::Linear<T>& linear, const X& x) const {
        return detail::heads_of(linear, x, options.heads);
    }

    template <bool WithWeights, class H, class AS, class AD, class A>
    auto weigh(const Graph& g, const H& h, const AS& from, const AD& to, const A& given) const {
        const auto edge_attr = detail::checked_edge_attr<H>("GATConv", g, given, options.edge_dim);
        const auto edges = detail::attention_edges(g, edge_attr, options);
        if constexpr (std::same_as<A, detail::None>) {
            return combine<WithWeights>(edges.graph, h, src(from) + dst(to));
        } else {
            const auto scores = sum<2>(heads_of(*lin_edge, edges.weight) * *att_edge);
            return combine<WithWeights>(edges.graph, h, src(from) + dst(to) + edge(scores));
        }
    }
    template <bool WithWeights, class H, class Score>
    auto combine(const Graph& g, const H& h, const Score& score) const {
        const auto scaled = leaky_relu(score, options.negative_slope);
        const auto sums = detail::attention_sum<T>(g, scaled, src(h), attention_dropout, options.heads);
        auto out = detail::plus_bias(detail::join_heads(sums, options.concat), bias);
        auto weights = detail::attention_weights<WithWeights>(g, scaled);
        return WithAttention<decltype(out), decltype(weights)>{out, weights, g};
    }
};

} // namespace weft::inline WEFT_ABI::gnn
