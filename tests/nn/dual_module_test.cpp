// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/ops/tanh.hpp>
#include <weft/core/reduce.hpp>
#include <weft/nn/dual_module.hpp>
#include <weft/nn/linear.hpp>

using namespace weft_test;
using weft::Dual, weft::Tensor, weft::Var;
namespace nn = weft::nn;

TEST_CASE("dual_module: the derivative of parameters' gradients in a direction", "[nn]") {
    const nn::Linear<double> net(3, 2);
    const nn::Linear<Dual<double>> twin(3, 2);
    const auto x = numbers<double, 2>({4, 3}, 1), direction = numbers<double, 2>({4, 3}, 2);
    nn::set_values_of_dual(net, twin);
    backward(weft::sum(tanh(twin(Var{weft::with_tangent(x, direction)}))));
    nn::add_tangents_of_gradients(twin, net);
    std::vector<Tensor<double, 1>> tangents;
    nn::for_each_parameter(net, [&](std::string_view, auto p) {
        tangents.push_back(weft::flatten(p.grad()));
        p.clear_grad();
    });
    const double step = 1e-5;
    const auto gradients = [&](double at) {
        std::vector<Tensor<double, 1>> all;
        backward(weft::sum(tanh(net(Var{Tensor<double, 2>(x + direction * at)}))));
        nn::for_each_parameter(net, [&](std::string_view, auto p) {
            all.push_back(weft::flatten(p.grad()));
            p.clear_grad();
        });
        return all;
    };
    const auto ahead = gradients(step), back = gradients(-step);
    for (std::size_t k = 0; k < tangents.size(); ++k)
        for (weft::index i = 0; i < tangents[k].size(); ++i)
            REQUIRE(std::abs(tangents[k](i) - (ahead[k](i) - back[k](i)) / (2 * step)) < 1e-8);

    REQUIRE_THROWS_WITH(nn::set_values_of_dual(nn::Linear<double>(4, 2), twin), ContainsSubstring("same parameters"));
    REQUIRE_THROWS_WITH(weft::with_tangent(x, numbers<double, 2>({3, 3})), ContainsSubstring("tangents"));
}

TEST_CASE("requires_grad: parameters without it get no gradient", "[nn]") {
    const nn::Linear<double> net(3, 2);
    const Var x{numbers<double, 2>({4, 3}, 1)};
    nn::requires_grad(net, false);
    backward(weft::sum(net(x)));
    REQUIRE(x.has_grad());
    nn::for_each_parameter(net, [](std::string_view, const auto& p) { REQUIRE_FALSE(p.has_grad()); });
    nn::requires_grad(net, true);
    backward(weft::sum(net(x)));
    nn::for_each_parameter(net, [](std::string_view, const auto& p) { REQUIRE(p.has_grad()); });
}
