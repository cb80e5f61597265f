// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/ops/sigmoid.hpp>
#include <weft/core/ops/subtract.hpp>
#include <weft/gnn/attention.hpp>
#include <weft/graph/row_sum.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `TransformerConv`.
struct TransformerOptions {
    index heads = 1;
    bool concat = true;             ///< heads side by side; else their mean
    bool beta = false;              ///< a learnt gate between the aggregate and the skip connection
    double dropout = 0;             ///< of the attention weights, in training
    index edge_dim = 0;             ///< features per edge; 0: none
    bool bias = true;               ///< of lin_skip; those of queries, keys and values have one always
    bool root_weight = true;        ///< the skip connection
    index in_channels_dst = -1;     ///< features of destinations in a bipartite graph; -1: one node set
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Graph transformer: Shi et al., Masked Label Prediction (arXiv 2009.03509). With q = lin_query x_i, k = lin_key x_j,
/// v = lin_value x_j and e = lin_edge e_ij, [H, C], the softmax of <q, k + e> / sqrt(C) over the edges that enter i
/// weighs the sum o of v + e. The result is o + s with s = lin_skip x_i; with beta g s + (1 - g) o, g =
/// sigmoid(lin_beta [o, s, o - s]); without root_weight o. Parameters `lin_key`, `lin_query`, `lin_value` [H C, in],
/// `lin_edge`, `lin_skip`, `lin_beta` [1, 3 out]. No loops are added, and nothing of size E x C is stored.
template <class T>
struct TransformerConv : detail::AttentionCalls<TransformerConv<T>> {
    nn::Linear<T> lin_key, lin_query, lin_value, lin_skip;
    std::optional<nn::Linear<T>> lin_edge, lin_beta;
    nn::Dropout attention_dropout;
    TransformerOptions options;

    TransformerConv() = default;
    /// `out`: channels per head. Errors: heads or edge_dim out of range; beta without root_weight.
    TransformerConv(index in, index out, const TransformerOptions& o = {}) : attention_dropout(o.dropout), options(o) {
        detail::check_heads("TransformerConv", o.heads, o.edge_dim);
        if (o.beta && !o.root_weight)
            throw error("TransformerConv", "beta is a gate of the skip connection: it needs root_weight");
        const index in_dst = o.in_channels_dst < 0 ? in : o.in_channels_dst;
        const index width = o.heads * out, result = o.concat ? width : out;
        const auto linear = [&](index from, index to, bool bias) {
            return nn::Linear<T>(from, to, {.bias = bias, .generator = o.generator});
        };
        lin_key = linear(in, width, true);
        lin_query = linear(in_dst, width, true);
        lin_value = linear(in, width, true);
        if (o.edge_dim > 0) lin_edge = linear(o.edge_dim, width, false);
        lin_skip = linear(in_dst, result, o.bias);
        if (o.beta) lin_beta = linear(3 * result, 1, false);
        options.generator = nullptr;
    }

    void visit(auto&& v) {
        v("lin_key", lin_key);
        v("lin_query", lin_query);
        v("lin_value", lin_value);
        v("lin_edge", lin_edge);
        v("lin_skip", lin_skip);
        v("lin_beta", lin_beta);
    }

private:
    friend detail::AttentionCalls<TransformerConv>;

    template <bool WithWeights, class S, class D, class A>
    auto attend(const Graph& g, const S& x_src, const D& x_dst, const A& given) const {
        const auto edge_attr = detail::checked_edge_attr<S, D>("TransformerConv", g, given, options.edge_dim);
        const auto [from, to] = detail::checked_ends<A>("TransformerConv", g, x_src, x_dst, lin_key.in_features(),
                                                        lin_query.in_features(), options.in_channels_dst >= 0);
        const auto k = heads_of(lin_key, from), v = heads_of(lin_value, from), q = heads_of(lin_query, to);
        const auto scale = static_cast<T>(1 / std::sqrt(static_cast<double>(std::max<index>(q.extent(2), 1))));
        if constexpr (std::same_as<A, detail::None>) {
            return combine<WithWeights>(g, row_dot(dst(q) * scale, src(k)), src(v), to);
        } else {
            const auto e = heads_of(*lin_edge, edge_attr);
            return combine<WithWeights>(g, row_dot(dst(q) * scale, src(k) + edge(e)), src(v) + edge(e), to);
        }
    }
    template <class X>
    auto heads_of(const nn::Linear<T>& linear, const X& x) const {
        return detail::heads_of(linear, x, options.heads);
    }

    template <bool WithWeights, class Score, class Value, class D>
    auto combine(const Graph& g, const Score& score, const Value& value, const D& x_dst) const {
        const auto sums = detail::attention_sum<T>(g, score, value, attention_dropout, options.heads);
        auto out = skip(contiguous(detail::join_heads(sums, options.concat)), x_dst);
        auto weights = detail::attention_weights<WithWeights>(g, score);
        return WithAttention<decltype(out), decltype(weights)>{out, weights, g};
    }
    template <class Y, class D>
    Y skip(const Y& out, const D& x_dst) const {
        if (!options.root_weight) return out;
        const auto root = lin_skip(x_dst);
        if (!lin_beta) return Y(out + root);
        const auto gate = eval(sigmoid((*lin_beta)(concat(1, out, root, eval(out - root)))));
        return Y(gate * root + (T(1) - gate) * out);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
