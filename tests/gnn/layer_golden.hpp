// SPDX-License-Identifier: MIT
#pragma once

// Golden tests of graph layers: parameters `p.NAME` are loaded by name, results and the gradients `g.NAME` of inputs
// and parameters compared, in double and in float.

#include "../golden.hpp"

#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/graph.hpp>
#include <weft/nn/sequential.hpp>

#include <optional>

namespace weft_test {

/// The graph of a case; of `x`, or of `x_src` and `x_dst` where it is bipartite.
inline weft::Graph golden_graph(const GoldenCase& golden) {
    const auto ends = golden.get<std::int32_t, 2>("edge_index");
    if (golden.has("x")) return weft::Graph(ends, golden.shape("x")[0]);
    return weft::Graph(ends, golden.shape("x_src")[0], golden.shape("x_dst")[0]);
}

/// The parameters of `module` from the tensors `p.NAME`; every one must be there, and none be left over.
template <class T, class M>
void load_parameters(const GoldenCase& golden, M& module) {
    golden.require_known_options();
    std::size_t loaded = 0;
    weft::nn::for_each_parameter(module, [&](std::string_view name, auto& parameter) {
        using P = std::remove_cvref_t<decltype(parameter)>;
        const std::string tensor = "p." + std::string(name);
        INFO(tensor);
        REQUIRE(golden.has(tensor));
        const auto value = golden.get<T, P::rank>(tensor);
        REQUIRE(value.shape() == parameter.shape());
        parameter.set_value(value);
        ++loaded;
    });
    REQUIRE(loaded == golden.tensors("p.").size());
}

template <class T>
using Perceptron = weft::nn::Sequential<weft::nn::Linear<T>, weft::nn::ReLU, weft::nn::Linear<T>>;

/// Of the sizes of the parameters `p.PREFIX.0.weight` and `p.PREFIX.2.weight`.
template <class T>
Perceptron<T> golden_perceptron(const GoldenCase& golden, const std::string& prefix = "nn") {
    const auto first = golden.shape("p." + prefix + ".0.weight"), second = golden.shape("p." + prefix + ".2.weight");
    return Perceptron<T>(weft::nn::Linear<T>(first[1], first[0]), weft::nn::ReLU{},
                         weft::nn::Linear<T>(second[1], second[0]));
}

/// Compares the gradient of a leaf; it is zero where none arrived.
template <class V>
void compare_gradient(GoldenCase& golden, const std::string& name, const V& leaf, double float_tolerance = 3e-5) {
    using Gradient = decltype(leaf.grad());
    golden.compare("g." + name, leaf.has_grad() ? leaf.grad() : Gradient::zeros(leaf.shape()), {.of_float = float_tolerance});
}

/// Compares the gradients of all parameters, unless the case has no gradients at all.
template <class M>
void compare_parameter_gradients(GoldenCase& golden, M& module, double float_tolerance = 3e-5) {
    if (golden.tensors("g.").empty()) return;
    weft::nn::for_each_parameter(module, [&](std::string_view name, auto& parameter) {
        compare_gradient(golden, "p." + std::string(name), parameter, float_tolerance);
    });
}

/// A named input as a leaf; none where the case has none.
template <class T, int N>
std::optional<weft::Var<T, N>> golden_input(const GoldenCase& golden, const std::string& name) {
    if (!golden.has(name)) return {};
    return weft::Var<T, N>(golden.get<T, N>(name));
}
template <class V>
void compare_input_gradient(GoldenCase& golden, const std::string& name, const std::optional<V>& input) {
    if (input && golden.has("g." + name)) compare_gradient(golden, name, *input);
}

/// Compares the result of Tensors and of Vars, and runs the backward of sum(out * r.out).
template <class T, int N>
void compare_output(GoldenCase& golden, const weft::Tensor<T, N>& inferred, const weft::Var<T, N>& trained,
                    const char* name = "out") {
    golden.compare(name, inferred);
    golden.compare(name, trained.value());
    weft::backward(weft::Var(weft::sum(trained * golden.get<T, N>(std::string("r.") + name))));
}

} // namespace weft_test
