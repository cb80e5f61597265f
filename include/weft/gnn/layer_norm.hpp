// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/graph_normalization.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Layer normalisation over all nodes and channels of a graph: (x - mean) / sqrt(variance + eps) weight + bias. Ba et
/// al. (arXiv 1607.06450). Parameters `weight`, `bias` [C], or none. (PyTorch Geometric adds eps to the root when it is
/// not given a batch.) nn::LayerNorm normalises each node by itself.
template <class T>
struct LayerNorm : detail::GraphNormalization<LayerNorm<T>> {
    static constexpr auto name = "LayerNorm";
    nn::detail::Affine<T> affine;
    index channels = 0;
    double eps = 1e-5;

    LayerNorm() = default;
    /// Errors: a negative number of channels.
    explicit LayerNorm(index number_of_channels, const nn::NormOptions& o = {})
        : affine(name, number_of_channels, o.affine), channels(number_of_channels), eps(o.eps) {}

    /// Shift and scale [graphs, C] or [graphs, 1], from the moments [graphs, C] of the columns.
    template <class M>
    auto coefficients(const M& mean, const M& variance) const {
        const auto shift = weft::mean<1>(mean, keepdim);
        const auto spread = weft::mean<1>(variance + square(mean - shift), keepdim);
        return std::pair(shift, affine.scaled(rsqrt(spread + T(eps))));
    }

    void visit(auto&& v) { affine.visit(v); }
};

} // namespace weft::inline WEFT_ABI::gnn
