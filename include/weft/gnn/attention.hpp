// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_softmax.hpp>
#include <weft/graph/transforms.hpp>
#include <weft/nn/dropout.hpp>
#include <weft/nn/linear.hpp>

/// What attention layers share.
namespace weft::inline WEFT_ABI::gnn {

/// The result of an attention layer, and the weights alpha [E', H] of the edges of `graph`: those of the given graph,
/// or, where the layer adds loops, those without loops in their order, then the added loops.
template <class Out, class Alpha>
struct WithAttention {
    Out out;
    Alpha alpha;
    Graph graph;
};

namespace detail {

/// An argument that is not given.
struct None {};

/// The ways to call an attention layer, which has a member attend<bool WithWeights>(graph, x_src, x_dst, edge_attr):
/// x_dst is None where there is one node set, edge_attr where edges have no features.
template <class Layer>
struct AttentionCalls {
    /// x [N, in] to [N, H C], or [N, C] without concat.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        return attend<false>(g, x, None{}, None{}).out;
    }
    /// The same with features of the edges, edge_attr [E, edge_dim].
    template <Expression X, Expression A>
    auto operator()(const Graph& g, const X& x, const A& edge_attr) const {
        return attend<false>(g, x, None{}, edge_attr).out;
    }
    /// x_src [N_src, in], x_dst [N_dst, in_dst] to [N_dst, H C]; with edge_attr [E, edge_dim] if the layer has
    /// edge_dim.
    template <Expression S, Expression D>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst) const {
        return attend<false>(g, x_src, x_dst, None{}).out;
    }
    template <Expression S, Expression D, Expression A>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst, const A& edge_attr) const {
        return attend<false>(g, x_src, x_dst, edge_attr).out;
    }

    /// The same as WithAttention.
    template <Expression X>
    auto with_attention(const Graph& g, const X& x) const {
        return attend<true>(g, x, None{}, None{});
    }
    template <Expression X, Expression A>
    auto with_attention(const Graph& g, const X& x, const A& edge_attr) const {
        return attend<true>(g, x, None{}, edge_attr);
    }
    template <Expression S, Expression D>
    auto bipartite_with_attention(const Graph& g, const S& x_src, const D& x_dst) const {
        return attend<true>(g, x_src, x_dst, None{});
    }
    template <Expression S, Expression D, Expression A>
    auto bipartite_with_attention(const Graph& g, const S& x_src, const D& x_dst, const A& edge_attr) const {
        return attend<true>(g, x_src, x_dst, edge_attr);
    }

private:
    template <bool WithWeights, class S, class D, class A>
    auto attend(const Graph& g, const S& x_src, const D& x_dst, const A& edge_attr) const {
        return static_cast<const Layer*>(this)->template attend<WithWeights>(g, x_src, x_dst, edge_attr);
    }
};

inline void check_heads(const char* layer, index heads, index edge_dim) {
    if (heads < 1) throw error(layer, "heads is {}: must be at least 1", heads);
    if (edge_dim < 0) throw error(layer, "edge_dim is {}: must not be negative", edge_dim);
}

/// Features of edges as the layer has them, as a Var where one of `Others` is recorded. Errors: some are given and it
/// has none, or the reverse; they do not fit.
template <class... Others, class A>
auto checked_edge_attr(const char* layer, const Graph& g, const A& edge_attr, index edge_dim) {
    if constexpr (std::same_as<A, None>) {
        if (edge_dim > 0) throw error(layer, "edge_attr is missing: this layer has edge_dim = {}", edge_dim);
        return None{};
    } else {
        if (edge_dim == 0) throw error(layer, "edge_attr is given, but this layer has no edge_dim");
        return checked_features<Others...>(layer, "edge_attr", edge_attr, g.num_edges(), "edges", edge_dim);
    }
}

/// The edges that attention runs over, with their features: with add_self_loops the loops of the graph are replaced by
/// one at every node, whose features are fill_value, or the mean of those of the edges that enter the node.
template <class A, class Options>
WeightedGraph<A> attention_edges(const Graph& g, const A& edge_attr, const Options& options) {
    if (!options.add_self_loops) return {g, edge_attr};
    if constexpr (std::same_as<A, None>) {
        return {add_self_loops(remove_self_loops(g)), None{}};
    } else {
        const auto plain = remove_self_loops(g, edge_attr);
        using T = typename A::value_type;
        const auto filled = options.fill_value ? add_self_loops(plain.graph, plain.weight, T(*options.fill_value))
                                               : add_self_loops(plain.graph, plain.weight, Reduce::mean);
        return {filled.graph, A(filled.weight)};
    }
}

/// x [N, features] through `linear` as heads [N, H, C].
template <class T, class X>
auto heads_of(const nn::Linear<T>& linear, const X& x, index heads) {
    return reshape(linear(x), Extents<3>{-1, heads, linear.out_features() / heads});
}

/// Features of both ends of the edges, landed, as Vars where one of them or of `Others` is recorded; the same ones
/// where x_dst is None. Errors: one node set where the layer is bipartite, or the reverse; features that do not fit.
template <class... Others, class S, class D>
auto checked_ends(const char* layer, const Graph& g, const S& x_src, const D& x_dst, index in, index in_dst,
                  bool bipartite) {
    if constexpr (std::same_as<D, None>) {
        if (bipartite) throw error(layer, "this layer is bipartite: call bipartite(graph, x_src, x_dst)");
        const auto x = checked_features<Others...>(layer, "x", x_src, g.num_nodes(), "nodes", in);
        return std::pair(x, x);
    } else {
        return std::pair(
            checked_features<D, Others...>(layer, "x_src", x_src, g.num_src(), "source nodes", in),
            checked_features<S, Others...>(layer, "x_dst", x_dst, g.num_dst(), "destination nodes", in_dst));
    }
}

/// [N, H, C] as [N, H C], the heads side by side, or their mean [N, C].
template <class Y>
auto join_heads(const Y& y, bool concat) {
    using Flat = decltype(reshape(y, Extents<2>{}));
    return concat ? reshape(y, Extents<2>{y.extent(0), y.extent(1) * y.extent(2)}) : Flat(mean<1>(y));
}

template <class Y, class T>
auto plus_bias(const Y& y, const std::optional<Parameter<T, 1>>& bias) {
    return bias ? eval(y + *bias) : contiguous(y);
}

/// The sum of `value` over the edges that enter a node, weighed by the softmax of `score` [H]. In training, some of the
/// weights are dropped.
template <class T, class Score, class Value>
auto attention_sum(const Graph& g, const Score& score, const Value& value, const nn::Dropout& dropout, index heads) {
    const auto alpha = softmax_in(score);
    if constexpr (weft::detail::Structure<Value>::recorded)
        if (dropout.p > 0) {
            const auto mask = dropout.template mask<T, 2>({g.num_edges(), heads});
            return sum_in(g, alpha * edge(mask) * value);
        }
    return sum_in(g, alpha * value);
}

/// The weights themselves, if they are wanted.
template <bool Wanted, class Score>
auto attention_weights(const Graph& g, const Score& score) {
    if constexpr (Wanted)
        return softmax_in(g, score);
    else
        return None{};
}

} // namespace detail
} // namespace weft::inline WEFT_ABI::gnn
