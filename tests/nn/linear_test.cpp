// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn/linear.hpp>

using namespace weft_test;
using weft::Extents, weft::Generator, weft::Tensor, weft::Var;
namespace nn = weft::nn;

TEST_CASE("linear: x W^T + b for every rank", "[nn]") {
    Generator generator{3};
    const nn::Linear<double> layer{3, 5, {.generator = &generator}};
    const auto w = layer.weight.value();
    const auto b = layer.bias->value();
    const auto x = numbers<double, 3>({2, 4, 3});
    const Tensor<double, 3> y = layer(x);
    REQUIRE(y.shape() == Extents<3>{2, 4, 5});
    for (weft::index i = 0; i < 2; ++i)
        for (weft::index j = 0; j < 4; ++j) {
            const Tensor<double, 1> row = layer(weft::select_index(weft::select_index(x, 0, i), 0, j));
            for (weft::index o = 0; o < 5; ++o) {
                double sum = b(o);
                for (weft::index k = 0; k < 3; ++k) sum += w(o, k) * x(i, j, k);
                REQUIRE(y(i, j, o) == Approx(sum).epsilon(1e-13));
                REQUIRE(row(o) == Approx(sum).epsilon(1e-13));
            }
        }
    const Tensor<double, 2> lazy = layer(2.0 * weft::reshape(x, {8, 3}) - weft::reshape(x, {8, 3}));
    REQUIRE(lazy(7, 4) == Approx(y(1, 3, 4)).epsilon(1e-13));
    REQUIRE(Tensor<double, 2>(layer(Tensor<double, 2>::zeros({0, 3}))).shape() == Extents<2>{0, 5});
    REQUIRE(nn::Linear<double>(0, 2)(Tensor<double, 2>::zeros({3, 0})).shape() == Extents<2>{3, 2});
}

TEST_CASE("linear: gradients of input, weight and bias", "[nn]") {
    const nn::Linear<double> layer{3, 2};
    const auto x = numbers<double, 2>({4, 3});
    const auto r = numbers<double, 2>({4, 2}, 9);
    const Var<double, 2> input{x};
    const Var loss = weft::sum(layer(input) * r);
    weft::backward(loss);
    const auto w = layer.weight.value();
    for (weft::index i = 0; i < 4; ++i)
        for (weft::index k = 0; k < 3; ++k)
            REQUIRE(input.grad()(i, k) == Approx(r(i, 0) * w(0, k) + r(i, 1) * w(1, k)).epsilon(1e-13));
    for (weft::index o = 0; o < 2; ++o) {
        double bias = 0;
        for (weft::index i = 0; i < 4; ++i) bias += r(i, o);
        REQUIRE(layer.bias->grad()(o) == Approx(bias).epsilon(1e-13));
        for (weft::index k = 0; k < 3; ++k) {
            double sum = 0;
            for (weft::index i = 0; i < 4; ++i) sum += r(i, o) * x(i, k);
            REQUIRE(layer.weight.grad()(o, k) == Approx(sum).epsilon(1e-13));
        }
    }
}

TEST_CASE("linear: layers without a generator differ; the same generator repeats", "[nn]") {
    const nn::Linear<float> a{8, 8}, b{8, 8};
    REQUIRE(!same_bits(a.weight.value(), b.weight.value()));
    Generator first{5}, second{5};
    const nn::Linear<float> c{8, 8, {.generator = &first}}, d{8, 8, {.generator = &second}},
        e{8, 8, {.generator = &first}};
    REQUIRE(same_bits(c.weight.value(), d.weight.value()));
    REQUIRE(!same_bits(c.weight.value(), e.weight.value()));
}

TEST_CASE("linear: errors", "[nn]") {
    const nn::Linear<float> layer{4, 2, {.bias = false}};
    REQUIRE(!layer.bias);
    REQUIRE(error_of([&] {
                (void)layer(Tensor<float, 2>::zeros({3, 5}));
            }) ==
            "weft: Linear: x is [3, 5], weight is [2, 4]: the last extent of x must be 4, the number of features in");
    REQUIRE_THAT(error_of([] { nn::Linear<float>(-1, 2); }), ContainsSubstring("-1 features in"));
}

TEST_CASE("init: moments and bounds", "[nn]") {
    Generator generator{11};
    auto x = Tensor<double, 3>::empty({7, 60, 140});
    const double n = static_cast<double>(x.size());
    const auto check = [&](double deviation, double bound) {
        double sum = 0, square = 0, largest = 0;
        for (const double v : x.values()) {
            sum += v;
            square += v * v;
            largest = std::max(largest, std::abs(v));
        }
        REQUIRE(std::abs(sum / n) < 4 * deviation / std::sqrt(n));
        REQUIRE(square / n == Approx(deviation * deviation).epsilon(4 * std::sqrt(2 / n)));
        REQUIRE(largest <= bound);
        REQUIRE(largest > 0.999 * std::min(bound, 4 * deviation));
    };
    const double none = std::numeric_limits<double>::infinity();
    nn::glorot_uniform(x, generator, 2);
    check(2 * std::sqrt(2.0 / 200), 2 * std::sqrt(6.0 / 200));
    nn::glorot_normal(x, generator);
    check(std::sqrt(2.0 / 200), none);
    nn::kaiming_uniform(x, generator, {.negative_slope = std::sqrt(5.0)});
    check(1 / std::sqrt(3.0 * 140), 1 / std::sqrt(140.0));
    nn::kaiming_normal(x, generator, {.fan = nn::Fan::out});
    check(std::sqrt(2.0 / 60), none);
    nn::ones(x);
    REQUIRE(x(6, 59, 139) == 1);
    nn::zeros(x);
    REQUIRE(x(0, 0, 0) == 0);
    const nn::Linear<double> layer{100, 400};
    x = Tensor<double, 3>(weft::unsqueeze(layer.weight.value(), 0));
    double largest = 0;
    for (const double v : x.values()) largest = std::max(largest, std::abs(v));
    REQUIRE(largest <= 0.1);
    REQUIRE(largest > 0.0999);
    auto d = Tensor<weft::Dual<double>, 2>::full({3, 3}, {1, 1});
    nn::glorot_uniform(d, generator);
    REQUIRE(d(1, 1).tangent == 0);
    REQUIRE(d(1, 1).value != 1);
}
