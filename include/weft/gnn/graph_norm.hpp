// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/graph_normalization.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Normalisation over the nodes of a graph that learns how much of the mean to take away: with o = x - mean_scale mean,
/// o / sqrt(mean of o^2 + eps) weight + bias, per channel. Cai et al. (arXiv 2009.03294). Parameters `weight` (ones),
/// `bias` (zeros), `mean_scale` (ones), [C].
template <class T>
struct GraphNorm : detail::GraphNormalization<GraphNorm<T>> {
    static constexpr auto name = "GraphNorm";
    nn::detail::Affine<T> affine;
    Parameter<T, 1> mean_scale;
    index channels = 0;
    double eps = 1e-5;

    GraphNorm() = default;
    /// Errors: a negative number of channels.
    explicit GraphNorm(index number_of_channels, double epsilon = 1e-5)
        : affine(name, number_of_channels, true), mean_scale(Tensor<T, 1>::ones({number_of_channels})),
          channels(number_of_channels), eps(epsilon) {}

    /// Shift and scale [graphs, C] or [graphs, 1], from the moments [graphs, C] of the columns.
    template <class M>
    auto coefficients(const M& mean, const M& variance) const {
        const auto shift = eval(mean * mean_scale);
        // The mean of o^2 without another pass over x.
        return std::pair(shift, affine.scaled(rsqrt(variance + square(mean - shift) + T(eps))));
    }

    void visit(auto&& v) {
        affine.visit(v);
        v("mean_scale", mean_scale);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
