// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/softmax.hpp>
#include <weft/core/views.hpp>
#include <weft/grad/backward.hpp>
#include <weft/io/safetensors.hpp>
#include <weft/nn/loss.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
using weft::nn::Reduction;
namespace nn = weft::nn;

namespace {

using Labels = Tensor<std::int64_t, 1>;

template <int N>
void require_close(const Tensor<double, N>& a, const Tensor<double, N>& b) {
    REQUIRE(a.shape() == b.shape());
    for (weft::index i = 0; i < a.size(); ++i)
        REQUIRE(std::abs(a.data()[i] - b.data()[i]) <= 1e-12 * (1 + std::abs(b.data()[i])));
}

struct Golden {
    weft::io::SafetensorsFile file = weft::io::SafetensorsFile::open(golden_folder("nn") / "losses.safetensors");
    Tensor<double, 2> x = file.get<double, 2>("x");
    Tensor<double, 1> r = file.get<double, 1>("r");
    Labels labels = file.get<std::int64_t, 1>("labels"), subset = file.get<std::int64_t, 1>("subset");
    Tensor<double, 1> weight = file.get<double, 1>("weight");

    // f(x) is the loss; its value for a Tensor and a Var, and the gradient.
    template <class F>
    void check(const std::string& name, const Tensor<double, 2>& at, F f) {
        INFO(name);
        const Var<double, 2> input{at};
        const auto y = f(input);
        constexpr int rank = decltype(y)::rank;
        require_close(y.value(), file.get<double, rank>(name + ".out"));
        REQUIRE(same_bits<double, rank>(y.value(), f(at)));
        if constexpr (rank == 0)
            weft::backward(y);
        else
            weft::backward(y, Tensor<double, rank>(weft::slice(r, 0, 0, y.size())));
        require_close(input.grad(), file.get<double, 2>(name + ".grad"));
    }
};

template <Reduction R>
void check_classes(Golden& g, const std::string& reduction) {
    for (const bool weighted : {false, true})
        for (const bool part : {false, true}) {
            const auto weight = weighted ? g.weight : Tensor<double, 1>();
            const std::string middle = std::string(".") + (weighted ? "weight" : "plain");
            const std::string end = part ? ".subset" : ".all";
            for (const double smoothing : {0.0, 0.1, 1.0})
                g.check("ce." + reduction + middle + "." + std::to_string(std::lround(smoothing * 10)) + end, g.x,
                        [&](const auto& x) {
                            const nn::CrossEntropyOptions<double> options{.weight = weight,
                                                                          .label_smoothing = smoothing};
                            return part ? nn::cross_entropy<R>(x, g.labels, g.subset, options)
                                        : nn::cross_entropy<R>(x, g.labels, options);
                        });
            g.check("nll." + reduction + middle + end, g.x, [&](const auto& x) {
                return part ? nn::nll_loss<R>(x, g.labels, g.subset, {.weight = weight})
                            : nn::nll_loss<R>(x, g.labels, {.weight = weight});
            });
        }
}

} // namespace

TEST_CASE("loss: cross entropy and negative log-likelihood as in PyTorch", "[nn][golden]") {
    Golden g;
    check_classes<Reduction::mean>(g, "mean");
    check_classes<Reduction::sum>(g, "sum");
    check_classes<Reduction::none>(g, "none");
    auto labels = g.labels;
    for (auto& label : labels.mutable_values()) label = std::max<std::int64_t>(label, 0);
    g.check("ce.ignore", g.x,
            [&](const auto& x) { return nn::cross_entropy(x, labels, {.ignore_index = g.labels(0)}); });
}

TEST_CASE("loss: squared, absolute and binary losses as in PyTorch", "[nn][golden]") {
    Golden g;
    const auto u = g.file.get<double, 2>("u"), v = g.file.get<double, 2>("v");
    const auto both = [&]<Reduction R>(std::integral_constant<Reduction, R>, const std::string& end) {
        g.check("mse" + end, u, [&](const auto& x) { return nn::mse_loss<R>(x, v); });
        g.check("l1" + end, u, [&](const auto& x) { return nn::l1_loss<R>(x, v); });
        g.check("bce" + end, u, [&](const auto& x) { return nn::binary_cross_entropy_with_logits<R>(x, v); });
        g.check("bce_pos" + end, u,
                [&](const auto& x) { return nn::binary_cross_entropy_with_logits<R>(x, v, {.pos_weight = 2.5}); });
    };
    both(std::integral_constant<Reduction, Reduction::mean>{}, ".mean");
    both(std::integral_constant<Reduction, Reduction::sum>{}, ".sum");
    const Tensor<double, 2> each = nn::mse_loss<Reduction::none>(u, v);
    REQUIRE(each(2, 4) == (u(2, 4) - v(2, 4)) * (u(2, 4) - v(2, 4)));
}

TEST_CASE("loss: float and int32 labels for every number of classes", "[nn]") {
    for (const weft::index classes : {1, 2, 7, 15, 16, 17, 100}) {
        const auto wide = numbers<double, 2>({13, classes});
        auto labels = Tensor<std::int32_t, 1>::zeros({13});
        Labels same = Labels::zeros({13});
        for (weft::index i = 0; i < 13; ++i) same(i) = labels(i) = static_cast<std::int32_t>((i * i) % classes);
        const Var<float, 2> x{Tensor<float, 2>(wide)};
        const Var<double, 2> exact{Tensor<double, 2>(x.value())};
        const Var loss = nn::cross_entropy(x, labels);
        const Var reference = nn::nll_loss(weft::log_softmax(exact), same);
        REQUIRE(loss.item() == Approx(reference.item()).epsilon(1e-6).margin(1e-6));
        weft::backward(loss);
        weft::backward(reference);
        for (weft::index i = 0; i < x.size(); ++i)
            REQUIRE(std::abs(static_cast<double>(x.grad().data()[i]) - exact.grad().data()[i]) <= 1e-7);
    }
}

TEST_CASE("loss: the same bits on any number of threads", "[nn]") {
    const auto x = numbers<float, 2>({4001, 37});
    auto labels = Tensor<std::int32_t, 1>::zeros({4001});
    for (weft::index i = 0; i < 4001; ++i) labels(i) = static_cast<std::int32_t>(i % 37);
    require_thread_independent(
        [&] { return Tensor<float, 0>(nn::cross_entropy(x, labels, {.label_smoothing = 0.1})); });
    require_thread_independent([&] {
        const Var<float, 2> input{x};
        const Var loss = nn::cross_entropy(input, labels, {.label_smoothing = 0.1});
        weft::backward(loss);
        return input.grad();
    });
}

TEST_CASE("loss: accuracy", "[nn]") {
    const auto x = Tensor<float, 2>::from({{0, 1, 1}, {3, 2, 1}, {0, 0, 5}, {1, 2, 3}});
    const auto y = Tensor<std::int32_t, 1>::from({1, 0, 1, 2});
    REQUIRE(nn::accuracy(x, y) == 0.75);
    REQUIRE(nn::accuracy(Var{x}, y, Tensor<std::int32_t, 1>::from({2, 3})) == 0.5);
    REQUIRE(nn::accuracy(-x, y, Tensor<std::int64_t, 1>::from({1, 0})) == 0);
}

TEST_CASE("loss: nothing to average, infinite logits", "[nn]") {
    const auto x = Tensor<float, 2>::from({{0, 1}, {2, -std::numeric_limits<float>::infinity()}});
    const auto none = Tensor<std::int32_t, 1>::from({-100, -100});
    REQUIRE(std::isnan(nn::cross_entropy(x, none).item()));
    REQUIRE(nn::cross_entropy<Reduction::sum>(x, none).item() == 0);
    REQUIRE(nn::cross_entropy<Reduction::none>(x, Tensor<std::int32_t, 1>::from({0, 0}))(1) == 0);
    const Var<float, 2> input{x};
    const Var loss = nn::cross_entropy(input, Tensor<std::int32_t, 1>::from({0, 0}));
    weft::backward(loss);
    REQUIRE(input.grad()(1, 0) == 0);
    REQUIRE(input.grad()(1, 1) == 0);
}

TEST_CASE("loss: errors", "[nn]") {
    const auto x = Tensor<float, 2>::zeros({3, 2});
    const auto labels = [](std::initializer_list<std::int32_t> l) { return Tensor<std::int32_t, 1>::from(l); };
    REQUIRE(error_of([&] {
                (void)nn::cross_entropy(x, labels({0, 1}));
            }) == "weft: cross_entropy: logits are [3, 2], labels [2]: there must be a label for each row");
    REQUIRE(error_of([&] {
                (void)nn::cross_entropy(x, labels({0, 1, 2}));
            }) == "weft: cross_entropy: label 2 of row 2 is out of range: must be in [0, 2), or -100 to be ignored");
    REQUIRE(error_of([&] {
                (void)nn::nll_loss(x, labels({0, -1, 1}));
            }) == "weft: nll_loss: label -1 of row 1 is out of range: must be in [0, 2), or -100 to be ignored");
    REQUIRE(error_of([&] {
                (void)nn::cross_entropy(x, labels({0, 1, 1}), labels({0, 3}));
            }) == "weft: cross_entropy: element 1 of the subset is 3: must be in [0, 3)");
    REQUIRE(error_of([&] {
                (void)nn::cross_entropy(x, labels({0, 1, 1}), {.weight = Tensor<float, 1>::ones({3})});
            }) == "weft: cross_entropy: logits are [3, 2], weight is [3]: there must be a weight for each class");
    REQUIRE(error_of([&] {
                (void)nn::cross_entropy(x, labels({0, 1, 1}), {.label_smoothing = 1.5});
            }) == "weft: cross_entropy: label_smoothing is 1.5: must be in [0, 1]");
    REQUIRE(error_of([&] {
                (void)nn::mse_loss(x, Tensor<float, 2>::zeros({3, 1}));
            }) == "weft: mse_loss: input is [3, 2], target is [3, 1]: they must be equal");
    REQUIRE_THAT(error_of([&] { (void)nn::accuracy(x, labels({0})); }), ContainsSubstring("a label for each row"));
}
