// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/node_features.hpp>
#include <weft/graph/directed_norm.hpp>
#include <weft/graph/edge_reduce.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `DIMPA`.
struct DIMPAOptions {
    index hop = 2;           ///< steps over edges
    double fill_value = 0.5; ///< weight of the loop at a node that has none
};

/// Directed mixed-path aggregation: He et al., DIGRAC: Digraph Clustering Based on Flow Imbalance (arXiv 2106.05194).
/// The sums over h of w_s[h] A^h x_s and of w_t[h] B^h x_t side by side, where A is the adjacency matrix with loops,
/// each row divided by its sum, and B that of the reversed graph. A row gathers from where the node's edges lead to.
/// Parameters `_w_s` and `_w_t` [hop + 1, 1] (ones). O(hop E F).
template <class T>
struct DIMPA {
    Parameter<T, 2> w_s, w_t;
    DIMPAOptions options;

    DIMPA() = default;
    /// Errors: hop is negative.
    explicit DIMPA(const DIMPAOptions& o) : options(o) {
        if (o.hop < 0) throw error("DIMPA", "hop is {}: must not be negative", o.hop);
        for (Parameter<T, 2>* const w : {&w_s, &w_t}) w->set_value(Tensor<T, 2>::ones({o.hop + 1, 1}));
    }

    /// x_s [N, F] and x_t [N, G], what nodes are as sources and as targets, to [N, F + G]. Errors: the graph is not
    /// square; they do not fit.
    template <Expression S, Expression D>
    auto operator()(const Graph& g, const S& x_s, const D& x_t) const {
        return (*this)(g, x_s, x_t, Tensor<T, 1>::ones({g.num_edges()}));
    }
    /// The same with weights of the edges, edge_weight [E]. Errors: also a weight that is not a number.
    template <Expression S, Expression D, Expression W>
    auto operator()(const Graph& g, const S& x_s, const D& x_t, const W& edge_weight) const {
        weft::detail::check_edge_rows("DIMPA", g, edge_weight, "edge_weight");
        g.num_nodes();
        const auto looped = add_remaining_self_loops(g, edge_weight, T(options.fill_value));
        return concat(1, paths<D, W>(looped.graph, looped.weight, "x_s", x_s, w_s),
                      paths<S, W>(looped.graph.reverse(), looped.weight, "x_t", x_t, w_t));
    }

    void visit(auto&& v) {
        v("_w_s", w_s);
        v("_w_t", w_t);
    }

private:
    /// Sum over h of w[h] A^h x.
    template <class... Others, class W, class X>
    auto paths(const Graph& g, const W& weight, const char* name, const X& expression, const Parameter<T, 2>& w) const {
        const auto x = detail::checked_features<Others...>("DIMPA", name, expression, g.num_nodes(), "nodes",
                                                           expression.shape()[1]);
        const auto walk = directed_norm(g, weight, DirectedNorm::row);
        const auto step = [&](const auto& h) { return sum_in(g.reverse(), src(h) * edge(walk)); };
        using H = decltype(step(x));
        H power(x);
        auto y = eval(power * select_index(w, 0, 0));
        for (index h = 1; h <= options.hop; ++h) {
            power = step(power);
            y = y + power * select_index(w, 0, h);
        }
        return y;
    }
};

} // namespace weft::inline WEFT_ABI::gnn
