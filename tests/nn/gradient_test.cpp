// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/ops.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/nn/linear.hpp>
#include <weft/nn/loss.hpp>

using namespace weft_test;
using weft::expect_grad, weft::Tensor;
using weft::nn::Reduction;
namespace nn = weft::nn;

namespace {

// Class weights in the scalar of the logits.
template <class E>
auto options_for(double smoothing) {
    using T = typename E::value_type;
    auto weight = Tensor<T, 1>::ones({19});
    for (weft::index i = 0; i < 19; ++i) weight(i) = T(0.5 + 0.1 * static_cast<double>(i));
    return nn::CrossEntropyOptions<T>{.weight = weight, .label_smoothing = smoothing};
}

} // namespace

TEST_CASE("gradient: cross entropy to second order", "[nn]") {
    const auto x = numbers<double, 2>({6, 19});
    const auto labels = Tensor<std::int32_t, 1>::from({3, 0, -100, 18, 7, 7});
    const auto subset = Tensor<std::int32_t, 1>::from({5, 0, 5, 2});
    for (const double smoothing : {0.0, 0.2}) {
        expect_grad(
            [&](const auto& a) {
                return nn::cross_entropy(a, labels, options_for<std::remove_cvref_t<decltype(a)>>(smoothing));
            },
            x);
        expect_grad(
            [&](const auto& a) {
                const auto options = options_for<std::remove_cvref_t<decltype(a)>>(smoothing);
                return nn::cross_entropy<Reduction::none>(a, labels, subset, options);
            },
            x);
    }
    expect_grad([&](const auto& a) { return nn::nll_loss<Reduction::sum>(a, labels, subset); }, x);
}

TEST_CASE("gradient: losses of two operands", "[nn]") {
    const auto x = numbers<double, 2>({3, 7}), y = numbers<double, 2>({3, 7}, 4);
    expect_grad([](const auto& a, const auto& b) { return nn::mse_loss(a, b); }, x, y);
    expect_grad([](const auto& a, const auto& b) { return nn::l1_loss(a, b); }, x, y);
    expect_grad([](const auto& a, const auto& b) { return nn::binary_cross_entropy_with_logits(a, b); }, x, y);
}

TEST_CASE("gradient: linear layers", "[nn]") {
    const nn::Linear<double> layer{5, 3};
    expect_grad<1>([&](const auto& x) { return layer(x); }, numbers<double, 3>({2, 4, 5}));
}
