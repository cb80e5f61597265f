// SPDX-License-Identifier: MIT
#include "golden.hpp"

#include <weft/grad/backward.hpp>
#include <weft/nn/evo_norm_b.hpp>
#include <weft/nn/evo_norm_s.hpp>
#include <weft/nn/filter_response_norm.hpp>
#include <weft/nn/instance_norm.hpp>
#include <weft/nn/module.hpp>
#include <weft/nn/rms_norm.hpp>
#include <weft/nn/scale_norm.hpp>

using namespace weft;
using namespace weft_test;

namespace {

constexpr Tolerance of_values{.of_float = 2e-5, .relative = 1e-10, .absolute = 1e-12};

/// A gradient is the difference of what goes through an element and what goes through its statistics. Of one or two
/// elements that nearly cancels: both are as large as dy y / x.
Tolerance of_gradients(GoldenCase& golden) {
    const auto largest = [&](const std::string& tensor) {
        double most = 0;
        const auto numbers = golden.flat(tensor);
        for (const double v : numbers.values()) most = std::max(most, std::abs(v));
        return most;
    };
    return {.of_float = 2e-5,
            .relative = 1e-9,
            .absolute = 1e-12,
            .cancelled = largest("dy") * largest("y") / largest("x")};
}

/// [N, C, ...] as [N, ..., C], and back.
template <class T, int N>
Tensor<T, N> channels_last(const Tensor<T, N>& x) {
    std::array<int, N> axes{};
    for (int a = 0; a < N; ++a) axes[static_cast<std::size_t>(a)] = a == 0 ? 0 : a == N - 1 ? 1 : a + 1;
    return permute(x, axes);
}
template <class T, int N>
Tensor<T, N> channels_first(const Tensor<T, N>& x) {
    std::array<int, N> axes{};
    for (int a = 0; a < N; ++a) axes[static_cast<std::size_t>(a)] = a == 0 ? 0 : a == 1 ? N - 1 : a - 1;
    return permute(x, axes);
}

/// Parameters have the names of the file: gamma, beta, v, tau, g.
std::string file_name(std::string_view parameter) {
    if (parameter == "weight") return "gamma";
    if (parameter == "bias") return "beta";
    return std::string(parameter);
}

template <int N, class T, class M>
void compare_layer(GoldenCase& golden, const M& given, bool last) {
    M module = nn::clone(given);
    nn::for_each_parameter(module, [&]<class P>(std::string_view name, P& parameter) {
        parameter.set_value(golden.get<T, P::rank>(file_name(name)));
    });
    nn::for_each_buffer(module, [&]<class B>(std::string_view name, B& buffer) {
        if constexpr (std::same_as<B, Tensor<T, 1>>) buffer = golden.get<T, 1>(std::string(name) + "_in");
    });
    auto x = golden.get<T, N>("x"), dy = golden.get<T, N>("dy");
    if (last) {
        x = channels_last(x);
        dy = channels_last(dy);
    }
    const Var<T, N> leaf{x};
    const Var<T, N> y = module(leaf);
    backward(y, dy);
    golden.compare("y", last ? channels_first(y.value()) : y.value(), of_values);
    const Tolerance tolerance = of_gradients(golden);
    golden.compare("dx", last ? channels_first(leaf.grad()) : leaf.grad(), tolerance);
    nn::for_each_parameter(module, [&](std::string_view name, auto& parameter) {
        golden.compare("d" + file_name(name), parameter.grad(), tolerance);
    });
    nn::for_each_buffer(module, [&]<class B>(std::string_view name, const B& buffer) {
        if constexpr (std::same_as<B, Tensor<T, 1>>) golden.compare(std::string(name) + "_out", buffer, of_values);
    });
}

/// With the channels at both places, in double and float, in the rank of the file.
template <class Make>
void compare_all(GoldenCase& golden, const Make& make) {
    const auto of_rank = [&]<int N>(std::integral_constant<int, N>) {
        for (const bool last : {false, true}) {
            INFO((last ? "channels last" : "channels first"));
            const Layout layout = last ? Layout::channels_last : Layout::channels_first;
            compare_layer<N, double>(golden, make(double{}, layout), last);
            compare_layer<N, float>(golden, make(float{}, layout), last);
        }
    };
    switch (golden.shape("x").size()) {
    case 2:
        return of_rank(std::integral_constant<int, 2>{});
    case 3:
        return of_rank(std::integral_constant<int, 3>{});
    case 4:
        return of_rank(std::integral_constant<int, 4>{});
    case 5:
        return of_rank(std::integral_constant<int, 5>{});
    default:
        FAIL("no test for this rank");
    }
}
template <class Make>
void compare_rows(GoldenCase& golden, const Make& make) {
    REQUIRE(golden.shape("x").size() == 2);
    compare_layer<2, double>(golden, make(double{}), false);
    compare_layer<2, float>(golden, make(float{}), false);
}

std::string first_part(const GoldenCase& golden) { return golden.name().substr(0, golden.name().find('.')); }

} // namespace

TEST_CASE("evonorm: golden, the B series", "[nn][golden]") {
    for_each_golden_case("evonorm", "evonorm_b", [](GoldenCase& golden) {
        const std::string layer = first_part(golden);
        const weft::index channels = golden.shape("x")[1];
        const double eps = golden.option("eps", 0.0), momentum = golden.option("momentum", 0.1);
        const bool train = golden.option("train", false), apply_act = golden.option("apply_act", true);
        const auto compare = [&]<template <class> class Layer>() {
            compare_all(golden, [&]<class T>(T, Layout layout) {
                Layer<T> made(channels, {.eps = eps, .momentum = momentum, .apply_act = apply_act, .layout = layout});
                made.frozen = !train;
                return made;
            });
        };
        if (layer == "B0")
            compare.operator()<nn::EvoNormB0>();
        else if (layer == "B1")
            compare.operator()<nn::EvoNormB1>();
        else if (layer == "B2")
            compare.operator()<nn::EvoNormB2>();
        else
            FAIL("no such layer");
    });
}

namespace {

template <template <class> class Layer, template <class> class LayerA>
void compare_s(const char* file, const std::string& layer) {
    for_each_golden_case("evonorm", file, [&](GoldenCase& golden) {
        const std::string name = first_part(golden);
        const weft::index channels = golden.shape("x")[1];
        nn::EvoNormSOptions options{.groups = golden.option("groups", weft::index{32}),
                                    .eps = golden.option("eps", 0.0),
                                    .apply_act = golden.option("apply_act", true)};
        const auto make = [&]<class T>(T, Layout layout) {
            options.layout = layout;
            return Layer<T>(channels, options);
        };
        const auto make_a = [&]<class T>(T, Layout layout) {
            options.layout = layout;
            return LayerA<T>(channels, options);
        };
        if (name == layer)
            compare_all(golden, make);
        else if (name == layer + "a")
            compare_all(golden, make_a);
        else
            FAIL("no such layer");
    });
}
template <class T>
using S1 = nn::EvoNormS1<T>;
template <class T>
using S1a = nn::EvoNormS1a<T>;
template <class T>
using S2 = nn::EvoNormS2<T>;
template <class T>
using S2a = nn::EvoNormS2a<T>;

} // namespace

TEST_CASE("evonorm: golden, S0", "[nn][golden]") { compare_s<nn::EvoNormS0, nn::EvoNormS0a>("evonorm_s0", "S0"); }
TEST_CASE("evonorm: golden, S1", "[nn][golden]") { compare_s<S1, S1a>("evonorm_s1", "S1"); }
TEST_CASE("evonorm: golden, S2", "[nn][golden]") { compare_s<S2, S2a>("evonorm_s2", "S2"); }

TEST_CASE("normalisations: golden", "[nn][golden]") {
    for_each_golden_case("evonorm", "baseline_norms", [](GoldenCase& golden) {
        const std::string layer = first_part(golden);
        const double eps = golden.option("eps", 0.0);
        const weft::index channels = golden.shape("x")[1];
        if (layer == "batchnorm") {
            const double momentum = golden.option("momentum", 0.1);
            const bool train = golden.option("train", false);
            compare_all(golden, [&]<class T>(T, Layout layout) {
                nn::BatchNorm<T> made(channels, {.eps = eps, .momentum = momentum, .layout = layout});
                made.frozen = !train;
                return made;
            });
        } else if (layer == "groupnorm") {
            const weft::index groups = golden.option("groups", weft::index{1});
            compare_all(golden, [&]<class T>(T, Layout layout) {
                return nn::GroupNorm<T>(groups, channels, {.eps = eps, .layout = layout});
            });
        } else if (layer == "instancenorm") {
            compare_all(golden, [&]<class T>(T, Layout layout) {
                return nn::InstanceNorm<T>(channels, {.eps = eps, .affine = golden.has("gamma"), .layout = layout});
            });
        } else if (layer == "frn_tlu") {
            compare_all(golden, [&]<class T>(T, Layout layout) {
                return nn::FilterResponseNorm<T>(channels, {.eps = eps, .layout = layout});
            });
        } else if (layer == "layernorm") {
            compare_rows(golden, [&]<class T>(T) { return nn::LayerNorm<T>(channels, {.eps = eps}); });
        } else if (layer == "rmsnorm") {
            compare_rows(golden, [&]<class T>(T) { return nn::RMSNorm<T>(channels, {.eps = eps}); });
        } else if (layer == "scalenorm") {
            compare_rows(golden, [&]<class T>(T) { return nn::ScaleNorm<T>(channels, eps); });
        } else {
            FAIL("no such layer");
        }
    });
}
