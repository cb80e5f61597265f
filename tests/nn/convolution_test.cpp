// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "nn/images.hpp"

#include <weft/core/combine.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/nn/conv2d.hpp>
#include <weft/nn/sequential.hpp>

using namespace weft_test;
using weft::Extents, weft::Generator, weft::Tensor, weft::Var;
namespace nn = weft::nn;
using weft::Layout;

namespace {

template <class T>
void check_golden(GoldenCase& g, Layout layout) {
    const nn::ConvolutionOptions options{.stride = pair_of(g, "stride"),
                                         .padding = pair_of(g, "padding"),
                                         .dilation = pair_of(g, "dilation"),
                                         .groups = g.option("groups", weft::index{1}),
                                         .layout = layout};
    const auto x = to_layout(g.get<T, 4>("x"), layout), dy = to_layout(g.get<T, 4>("dy"), layout);
    const auto weight = g.get<T, 4>("weight");
    const Var vx{x}, vw{weight};
    const auto compare = [&](const Var<T, 4>& y, const Tensor<T, 4>& inferred) {
        REQUIRE(same_bits(y.value(), inferred));
        weft::backward(y, dy);
        g.compare("y", from_layout(y.value(), layout));
        g.compare("g.x", from_layout(vx.grad(), layout));
        g.compare("g.weight", vw.grad());
    };
    if (g.has("bias")) {
        const auto bias = g.get<T, 1>("bias");
        const Var vb{bias};
        compare(nn::conv2d(vx, vw, vb, options), nn::conv2d(x, weight, bias, options));
        g.compare("g.bias", vb.grad());
    } else {
        compare(nn::conv2d(vx, vw, options), nn::conv2d(x, weight, options));
    }
}

struct Size {
    weft::index batch, in, height, width, out, kernel_height, kernel_width; // in, out: of a group
};

/// y and the gradients for dy, by the definition, [N, C, H, W].
struct Reference {
    Tensor<double, 4> y, dx, dweight;

    Reference(const Tensor<double, 4>& x, const Tensor<double, 4>& weight, const Tensor<double, 4>& dy,
              const nn::ConvolutionOptions& o)
        : y(Tensor<double, 4>::zeros(dy.shape())), dx(Tensor<double, 4>::zeros(x.shape())),
          dweight(Tensor<double, 4>::zeros(weight.shape())) {
        const auto [out, in, kernel_height, kernel_width] = weight.shape();
        const weft::index each = out / o.groups;
        for (weft::index n = 0; n < dy.extent(0); ++n)
            for (weft::index k = 0; k < out; ++k)
                for (weft::index h = 0; h < dy.extent(2); ++h)
                    for (weft::index w = 0; w < dy.extent(3); ++w)
                        for (weft::index c = 0; c < in; ++c)
                            for (weft::index i = 0; i < kernel_height; ++i)
                                for (weft::index j = 0; j < kernel_width; ++j) {
                                    const weft::index row =
                                        h * o.stride.height + i * o.dilation.height - o.padding.height;
                                    const weft::index column =
                                        w * o.stride.width + j * o.dilation.width - o.padding.width;
                                    if (row < 0 || row >= x.extent(2) || column < 0 || column >= x.extent(3)) continue;
                                    const weft::index channel = k / each * in + c;
                                    y(n, k, h, w) += x(n, channel, row, column) * weight(k, c, i, j);
                                    dx(n, channel, row, column) += dy(n, k, h, w) * weight(k, c, i, j);
                                    dweight(k, c, i, j) += dy(n, k, h, w) * x(n, channel, row, column);
                                }
    }
};

template <class T>
void require_close(const Tensor<T, 4>& a, const Tensor<double, 4>& b) {
    REQUIRE(a.shape() == b.shape());
    double largest = 0;
    for (const double v : b.values()) largest = std::max(largest, std::abs(v));
    const double tolerance = (std::is_same_v<T, double> ? 1e-12 : 3e-5) * (1 + largest);
    for (weft::index i = 0; i < a.size(); ++i)
        if (!(std::abs(static_cast<double>(a.data()[i]) - b.data()[i]) <= tolerance)) {
            INFO("element " << i << " is " << a.data()[i] << ", should be " << b.data()[i]);
            FAIL("differs from the definition");
        }
}

template <class T>
void check_definition(const Size& s, const nn::ConvolutionOptions& base) {
    for (const Layout layout : layouts) {
        auto options = base;
        options.layout = layout;
        const auto x = numbers<double, 4>({s.batch, s.in * options.groups, s.height, s.width}, 1);
        const auto weight = numbers<double, 4>({s.out * options.groups, s.in, s.kernel_height, s.kernel_width}, 2);
        const Var vx{Tensor<T, 4>(to_layout(Tensor<T, 4>(weft::cast<T>(x)), layout))};
        const Var vw{Tensor<T, 4>(weft::cast<T>(weight))};
        const auto y = nn::conv2d(vx, vw, options);
        const auto shape = from_layout(y.value(), layout).shape();
        const auto dy = numbers<double, 4>(shape, 3);
        weft::backward(y, to_layout(Tensor<T, 4>(weft::cast<T>(dy)), layout));
        const Reference reference(x, weight, dy, options);
        INFO("channels last " << (layout == Layout::channels_last));
        require_close(from_layout(y.value(), layout), reference.y);
        require_close(from_layout(vx.grad(), layout), reference.dx);
        require_close(vw.grad(), reference.dweight);
    }
}

} // namespace

TEST_CASE("conv2d: as in PyTorch", "[nn][golden]") {
    for_each_golden_case(
        "nn", "convolution",
        [](GoldenCase& g) {
            for (const Layout layout : layouts) {
                check_golden<double>(g, layout);
                check_golden<float>(g, layout);
            }
        },
        [](const GoldenCase& g) { return g.options().at("op") == "conv2d"; });
}

TEST_CASE("conv2d: random shapes by the definition", "[nn]") {
    std::uint64_t state = 5;
    const auto draw = [&](weft::index low, weft::index high) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return low + static_cast<weft::index>(state >> 33) % (high - low + 1);
    };
    for (int trial = 0; trial < 120; ++trial) {
        const bool one_channel = trial % 4 == 0, plain = trial % 3 == 0;
        Size s{draw(1, 5), draw(1, 7), draw(5, 13), draw(5, 13), draw(1, 9), draw(1, 4), draw(1, 4)};
        nn::ConvolutionOptions o{.stride = {draw(1, 3), draw(1, 3)},
                                 .padding = {draw(0, 3), draw(0, 3)},
                                 .dilation = {draw(1, 2), draw(1, 2)},
                                 .groups = draw(1, 3)};
        if (one_channel) { // depthwise
            s.in = 1;
            s.out = draw(1, 3);
            o.groups = draw(1, 20);
        }
        if (plain) {
            o.dilation = o.stride = 1;
            s.kernel_height = s.kernel_width = trial % 2 == 0 ? 3 : 1;
            o.padding = s.kernel_height / 2;
            if (trial % 5 == 0) s.height = s.width = trial % 10 == 0 ? 8 : 4;
            if (trial % 9 == 0) s.batch = 37;
        }
        if (o.dilation.height * (s.kernel_height - 1) + 1 > s.height + 2 * o.padding.height ||
            o.dilation.width * (s.kernel_width - 1) + 1 > s.width + 2 * o.padding.width)
            continue;
        CAPTURE(trial, s.batch, s.in, s.height, s.width, s.out, s.kernel_height, s.kernel_width, o.groups,
                o.stride.height, o.stride.width, o.padding.height, o.padding.width, o.dilation.height,
                o.dilation.width);
        check_definition<double>(s, o);
        check_definition<float>(s, o);
    }
}

TEST_CASE("conv2d: blocks of channels, strips of rows, panels of results", "[nn]") {
    // The block of channels is about 53, a strip has 256 or 512 elements of a plane.
    check_definition<double>({1, 110, 5, 6, 70, 3, 3}, {.padding = 1});
    check_definition<float>({1, 110, 5, 6, 70, 3, 3}, {.padding = 1});
    check_definition<float>({2, 3, 40, 41, 4, 3, 3}, {.stride = {2, 1}, .padding = 1});
    check_definition<float>({1, 3, 70, 70, 4, 3, 5}, {.padding = {1, 2}});
    check_definition<float>({1, 1, 50, 50, 1, 3, 3}, {.padding = 1, .groups = 3});
    check_definition<float>({2, 1, 50, 50, 1, 5, 3}, {.stride = {2, 1}, .padding = {3, 1}, .groups = 18});
    check_definition<float>({3, 2, 17, 17, 3, 1, 1}, {.stride = 2});
    check_definition<double>({1, 1, 4, 300, 1, 1, 200}, {});
    // The gradient of a weight that is larger than the images.
    check_definition<double>({1, 130, 2, 3, 110, 3, 3}, {.padding = 1});
}

TEST_CASE("conv2d: nothing in, nothing out", "[nn]") {
    for (const Layout layout : layouts) {
        const nn::ConvolutionOptions options{.padding = 1, .layout = layout};
        const auto run = [&](weft::index batch, weft::index in, weft::index out, weft::index groups) {
            auto o = options;
            o.groups = groups;
            const Var x{to_layout(Tensor<double, 4>::ones({batch, in, 4, 5}), layout)};
            const Var w{Tensor<double, 4>::ones({out, groups > 0 ? in / groups : 0, 3, 3})};
            const Var b{Tensor<double, 1>::full({out}, 7)};
            const auto y = nn::conv2d(x, w, b, o);
            weft::backward(y, Tensor<double, 4>::ones(y.shape()));
            REQUIRE(from_layout(y.value(), layout).shape() == Extents<4>{batch, out, 4, 5});
            REQUIRE(x.grad().shape() == x.shape());
            for (const double v : w.grad().values()) REQUIRE(((batch > 0) == (v != 0)));
            for (const double v : b.grad().values()) REQUIRE(v == static_cast<double>(batch * 20));
            return y.value();
        };
        run(0, 3, 2, 1);
        run(0, 3, 3, 3);
        run(2, 3, 0, 1);
        const auto only_bias = run(2, 0, 3, 1);
        for (const double v : only_bias.values()) REQUIRE(v == 7);
    }
}

TEST_CASE("conv2d: gradients to second order", "[nn]") {
    for (const Layout layout : layouts)
        for (const weft::index groups : {weft::index{1}, weft::index{2}, weft::index{4}}) {
            const nn::ConvolutionOptions o{
                .stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}, .groups = groups, .layout = layout};
            const auto x = to_layout(numbers<double, 4>({2, 4, 5, 6}), layout);
            const auto weight = numbers<double, 4>({4, 4 / groups, 3, 2}, 2);
            const auto bias = numbers<double, 1>({4}, 3);
            weft::expect_grad<2>([&](const auto& a, const auto& w, const auto& b) { return nn::conv2d(a, w, b, o); }, x,
                                 weight, bias);
        }
}

TEST_CASE("conv2d: views and expressions are computed first", "[nn]") {
    const auto x = numbers<double, 4>({2, 6, 5, 4}), weight = numbers<double, 4>({3, 6, 3, 3}, 2);
    const Tensor<double, 4> plain = nn::conv2d(x, weight);
    const Tensor<double, 4> last(weft::permute(x, {0, 2, 3, 1}));
    REQUIRE(same_bits(plain, nn::conv2d(weft::permute(last, {0, 3, 1, 2}), weight)));
    require_close<double>(nn::conv2d(2.0 * x - x, weight), plain);
}

TEST_CASE("conv2d: what a gradient does not reach stays out of it", "[nn]") {
    // The lanes behind an image hold other numbers; none of them, not even NaN, may enter the results.
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const Layout layout : layouts)
        for (const weft::index groups : {weft::index{1}, weft::index{2}}) {
            auto x = numbers<double, 4>({3, 2, 4, 5});
            for (weft::index c = 0; c < 2; ++c)
                for (weft::index h = 0; h < 4; ++h)
                    for (weft::index w = 0; w < 5; ++w) x(1, c, h, w) = nan;
            const Var vx{to_layout(x, layout)}, weight{numbers<double, 4>({2, 2 / groups, 3, 3}, 2)};
            const auto y = nn::conv2d(vx, weight, {.padding = 1, .groups = groups, .layout = layout});
            const auto values = from_layout(y.value(), layout);
            for (weft::index i = 0; i < values.size(); ++i) REQUIRE(std::isnan(values.data()[i]) == (i / 40 == 1));
        }
}

TEST_CASE("conv2d: the same bits on any number of threads", "[nn]") {
    const auto check = [](weft::index in, weft::index out, weft::index groups, weft::index kernel, nn::Pair stride,
                          Layout layout) {
        const auto x = to_layout(numbers<float, 4>({9, in, 24, 26}), layout);
        const auto weight = numbers<float, 4>({out, in / groups, kernel, kernel}, 2);
        const nn::ConvolutionOptions o{.stride = stride, .padding = kernel / 2, .groups = groups, .layout = layout};
        const auto dy = numbers<float, 4>(nn::conv2d(x, weight, o).shape(), 3);
        const auto run = [&] {
            const Var vx{x}, vw{weight};
            const auto y = nn::conv2d(vx, vw, o);
            weft::backward(y, dy);
            return std::tuple(y.value(), vx.grad(), vw.grad());
        };
        require_thread_independent([&] { return std::get<0>(run()); });
        require_thread_independent([&] { return std::get<1>(run()); });
        require_thread_independent([&] { return std::get<2>(run()); });
    };
    for (const Layout layout : layouts) {
        check(16, 24, 1, 3, 1, layout);
        check(96, 96, 1, 5, 3, layout);
        check(16, 12, 2, 3, 2, layout);
        check(16, 32, 1, 1, 1, layout);
        check(24, 24, 24, 3, 1, layout);
    }
}

TEST_CASE("conv2d: errors", "[nn]") {
    const auto x = Tensor<float, 4>::zeros({2, 4, 5, 6});
    const auto message = [&](const Extents<4>& weight, const nn::ConvolutionOptions& o) {
        return error_of([&] { (void)nn::conv2d(x, Tensor<float, 4>::zeros(weight), o); });
    };
    REQUIRE(message({8, 3, 3, 3}, {}) ==
            "weft: conv2d: x is [2, 4, 5, 6], weight is [8, 3, 3, 3]: with 1 groups x must be [N, C, H, W] of 3 "
            "channels, and the channels out a multiple of 1");
    REQUIRE_THAT(message({8, 4, 3, 3}, {.layout = Layout::channels_last}),
                 ContainsSubstring("x must be [N, H, W, C] of 4 channels"));
    REQUIRE_THAT(message({7, 2, 3, 3}, {.groups = 2}), ContainsSubstring("a multiple of 2"));
    REQUIRE_THAT(message({8, 4, 3, 3}, {.groups = 2}), ContainsSubstring("of 8 channels"));
    REQUIRE_THAT(message({8, 4, 3, 3}, {.groups = 0}), ContainsSubstring("there are 0 groups"));
    REQUIRE_THAT(message({8, 4, 3, 3}, {.stride = {1, 0}}), ContainsSubstring("stride is [1, 0]: must be positive"));
    REQUIRE_THAT(message({8, 4, 3, 3}, {.dilation = -1}), ContainsSubstring("dilation is [-1, -1]"));
    REQUIRE_THAT(message({8, 4, 3, 3}, {.padding = {0, -1}}),
                 ContainsSubstring("padding is [0, -1]: must be 0 or more"));
    REQUIRE_THAT(message({8, 4, 0, 3}, {}), ContainsSubstring("the kernel must not be empty"));
    REQUIRE_THAT(message({8, 4, 3, 4}, {.padding = {0, 1}, .dilation = {1, 3}}),
                 ContainsSubstring("a kernel of 3 x 10 must fit in the padded image of 5 x 8"));
    REQUIRE_THAT(error_of([&] {
                     (void)nn::conv2d(x, Tensor<float, 4>::zeros({8, 4, 3, 3}), Tensor<float, 1>::zeros({4}));
                 }),
                 ContainsSubstring("bias is [4]: there must be a bias for each of the 8 channels out"));
}

TEST_CASE("Conv2d: names, shapes and initial values", "[nn]") {
    Generator generator{3};
    nn::Conv2d<float> layer(6, 40, {5, 3}, {.stride = 2, .padding = {2, 1}, .groups = 2, .generator = &generator});
    std::vector<std::string> names;
    nn::for_each_parameter(layer, [&](std::string_view name, const auto&) { names.emplace_back(name); });
    REQUIRE(names == std::vector<std::string>{"weight", "bias"});
    REQUIRE(layer.weight.shape() == Extents<4>{40, 3, 5, 3});
    REQUIRE(layer.in_channels() == 6);
    REQUIRE(layer.out_channels() == 40);
    const double bound = 1 / std::sqrt(45.0);
    float largest = 0;
    for (const float v : layer.weight.value().values()) largest = std::max(largest, std::abs(v));
    REQUIRE(largest <= bound);
    REQUIRE(largest > 0.99 * bound);
    for (const float v : layer.bias->value().values()) REQUIRE(std::abs(v) <= bound);

    const auto x = numbers<float, 4>({2, 6, 9, 8});
    const Tensor<float, 4> y = layer(x);
    REQUIRE(y.shape() == Extents<4>{2, 40, 5, 4});
    REQUIRE(same_bits(y, nn::conv2d(x, layer.weight.value(), layer.bias->value(), layer.options)));
    const Var<float, 4> recorded = layer(Var{x});
    weft::backward(recorded, Tensor<float, 4>::ones(y.shape()));
    REQUIRE(layer.weight.has_grad());
    REQUIRE(layer.bias->grad()(0) == 40);

    Generator again{3};
    const nn::Conv2d<float> same(6, 40, {5, 3}, {.groups = 2, .generator = &again});
    REQUIRE(same_bits(same.weight.value(), layer.weight.value()));
    const nn::Sequential net{nn::Conv2d<float>(6, 4, 3, {.padding = 1, .bias = false}), nn::ReLU{},
                             nn::Conv2d<float>(4, 2, 1)};
    REQUIRE(Tensor<float, 4>(net(x)).shape() == Extents<4>{2, 2, 9, 8});

    REQUIRE_THAT(error_of([] { nn::Conv2d<float>(6, 4, 3, {.groups = 4}); }),
                 ContainsSubstring("6 channels in, 4 out, 4 groups"));
    REQUIRE_THAT(error_of([] { nn::Conv2d<float>(6, 4, {3, 0}); }), ContainsSubstring("kernel is [3, 0]"));
}

TEST_CASE("Conv2d: fans of the initialisations", "[nn]") {
    Generator generator{5};
    auto weight = Tensor<double, 4>::empty({32, 16, 5, 3});
    nn::kaiming_normal(weight, generator, {.fan = nn::Fan::out});
    double square = 0;
    for (const double v : weight.values()) square += v * v;
    REQUIRE(square / static_cast<double>(weight.size()) == Approx(2.0 / (32 * 15)).epsilon(0.1));
    nn::kaiming_uniform(weight, generator, {.negative_slope = std::sqrt(5.0)});
    double largest = 0;
    for (const double v : weight.values()) largest = std::max(largest, std::abs(v));
    REQUIRE(largest == Approx(1 / std::sqrt(16 * 15.0)).epsilon(0.01));
}
