// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/directed_norm.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/nn/linear.hpp>

/// Layers that tell the two directions of edges apart: Rossi et al., Edge Directionality Improves Learning on
/// Heterophilic Graphs (arXiv 2305.10498).
namespace weft::inline WEFT_ABI::gnn {

namespace detail {

inline double checked_alpha(const char* layer, double alpha) {
    if (!(alpha >= 0 && alpha <= 1)) throw error(layer, "alpha is {}: must be in [0, 1]", alpha);
    return alpha;
}

/// alpha a() + (1 - alpha) b(); what weighs nothing is not computed.
template <class T, class A, class B>
auto mixed(double alpha, A&& a, B&& b) {
    using Y = decltype(eval(T(alpha) * a() + T(1 - alpha) * b()));
    if (alpha == 0) return Y(b());
    if (alpha == 1) return Y(a());
    return Y(T(alpha) * a() + T(1 - alpha) * b());
}

} // namespace detail

/// Options of `DirGNNConv`.
struct DirGNNOptions {
    double alpha = 0.5;             ///< the part of the edges that leave a node, 1 - alpha of those that enter it
    bool root_weight = true;        ///< the node's own features too
    Generator* generator = nullptr; ///< of the initial weights of `lin`; null: nn::unseeded_generator()
};

/// y = alpha conv_out(x, reversed graph) + (1 - alpha) conv_in(x, graph) + lin(x): two layers of one kind, one for each
/// direction. Parameters `conv_in.…`, `conv_out.…`, with root_weight `lin.weight`, `lin.bias`. A direction that weighs
/// 0 is not computed. `Conv` is called with the graph, features and perhaps values of edges, and gives [N, out].
template <class T, class Conv>
struct DirGNNConv {
    Conv conv_in, conv_out;
    std::optional<nn::Linear<T>> lin;
    DirGNNOptions options;

    DirGNNConv() = default;
    /// Both layers made by Conv(in_channels, out_channels, conv_options). Where these options know add_self_loops and
    /// root_weight, they are switched off: a node's own features are for `lin`. Errors: alpha is not in [0, 1].
    template <class ConvOptions>
    DirGNNConv(index in_channels, index out_channels, const ConvOptions& conv_options, const DirGNNOptions& o = {})
        : DirGNNConv(in_channels, channels(out_channels, conv_options),
                     Conv(in_channels, out_channels, without_own_features(conv_options)),
                     Conv(in_channels, out_channels, without_own_features(conv_options)), o) {}
    /// Two layers that were made elsewhere and give [N, out_channels]. They should leave the node's own features to
    /// `lin`. Errors: alpha is not in [0, 1].
    DirGNNConv(index in_channels, index out_channels, Conv in, Conv out, const DirGNNOptions& o = {})
        : conv_in(std::move(in)), conv_out(std::move(out)), options(o) {
        detail::checked_alpha("DirGNNConv", o.alpha);
        if (o.root_weight) lin.emplace(in_channels, out_channels, nn::LinearOptions{.generator = o.generator});
        options.generator = nullptr;
    }

    /// x [N, in], with values of the edges if the layers take any, to [N, out]. Errors: the graph is not square; as the
    /// layers.
    template <Expression X, Expression... E>
    auto operator()(const Graph& g, const X& expression, const E&... edge_values) const {
        g.num_nodes();
        const auto x = detail::recorded_with<E...>(eval(expression));
        auto y = detail::mixed<T>(
            options.alpha, [&] { return conv_out(g.reverse(), x, edge_values...); },
            [&] { return conv_in(g, x, edge_values...); });
        return lin ? decltype(y)(y + (*lin)(x)) : y;
    }

    void visit(auto&& v) {
        v("conv_in", conv_in);
        v("conv_out", conv_out);
        v("lin", lin);
    }

private:
    /// Channels of the result of a layer, which may have heads side by side.
    template <class O>
    static index channels(index out_channels, const O& o) {
        if constexpr (requires { o.heads; })
            return o.concat ? o.heads * out_channels : out_channels;
        else
            return out_channels;
    }
    template <class O>
    static O without_own_features(O o) {
        if constexpr (requires { o.add_self_loops; }) o.add_self_loops = false;
        if constexpr (requires { o.root_weight; }) o.root_weight = false;
        return o;
    }
};

/// Options of `DirGCNConv`.
struct DirGCNOptions {
    double alpha = 0.5;             ///< the part of the edges that leave a node, 1 - alpha of those that enter it
    bool bias = true;               ///< in both directions
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Dir-GCN, y = alpha (A x W1^T + b1) + (1 - alpha) (A^T x W2^T + b2) with the adjacency matrix normalised by the
/// degrees of both ends, D_out^-1/2 A D_in^-1/2. A x gathers from where a node's edges lead to. Parameters
/// `lin_src_to_dst.…` (W1, b1), `lin_dst_to_src.…` (W2, b2). The products with the graph are taken on the side of fewer
/// channels. O(E min(in, out) + N in out); no value per edge is stored unless there are weights.
template <class T>
struct DirGCNConv {
    nn::Linear<T> lin_src_to_dst, lin_dst_to_src;
    double alpha = 0.5;

    DirGCNConv() = default;
    /// Errors: alpha is not in [0, 1].
    DirGCNConv(index in_channels, index out_channels, const DirGCNOptions& o = {})
        : lin_src_to_dst(in_channels, out_channels, {.bias = o.bias, .generator = o.generator}),
          lin_dst_to_src(in_channels, out_channels, {.bias = o.bias, .generator = o.generator}),
          alpha(detail::checked_alpha("DirGCNConv", o.alpha)) {}

    /// x [N, in] to [N, out]. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        const auto scale = directed_norm<T>(g);
        const auto out = eval(unsqueeze(scale.out, 1)), in = eval(unsqueeze(scale.in, 1));
        return layer(
            g, x, [&](const auto& h) { return eval(out * sum_in(g.reverse(), src(in * h))); },
            [&](const auto& h) { return eval(in * sum_in(g, src(out * h))); });
    }
    /// The same with weights of the edges, edge_weight [E]. Errors: also a negative sum of weights.
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& x, const W& edge_weight) const {
        weft::detail::check_edge_rows("DirGCNConv", g, edge_weight, "edge_weight");
        const auto weight = directed_norm(g, edge_weight);
        return layer<W>(
            g, x, [&](const auto& h) { return sum_in(g.reverse(), src(h) * edge(weight)); },
            [&](const auto& h) { return sum_in(g, src(h) * edge(weight)); });
    }

    void visit(auto&& v) {
        v("lin_src_to_dst", lin_src_to_dst);
        v("lin_dst_to_src", lin_dst_to_src);
    }

private:
    template <class... Others, class X, class Times, class TimesTranspose>
    auto layer(const Graph& g, const X& expression, Times&& times, TimesTranspose&& times_transpose) const {
        const auto x = detail::checked_features<Others...>("DirGCNConv", "x", expression, g.num_nodes(), "nodes",
                                                           lin_src_to_dst.in_features());
        const auto convolve = [&](const nn::Linear<T>& lin, const auto& propagate) {
            return lin.in_features() <= lin.out_features() ? lin(propagate(x))
                                                           : lin.add_bias(propagate(matmul(x, transpose(lin.weight))));
        };
        return detail::mixed<T>(
            alpha, [&] { return convolve(lin_src_to_dst, times); },
            [&] { return convolve(lin_dst_to_src, times_transpose); });
    }
};

} // namespace weft::inline WEFT_ABI::gnn
