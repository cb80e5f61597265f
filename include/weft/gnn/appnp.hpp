// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/gnn/adjacency.hpp>
#include <weft/gnn/node_features.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `APPNP`.
struct APPNPOptions {
    index K = 10;               ///< steps
    double alpha = 0.1;         ///< the part of the start that every step keeps
    double dropout = 0;         ///< of the entries of A, in training, drawn anew in every step
    bool add_self_loops = true; ///< where a node has none yet
};

/// Personalised PageRank of features: z_0 = x, z <- (1 - alpha) A z + alpha x, K times, with A the normalised adjacency
/// matrix of GCNConv. Klicpera et al., Predict then Propagate (arXiv 1810.05997). No parameters. O(K E F). As the paper
/// has it, every step drops edges of the whole A; PyTorch Geometric drops from what the steps before have left.
struct APPNP {
    APPNPOptions options;
    nn::Dropout edge_dropout{0};

    APPNP() = default;
    /// Errors: K is negative; alpha or dropout is not in [0, 1].
    explicit APPNP(const APPNPOptions& o) : options(o), edge_dropout(o.dropout) {
        if (o.K < 0) throw error("APPNP", "K is {}: must not be negative", o.K);
        if (!(o.alpha >= 0 && o.alpha <= 1)) throw error("APPNP", "alpha is {}: must be in [0, 1]", o.alpha);
    }

    /// x [N, F] to [N, F]. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        return steps(g, x, detail::normalized_adjacency<typename X::value_type>(g, {.add_self_loops = loops()}));
    }
    /// The same with weights of the edges, edge_weight [E].
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& x, const W& edge_weight) const {
        weft::detail::check_edge_rows("APPNP", g, edge_weight, "edge_weight");
        return steps(g, x, detail::normalized_adjacency(g, edge_weight, {.add_self_loops = loops()}));
    }

    void visit(auto&& v) { v("edge_dropout", edge_dropout); }

private:
    bool loops() const { return options.add_self_loops; }

    template <class X, class Adjacency>
    auto steps(const Graph& g, const X& expression, const Adjacency& adjacency) const {
        using T = typename X::value_type;
        const auto x =
            detail::checked_features("APPNP", "x", expression, g.num_nodes(), "nodes", expression.shape()[1]);
        const T keep = T(options.alpha), move = T(1 - options.alpha);
        const auto neighbours = [&](const auto& z) {
            if constexpr (kind_of<decltype(adjacency(z))> == Kind::var)
                if (edge_dropout.p > 0) return adjacency(z, edge_dropout);
            return adjacency(z);
        };
        const auto step = [&](const auto& z) { return eval(move * neighbours(z) + keep * x); };
        using Z = decltype(step(step(x)));
        Z z(x);
        for (index k = 0; k < options.K; ++k) z = step(z);
        return z;
    }
};

} // namespace weft::inline WEFT_ABI::gnn
