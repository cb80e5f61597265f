// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/nn/linear.hpp>
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
    same(nn::GELU{}, gelu(x));
    same(nn::SiLU{}, silu(x));
    same(nn::Tanh{}, tanh(x));
    same(nn::Sigmoid{}, sigmoid(x));
    same(nn::Identity{}, x);
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
