// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/graph/normalize.hpp>
#include <weft/nn/linear.hpp>

#include <vector>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `ChebConv`.
struct ChebOptions {
    Laplacian normalization = Laplacian::symmetric;
    /// The largest eigenvalue of the Laplacian; none: twice its largest entry, which is no less. 2 will do for
    /// Laplacian::symmetric.
    std::optional<double> lambda_max = std::nullopt;
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Chebyshev convolution, y = sum over k < K of T_k W_k^T + b with T_0 = x, T_1 = L x, T_k = 2 L T_k-1 - T_k-2, where L
/// is the Laplacian matrix scaled to [-1, 1], 2 L / lambda_max - I: Defferrard et al. (arXiv 1606.09375). A message
/// goes from source to destination while the Laplacian's rows are sources, so on a directed graph its transpose
/// multiplies, as in PyTorch Geometric. Parameters `lins.0.weight`, ... [out, in], `bias` [out]. O(K (E in + N in
/// out)).
template <class T>
struct ChebConv {
    std::vector<nn::Linear<T>> lins;
    std::optional<Parameter<T, 1>> bias;
    ChebOptions options;

    ChebConv() = default;
    /// `K`: terms. Errors: K < 1; lambda_max is not positive.
    ChebConv(index in_channels, index out_channels, index K, const ChebOptions& o = {}) : options(o) {
        if (K < 1) throw error("ChebConv", "K is {}: must be at least 1", K);
        if (o.lambda_max && !(*o.lambda_max > 0))
            throw error("ChebConv", "lambda_max is {}: must be positive", *o.lambda_max);
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        Generator& generator = o.generator ? *o.generator : unseeded;
        for (index k = 0; k < K; ++k) {
            lins.emplace_back(in_channels, out_channels, nn::LinearOptions{.bias = false, .generator = &generator});
            nn::glorot_uniform(lins.back().weight, generator);
        }
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({out_channels}));
        options.generator = nullptr;
    }

    /// x [N, in] to [N, out]. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        return layer(g, x, laplacian<T>(g, options.normalization));
    }
    /// The same with weights of the edges, edge_weight [E].
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& x, const W& edge_weight) const {
        weft::detail::check_edge_rows("ChebConv", g, edge_weight, "edge_weight");
        return layer<W>(g, x, laplacian(g, edge_weight, options.normalization));
    }

    void visit(auto&& v) {
        v("bias", bias);
        v("lins", lins);
    }

private:
    template <class... Others, class X, class L>
    auto layer(const Graph& g, const X& expression, const L& matrix) const {
        const auto x =
            detail::checked_features<Others...>("ChebConv", "x", expression, g.num_nodes(), "nodes", in_features());
        const auto weight = scaled(matrix.weight, g.num_nodes());
        const auto times = [&](const auto& t) { return sum_in(matrix.graph, src(t) * edge(weight)); };
        using Term = decltype(eval(T(2) * times(times(x)) - x));
        Term before(x), last = times(before); // T_0 and T_1
        auto y = eval(lins[0](before));
        using Y = decltype(eval(y + lins[0](last)));
        Y sum(y);
        for (std::size_t k = 1; k < lins.size(); ++k) {
            sum = Y(sum + lins[k](last));
            Term next = T(2) * times(last) - before;
            before = std::move(last);
            last = std::move(next);
        }
        return bias ? Y(sum + *bias) : sum;
    }
    index in_features() const { return lins.at(0).in_features(); }

    /// The entries of 2 L / lambda_max - I; the diagonal's are the last N.
    template <class W>
    auto scaled(const W& entries, index nodes) const {
        auto diagonal = Tensor<T, 1>::zeros({entries.size()});
        std::fill_n(diagonal.mutable_data() + entries.size() - nodes, nodes, T(1));
        using Scaled = decltype(eval(entries - diagonal));
        if (options.lambda_max) return Scaled(entries * T(2 / *options.lambda_max) - diagonal);
        const T* const values = entries.data();
        if (!std::any_of(values, values + entries.size(), [](const T& v) { return v > T(0); }))
            return Scaled(entries * T(0) - diagonal);
        return Scaled(entries / max(entries) - diagonal);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
