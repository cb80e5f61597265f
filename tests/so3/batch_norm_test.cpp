// SPDX-License-Identifier: MIT
#include "so3/derivatives.hpp"
#include "so3/equivariance.hpp"

#include <weft/core/format.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/nn/state_dict.hpp>
#include <weft/so3/batch_norm.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Irreps;

namespace {

so3::BatchNormOptions options_of(const GoldenCase& g) {
    const auto reduce = g.option("reduce", std::string("mean")),
               normalization = g.option("normalization", std::string("component"));
    REQUIRE((reduce == "mean" || reduce == "max"));
    REQUIRE((normalization == "component" || normalization == "norm"));
    return {.eps = g.option("eps", 1e-5),
            .momentum = g.option("momentum", 0.1),
            .affine = g.option("affine", true),
            .reduce = reduce == "max" ? so3::SampleReduction::max : so3::SampleReduction::mean,
            .instance = g.option("instance", false),
            .normalization =
                normalization == "norm" ? so3::FeatureNormalization::norm : so3::FeatureNormalization::component};
}
template <class T, class V>
weft::Parameter<T, 1> parameter_of(const V& leaf) {
    return weft::Parameter<T, 1>(leaf.node(), leaf.offset(), leaf.shape(), leaf.strides());
}
template <class X>
using scalar_of = typename std::remove_cvref_t<X>::value_type;

template <int N>
void check(GoldenCase& g, const Irreps& irreps, const so3::BatchNormOptions& options) {
    const auto layer = [&](const auto& x, const auto&... affine) {
        using T = scalar_of<decltype(x)>;
        so3::BatchNorm<T> made(irreps, options);
        if constexpr (sizeof...(affine) == 2) std::tie(made.weight, made.bias) = std::pair(parameter_of<T>(affine)...);
        return made(x);
    };
    if (options.affine)
        check_derivatives(g, layer, Input<N>{"x"}, Input<1>{"w"}, Input<1>{"b"});
    else
        check_derivatives(g, layer, Input<N>{"x"});

    const auto run = [&]<class T>(T) {
        so3::BatchNorm<T> made(irreps, options);
        if (options.affine) {
            made.weight->set_value(g.get<T, 1>("w"));
            made.bias->set_value(g.get<T, 1>("b"));
        }
        if (!options.instance) {
            made.running_mean = g.get<T, 1>("running_mean_before");
            made.running_var = g.get<T, 1>("running_var_before");
        }
        const auto x = g.get<T, N>("x");
        g.compare("y_eval", made(x)); // with the statistics before
        made.frozen = true;
        g.compare("y_eval", made(Var<T, N>{x}).value());
        made.frozen = false;
        (void)made(Var<T, N>{x});
        if (options.instance) return;
        g.compare("running_mean_after", made.running_mean);
        g.compare("running_var_after", made.running_var);
    };
    run(double{});
    run(float{});
}

} // namespace

TEST_CASE("BatchNorm: as in e3nn", "[so3][golden]") {
    for_each_golden_case(
        "equivariant-core", "batchnorm_layernorm",
        [](GoldenCase& g) {
            const Irreps irreps = g.metadata().at("irreps");
            const auto options = options_of(g);
            if (g.option("shape", std::vector<weft::index>()).size() == 1)
                check<2>(g, irreps, options);
            else
                check<3>(g, irreps, options);
        },
        [](const GoldenCase& g) { return g.name().starts_with("bn_"); });
}

TEST_CASE("BatchNorm: follows rotations", "[so3]") {
    const Irreps irreps = "3x0e+2x0o+0x1o+2x1e+1x2o+2x0e+1x4e";
    for (const auto normalization : {so3::FeatureNormalization::component, so3::FeatureNormalization::norm})
        for (const auto reduce : {so3::SampleReduction::mean, so3::SampleReduction::max})
            for (const bool instance : {false, true}) {
                const so3::BatchNormOptions options{
                    .reduce = reduce, .instance = instance, .normalization = normalization};
                const auto layer = [&](const auto& x) {
                    using T = scalar_of<decltype(x)>;
                    so3::BatchNorm<T> made(irreps, options);
                    made.weight->set_value(numbers<T, 1>({irreps.num_irreps()}, 3));
                    made.bias->set_value(numbers<T, 1>({5}, 3));
                    return made(x);
                };
                // training, and with the running statistics
                require_equivariant(irreps, irreps,
                                    [&](const auto& x) { return layer(Var<scalar_of<decltype(x)>, 2>{x}).value(); });
                require_equivariant(irreps, irreps, layer);
            }
}

TEST_CASE("BatchNorm: the batch has mean 0 and second moment 1, gradients, parameters", "[so3]") {
    const so3::BatchNorm<double> layer("2x0e+3x1o", {.eps = 0});
    const auto x = numbers<double, 2>({50, 11});
    const Tensor<double, 2> y = layer(Var<double, 2>{x}).value();
    for (weft::index u = 0; u < 5; ++u) {
        double mean = 0, square = 0;
        for (weft::index i = 0; i < 50; ++i)
            for (weft::index m = 0; m < (u < 2 ? 1 : 3); ++m) {
                const double value = y(i, u < 2 ? u : 2 + 3 * (u - 2) + m);
                mean += value / 50;
                square += value * value / 50 / (u < 2 ? 1 : 3);
            }
        if (u < 2) REQUIRE(std::abs(mean) < 1e-12);
        REQUIRE(std::abs(square - 1) < 1e-12);
    }
    for (const auto reduce : {so3::SampleReduction::mean, so3::SampleReduction::max}) {
        const auto instance = [&](const auto& v) {
            return so3::BatchNorm<scalar_of<decltype(v)>>("2x0e+1x1o",
                                                          {.eps = 0.5, .reduce = reduce, .instance = true})(v);
        };
        weft::expect_grad<2>(instance, numbers<double, 3>({2, 4, 5}));
    }
    std::vector<std::string> names;
    weft::nn::for_each_parameter(layer, [&](std::string_view name, const auto&) { names.emplace_back(name); });
    weft::nn::for_each_buffer(layer, [&](std::string_view name, const auto&) { names.emplace_back(name); });
    REQUIRE(names == std::vector<std::string>{"weight", "bias", "running_mean", "running_var"});
}

TEST_CASE("BatchNorm: no rows, no copies, any number of threads, errors", "[so3]") {
    const so3::BatchNorm<float> layer("5x0e+4x1o+3x2e");
    REQUIRE(layer(numbers<float, 2>({0, 32})).shape() == Extents<2>{0, 32});
    REQUIRE(layer(Var{numbers<float, 2>({0, 32})}).shape() == Extents<2>{0, 32});
    REQUIRE(layer.running_var(0) == 1);
    REQUIRE(so3::BatchNorm<float>("0x1o+0x0e")(Var{numbers<float, 2>({3, 0})}).shape() == Extents<2>{3, 0});
    REQUIRE(layer(Var{numbers<float, 4>({2, 3, 4, 32})}).shape() == Extents<4>{2, 3, 4, 32});
    const auto x = numbers<float, 2>({2100, 32}), dy = numbers<float, 2>({2100, 32}, 2);
    require_thread_independent([&] {
        const Var v{x};
        weft::backward(layer(v), dy);
        return v.grad();
    });
    REQUIRE(error_of([&] {
                (void)layer(numbers<float, 2>({2, 31}));
            }) == "weft: BatchNorm: x is [2, 31]: its last extent must be 32, the dimension of 5x0e+4x1o+3x2e");
    REQUIRE(error_of([] { so3::BatchNorm<float>("2x0e", {.momentum = 2}); }) ==
            "weft: BatchNorm: momentum is 2: must be in [0, 1]");
}
