// SPDX-License-Identifier: MIT
// GRUCell and LSTM; their numbers are compared with PyTorch's as parts of GatedGraphConv and JumpingKnowledge.
#include "core/tensor_checks.hpp"

#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/nn/gru_cell.hpp>
#include <weft/nn/lstm.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace nn = weft::nn;

TEST_CASE("recurrent: names and shapes of parameters are those of PyTorch", "[nn]") {
    const auto names = [](const auto& module) {
        std::string text;
        nn::for_each_parameter(module, [&](std::string_view name, const auto& parameter) {
            text += std::string(name) + " " + std::to_string(parameter.extent(0)) + "\n";
        });
        return text;
    };
    REQUIRE(names(nn::GRUCell<float>(3, 5)) == "weight_ih 15\nweight_hh 15\nbias_ih 15\nbias_hh 15\n");
    REQUIRE(names(nn::GRUCell<float>(3, 5, {.bias = false})) == "weight_ih 15\nweight_hh 15\n");
    REQUIRE(names(nn::LSTM<float>(3, 2, {.bidirectional = true, .bias = false})) ==
            "weight_ih_l0 8\nweight_hh_l0 8\nweight_ih_l0_reverse 8\nweight_hh_l0_reverse 8\n");
}

TEST_CASE("recurrent: initial values are bounded by the width of the state", "[nn]") {
    const nn::GRUCell<float> cell(1, 400);
    double largest = 0;
    nn::for_each_parameter(cell, [&](std::string_view, const auto& parameter) {
        for (const float value : parameter.value().values()) largest = std::max(largest, std::abs(double(value)));
    });
    REQUIRE(largest <= 0.05f);
    REQUIRE(largest > 0.0499);
}

TEST_CASE("recurrent: a step with a constant state trains all parameters", "[nn]") {
    nn::GRUCell<double> cell(3, 4);
    const auto x = numbers<double, 2>({5, 3}), h = numbers<double, 2>({5, 4});
    const auto train = [&](const Var<double, 2>& y) {
        nn::clear_grad(cell);
        backward(Var(sum(square(y))));
        nn::for_each_parameter(cell, [&](std::string_view, const auto& p) { REQUIRE(p.has_grad()); });
    };
    train(cell(Var{x}, h));
    train(cell(x, Var{h}));
    REQUIRE(same_bits(Tensor<double, 2>(cell(x, h)), Tensor<double, 2>(cell(Var{x}, h).value())));
}

TEST_CASE("recurrent: gradients", "[nn]") {
    const nn::LSTM<double> lstm(3, 2, {.bidirectional = true});
    const auto x = numbers<double, 2>({4, 3}, 1), y = numbers<double, 2>({4, 3}, 2);
    weft::expect_grad<1>(
        [&](const auto& a, const auto& b) {
            const auto states = lstm(std::vector{eval(a), eval(b), eval(a * b)});
            return concat(1, states);
        },
        x, y);
}

TEST_CASE("recurrent: the reverse unit reads from the last step to the first", "[nn]") {
    nn::LSTM<double> lstm(3, 2, {.bidirectional = true});
    const std::vector steps{numbers<double, 2>({4, 3}, 1), numbers<double, 2>({4, 3}, 2),
                            numbers<double, 2>({4, 3}, 3)};
    const std::vector backwards(steps.rbegin(), steps.rend());
    nn::LSTM<double> swapped = lstm;
    std::swap(swapped.forward, *swapped.reverse);
    const auto a = lstm(steps), b = swapped(backwards);
    for (std::size_t t = 0; t < 3; ++t) {
        REQUIRE(a[t].shape() == Extents<2>{4, 4});
        REQUIRE(same_bits(Tensor<double, 2>(slice(a[t], 1, 0, 2)), Tensor<double, 2>(slice(b[2 - t], 1, 2, 4))));
        REQUIRE(same_bits(Tensor<double, 2>(slice(a[t], 1, 2, 4)), Tensor<double, 2>(slice(b[2 - t], 1, 0, 2))));
    }
    REQUIRE(lstm(std::vector<Tensor<double, 2>>{}).empty());
}

TEST_CASE("recurrent: errors name the argument", "[nn]") {
    const nn::GRUCell<float> cell(3, 4);
    const auto zeros = [](weft::index rows, weft::index columns) { return Tensor<float, 2>::zeros({rows, columns}); };
    REQUIRE_THROWS_WITH(cell(zeros(5, 4), zeros(5, 4)), ContainsSubstring("GRUCell: x is [5, 4]: it must be [N, 3]"));
    REQUIRE_THROWS_WITH(cell(zeros(5, 3), zeros(6, 4)), ContainsSubstring("h must be [5, 4]"));
    const nn::LSTM<float> lstm(3, 4);
    REQUIRE_THROWS_WITH(lstm(std::vector{zeros(5, 3), zeros(5, 2)}), ContainsSubstring("LSTM: x is [5, 2]"));
    REQUIRE_THROWS_WITH(lstm(std::vector{zeros(5, 3), zeros(6, 3)}), ContainsSubstring("h must be [6, 4]"));
}
