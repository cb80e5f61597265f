// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/graph_normalization.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// scale (x - mean) / sqrt(eps + mean of |x_i - mean|^2) over the nodes of a graph, which keeps pairs of nodes apart:
/// Zhao & Akoglu (arXiv 1909.12223). No parameters.
template <class T>
struct PairNorm : detail::GraphNormalization<PairNorm<T>> {
    static constexpr auto name = "PairNorm";
    static constexpr index channels = -1;
    nn::detail::Affine<T> affine; // none
    double scale = 1;
    double eps = 1e-5;

    PairNorm() = default;
    /// `factor` is the scale.
    explicit PairNorm(double factor, double epsilon = 1e-5) : scale(factor), eps(epsilon) {}

    /// Shift and scale [graphs, C] or [graphs, 1], from the moments [graphs, C] of the columns.
    template <class M>
    auto coefficients(const M& mean, const M& variance) const {
        return std::pair(eval(mean), eval(rsqrt(sum<1>(variance, keepdim) + T(eps)) * T(scale)));
    }

    void visit(auto&&) {}
};

} // namespace weft::inline WEFT_ABI::gnn
