// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/core/random.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/gnn/per_edge.hpp>

#include <numbers>

namespace weft::inline WEFT_ABI::gnn {

/// softplus(x) - log 2, which is 0 at 0: the activation of SchNet.
struct ShiftedSoftplus {
    static constexpr bool elementwise = true;
    /// Of any shape.
    template <Expression E>
    auto operator()(const E& x) const {
        return softplus(x) - std::numbers::ln2;
    }
    void visit(auto&&) {}
};

/// Options of `CFConv`.
struct CFOptions {
    double cutoff = 10;             ///< distance at which messages vanish, in the unit of the distances
    index num_gaussians = 50;       ///< radial functions, with centres from 0 to cutoff
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Continuous-filter convolution of SchNet, y_i = lin2 (sum of lin1 x_j * W(d_ij)), with the filter W(d) = nn(radial
/// functions of d) (cos(pi d / cutoff) + 1) / 2: Schuett et al. (arXiv 1706.08566). Radial function k is exp(-(d -
/// o_k)^2 / (2 delta^2)), o_k at equal distances delta from 0 to cutoff. Beyond the cutoff the cosine goes on: give
/// only edges within it. Parameters `lin1.weight` [filters, in], `lin2.weight` [out, filters], `lin2.bias`, `nn.0`
/// [filters, num_gaussians], `nn.2` [filters, filters]. Twice differentiable in d, so that forces can be trained.
/// Radial functions and filters are never stored for all edges in the forward. O(E filters (num_gaussians + filters)).
template <class T>
struct CFConv {
    nn::Linear<T> lin1, lin2;
    nn::Sequential<nn::Linear<T>, ShiftedSoftplus, nn::Linear<T>> nn;
    CFOptions options;

    CFConv() = default;
    /// Errors: cutoff is not positive; fewer than two radial functions.
    CFConv(index in, index out, index num_filters, const CFOptions& o = {}) : options(o) {
        if (!(o.cutoff > 0)) throw error("CFConv", "cutoff is {}: must be positive", o.cutoff);
        if (o.num_gaussians < 2) throw error("CFConv", "num_gaussians is {}: must be at least 2", o.num_gaussians);
        Generator unseeded = o.generator ? Generator{} : weft::nn::unseeded_generator();
        Generator& generator = o.generator ? *o.generator : unseeded;
        const auto linear = [&](index from, index to, bool bias) {
            weft::nn::Linear<T> l(from, to, {.bias = bias, .generator = &generator});
            weft::nn::glorot_uniform(l.weight, generator);
            if (l.bias) l.bias->set_value(Tensor<T, 1>::zeros({to}));
            return l;
        };
        lin1 = linear(in, num_filters, false);
        lin2 = linear(num_filters, out, true);
        nn = weft::nn::Sequential(linear(o.num_gaussians, num_filters, true), ShiftedSoftplus{},
                                  linear(num_filters, num_filters, true));
        options.generator = nullptr;
    }

    /// x [N, in], distance [E] to [N, out]. Errors: the graph is not square; x or distance does not fit.
    template <Expression X, Expression D>
    auto operator()(const Graph& g, const X& x, const D& distance) const {
        static_assert(D::rank == 1, "weft: CFConv: distance is [E]");
        const auto h = detail::checked_features<D>("CFConv", "x", x, g.num_nodes(), "nodes", lin1.in_features());
        if (distance.shape()[0] != g.num_edges())
            throw error("CFConv", "distance has {} rows, the graph has {} edges: they must be equal",
                        distance.shape()[0], g.num_edges());
        const auto d = detail::recorded_with<X>(eval(distance));
        const double step = options.cutoff / static_cast<double>(options.num_gaussians - 1);
        const Tensor<T, 1> centres = cast<T>(arange<double>(options.num_gaussians) * step);
        const auto radial = exp(square(edge(d) - centres) * (-0.5 / (step * step)));
        const auto cut = eval((cos(d * (std::numbers::pi / options.cutoff)) + 1.0) * 0.5);
        return lin2(sum_in(g, src(lin1(h)) * (per_edge(nn, radial) * edge(cut))));
    }

    void visit(auto&& v) {
        v("lin1", lin1);
        v("lin2", lin2);
        v("nn", nn);
    }
};

/// The interaction block of SchNet: CFConv, ShiftedSoftplus, Linear. Parameters `mlp` (the filter network),
/// `conv.lin1`, `conv.lin2`, `lin`.
template <class T>
struct InteractionBlock {
    CFConv<T> conv;
    nn::Linear<T> lin;

    InteractionBlock() = default;
    /// Errors: as of CFConv.
    InteractionBlock(index channels, index num_filters, const CFOptions& o = {})
        : conv(channels, channels, num_filters, o), lin(channels, channels, {.generator = o.generator}) {}

    /// x [N, channels] to [N, channels]. Errors: as of CFConv.
    template <Expression X, Expression D>
    auto operator()(const Graph& g, const X& x, const D& distance) const {
        return lin(ShiftedSoftplus{}(conv(g, x, distance)));
    }

    void visit(auto&& v) {
        v("mlp", conv.nn);
        v("conv.lin1", conv.lin1);
        v("conv.lin2", conv.lin2);
        v("lin", lin);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
