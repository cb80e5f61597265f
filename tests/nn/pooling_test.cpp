// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "nn/images.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/nn/pooling.hpp>
#include <weft/nn/sequential.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace nn = weft::nn;
using weft::Layout;

namespace {

template <class T, class F>
void check_golden(GoldenCase& g, Layout layout, F f) {
    const Var x{to_layout(g.get<T, 4>("x"), layout)};
    const auto y = f(x);
    REQUIRE(same_bits(y.value(), f(x.value())));
    weft::backward(y, to_layout(g.get<T, 4>("dy"), layout));
    g.compare("y", from_layout(y.value(), layout));
    g.compare("g.x", from_layout(x.grad(), layout));
}

template <class F>
void check_golden(GoldenCase& g, Layout layout, F f) {
    check_golden<double>(g, layout, f);
    check_golden<float>(g, layout, f);
}

/// [1, 1, side, side]
Tensor<double, 4> square_image(weft::index side, const std::vector<double>& values) {
    return Tensor<double, 4>::from(std::span<const double>(values), {1, 1, side, side});
}

} // namespace

TEST_CASE("pooling: as in PyTorch", "[nn][golden]") {
    for_each_golden_case(
        "nn", "convolution",
        [](GoldenCase& g) {
            const auto kernel = pair_of(g, "kernel_size"), stride = pair_of(g, "stride"),
                       padding = pair_of(g, "padding");
            const bool ceil = g.option("ceil_mode", false), average = g.options().at("op") == "avg_pool2d";
            const bool count = average && g.option("count_include_pad", true);
            for (const Layout layout : layouts)
                if (average)
                    check_golden(g, layout, nn::AvgPool2d{kernel, {stride, padding, ceil, count, layout}});
                else
                    check_golden(g, layout, nn::MaxPool2d{kernel, {stride, padding, ceil, layout}});
        },
        [](const GoldenCase& g) { return g.options().at("op") != "conv2d"; });
}

TEST_CASE("pooling: gradients", "[nn]") {
    for (const Layout layout : layouts) {
        const auto x = to_layout(numbers<double, 4>({2, 3, 5, 6}), layout);
        weft::expect_grad<2>(
            [&](const auto& a) {
                return nn::avg_pool2d(a, {3, 2}, {.stride = {2, 1}, .padding = {1, 0}, .layout = layout});
            },
            x);
        weft::expect_grad<2>(
            [&](const auto& a) { return square(nn::max_pool2d(a, 3, {.stride = 2, .padding = 1, .layout = layout})); },
            x);
    }
}

TEST_CASE("pooling: the first of equal elements, and NaN", "[nn]") {
    const double nan = std::numeric_limits<double>::quiet_NaN(), low = -std::numeric_limits<double>::infinity();
    const Var x{square_image(4, {1, 2, 2, low, 2, 1, 2, low, 0, nan, low, low, 3, 4, low, low})};
    const auto y = nn::max_pool2d(x, 2);
    REQUIRE(y.shape() == Extents<4>{1, 1, 2, 2});
    const auto values = y.value();
    REQUIRE(values(0, 0, 0, 0) == 2);
    REQUIRE(values(0, 0, 0, 1) == 2);
    REQUIRE(std::isnan(values(0, 0, 1, 0)));
    REQUIRE(values(0, 0, 1, 1) == low);
    weft::backward(y, square_image(2, {1, 2, 3, 4}));
    REQUIRE(same_bits(x.grad(), square_image(4, {0, 1, 2, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0})));
}

TEST_CASE("pooling: modules, no images, the mean of whole images", "[nn]") {
    const auto x = numbers<float, 4>({3, 2, 8, 6});
    const nn::Sequential net{nn::MaxPool2d{2}, nn::AvgPool2d{{4, 3}}};
    REQUIRE(Tensor<float, 4>(net(x)).shape() == Extents<4>{3, 2, 1, 1});
    REQUIRE(nn::max_pool2d(Tensor<float, 4>::zeros({0, 2, 4, 4}), 2).shape() == Extents<4>{0, 2, 2, 2});
    const Tensor<float, 4> whole = nn::avg_pool2d(x, {8, 6});
    const Tensor<float, 2> mean = weft::mean<2, 3>(x);
    for (weft::index n = 0; n < 3; ++n)
        for (weft::index c = 0; c < 2; ++c) REQUIRE(whole(n, c, 0, 0) == Approx(mean(n, c)).margin(1e-6));
}

TEST_CASE("pooling: the same bits on any number of threads", "[nn]") {
    for (const Layout layout : layouts) {
        const auto x = numbers<float, 4>({8, 20, 20, 20});
        const auto run = [&](auto pool) {
            const Var vx{x};
            const auto y = pool(vx);
            weft::backward(y, numbers<float, 4>(y.shape(), 2));
            return vx.grad();
        };
        require_thread_independent([&] {
            return run(nn::MaxPool2d{3, {.stride = 1, .padding = 1, .layout = layout}});
        });
        require_thread_independent([&] { return run(nn::AvgPool2d{3, {.stride = 2, .layout = layout}}); });
    }
}

TEST_CASE("pooling: errors", "[nn]") {
    const auto x = Tensor<float, 4>::zeros({2, 4, 5, 6});
    REQUIRE(error_of([&] {
                (void)nn::max_pool2d(x, {6, 2});
            }) ==
            "weft: max_pool2d: x is [2, 4, 5, 6], kernel [6, 2], padding [0, 0]: the kernel must fit in the padded "
            "image");
    REQUIRE_THAT(error_of([&] { (void)nn::avg_pool2d(x, 3, {.padding = 2}); }),
                 ContainsSubstring("padding must be at most half of the kernel"));
    REQUIRE_THAT(error_of([&] { (void)nn::avg_pool2d(x, {0, 2}); }), ContainsSubstring("kernel is [0, 2]"));
    REQUIRE_THAT(error_of([&] { (void)nn::max_pool2d(x, 2, {.stride = -1}); }),
                 ContainsSubstring("stride is [-1, -1]"));
    REQUIRE_THAT(error_of([&] {
                     (void)nn::max_pool2d(x, 2, {.padding = {0, -1}});
                 }),
                 ContainsSubstring("padding is [0, -1]"));
}
