// SPDX-License-Identifier: MIT
#include "golden.hpp"
#include "tensor_checks.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/moments.hpp>
#include <weft/grad/backward.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/io/safetensors.hpp>

using namespace weft_test;
using weft::Dual, weft::Extents, weft::keepdim, weft::moments, weft::Tensor, weft::Var;

namespace {

// By reductions one at a time, in long double where the sums are.
template <int... Axes, std::size_t Rank>
void check_statistics(const std::array<weft::index, Rank>& shape) {
    constexpr int N = static_cast<int>(Rank);
    INFO("shape " << weft::detail::shape_text(shape));
    const auto x = numbers<double, N>(shape);
    const double eps = 1e-3;
    const auto mean = weft::mean<Axes...>(x, keepdim);
    const auto variance = weft::var<Axes...>(x, 0, keepdim), square_mean = weft::mean<Axes...>(square(x), keepdim);
    const auto near = [](const Tensor<double, N>& a, const Tensor<double, N>& b, double tolerance) {
        REQUIRE(a.shape() == b.shape());
        for (weft::index i = 0; i < a.size(); ++i) REQUIRE(std::abs(a.data()[i] - b.data()[i]) <= tolerance);
    };
    const auto in_float = weft::eval(weft::cast<float>(x));
    const auto all = [&](const auto& of, double tolerance) {
        const auto m = moments<Axes...>(of, eps);
        const auto as_double = [](const auto& e) { return Tensor<double, N>(weft::cast<double>(weft::eval(e))); };
        // Alone, before the element-wise loop.
        near(as_double(m.mean()), mean, tolerance);
        near(as_double(m.variance()), variance, tolerance);
        near(as_double(m.root_mean_square()), sqrt(square_mean + eps), tolerance);
        // With it.
        near(as_double((of - m.mean()) * m.inverse_deviation()), (x - mean) / sqrt(variance + eps), 30 * tolerance);
        near(as_double(of / m.deviation() + m.inverse_root_mean_square()),
             x / sqrt(variance + eps) + 1 / sqrt(square_mean + eps), 30 * tolerance);
        near(as_double(m.landed_mean()), mean, tolerance);
        near(as_double(m.landed_variance()), variance, tolerance);
    };
    all(x, 1e-13);
    all(in_float, 1e-6);
}

} // namespace

TEST_CASE("moments: every pattern of axes, in and out of segments", "[core]") {
    for (const weft::index n : {1, 2, 7, 16, 33}) {
        check_statistics<1>(Extents<2>{n, 5});
        check_statistics<0>(Extents<2>{n, 5});
        check_statistics<>(Extents<2>{n, 19});
        check_statistics<0, 2>(Extents<3>{n, 3, 18});
        check_statistics<1>(Extents<3>{n, 21, 6});
        check_statistics<2>(Extents<3>{n, 4, 17});
        check_statistics<1, 3>(Extents<4>{n, 9, 3, 2}); // groups of channels, channels last
        check_statistics<2, 3>(Extents<4>{n, 3, 2, 9}); // channels first
        check_statistics<0, 3>(Extents<4>{n, 2, 5, 3});
        check_statistics<3>(Extents<4>{n, 2, 5, 1});
        check_statistics<0, 1, 3>(Extents<4>{n, 9, 2, 5});
    }
    check_statistics<1>(Extents<2>{300, 1024});
    check_statistics<1>(Extents<2>{3, 70001});
    check_statistics<1>(Extents<2>{90, 1003});
    check_statistics<0>(Extents<2>{5003, 37});
    check_statistics<0, 2>(Extents<3>{11, 6, 3136});
    check_statistics<2, 3>(Extents<4>{9, 2, 3, 3136});
    check_statistics<1, 3>(Extents<4>{9, 3136, 2, 3});
    check_statistics<1, 3>(Extents<4>{2, 3136, 2, 40});
    check_statistics<>(Extents<2>{300, 700});
    // Of one element each.
    check_statistics<1>(Extents<2>{5003, 1});
    check_statistics<2>(Extents<3>{61, 33, 1});
}

TEST_CASE("moments: of one tensor in an expression of another shape", "[core]") {
    const auto x = numbers<double, 2>({40, 6}), other = numbers<double, 2>({7, 6}, 3);
    const Tensor<double, 2> y = other * moments<0>(x).mean() + moments<0>(x, 0.5).deviation();
    const Tensor<double, 2> expected = other * weft::mean<0>(x, keepdim) + sqrt(weft::var<0>(x, 0, keepdim) + 0.5);
    for (weft::index i = 0; i < y.size(); ++i) REQUIRE(std::abs(y.data()[i] - expected.data()[i]) < 1e-13);

    // The mean over groups, wider than the groups are.
    const auto groups = numbers<double, 3>({4, 5, 3});
    const Tensor<double, 3> wide = numbers<double, 3>({4, 5, 8}, 2) + moments<0, 2>(groups).mean();
    const Tensor<double, 3> wide_expected = numbers<double, 3>({4, 5, 8}, 2) + weft::mean<0, 2>(groups, keepdim);
    for (weft::index i = 0; i < wide.size(); ++i) REQUIRE(std::abs(wide.data()[i] - wide_expected.data()[i]) < 1e-13);
}

TEST_CASE("moments: sums of staged expressions, half storage, none and no elements", "[core]") {
    const auto x = numbers<float, 2>({50, 8});
    const auto m = moments<1>(x);
    const Tensor<float, 1> sums = weft::sum<1>(square(x - m.mean()));
    const Tensor<float, 1> variance = weft::var<1>(x, 0) * 8.0f;
    for (weft::index i = 0; i < 50; ++i) REQUIRE(sums(i) == Approx(variance(i)).epsilon(1e-5));

    const Tensor<weft::half, 2> halves = weft::cast<weft::half>(x);
    const auto of_half = moments<1>(halves);
    const Tensor<float, 2> centred = halves - of_half.mean(), expected = halves - weft::mean<1>(halves, keepdim);
    for (weft::index i = 0; i < centred.size(); ++i)
        REQUIRE(centred.data()[i] == Approx(expected.data()[i]).margin(1e-6));

    REQUIRE(Tensor<float, 2>(moments<1>(Tensor<float, 2>::zeros({0, 3})).mean()).size() == 0);
    REQUIRE(std::isnan(Tensor<float, 2>(moments<1>(Tensor<float, 2>::zeros({3, 0})).mean())(2, 0)));
    REQUIRE(std::isnan(Tensor<float, 2>(moments<0, 1>(Tensor<float, 2>::zeros({0, 3})).variance())(0, 0)));
}

TEST_CASE("moments: gradients to second order", "[core]") {
    const auto standardised = [](const auto& x) {
        const auto m = moments<1>(x, 1e-2);
        return weft::eval((x - m.mean()) * m.inverse_deviation());
    };
    weft::expect_grad(standardised, numbers<double, 2>({12, 5}));
    const auto mixed = [](const auto& x, const auto& v) {
        const auto across = moments<0, 2>(x, 1e-2), within = moments<2>(x, 1e-2);
        return weft::eval(x / maximum(across.deviation(), v * x + within.deviation()) +
                          across.variance() * within.mean());
    };
    weft::expect_grad(mixed, numbers<double, 3>({9, 2, 6}), numbers<double, 2>({2, 1}, 2));
    const auto roots = [](const auto& x, const auto& v) {
        const auto m = moments<1, 3>(x, 1e-2);
        return weft::eval(x * sigmoid(v * x) * m.inverse_root_mean_square() + m.root_mean_square() * m.mean());
    };
    weft::expect_grad(roots, numbers<double, 4>({9, 3, 2, 2}), numbers<double, 2>({2, 2}, 2));
    // No element of x itself, one of its windows, and of another shape than the expression.
    weft::expect_grad([](const auto& x) { return weft::eval(moments<1>(x, 1e-2).deviation() * 3); },
                      numbers<double, 2>({9, 4}));
    weft::expect_grad(
        [](const auto& x) {
            const auto part = slice(x, 0, 2, 9);
            const auto m = moments<1>(part, 1e-2);
            return weft::eval((part - m.mean()) * m.deviation() * slice(x, 0, 1, 8));
        },
        numbers<double, 2>({9, 4}));
    weft::expect_grad(
        [](const auto& x, const auto& y) {
            const auto m = moments<0>(x, 1e-2);
            return weft::eval(y * m.inverse_deviation() + m.root_mean_square() * m.mean());
        },
        numbers<double, 2>({9, 4}), numbers<double, 2>({3, 4}, 2));
    weft::expect_grad([](const auto& x) { return weft::eval(x * moments<>(x, 1e-2).inverse_deviation()); },
                      numbers<double, 1>({1}));
}

TEST_CASE("moments: many rows, against differences in a direction", "[core]") {
    const auto along = [](auto shape, auto f) {
        constexpr int n = static_cast<int>(std::tuple_size_v<decltype(shape)>);
        const auto x = numbers<double, n>(shape), direction = numbers<double, n>(shape, 5),
                   dy = numbers<double, n>(shape, 6);
        const Var<double, n> leaf{x};
        backward(f(leaf), dy);
        const double slope = weft::sum(leaf.grad() * direction).item(), h = 1e-5;
        const Tensor<double, n> above = f(Tensor<double, n>(x + h * direction)),
                                below = f(Tensor<double, n>(x - h * direction));
        const double difference = weft::sum((above - below) * dy).item() / (2 * h);
        REQUIRE(slope == Approx(difference).epsilon(1e-6));
    };
    along(Extents<2>{300, 1024}, [](const auto& x) {
        const auto m = moments<1>(x, 1e-2);
        return weft::eval((x - m.mean()) * m.inverse_deviation());
    });
    along(Extents<2>{5003, 1}, [](const auto& x) {
        const auto m = moments<1>(x, 1e-2);
        return weft::eval((x - m.mean()) * m.inverse_deviation() + square(m.mean()));
    });
    along(Extents<3>{10, 6, 3136}, [](const auto& x) {
        const auto across = moments<0, 2>(x, 1e-2), within = moments<2>(x, 1e-2);
        return weft::eval(x * across.inverse_deviation() + silu(x * within.inverse_root_mean_square()));
    });
    along(Extents<4>{10, 600, 3, 4}, [](const auto& x) {
        const auto m = moments<1, 3>(x, 1e-2);
        return weft::eval(silu((x - m.mean()) * m.inverse_deviation()));
    });
}

TEST_CASE("moments: the slope of a root at 0 is 0", "[core]") {
    const Var<double, 2> x{Tensor<double, 2>::zeros({3, 4})};
    const auto m = moments<1>(x);
    const Var<double, 2> y = x + m.deviation() + m.root_mean_square();
    backward(weft::sum(y));
    for (const double g : x.grad().values()) REQUIRE(g == 1);
}

TEST_CASE("moments: the same bits on any number of threads", "[core]") {
    const auto check = [](auto shape, auto f) {
        constexpr int n = static_cast<int>(std::tuple_size_v<decltype(shape)>);
        const auto x = numbers<float, n>(shape), dy = numbers<float, n>(shape, 2);
        require_thread_independent([&] {
            const Var<float, n> leaf{x};
            const Var<float, n> y = f(leaf);
            backward(y, dy);
            return Tensor<float, n>(y.value() + leaf.grad());
        });
    };
    const auto both = [](const auto& x) {
        const auto across = moments<0, 2>(x, 1e-2f), within = moments<2>(x, 1e-2f);
        return weft::eval((x - across.mean()) / maximum(across.deviation(), x + within.deviation()));
    };
    check(Extents<3>{301, 7, 130}, both);
    check(Extents<3>{3001, 5, 40}, both);
    check(Extents<2>{300001, 3}, [](const auto& x) {
        const auto m = moments<0>(x, 1e-2f);
        return weft::eval((x - m.mean()) * m.inverse_deviation());
    });
}

TEST_CASE("moments: golden, exact rational arithmetic rounded once", "[core][golden]") {
    const auto file = weft::io::SafetensorsFile::read(golden_path("evonorm", "moments"));
    int count = 0;
    for (const std::string& name : file.names()) {
        if (!name.ends_with(".x")) continue;
        const std::string tag = name.substr(0, name.size() - 2);
        INFO(tag);
        ++count;
        const auto x = file.get<float, 1>(name);
        const auto expected = file.get<double, 1>(tag + ".mean_var_meansq");
        const auto m = moments<>(x);
        const Tensor<float, 1> mean = m.mean(), variance = m.variance(), root = m.root_mean_square();
        const double eps32 = std::numeric_limits<float>::epsilon(), reference = expected(0);
        const double ulp =
            std::nextafter(std::abs(static_cast<float>(reference)), 1e30f) - std::abs(static_cast<float>(reference));
        CHECK(std::abs(double(mean(0)) - reference) <= 2 * ulp);
        CHECK(std::abs(double(variance(0)) - expected(1)) <=
              1e-6 * expected(1) + 4 * eps32 * eps32 * reference * reference);
        CHECK(std::abs(double(root(0)) - std::sqrt(expected(2))) <= 1e-6 * std::sqrt(expected(2)));
        // In double the digits are those of the elements.
        const Tensor<double, 1> wide = weft::cast<double>(x);
        const Tensor<double, 1> exact = moments<>(wide).variance();
        CHECK(exact(0) == Approx(expected(1)).epsilon(1e-10).margin(1e-300));
    }
    REQUIRE(count > 0);
}
