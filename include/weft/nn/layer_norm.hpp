// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/standardize.hpp>
#include <weft/nn/affine.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Layer normalisation along the last axis, for each row by itself: (x - mean) / sqrt(variance + eps) weight + bias.
/// Ba et al. (arXiv 1607.06450). Parameters `weight`, `bias` [C], or none, as in torch.nn.LayerNorm.
template <class T>
struct LayerNorm {
    detail::Affine<T> affine;
    index channels = 0;
    double eps = 1e-5;

    LayerNorm() = default;
    /// Errors: a negative number of channels.
    explicit LayerNorm(index number_of_channels, const NormOptions& o = {})
        : affine("LayerNorm", number_of_channels, o.affine), channels(number_of_channels), eps(o.eps) {}

    /// x [..., C]. Errors: its last extent is not C.
    template <Expression X>
    auto operator()(const X& x) const {
        static_assert(X::rank >= 1, "weft: LayerNorm: the input needs an axis of channels");
        if (x.shape().back() != channels)
            throw error("LayerNorm", "x is {}: its last extent must be {}, the channels of the layer",
                        weft::detail::shape_text(x.shape()), channels);
        const auto y = standardize(x, eps);
        return affine.weight ? eval(y * *affine.weight + *affine.bias) : y;
    }

    void visit(auto&& v) { affine.visit(v); }
};

} // namespace weft::inline WEFT_ABI::nn
