// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/graph/self_loops.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `DiGCNConv`.
struct DiGCNOptions {
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// y = M x W + b with a prepared matrix M, ppr_adjacency or second_order_adjacency: Tong et al., Digraph Inception
/// Convolutional Networks (NeurIPS 2020). An edge carries its weight times the features of its source; both matrices
/// are symmetric. Parameters `weight` [in, out] (Glorot), `bias` [out] (zeros). The product with the graph is taken on
/// the side of fewer channels. O(E min(in, out) + N in out).
template <class T>
struct DiGCNConv {
    Parameter<T, 2> weight;
    std::optional<Parameter<T, 1>> bias;

    DiGCNConv() = default;
    /// Errors: a negative number of channels.
    DiGCNConv(index in_channels, index out_channels, const DiGCNOptions& o = {}) {
        if (in_channels < 0 || out_channels < 0)
            throw error("DiGCNConv", "{} channels in, {} out: must not be negative", in_channels, out_channels);
        weight.set_value(Tensor<T, 2>::empty({in_channels, out_channels}));
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        nn::glorot_uniform(weight, o.generator ? *o.generator : unseeded);
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({out_channels}));
    }

    /// x [N, in] with the entries edge_weight [E] of M to [N, out]. Errors: they do not fit.
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& expression, const W& edge_weight) const {
        weft::detail::check_edge_rows("DiGCNConv", g, edge_weight, "edge_weight");
        const auto x =
            detail::checked_features<W>("DiGCNConv", "x", expression, g.num_src(), "source nodes", weight.extent(0));
        const auto propagate = [&](const auto& h) { return sum_in(g, src(h) * edge(edge_weight)); };
        const auto y =
            weight.extent(0) < weight.extent(1) ? matmul(propagate(x), weight) : propagate(matmul(x, weight));
        return bias ? eval(y + *bias) : y;
    }
    /// The same with matrix and entries in one.
    template <Expression X, class W>
    auto operator()(const WeightedGraph<W>& m, const X& x) const {
        return (*this)(m.graph, x, m.weight);
    }

    void visit(auto&& v) {
        v("weight", weight);
        v("bias", bias);
    }
};

/// How the parts of an inception block are joined: added up, or one behind the other.
enum class Inception { sum, concat };

/// DiGCN's inception block: x W^T + b, and a DiGCNConv with each of two matrices, of the first and second order; added
/// up, or side by side. Parameters `ln.…`, `conv1.…`, `conv2.…`.
template <class T>
struct DiGCNInception {
    nn::Linear<T> ln;
    DiGCNConv<T> conv1, conv2;
    Inception join = Inception::sum;

    DiGCNInception() = default;
    /// Errors: a negative number of channels.
    DiGCNInception(index in_channels, index out_channels, Inception how = Inception::sum, const DiGCNOptions& o = {})
        : ln(in_channels, out_channels, {.bias = o.bias, .generator = o.generator}),
          conv1(in_channels, out_channels, o), conv2(in_channels, out_channels, o), join(how) {}

    /// x [N, in] to [N, out], or [N, 3 out] side by side.
    template <class W, Expression X>
    auto operator()(const WeightedGraph<W>& first, const WeightedGraph<W>& second, const X& expression) const {
        const auto x = detail::recorded_with<W>(eval(expression));
        const auto a = conv1(first, x), b = conv2(second, x);
        return join == Inception::sum ? eval(ln(x) + a + b) : concat(1, ln(x), a, b);
    }

    void visit(auto&& v) {
        v("ln", ln);
        v("conv1", conv1);
        v("conv2", conv2);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
