// SPDX-License-Identifier: MIT
#pragma once

// Layers with attention against cases of reference results: inputs, parameters `p.NAME`, result `y`, cotangent `dy`,
// gradients `g.INPUT` and `g.p.NAME`.

#include "core/tensor_checks.hpp"
#include "golden.hpp"

#include <weft/attention/options.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn/module.hpp>

#include <string>
#include <vector>

namespace weft_test {

inline weft::AttentionOptions causal() {
    weft::AttentionOptions masks;
    masks.causal = weft::Causal::bottom_right;
    return masks;
}

/// The options that are masks.
inline weft::AttentionOptions masks_of(const GoldenCase& golden) {
    auto masks = golden.option("causal", false) ? causal() : weft::AttentionOptions{};
    if (const auto lengths = golden.option("key_lengths", std::vector<std::int64_t>{}); !lengths.empty())
        masks.key_lengths = weft::Tensor<std::int64_t, 1>::from(lengths);
    return masks;
}

/// Gives the layer the case's parameters, and compares call(inputs), recorded or not, and all gradients.
template <class T, class Layer, class Call>
void check_layer(GoldenCase& golden, Layer& layer, const std::vector<std::string>& names, const Call& call) {
    constexpr Tolerance of_value{.of_float = 5e-6}, of_gradient{.of_float = 2e-5};
    std::size_t parameters = 0;
    weft::nn::for_each_parameter(layer, [&]<int N>(std::string_view name, weft::Parameter<T, N>& p) {
        const std::string tensor = "p." + std::string(name);
        const std::vector<weft::index> shape(p.shape().begin(), p.shape().end());
        INFO(tensor);
        REQUIRE(shape == golden.shape(tensor));
        p.set_value(golden.get<T, N>(tensor));
        ++parameters;
    });
    REQUIRE(parameters == golden.tensors("p.").size());
    std::vector<weft::Tensor<T, 3>> inputs;
    std::vector<weft::Var<T, 3>> recorded;
    for (const std::string& name : names) {
        inputs.push_back(golden.get<T, 3>(name));
        recorded.emplace_back(inputs.back());
    }
    golden.compare("y", weft::Tensor<T, 3>(call(inputs)), of_value);
    const weft::Var<T, 3> y = call(recorded);
    golden.compare("y", y.value(), of_value);
    backward(y, golden.get<T, 3>("dy"));
    for (std::size_t i = 0; i < names.size(); ++i) golden.compare("g." + names[i], recorded[i].grad(), of_gradient);
    weft::nn::for_each_parameter(layer, [&](std::string_view name, const auto& p) {
        golden.compare("g.p." + std::string(name), p.grad(), of_gradient);
    });
}

} // namespace weft_test
