// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/group_norm.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `InstanceNorm`.
struct InstanceNormOptions {
    double eps = 1e-5;   ///< added to the variance
    bool affine = false; ///< a learnt factor `weight` and summand `bias` for each channel
    Layout layout = Layout::channels_first;
};

/// Instance normalisation, (x - mean) / sqrt(variance + eps), with the moments of one channel of one sample: Ulyanov,
/// Vedaldi & Lempitsky (arXiv 1607.08022), torch.nn.InstanceNorm2d without running statistics. (Of the nodes of graphs:
/// gnn::InstanceNorm.)
template <class T>
struct InstanceNorm : GroupNorm<T> {
    InstanceNorm() = default;
    /// Errors: a negative number of channels; eps is not positive.
    explicit InstanceNorm(index number_of_channels, const InstanceNormOptions& o = {})
        : GroupNorm<T>(std::max<index>(number_of_channels, 1), number_of_channels, {o.eps, o.affine, o.layout}) {}
};

} // namespace weft::inline WEFT_ABI::nn
