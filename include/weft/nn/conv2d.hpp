// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/convolution.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/module.hpp>

#include <optional>

namespace weft::inline WEFT_ABI::nn {

/// Options of `Conv2d`.
struct Conv2dOptions {
    Pair stride = 1;
    Pair padding = 0;
    Pair dilation = 1;
    index groups = 1;
    bool bias = true;
    Layout layout = Layout::channels_first;
    /// Where the initial values come from; null: unseeded_generator().
    Generator* generator = nullptr;
};

/// conv2d with weights of its own: weight [out, in / groups, height, width], bias [out], as in torch.nn.Conv2d, and so
/// are the initial values: uniform in +-1 / sqrt(in / groups height width).
template <class T>
struct Conv2d {
    Parameter<T, 4> weight;
    std::optional<Parameter<T, 1>> bias;
    ConvolutionOptions options;

    Conv2d() = default;
    /// Errors: numbers of channels that are negative or no multiples of the groups, an empty kernel.
    Conv2d(index in_channels, index out_channels, Pair kernel, const Conv2dOptions& o = {})
        : options{o.stride, o.padding, o.dilation, o.groups, o.layout} {
        if (o.groups < 1 || in_channels < 0 || out_channels < 0 || in_channels % o.groups != 0 ||
            out_channels % o.groups != 0)
            throw error("Conv2d", "{} channels in, {} out, {} groups: channels must be multiples of the groups",
                        in_channels, out_channels, o.groups);
        detail::require_pair("Conv2d", "kernel", kernel, 1);
        detail::require_pair("Conv2d", "stride", o.stride, 1);
        detail::require_pair("Conv2d", "padding", o.padding, 0);
        detail::require_pair("Conv2d", "dilation", o.dilation, 1);
        weight.set_value(Tensor<T, 4>::empty({out_channels, in_channels / o.groups, kernel.height, kernel.width}));
        if (o.bias) bias.emplace(Tensor<T, 1>::empty({out_channels}));
        Generator unseeded;
        if (!o.generator) unseeded = unseeded_generator();
        reset_parameters(o.generator ? *o.generator : unseeded);
    }

    index in_channels() const { return weight.extent(1) * options.groups; }
    index out_channels() const { return weight.extent(0); }

    /// Draws weight and bias anew.
    void reset_parameters(Generator& generator) {
        const double fan = static_cast<double>(weight.extent(1) * weight.extent(2) * weight.extent(3));
        const double bound = 1 / std::sqrt(std::max(fan, 1.0));
        uniform(weight, generator, -bound, bound);
        if (bias) uniform(*bias, generator, -bound, bound);
    }

    /// Errors: those of conv2d.
    template <Expression E>
    auto operator()(const E& x) const {
        return bias ? conv2d(x, weight, *bias, options) : conv2d(x, weight, options);
    }

    void visit(auto&& v) {
        v("weight", weight);
        v("bias", bias);
    }
};

} // namespace weft::inline WEFT_ABI::nn
