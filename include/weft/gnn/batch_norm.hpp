// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/batch_norm.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// nn::BatchNorm under the names of PyTorch Geometric: `module.weight`, `module.running_mean`, ....
template <class T>
struct BatchNorm {
    nn::BatchNorm<T> module;

    BatchNorm() = default;
    /// See nn::BatchNorm.
    explicit BatchNorm(index channels, const nn::BatchNormOptions& options = {}) : module(channels, options) {}

    /// x [N, C].
    template <Expression X>
    auto operator()(const X& x) const {
        return module(x);
    }

    void visit(auto&& v) { v("module", module); }
};

} // namespace weft::inline WEFT_ABI::gnn
