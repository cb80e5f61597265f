// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/nn/gated_linear_unit.hpp>
#include <weft/nn/linear.hpp>
#include <weft/nn/prelu.hpp>
#include <weft/nn/sequential.hpp>

using namespace weft_test;
using weft::Tensor;
namespace nn = weft::nn;

TEST_CASE("activation: modules are the functions of their names", "[nn]") {
    const auto x = numbers<float, 2>({5, 7});
    const auto same = [&](const auto& module, const auto& expected) {
        REQUIRE(same_bits(Tensor<float, 2>(module(x)), Tensor<float, 2>(expected)));
        REQUIRE(nn::parameter_count(module) == 0);
    };
    same(nn::ReLU{}, relu(x));
    same(nn::LeakyReLU{}, leaky_relu(x));
    same(nn::LeakyReLU{0.2}, leaky_relu(x, 0.2));
    same(nn::ELU{}, elu(x));
    same(nn::ELU{0.5}, elu(x, 0.5));
    same(nn::CELU{}, celu(x));
    same(nn::CELU{0.5}, celu(x, 0.5));
    same(nn::SELU{}, selu(x));
    same(nn::ReLU6{}, relu6(x));
    same(nn::SquaredReLU{}, squared_relu(x));
    same(nn::GELU{}, gelu(x));
    same(nn::GELUTanh{}, gelu_tanh(x));
    same(nn::QuickGELU{}, quick_gelu(x));
    same(nn::SiLU{}, silu(x));
    same(nn::Mish{}, mish(x));
    same(nn::Hardswish{}, hardswish(x));
    same(nn::Tanh{}, tanh(x));
    same(nn::Hardtanh{}, hardtanh(x));
    same(nn::Sigmoid{}, sigmoid(x));
    same(nn::Hardsigmoid{}, hardsigmoid(x));
    same(nn::LogSigmoid{}, logsigmoid(x));
    same(nn::Softplus{}, softplus(x));
    same(nn::Squareplus{}, squareplus(x));
    same(nn::Squareplus{1}, squareplus(x, 1));
    same(nn::Softsign{}, softsign(x));
    same(nn::Identity{}, x);
    const auto halves = numbers<float, 2>({5, 6});
    const auto a = slice(halves, 1, 0, 3), b = slice(halves, 1, 3);
    REQUIRE(same_bits(Tensor<float, 2>(nn::GLU{}(halves)), Tensor<float, 2>(a * sigmoid(b))));
    REQUIRE(same_bits(Tensor<float, 2>(nn::SwiGLU{}(halves)), Tensor<float, 2>(a * silu(b))));
    REQUIRE(same_bits(Tensor<float, 2>(nn::GEGLU{}(halves)), Tensor<float, 2>(a * gelu(b))));
    REQUIRE(same_bits(Tensor<float, 2>(nn::GEGLUTanh{}(halves)), Tensor<float, 2>(a * gelu_tanh(b))));
    REQUIRE(same_bits(Tensor<float, 2>(nn::ReGLU{}(halves)), Tensor<float, 2>(a * relu(b))));
    REQUIRE(same_bits(Tensor<float, 2>(nn::BilinearGLU{}(halves)), Tensor<float, 2>(a * b)));
}

TEST_CASE("activation: PReLU has a weight for each channel, or one", "[nn]") {
    nn::PReLU<double> one, four(4, -0.5);
    REQUIRE(nn::parameter_count(four) == 4);
    const auto x = numbers<double, 3>({2, 4, 3});
    const Tensor<double, 3> y = one(x), z = four(x);
    for (weft::index i = 0; i < x.size(); ++i) {
        const double v = x.data()[i];
        REQUIRE(y.data()[i] == (v > 0 ? v : 0.25 * v));
        REQUIRE(z.data()[i] == (v > 0 ? v : -0.5 * v));
    }
    four.weight.set_value(numbers<double, 1>({4}, 2));
    weft::expect_grad<1>(one, numbers<double, 1>({4}));
    weft::expect_grad<1>(four, numbers<double, 2>({3, 4}));
    weft::expect_grad<1>(four, x);
    REQUIRE(error_of([&] {
                four(numbers<double, 2>({4, 3}));
            }) == "weft: PReLU: x is [4, 3], weight is [4]: there must be 1 weight, or 3, one for each channel");
    REQUIRE(error_of([] { nn::PReLU<float>(-1); }) == "weft: PReLU: channels is -1: must not be negative");
    REQUIRE(Tensor<double, 2>(four(Tensor<double, 2>::zeros({0, 4}))).shape() == weft::Extents<2>{0, 4});
}

TEST_CASE("activation: gated linear units", "[nn]") {
    const auto x = numbers<double, 3>({2, 3, 8});
    weft::expect_grad<1>(nn::GLU{}, x);
    weft::expect_grad<1>(nn::SwiGLU{}, x);
    weft::expect_grad<1>(nn::BilinearGLU{}, x);
    const nn::Sequential network{nn::Linear<double>(8, 6), nn::GEGLU{}, nn::Linear<double>(3, 2)};
    weft::expect_grad<1>(network, numbers<double, 2>({5, 8}));
    REQUIRE(error_of([&] {
                nn::ReGLU{}(numbers<float, 2>({4, 3}));
            }) == "weft: gated linear unit: x is [4, 3]: its last extent must be even");
    REQUIRE(Tensor<float, 2>(nn::GLU{}(Tensor<float, 2>::zeros({3, 0}))).shape() == weft::Extents<2>{3, 0});
}

TEST_CASE("activation: a perceptron of modules trains", "[nn]") {
    const nn::Sequential network{nn::Linear<double>(3, 4),
                                 nn::Tanh{},
                                 nn::Linear<double>(4, 4),
                                 nn::LeakyReLU{0.1},
                                 nn::ELU{0.7},
                                 nn::GELU{},
                                 nn::SiLU{},
                                 nn::Sigmoid{}};
    const auto x = numbers<double, 2>({5, 3});
    weft::expect_grad<1>(network, x);
}
