// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/node_features.hpp>
#include <weft/graph/complex_sum.hpp>
#include <weft/graph/magnetic_laplacian.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/nn/init.hpp>

#include <optional>

namespace weft::inline WEFT_ABI::gnn {

/// z [N, 2, F] where the real part is not negative, else 0.
template <Expression Z>
requires(Z::rank == 3) auto complex_relu(const Z& expression) {
    using T = typename Z::value_type;
    const auto z = eval(expression);
    return eval(where(slice(z, 1, 0, 1) >= T(0), z, T(0)));
}

/// Options of `MagNetConv`.
struct MagNetOptions {
    double q = 0.25;          ///< how much directions count, in [0, 1/2]; 0: not at all
    bool trainable_q = false; ///< q is a parameter, kept in [0, 1/4]
    double lambda_max = 2;    ///< the largest eigenvalue of the Laplacian, or a bound
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Chebyshev convolution with the magnetic Laplacian, y = sum over k <= K of T_k W_k + b (1 + i) with T_0 = x,
/// T_1 = L x, T_k = 2 L T_k-1 - T_k-2 in complex numbers, where L = 2 L_sym / lambda_max - I: Zhang et al. (arXiv
/// 2102.11391). Features are [N, 2, F], real parts, then imaginary parts: stack(1, x, x) begins. Parameters `weight`
/// [K + 1, in, out] (Glorot), `bias` [out] (zeros), with trainable_q `q` [1]. The sum is taken by Clenshaw's rule, so
/// the products with the graph have `out` channels. O(K (E + N in) out).
template <class T>
struct MagNetConv {
    Parameter<T, 3> weight;
    std::optional<Parameter<T, 1>> bias, q;
    MagNetOptions options;

    MagNetConv() = default;
    /// `K`: the degree of the polynomials. Errors: K < 1; q is not in [0, 1/2], or [0, 1/4] if it is trained;
    /// lambda_max is not positive.
    MagNetConv(index in_channels, index out_channels, index K, const MagNetOptions& o = {}) : options(o) {
        if (K < 1) throw error("MagNetConv", "K is {}: must be at least 1", K);
        if (!(o.q >= 0 && o.q <= (o.trainable_q ? 0.25 : 0.5)))
            throw error("MagNetConv", "q is {}: must be in [0, {}]", o.q, o.trainable_q ? "1/4" : "1/2");
        if (!(o.lambda_max > 0)) throw error("MagNetConv", "lambda_max is {}: must be positive", o.lambda_max);
        if (in_channels < 0 || out_channels < 0)
            throw error("MagNetConv", "{} channels in, {} out: must not be negative", in_channels, out_channels);
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        weight.set_value(Tensor<T, 3>::empty({K + 1, in_channels, out_channels}));
        nn::glorot_uniform(weight, o.generator ? *o.generator : unseeded);
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({out_channels}));
        if (o.trainable_q) q.emplace(Tensor<T, 1>::full({1}, T(o.q)));
        options.generator = nullptr;
    }

    /// x [N, 2, in] to [N, 2, out]. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        using Y = decltype(layer(g, x, trained_laplacian<X>(g, Tensor<T, 1>())));
        if (q) return layer(g, x, trained_laplacian<X>(g, Tensor<T, 1>::ones({g.num_edges()})));
        return Y(layer(g, x, magnetic_laplacian<T>(g, options.q)));
    }
    /// The same with weights of the edges, edge_weight [E]. Errors: also as magnetic_laplacian.
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& x, const W& edge_weight) const {
        weft::detail::check_edge_rows("MagNetConv", g, edge_weight, "edge_weight");
        using Y = decltype(layer(g, x, trained_laplacian<X>(g, edge_weight)));
        if (q) return layer(g, x, trained_laplacian<X>(g, edge_weight));
        return Y(layer(g, x, magnetic_laplacian(g, edge_weight, options.q)));
    }

    void visit(auto&& v) {
        v("weight", weight);
        v("bias", bias);
        v("q", q);
    }

private:
    /// The Laplacian with the parameter q. Beyond its bounds q stays in force as the bound, and keeps its slope.
    template <class X, class W>
    auto trained_laplacian(const Graph& g, const W& w) const {
        const auto own = detail::recorded_with<X, W>(*q);
        const Tensor<T, 1> value = q->value();
        const Tensor<T, 1> excess = value - clamp(value, T(0), T(0.25));
        return magnetic_laplacian(g, w, own - excess);
    }

    template <class X, class L>
    auto layer(const Graph& g, const X& expression, const L& laplacian) const {
        static_assert(X::rank == 3, "weft: MagNetConv: features are [nodes, 2, channels]");
        const auto x = detail::recorded_with<decltype(laplacian.entries)>(contiguous(expression));
        const index nodes = g.num_nodes(), in = weight.extent(1), out = weight.extent(2);
        if (x.shape() != Extents<3>{nodes, 2, in})
            throw error("MagNetConv", "x is {}: it must be [{}, 2, {}], real and imaginary parts of {} features",
                        weft::detail::shape_text(x.shape()), nodes, in, in);
        const auto flat = reshape(x, Extents<2>{2 * nodes, in});
        // The matrix L without what it adds to each node itself.
        const T scale = T(2 / options.lambda_max), self = T(2 / options.lambda_max - 1);
        const auto entries = eval(laplacian.entries * scale);
        const auto times = [&](const auto& t) {
            return eval(complex_sum_in(laplacian.graph.reverse(), t, entries) + self * t);
        };
        const auto term = [&](index k) {
            return reshape(matmul(flat, select_index(weight, 0, k)), Extents<3>{nodes, 2, out});
        };
        using Term = decltype(eval(term(0) + times(term(0))));
        const index K = weight.extent(0) - 1;
        Term last(term(K)), before(Tensor<T, 3>::zeros({nodes, 2, out}));
        for (index k = K - 1; k >= 1; --k) {
            Term next = term(k) + T(2) * times(last) - before;
            before = std::move(last);
            last = std::move(next);
        }
        Term y = term(0) + times(last) - before;
        return bias ? Term(y + *bias) : y;
    }
};

} // namespace weft::inline WEFT_ABI::gnn
