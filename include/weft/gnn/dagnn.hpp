// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/ops.hpp>
#include <weft/gnn/adjacency.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/nn/dropout.hpp>
#include <weft/nn/linear.hpp>

#include <algorithm>
#include <cmath>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `AdaptivePropagation`.
struct AdaptivePropagationOptions {
    bool recompute = false;         ///< keep each sqrt(K)-th hop only for the backward, which computes the others again
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Propagation over many hops with a gate per hop and node, sum over k <= K of s_k H_k with H_0 = x, H_k = A H_k-1 and
/// s_k = sigmoid(proj H_k) in [0, 1], A the normalised adjacency matrix of GCNConv: Liu et al., Towards Deeper Graph
/// Neural Networks (arXiv 2007.09296). Parameters `proj.weight` [1, C], `proj.bias` [1]. O(K E C); training keeps
/// O(K N C), with `recompute` O(sqrt(K) N C) and the same gradients.
template <class T>
struct AdaptivePropagation {
    nn::Linear<T> proj;
    index K = 0;
    bool recompute = false;

    AdaptivePropagation() = default;
    /// `hops`: K. Errors: it is negative.
    AdaptivePropagation(index channels, index hops, const AdaptivePropagationOptions& o = {})
        : proj(channels, 1, {.generator = o.generator}), K(hops), recompute(o.recompute) {
        if (hops < 0) throw error("AdaptivePropagation", "K is {}: must not be negative", hops);
    }

    /// x [N, C] to [N, C]. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        return propagate(g, x, detail::normalized_adjacency<T>(g, {}), recompute);
    }
    /// The same with weights of the edges, edge_weight [E].
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& x, const W& edge_weight) const {
        weft::detail::check_edge_rows("AdaptivePropagation", g, edge_weight, "edge_weight");
        return propagate(g, detail::recorded_with<W>(x), detail::normalized_adjacency(g, edge_weight, {}), recompute);
    }
    /// Calls each(H_k [N, C], s_k [N, 1]) for every hop, and returns the result. Does not recompute.
    template <Expression X, class Each>
    auto for_each_hop(const Graph& g, const X& x, Each&& each) const {
        return propagate(g, x, detail::normalized_adjacency<T>(g, {}), false, each);
    }

    void visit(auto&& v) { v("proj", proj); }

private:
    struct Ignore {
        void operator()(const auto&, const auto&) const {}
    };

    /// What is retained of h.
    template <class H, class Each>
    static auto gated(const nn::Linear<T>& proj, const H& h, Each&& each) {
        const auto score = eval(sigmoid(proj(h)));
        each(h, score);
        return score * h;
    }
    /// Moves h by that many hops, and adds what is retained to y.
    template <class Adjacency, class H, class Each>
    static void move(const nn::Linear<T>& proj, const Adjacency& adjacency, index hops, H& h, H& y, Each&& each) {
        for (index k = 0; k < hops; ++k) {
            h = adjacency(h);
            y = eval(y + gated(proj, h, each));
        }
    }
    template <class X, class Adjacency, class Each = Ignore>
    auto propagate(const Graph& g, const X& expression, const Adjacency& adjacency, bool in_blocks,
                   Each&& each = {}) const {
        const auto x = detail::checked_features("AdaptivePropagation", "x", expression, g.num_nodes(), "nodes",
                                                proj.in_features());
        using H = decltype(adjacency(adjacency(x)));
        H h(x), y(gated(proj, h, each));
        if constexpr (kind_of<H> == Kind::var)
            if (in_blocks) return move_in_blocks(adjacency, h, y);
        move(proj, adjacency, K, h, y, each);
        return y;
    }
    /// The same; what happens within a block is computed again in the backward.
    template <class Adjacency, class H>
    H move_in_blocks(const Adjacency& adjacency, const H& h, const H& y) const {
        const auto block = static_cast<index>(std::ceil(std::sqrt(static_cast<double>(K))));
        auto state = stack(0, y, h);
        for (index k = 0; k < K; k += block)
            state = adjacency.checkpoint(
                [proj = proj, hops = std::min(block, K - k)](const auto& a, const auto& before) {
                    using S = decltype(a(select_index(before, 0, 1)));
                    S sum(select_index(before, 0, 0)), moved(select_index(before, 0, 1));
                    move(proj, a, hops, moved, sum, Ignore());
                    return stack(0, sum, moved);
                },
                state);
        return select_index(state, 0, 0);
    }
};

/// Options of `DAGNN`.
struct DAGNNOptions {
    index K = 10;                   ///< hops
    double dropout = 0.8;           ///< before each linear layer, in training
    bool recompute = false;         ///< of AdaptivePropagation
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Deep adaptive graph neural network: lin2 relu(lin1 x) per node, then AdaptivePropagation of the class scores, so
/// that a large neighbourhood costs K products with the graph of width C only. Parameters `lin1`, `lin2`, `prop.proj`.
/// The result is scores, before log_softmax.
template <class T>
struct DAGNN {
    nn::Linear<T> lin1, lin2;
    AdaptivePropagation<T> prop;
    nn::Dropout dropout{0};

    DAGNN() = default;
    /// Errors: K is negative; dropout is not in [0, 1].
    DAGNN(index in, index hidden, index classes, const DAGNNOptions& o = {})
        : lin1(in, hidden, {.generator = o.generator}), lin2(hidden, classes, {.generator = o.generator}),
          prop(classes, o.K, {.recompute = o.recompute, .generator = o.generator}), dropout(o.dropout) {}

    /// x [N, in] to [N, classes].
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        return prop(g, lin2(dropout(relu(lin1(dropout(x))))));
    }

    void visit(auto&& v) {
        v("lin1", lin1);
        v("lin2", lin2);
        v("prop", prop);
        v("dropout", dropout);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
