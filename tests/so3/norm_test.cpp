// SPDX-License-Identifier: MIT
#include "so3/derivatives.hpp"
#include "so3/equivariance.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/so3/norm_activation.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Function, so3::Irreps, so3::Norm;

TEST_CASE("Norm: as in e3nn", "[so3][golden]") {
    for (const char* name : {"norm", "norm_squared", "norm_zero"})
        with_golden_case("equivariant-core", "activation_gate", name, [&](GoldenCase& g) {
            const Norm norm(g.metadata().at("norm"), g.name() == "norm_squared");
            if (g.name() != "norm_zero") return check_derivatives(g, norm, Input<2>{"x"});
            g.compare("y", norm(Tensor<double, 2>::zeros({g.shape("y")[0], norm.irreps_in().dim()})));
        });
}

TEST_CASE("NormActivation: as in e3nn", "[so3][golden]") {
    for_each_golden_case(
        "equivariant-core", "activation_gate",
        [](GoldenCase& g) {
            const Irreps irreps = g.option("irreps", std::string());
            const Function f = so3::function_named(g.option("act", std::string()));
            const so3::NormActivationOptions options{.epsilon = g.option("epsilon", 1e-8),
                                                     .bias = g.option("bias", false)};
            if (options.bias) {
                const auto with_bias = [&](const auto& x, const auto& bias) {
                    using T = typename std::remove_cvref_t<decltype(x)>::value_type;
                    so3::NormActivation<T> layer(irreps, f, options);
                    layer.biases = weft::Parameter<T, 1>(bias.node(), bias.offset(), bias.shape(), bias.strides());
                    return layer(x);
                };
                check_derivatives(g, with_bias, Input<2>{"x"}, Input<1>{"bias"});
            } else {
                const auto layer = [&](const auto& x) {
                    return so3::NormActivation<typename std::remove_cvref_t<decltype(x)>::value_type>(irreps, f,
                                                                                                      options)(x);
                };
                check_derivatives(g, layer, Input<2>{"x"});
            }
        },
        [](const GoldenCase& g) { return g.name().starts_with("na_"); });
}

TEST_CASE("Norm: of zero vectors the gradient is 0", "[so3]") {
    const Norm norm("2x1o+1x0e");
    const Var<double, 2> x{Tensor<double, 2>::zeros({2, 7})};
    const auto y = norm(x);
    weft::backward(y, Tensor<double, 2>::ones({2, 3}));
    for (const double g : x.grad().values()) REQUIRE(g == 0);
    REQUIRE(norm.irreps_out() == Irreps("2x0e+1x0e"));
}

TEST_CASE("Norm, NormActivation: follow rotations", "[so3]") {
    const Irreps irreps = "3x0o+2x0e+0x1o+2x1e+1x2o+2x3o+1x6e";
    require_equivariant(irreps, Norm(irreps).irreps_out(), Norm(irreps));
    require_equivariant(irreps, Norm(irreps, true).irreps_out(), Norm(irreps, true));
    for (const bool normalize : {false, true}) {
        const auto layer = [&](const auto& x) {
            using T = typename std::remove_cvref_t<decltype(x)>::value_type;
            so3::NormActivation<T> made(irreps, Function::tanh, {.normalize = normalize, .bias = true});
            made.biases->set_value(numbers<T, 1>({irreps.num_irreps()}, 3));
            return made(x);
        };
        require_equivariant(irreps, irreps, layer);
        weft::expect_grad<2>(layer, numbers<double, 2>({2, irreps.dim()}));
    }
    // |x| f x grows with |x|^2 without normalisation
    const so3::NormActivation<double> identity("1x1o", Function::identity, {.normalize = false});
    const auto y = identity(Tensor<double, 2>::from({{3, 0, 4}}));
    REQUIRE(y(0, 0) == 15);
    REQUIRE(y(0, 2) == 20);
}

TEST_CASE("Norm, NormActivation: no rows, any number of threads, errors", "[so3]") {
    REQUIRE(Norm("2x1o")(numbers<float, 2>({0, 6})).shape() == Extents<2>{0, 2});
    REQUIRE(Norm("0x1o")(numbers<float, 2>({3, 0})).shape() == Extents<2>{3, 0});
    const so3::NormActivation<float> layer("5x0e+4x1o+3x2e", Function::silu, {.bias = true});
    REQUIRE(layer(numbers<float, 2>({0, 32})).shape() == Extents<2>{0, 32});
    REQUIRE(layer(numbers<float, 3>({2, 3, 32})).shape() == Extents<3>{2, 3, 32});
    REQUIRE(weft::nn::parameter_count(layer) == 12);
    const auto x = numbers<float, 2>({1100, 32}), dy = numbers<float, 2>({1100, 32}, 2);
    require_thread_independent([&] {
        const Var v{x};
        weft::backward(layer(v), dy);
        return v.grad();
    });
    REQUIRE(error_of([] {
                (void)Norm("2x1o")(numbers<float, 2>({2, 5}));
            }) == "weft: Norm: x is [2, 5]: its last extent must be 6, the dimension of 2x1o");
    REQUIRE_THAT(error_of([] { so3::NormActivation<float>("2x1o", Function::silu, {.epsilon = 0}); }),
                 ContainsSubstring("epsilon is 0: must be positive"));
    REQUIRE_THAT(error_of([] {
                     (void)so3::scale_copies("2x1o", numbers<float, 2>({2, 6}), numbers<float, 2>({1, 2}));
                 }),
                 ContainsSubstring("s must be [2, 2]"));
    REQUIRE_THAT(error_of([] {
                     (void)so3::dot_copies("2x1o", numbers<float, 2>({2, 6}), numbers<float, 2>({1, 6}));
                 }),
                 ContainsSubstring("they must be equal"));
}
