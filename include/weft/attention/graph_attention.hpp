// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/attention_result.hpp>
#include <weft/attention/weight_dropout.hpp>
#include <weft/core/ops.hpp>
#include <weft/graph/edge_statistics.hpp>
#include <weft/graph/row_sum.hpp>

#include <cmath>
#include <cstdint>
#include <optional>

namespace weft::inline WEFT_ABI {

/// What the weights of `graph_attention` are made of.
struct GraphAttentionOptions {
    std::optional<double> scale = {}; ///< of the products q k; else 1 / sqrt(D)
    double dropout = 0; ///< probability with which a weight becomes 0; the others are divided by 1 - dropout
    /// Of the random numbers: the weight of edge e and head h depends on these, e and h.
    std::uint64_t seed = 0;
    std::uint32_t offset = 0;
};

namespace detail {

/// Errors: see graph_attention.
inline void check_graph_attention(const Graph& g, const Extents<3>& q, const Extents<3>& k, const Extents<3>& v,
                                  const GraphAttentionOptions& options) {
    constexpr auto name = "graph_attention";
    if (q[0] != g.num_dst() || k[0] != g.num_src() || v[0] != g.num_src())
        throw error(name,
                    "q is {}, k is {}, v is {}, the graph has {} destinations and {} sources: q needs a row for "
                    "each destination, k and v for each source",
                    shape_text(q), shape_text(k), shape_text(v), g.num_dst(), g.num_src());
    if (q[1] != k[1] || q[1] != v[1])
        throw error(name, "q is {}, k is {}, v is {}: they must have the same number of heads", shape_text(q),
                    shape_text(k), shape_text(v));
    if (q[2] != k[2]) throw error(name, "q is {}, k is {}: their channels must be equal", shape_text(q), shape_text(k));
    if (q[2] == 0 || v[2] == 0)
        throw error(name, "q is {}, v is {}: there must be channels", shape_text(q), shape_text(v));
    if (!(options.dropout >= 0 && options.dropout < 1))
        throw error(name, "dropout is {}: it must be in [0, 1)", options.dropout);
}
inline void check_edge_bias(const Graph& g, index heads, const Extents<2>& bias) {
    if (bias[0] != g.num_edges() || bias[1] != heads)
        throw error("graph_attention", "edge_bias is {}, the graph has {} edges, q {} heads: it must be [{}, {}]",
                    shape_text(bias), g.num_edges(), heads, g.num_edges(), heads);
}

/// [E, H] 0 with probability `dropout`, else 1 / (1 - dropout): the edges are the keys of a query 2^32 - 1.
template <class T>
Tensor<T, 2> attention_mask(index edges, index heads, const GraphAttentionOptions& options) {
    auto mask = Tensor<T, 2>::empty({edges, heads});
    T* const to = mask.mutable_data();
    const WeightDropout dropout{options.dropout, options.seed, options.offset};
    constexpr index piece = 16 * philox_words;
    parallel_for_ranges(edges, piece, [&](index begin, index end) {
        T factors[piece];
        for (index h = 0; h < heads; ++h) {
            dropout.factors(h, 0xFFFFFFFF, begin, {0, end - begin}, factors);
            for (index e = begin; e < end; ++e) to[e * heads + h] = factors[e - begin];
        }
    });
    return mask;
}

/// The scores [H] of the edges, checked.
template <class Q, class K>
auto attention_scores(const Graph& g, const Q& q, const K& k, const Extents<3>& v,
                      const GraphAttentionOptions& options) {
    check_graph_attention(g, q.shape(), k.shape(), v, options);
    const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(q.shape()[2])));
    return row_dot(dst(q) * static_cast<typename Q::value_type>(scale), src(k));
}
template <class Q, class K, class B>
auto attention_scores(const Graph& g, const Q& q, const K& k, const Extents<3>& v, const B& edge_bias,
                      const GraphAttentionOptions& options) {
    const auto scores = attention_scores(g, q, k, v, options);
    check_edge_bias(g, q.shape()[1], edge_bias.shape());
    return scores + edge(edge_bias);
}

/// The sum of v weighed by the softmax of `scores`, an expression of the edges [H].
template <class T, class Scores, class V>
auto attention_sum(const Graph& g, const Scores& scores, const V& v, const GraphAttentionOptions& options) {
    const auto alpha = softmax_in(scores);
    using Y = decltype(sum_in(g, alpha * src(v)));
    if (options.dropout == 0) return sum_in(g, alpha * src(v));
    const auto mask = attention_mask<T>(g.num_edges(), v.shape()[1], options);
    return Y(sum_in(g, alpha * edge(mask) * src(v)));
}

template <class T, class Scores>
AttentionResult<T, 3> attention_with_lse(const Graph& g, const Scores& scores, const Tensor<T, 3>& v,
                                         const GraphAttentionOptions& options) {
    const Tensor<T, 2> landed = edges(g, scores);
    return {attention_sum<T>(g, edge(landed), v, options), logsumexp_in(g, edge(landed))};
}

} // namespace detail

/// Attention along the edges of a graph: for each destination i and head h the sum over the edges e that enter i, from
/// j, of softmax(scale q_i . k_j + edge_bias_e) v_j; 0 where no edge enters. q [N, H, D] of the destinations; k
/// [M, H, D], v [M, H, Dv] of the sources; edge_bias [E, H] in the order in which the edges were given; the result is
/// [N, H, Dv]. Edges given twice count twice. A score of -inf gives its edge no weight; a NaN or +inf, or nothing but
/// -inf, makes the head of its row NaN; what no edge brings has no influence. Gradients, of any order, go to all four.
/// O(E H (D + Dv)); nothing of size E x D is stored. Dropout is applied to Tensors as to Vars. Errors: sizes that do
/// not fit the graph or one another; no channels; dropout is not in [0, 1).
template <Expression Q, Expression K, Expression V>
requires(Q::rank == 3 && K::rank == 3 && V::rank == 3) auto graph_attention(const Graph& g, const Q& q, const K& k,
                                                                            const V& v,
                                                                            const GraphAttentionOptions& options = {}) {
    const auto scores = detail::attention_scores(g, q, k, v.shape(), options);
    return detail::attention_sum<typename Q::value_type>(g, scores, v, options);
}
/// The same with `edge_bias`, [E, H].
template <Expression Q, Expression K, Expression V, Expression B>
requires(Q::rank == 3 && K::rank == 3 && V::rank == 3 &&
         B::rank == 2) auto graph_attention(const Graph& g, const Q& q, const K& k, const V& v, const B& edge_bias,
                                            const GraphAttentionOptions& options = {}) {
    const auto scores = detail::attention_scores(g, q, k, v.shape(), edge_bias, options);
    return detail::attention_sum<typename Q::value_type>(g, scores, v, options);
}

/// The same with the rows' lse, which dropout leaves as it is.
template <class T>
AttentionResult<T, 3> graph_attention_with_lse(const Graph& g, const Tensor<T, 3>& q, const Tensor<T, 3>& k,
                                               const Tensor<T, 3>& v, const GraphAttentionOptions& options = {}) {
    return detail::attention_with_lse(g, detail::attention_scores(g, q, k, v.shape(), options), v, options);
}
/// The same with `edge_bias`, [E, H].
template <class T>
AttentionResult<T, 3> graph_attention_with_lse(const Graph& g, const Tensor<T, 3>& q, const Tensor<T, 3>& k,
                                               const Tensor<T, 3>& v, const Tensor<T, 2>& edge_bias,
                                               const GraphAttentionOptions& options = {}) {
    return detail::attention_with_lse(g, detail::attention_scores(g, q, k, v.shape(), edge_bias, options), v, options);
}

} // namespace weft::inline WEFT_ABI
