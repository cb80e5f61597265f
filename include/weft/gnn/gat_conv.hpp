// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_softmax.hpp>
#include <weft/graph/transforms.hpp>
#include <weft/nn/dropout.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn {

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
struct GATConv {
    std::optional<nn::Linear<T>> lin, lin_src, lin_dst, lin_edge;
    Parameter<T, 3> att_src, att_dst;
    std::optional<Parameter<T, 3>> att_edge;
    std::optional<Parameter<T, 1>> bias;
    nn::Dropout attention_dropout;
    index out_channels = 0;
    GATOptions options;

    GATConv() = default;
    /// `out`: channels per head.
    GATConv(index in, index out, const GATOptions& o = {})
        : attention_dropout(o.dropout), out_channels(out), options(o) {
        if (o.heads < 1) throw error("GATConv", "heads is {}: must be at least 1", o.heads);
        if (o.edge_dim < 0) throw error("GATConv", "edge_dim is {}: must not be negative", o.edge_dim);
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

    /// x [N, in] to [N, H C], or [N, C] without concat.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        return one_set<false>(g, x, no_edges).out;
    }
    /// The same with features of the edges, edge_attr [E, edge_dim].
    template <Expression X, Expression A>
    auto operator()(const Graph& g, const X& x, const A& edge_attr) const {
        return one_set<false>(g, x, edge_attr).out;
    }
    /// x_src [N_src, in], x_dst [N_dst, in_dst] to [N_dst, H C]; with edge_attr [E, edge_dim] if the layer has
    /// edge_dim.
    template <Expression S, Expression D>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst) const {
        return two_sets<false>(g, x_src, x_dst, no_edges).out;
    }
    template <Expression S, Expression D, Expression A>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst, const A& edge_attr) const {
        return two_sets<false>(g, x_src, x_dst, edge_attr).out;
    }

    /// The result, and the attention weights alpha [E', H] of the edges of `graph`: those of the given graph without
    /// loops in their order, then the added loops.
    template <class Out, class Alpha>
    struct WithAttention {
        Out out;
        Alpha alpha;
        Graph graph;
    };
    template <Expression X>
    auto with_attention(const Graph& g, const X& x) const {
        return one_set<true>(g, x, no_edges);
    }
    template <Expression X, Expression A>
    auto with_attention(const Graph& g, const X& x, const A& edge_attr) const {
        return one_set<true>(g, x, edge_attr);
    }
    template <Expression S, Expression D>
    auto bipartite_with_attention(const Graph& g, const S& x_src, const D& x_dst) const {
        return two_sets<true>(g, x_src, x_dst, no_edges);
    }
    template <Expression S, Expression D, Expression A>
    auto bipartite_with_attention(const Graph& g, const S& x_src, const D& x_dst, const A& edge_attr) const {
        return two_sets<true>(g, x_src, x_dst, edge_attr);
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
    struct None {};
    static constexpr None no_edges{};

    template <bool Attention, class X, class A>
    auto one_set(const Graph& g, const X& x, const A& edge_attr) const {
        if (!lin) throw error("GATConv", "this layer is bipartite: call bipartite(graph, x_src, x_dst)");
        const auto h =
            heads_of(*lin, detail::checked_features("GATConv", "x", x, g.num_nodes(), "nodes", lin->in_features()));
        return attend<Attention>(g, h, sum<2>(h * att_src), sum<2>(h * att_dst), edge_attr);
    }
    template <bool Attention, class S, class D, class A>
    auto two_sets(const Graph& g, const S& x_src, const D& x_dst, const A& edge_attr) const {
        if (!lin_src) throw error("GATConv", "this layer has one node set: give it in_channels_dst for two");
        const auto h = heads_of(*lin_src, detail::checked_features("GATConv", "x_src", x_src, g.num_src(),
                                                                   "source nodes", lin_src->in_features()));
        const auto to = heads_of(*lin_dst, detail::checked_features("GATConv", "x_dst", x_dst, g.num_dst(),
                                                                    "destination nodes", lin_dst->in_features()));
        return attend<Attention>(g, h, sum<2>(h * att_src), sum<2>(to * att_dst), edge_attr);
    }
    template <class X>
    auto heads_of(const nn::Linear<T>& linear, const X& x) const {
        return reshape(linear(x), Extents<3>{-1, options.heads, out_channels});
    }

    template <bool Attention, class H, class AS, class AD, class A>
    auto attend(const Graph& g, const H& h, const AS& from, const AD& to, const A& edge_attr) const {
        if constexpr (std::same_as<A, None>) {
            if (lin_edge)
                throw error("GATConv", "edge_attr is missing: this layer has edge_dim = {}", options.edge_dim);
            const Graph used = options.add_self_loops ? add_self_loops(remove_self_loops(g)) : g;
            return weigh<Attention>(used, h, src(from) + dst(to));
        } else {
            if (!lin_edge) throw error("GATConv", "edge_attr is given, but this layer has no edge_dim");
            const auto looped = with_loops(g, detail::checked_features("GATConv", "edge_attr", edge_attr, g.num_edges(),
                                                                       "edges", options.edge_dim));
            const auto scores = sum<2>(heads_of(*lin_edge, looped.weight) * *att_edge);
            return weigh<Attention>(looped.graph, h, src(from) + dst(to) + edge(scores));
        }
    }
    template <class A>
    auto with_loops(const Graph& g, const A& edge_attr) const {
        const auto plain = remove_self_loops(g, edge_attr);
        if (!options.add_self_loops) return WeightedGraph{g, decltype(plain.weight)(edge_attr)};
        const auto filled = options.fill_value ? add_self_loops(plain.graph, plain.weight, T(*options.fill_value))
                                               : add_self_loops(plain.graph, plain.weight, Reduce::mean);
        return WeightedGraph{filled.graph, decltype(plain.weight)(filled.weight)};
    }

    template <bool Attention, class H, class Score>
    auto weigh(const Graph& g, const H& h, const Score& score) const {
        const auto alpha = softmax_in(leaky_relu(score, options.negative_slope));
        auto combined = [&] {
            if constexpr (kind_of<H> == Kind::var)
                if (options.dropout > 0) {
                    const auto mask = attention_dropout.template mask<T, 2>({g.num_edges(), options.heads});
                    return sum_in(g, alpha * edge(mask) * src(h));
                }
            return sum_in(g, alpha * src(h));
        }();
        const index nodes = g.num_dst();
        auto out =
            options.concat ? reshape(combined, Extents<2>{nodes, options.heads * out_channels}) : head_mean(combined);
        auto result = [&] { return bias ? eval(out + *bias) : contiguous(out); }();
        auto weights = [&] {
            if constexpr (Attention)
                return softmax_in(g, leaky_relu(score, options.negative_slope));
            else
                return None{};
        }();
        return WithAttention<decltype(result), decltype(weights)>{result, weights, g};
    }
    template <class Y>
    auto head_mean(const Y& y) const {
        using Flat = decltype(reshape(y, Extents<2>{}));
        return Flat(mean<1>(y));
    }
};

} // namespace weft::inline WEFT_ABI::gnn
