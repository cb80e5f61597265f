// SPDX-License-Identifier: MIT
#include "so3/derivatives.hpp"
#include "so3/equivariance.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/views.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/so3/dropout.hpp>
#include <weft/so3/layer_norm.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Irreps;

namespace {

template <class X>
using scalar_of = typename std::remove_cvref_t<X>::value_type;

template <class T, class V>
weft::Parameter<T, 1> parameter_of(const V& leaf) {
    return weft::Parameter<T, 1>(leaf.node(), leaf.offset(), leaf.shape(), leaf.strides());
}

/// A layer with parameters that differ from each other.
template <class Layer, class... A>
Layer layer_of(const A&... a) {
    Layer made(a...);
    weft::nn::for_each_parameter(made, [&]<class T, int N>(std::string_view, weft::Parameter<T, N>& p) {
        p.set_value(numbers<T, N>(p.shape(), 3));
    });
    return made;
}

constexpr const char* various = "3x0e+2x0o+0x1o+2x1e+1x2o+1x0e+3x3o+2x5e";

} // namespace

TEST_CASE("LayerNorm: as in Equiformer", "[so3][golden]") {
    for_each_golden_case(
        "equivariant-core", "batchnorm_layernorm",
        [](GoldenCase& g) {
            const Irreps irreps = g.metadata().at("irreps");
            const auto name = g.option("cls", std::string()),
                       normalization = g.option("normalization", std::string("component"));
            if (name == "EquivariantLayerNorm") {
                check_derivatives(
                    g, [&](const auto& x) { return so3::LengthNorm<scalar_of<decltype(x)>>(irreps)(x); },
                    Input<2>{"x"});
                return;
            }
            REQUIRE((normalization == "component" || normalization == "norm"));
            REQUIRE((name == "EquivariantLayerNormV2" || name == "EquivariantLayerNormV3"));
            const so3::LayerNormOptions options{
                .normalization =
                    normalization == "norm" ? so3::FeatureNormalization::norm : so3::FeatureNormalization::component,
                .centring = name == "EquivariantLayerNormV3" ? so3::Centring::all : so3::Centring::scalars};
            const auto layer = [&](const auto& x, const auto& w, const auto& b) {
                using T = scalar_of<decltype(x)>;
                so3::LayerNorm<T> made(irreps, options);
                made.weight = parameter_of<T>(w);
                made.bias = parameter_of<T>(b);
                return made(x);
            };
            check_derivatives(g, layer, Input<2>{"x"}, Input<1>{"w"}, Input<1>{"b"});
        },
        [](const GoldenCase& g) { return g.name().starts_with("ln_"); });
}

TEST_CASE("LayerNorm: follows rotations, gradients", "[so3]") {
    const Irreps irreps = various;
    for (const auto normalization : {so3::FeatureNormalization::component, so3::FeatureNormalization::norm})
        for (const auto centring : {so3::Centring::scalars, so3::Centring::all}) {
            const so3::LayerNormOptions options{.eps = 0.01, .normalization = normalization, .centring = centring};
            const auto layer = [&](const auto& x) {
                return layer_of<so3::LayerNorm<scalar_of<decltype(x)>>>(irreps, options)(x);
            };
            require_equivariant(irreps, irreps, layer);
            const auto plain = [&](const auto& x) {
                return so3::LayerNorm<scalar_of<decltype(x)>>(
                    "3x0e+2x1o",
                    {.eps = 0.5, .affine = false, .normalization = normalization, .centring = centring})(x);
            };
            weft::expect_grad<2>(plain, numbers<double, 2>({3, 9}));
        }
    const auto lengths = [&](const auto& x) { return layer_of<so3::LengthNorm<scalar_of<decltype(x)>>>(irreps)(x); };
    require_equivariant(irreps, irreps, lengths);
}

TEST_CASE("LayerNorm: one copy is its bias, zeros stay, names", "[so3]") {
    auto layer = layer_of<so3::LayerNorm<double>>(Irreps("1x0e+2x1o"));
    const auto y = layer(Tensor<double, 2>::from({{3, 1, 2, 3, 4, 5, 6}, {0, 0, 0, 0, 0, 0, 0}}));
    REQUIRE(y(0, 0) == layer.bias->value()(0));
    REQUIRE(y(1, 0) == layer.bias->value()(0));
    for (weft::index k = 1; k < 7; ++k) REQUIRE(y(1, k) == 0);
    std::vector<std::string> names;
    weft::nn::for_each_parameter(layer, [&](std::string_view name, const auto&) { names.emplace_back(name); });
    REQUIRE(names == std::vector<std::string>{"affine_weight", "affine_bias"});
}

TEST_CASE("LayerNorm: no rows, no copies, any number of threads, errors", "[so3]") {
    const Irreps irreps = "37x0e+4x1o+3x2e";
    const auto layer = layer_of<so3::LayerNorm<float>>(irreps);
    REQUIRE(layer(numbers<float, 2>({0, 64})).shape() == Extents<2>{0, 64});
    REQUIRE(so3::LayerNorm<float>("0x1o")(numbers<float, 2>({3, 0})).shape() == Extents<2>{3, 0});
    REQUIRE(so3::LengthNorm<float>("0x1o")(numbers<float, 2>({3, 0})).shape() == Extents<2>{3, 0});
    const auto x = numbers<float, 2>({1100, 64}), dy = numbers<float, 2>({1100, 64}, 2);
    require_thread_independent([&] {
        const Var v{x};
        const auto y = layer(v);
        weft::nn::clear_grad(layer);
        weft::backward(y, dy);
        const auto parameters = concat(0, layer.weight->grad(), layer.bias->grad());
        return Tensor<float, 1>(concat(0, flatten(v.grad()), parameters, flatten(y.value())));
    });
    const Tensor<float, 2> few = slice(x, 0, 40, 47);
    REQUIRE(same_bits(layer(few), Tensor<float, 2>(slice(layer(x), 0, 40, 47))));
    REQUIRE(error_of([&] {
                (void)layer(numbers<float, 2>({2, 31}));
            }) == "weft: LayerNorm: x is [2, 31]: its last extent must be 64, the dimension of 37x0e+4x1o+3x2e");
}

TEST_CASE("Dropout: whole copies, in training only", "[so3]") {
    const Irreps irreps = "50x0e+40x1o+30x2e";
    const so3::Dropout dropout(irreps, 0.25, weft::Generator{7});
    const auto x = numbers<double, 2>({40, irreps.dim()});
    REQUIRE(same_bits(dropout(x), x));
    const Var<double, 2> v{x};
    const auto y = dropout(v).value();
    weft::index dropped = 0;
    for (weft::index row = 0; row < 40; ++row)
        for (weft::index u = 0, at = 0; u < 120; ++u) {
            const weft::index d = u < 50 ? 1 : u < 90 ? 3 : 5;
            const bool zero = y(row, at) == 0;
            dropped += zero;
            for (weft::index m = 0; m < d; ++m, ++at)
                REQUIRE(std::abs(y(row, at) - (zero ? 0 : x(row, at) / 0.75)) < 1e-15 * 4);
        }
    REQUIRE(std::abs(double(dropped) / 4800 - 0.25) < 0.03);
    REQUIRE_FALSE(same_bits(dropout(v).value(), y)); // anew
    // The gradient has the same mask; a rotation of the copies does, too.
    const so3::Dropout again(irreps, 0.25, weft::Generator{7});
    weft::backward(again(v), x);
    REQUIRE(same_bits(v.grad(), y));
    require_equivariant(irreps, irreps, [&](const auto& input) {
        const so3::Dropout same(irreps, 0.25, weft::Generator{7});
        return same(Var{input}).value();
    });
    REQUIRE(so3::Dropout("2x1o", 1)(Var{numbers<float, 2>({1, 6})}).value()(0, 3) == 0);
    REQUIRE(dropout(Var{numbers<double, 2>({0, irreps.dim()})}).shape() == Extents<2>{0, irreps.dim()});
    REQUIRE_THAT(error_of([] { so3::Dropout("2x1o", 1.5); }), ContainsSubstring("p is 1.5"));
    REQUIRE_THAT(error_of([&] { (void)dropout(numbers<float, 2>({2, 3})); }), ContainsSubstring("last extent must be"));
}
