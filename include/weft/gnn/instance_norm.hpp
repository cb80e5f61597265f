// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/graph_normalization.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// (x - mean) / sqrt(variance + eps) over the nodes of a graph, per channel, with `affine` times `weight` plus `bias`,
/// [C]: Ulyanov et al. (arXiv 1607.08022). The variance is that of the population.
template <class T>
struct InstanceNorm : detail::GraphNormalization<InstanceNorm<T>> {
    static constexpr auto name = "InstanceNorm";
    nn::detail::Affine<T> affine;
    index channels = 0;
    double eps = 1e-5;

    InstanceNorm() = default;
    /// Errors: a negative number of channels.
    explicit InstanceNorm(index number_of_channels, const nn::NormOptions& o = {.affine = false})
        : affine(name, number_of_channels, o.affine), channels(number_of_channels), eps(o.eps) {}

    /// Shift and scale [graphs, C] or [graphs, 1], from the moments [graphs, C] of the columns.
    template <class M>
    auto coefficients(const M& mean, const M& variance) const {
        return std::pair(eval(mean), affine.scaled(rsqrt(variance + T(eps))));
    }

    void visit(auto&& v) { affine.visit(v); }
};

} // namespace weft::inline WEFT_ABI::gnn
