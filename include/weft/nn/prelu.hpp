// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/prelu.hpp>
#include <weft/core/views.hpp>
#include <weft/nn/module.hpp>

namespace weft::inline WEFT_ABI::nn {

/// x where it is positive, else weight x, with a weight for each channel of axis 1 of x [N, C, ...], or one for all: He
/// et al. (arXiv 1502.01852). Parameter `weight` [C] or [1], as in torch.nn.PReLU.
template <class T>
struct PReLU {
    Parameter<T, 1> weight;

    /// Errors: a negative number of channels.
    explicit PReLU(index channels = 1, double initial = 0.25) {
        if (channels < 0) throw error("PReLU", "channels is {}: must not be negative", channels);
        weight.set_value(Tensor<T, 1>::full({channels}, static_cast<T>(initial)));
    }

    /// Errors: there are several weights, but not as many as x has channels.
    template <Expression X>
    auto operator()(const X& x) const {
        static_assert(X::rank >= 1, "weft: PReLU: the input needs an axis");
        constexpr int channel = X::rank > 1 ? 1 : 0; // the axis
        const index channels = X::rank > 1 ? x.shape()[channel] : 1;
        if (weight.size() != 1 && weight.size() != channels)
            throw error("PReLU", "x is {}, weight is {}: there must be 1 weight, or {}, one for each channel",
                        weft::detail::shape_text(x.shape()), weft::detail::shape_text(weight.shape()), channels);
        Extents<X::rank - channel> extents;
        extents.fill(1);
        extents[0] = weight.size();
        return prelu(x, reshape(weight, extents));
    }

    void visit(auto&& v) { v("weight", weight); }
};

} // namespace weft::inline WEFT_ABI::nn
