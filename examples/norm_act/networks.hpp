// SPDX-License-Identifier: MIT
#pragma once

// Small networks for 8 x 8 images of one channel, in which every normalisation with its activation is a layer of one
// type: miniatures of a pre-activation ResNet (He et al., arXiv 1603.05027), MobileNetV2 (Sandler et al., arXiv
// 1801.04381) and EfficientNet (Tan & Le, arXiv 1905.11946). Images are [N, 1, 8, 8], or [N, 8, 8, 1] with
// Layout::channels_last; the result is [N, classes].

#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/nn/conv2d.hpp>
#include <weft/nn/linear.hpp>

#include <optional>
#include <vector>

namespace norm_act {

namespace nn = weft::nn;
using weft::index;

/// Makes the layers of a network; `make(channels)` gives a normalisation with its activation.
template <class Make>
struct Factory {
    Make make;
    weft::Generator& generator;
    weft::Layout layout = weft::Layout::channels_first;

    /// Without bias, padded so that it keeps the image's size but for the stride. Weights are normal with a variance of
    /// 2 / (out kernel^2), as torch's kaiming_normal_ with mode="fan_out".
    nn::Conv2d<float> conv(index in, index out, index kernel, index stride = 1, index groups = 1) const {
        nn::Conv2d<float> layer(in, out, kernel,
                                {.stride = stride,
                                 .padding = kernel / 2,
                                 .groups = groups,
                                 .bias = false,
                                 .layout = layout,
                                 .generator = &generator});
        nn::kaiming_normal(layer.weight, generator, {.fan = nn::Fan::out});
        return layer;
    }
    auto norm_act(index channels) const { return make(channels); }
    nn::Linear<float> linear(index in, index out) const { return {in, out, {.generator = &generator}}; }
};

template <class Make>
Factory(Make, weft::Generator&, weft::Layout) -> Factory<Make>;

/// The mean over the pixels, [N, C].
template <weft::Expression X>
auto pooled(const X& x, weft::Layout layout) {
    return layout == weft::Layout::channels_first ? weft::mean<2, 3>(x) : weft::mean<1, 2>(x);
}

/// x + conv(act(conv(act(x)))) with 3 x 3 kernels; where the shape changes, act(x) by a 1 x 1 kernel instead of x.
template <class NormAct>
struct ResidualBlock {
    NormAct act1, act2;
    nn::Conv2d<float> conv1, conv2;
    std::optional<nn::Conv2d<float>> shortcut;

    ResidualBlock(const auto& factory, index in, index out, index stride)
        : act1(factory.norm_act(in)), act2(factory.norm_act(out)), conv1(factory.conv(in, out, 3, stride)),
          conv2(factory.conv(out, out, 3)) {
        if (in != out || stride > 1) shortcut.emplace(factory.conv(in, out, 1, stride));
    }
    auto operator()(const auto& x) const {
        const auto active = weft::eval(act1(x));
        const auto change = conv2(act2(conv1(active)));
        return shortcut ? weft::eval((*shortcut)(active) + change) : weft::eval(x + change);
    }
    void visit(auto&& v) {
        v("act1", act1);
        v("conv1", conv1);
        v("act2", act2);
        v("conv2", conv2);
        v("shortcut", shortcut);
    }
};

/// 1 -> 16 channels, then blocks to 16, 32 (stride 2), 32.
template <class NormAct>
struct ResidualNetwork {
    weft::Layout layout;
    nn::Conv2d<float> stem;
    std::vector<ResidualBlock<NormAct>> blocks;
    NormAct act;
    nn::Linear<float> head;

    ResidualNetwork(const auto& factory, index classes)
        : layout(factory.layout), stem(factory.conv(1, 16, 3)), act(factory.norm_act(32)),
          head(factory.linear(32, classes)) {
        blocks.emplace_back(factory, 16, 16, 1);
        blocks.emplace_back(factory, 16, 32, 2);
        blocks.emplace_back(factory, 32, 32, 1);
    }
    auto operator()(const auto& images) const {
        auto x = stem(images);
        for (const auto& block : blocks) x = block(x);
        return head(pooled(act(x), layout));
    }
    void visit(auto&& v) {
        v("stem", stem);
        v("blocks", blocks);
        v("act", act);
        v("head", head);
    }
};

/// Factors in (0, 1) for the channels of each image, from their means (Hu et al., arXiv 1709.01507).
struct SqueezeExcite {
    weft::Layout layout;
    nn::Linear<float> reduce, expand;

    SqueezeExcite(const auto& factory, index channels, index reduced)
        : layout(factory.layout), reduce(factory.linear(channels, reduced)), expand(factory.linear(reduced, channels)) {
    }
    auto operator()(const auto& x) const {
        const auto factors = weft::eval(sigmoid(expand(silu(reduce(pooled(x, layout))))));
        const index n = factors.extent(0), channels = factors.extent(1);
        const auto shape = layout == weft::Layout::channels_first ? weft::Extents<4>{n, channels, 1, 1}
                                                                : weft::Extents<4>{n, 1, 1, channels};
        return weft::eval(x * weft::reshape(factors, shape));
    }
    void visit(auto&& v) {
        v("reduce", reduce);
        v("expand", expand);
    }
};

/// 1 x 1 to four times the channels, 3 x 3 of each, 1 x 1 to `out`, the last without activation; plus x where the shape
/// stays. With `squeeze`, the wide channels are scaled by SqueezeExcite of in / 4 hidden channels.
template <class NormAct>
struct InvertedBottleneck {
    nn::Conv2d<float> expand, depthwise, project;
    NormAct act1, act2;
    std::optional<SqueezeExcite> excite;
    bool residual;

    InvertedBottleneck(const auto& factory, index in, index out, index stride, bool squeeze)
        : expand(factory.conv(in, 4 * in, 1)), depthwise(factory.conv(4 * in, 4 * in, 3, stride, 4 * in)),
          project(factory.conv(4 * in, out, 1)), act1(factory.norm_act(4 * in)), act2(factory.norm_act(4 * in)),
          residual(in == out && stride == 1) {
        if (squeeze) excite.emplace(factory, 4 * in, in / 4);
    }
    auto operator()(const auto& x) const {
        auto wide = weft::eval(act2(depthwise(act1(expand(x)))));
        if (excite) wide = (*excite)(wide);
        const auto y = project(wide);
        return residual ? weft::eval(x + y) : y;
    }
    void visit(auto&& v) {
        v("expand", expand);
        v("act1", act1);
        v("depthwise", depthwise);
        v("act2", act2);
        v("excite", excite);
        v("project", project);
    }
};

/// 1 -> 12 channels, then inverted bottlenecks to 12, 20 (stride 2), 20, and 1 x 1 to 40: a MobileNetV2, or with
/// `squeeze` an EfficientNet.
template <class NormAct>
struct MobileNetwork {
    weft::Layout layout;
    nn::Conv2d<float> stem, last;
    NormAct stem_act, last_act;
    std::vector<InvertedBottleneck<NormAct>> blocks;
    nn::Linear<float> head;

    MobileNetwork(const auto& factory, index classes, bool squeeze)
        : layout(factory.layout), stem(factory.conv(1, 12, 3)), last(factory.conv(20, 40, 1)),
          stem_act(factory.norm_act(12)), last_act(factory.norm_act(40)), head(factory.linear(40, classes)) {
        blocks.emplace_back(factory, 12, 12, 1, squeeze);
        blocks.emplace_back(factory, 12, 20, 2, squeeze);
        blocks.emplace_back(factory, 20, 20, 1, squeeze);
    }
    auto operator()(const auto& images) const {
        auto x = weft::eval(stem_act(stem(images)));
        for (const auto& block : blocks) x = block(x);
        return head(pooled(last_act(last(x)), layout));
    }
    void visit(auto&& v) {
        v("stem", stem);
        v("stem_act", stem_act);
        v("blocks", blocks);
        v("last", last);
        v("last_act", last_act);
        v("head", head);
    }
};

} // namespace norm_act
