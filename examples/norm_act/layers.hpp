// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/batch_norm.hpp>
#include <weft/nn/evo_norm_b.hpp>
#include <weft/nn/evo_norm_s.hpp>
#include <weft/nn/group_norm.hpp>

#include <string>
#include <variant>
#include <vector>

namespace norm_act {

namespace nn = weft::nn;

/// Any of the layers that this program compares; so the networks are compiled once.
struct NormAct {
    enum class Activation { none, relu, silu };
    std::variant<nn::BatchNorm<float>, nn::GroupNorm<float>, nn::EvoNormB0<float>, nn::EvoNormB1<float>,
                 nn::EvoNormB2<float>, nn::EvoNormS0<float>, nn::EvoNormS1<float>, nn::EvoNormS2<float>>
        layer;
    Activation activation = Activation::none;

    template <class X>
    auto operator()(const X& x) const {
        return std::visit(
            [&]<class L>(const L& l) {
                if (activation == Activation::relu) return weft::eval(l(x, nn::ReLU{}));
                if (activation == Activation::silu) return weft::eval(l(x, nn::SiLU{}));
                return weft::eval(l(x));
            },
            layer);
    }
    void visit(auto&& v) {
        std::visit([&](auto& l) { l.visit(v); }, layer);
    }
};

/// The layers by the names of the command line.
inline const std::vector<std::string> layer_names{"affine",     "affine-relu", "bn-relu",    "bn-silu",
                                                  "evonorm-b0", "evonorm-b1",  "evonorm-b2", "gn-relu",
                                                  "gn-silu",    "evonorm-s0",  "evonorm-s1", "evonorm-s2"};

struct LayerOptions {
    std::string name = "evonorm-s0";
    weft::index groups = 4;
    double eps = 1e-5;
    weft::Layout layout = weft::Layout::channels_last;
};

/// The layer of a name for so many channels.
inline NormAct make_layer(const LayerOptions& o, weft::index channels) {
    using Activation = NormAct::Activation;
    const weft::index groups = nn::largest_divisor_groups(channels, o.groups);
    const nn::EvoNormBOptions b{.eps = o.eps, .layout = o.layout};
    const nn::EvoNormSOptions s{.groups = groups, .eps = o.eps, .layout = o.layout};
    const nn::EvoNormSOptions affine{.groups = groups, .apply_act = false, .layout = o.layout};
    const nn::BatchNormOptions bn{.eps = o.eps, .layout = o.layout};
    const nn::GroupNormOptions gn{.eps = o.eps, .layout = o.layout};
    if (o.name == "affine") return {nn::EvoNormS0<float>(channels, affine), Activation::none};
    if (o.name == "affine-relu") return {nn::EvoNormS0<float>(channels, affine), Activation::relu};
    if (o.name == "bn-relu") return {nn::BatchNorm<float>(channels, bn), Activation::relu};
    if (o.name == "bn-silu") return {nn::BatchNorm<float>(channels, bn), Activation::silu};
    if (o.name == "gn-relu") return {nn::GroupNorm<float>(groups, channels, gn), Activation::relu};
    if (o.name == "gn-silu") return {nn::GroupNorm<float>(groups, channels, gn), Activation::silu};
    if (o.name == "evonorm-b0") return {nn::EvoNormB0<float>(channels, b), Activation::none};
    if (o.name == "evonorm-b1") return {nn::EvoNormB1<float>(channels, b), Activation::none};
    if (o.name == "evonorm-b2") return {nn::EvoNormB2<float>(channels, b), Activation::none};
    if (o.name == "evonorm-s0") return {nn::EvoNormS0<float>(channels, s), Activation::none};
    if (o.name == "evonorm-s1") return {nn::EvoNormS1<float>(channels, s), Activation::none};
    if (o.name == "evonorm-s2") return {nn::EvoNormS2<float>(channels, s), Activation::none};
    throw weft::error("norm_act", "there is no layer {}", o.name);
}

} // namespace norm_act
