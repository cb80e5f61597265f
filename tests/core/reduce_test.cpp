// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>

#include <complex>
#include <limits>

using namespace weft_test;
using weft::Dual, weft::Extents, weft::keepdim, weft::Tensor, weft::View;

namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

// Reductions over the middle axis of [a, n, b] and over the others, against loops in double.
template <class T>
void check_axes(weft::index a, weft::index n, weft::index b, double tolerance) {
    INFO("shape " << a << " " << n << " " << b);
    const auto x = numbers<T, 3>({a, n, b});
    const Tensor<T, 2> s = weft::sum<1>(x), m = weft::mean<1>(x * x);
    const Tensor<T, 2> v = weft::var<1>(x), l = weft::norm<-2>(x), p = weft::prod<1>(x * T(0.01) + T(1));
    for (weft::index i = 0; i < a; ++i)
        for (weft::index j = 0; j < b; ++j) {
            double sum = 0, squares = 0, product = 1, around = 0;
            for (weft::index k = 0; k < n; ++k) {
                const double e = static_cast<double>(x(i, k, j));
                sum += e;
                squares += e * e;
                product *= 0.01 * e + 1;
            }
            for (weft::index k = 0; k < n; ++k)
                around += std::pow(static_cast<double>(x(i, k, j)) - sum / static_cast<double>(n), 2);
            const double scale = static_cast<double>(n) + 1;
            REQUIRE(std::abs(static_cast<double>(s(i, j)) - sum) <= tolerance * scale);
            REQUIRE(static_cast<double>(l(i, j)) == Approx(std::sqrt(squares)).epsilon(10 * tolerance));
            if (n > 0)
                REQUIRE(static_cast<double>(m(i, j)) ==
                        Approx(squares / static_cast<double>(n)).epsilon(10 * tolerance));
            REQUIRE(static_cast<double>(p(i, j)) == Approx(product).epsilon(tolerance * scale * 2));
            if (n > 1)
                REQUIRE(static_cast<double>(v(i, j)) ==
                        Approx(around / static_cast<double>(n - 1)).epsilon(20 * tolerance));
        }
    double all = 0;
    for (const T e : x.values()) all += static_cast<double>(e);
    REQUIRE(std::abs(static_cast<double>(weft::sum(x).item()) - all) <= tolerance * static_cast<double>(x.size() + 1));
    const Tensor<T, 1> outer = weft::sum<1, 2>(x), inner = weft::sum<0, 1>(x);
    for (weft::index i = 0; i < a; ++i) {
        double sum = 0;
        for (weft::index k = 0; k < n * b; ++k) sum += static_cast<double>(x.data()[i * n * b + k]);
        REQUIRE(std::abs(static_cast<double>(outer(i)) - sum) <= tolerance * static_cast<double>(n * b + 1));
    }
    for (weft::index j = 0; j < b; ++j) {
        double sum = 0;
        for (weft::index k = 0; k < a * n; ++k) sum += static_cast<double>(x.data()[k * b + j]);
        REQUIRE(std::abs(static_cast<double>(inner(j)) - sum) <= tolerance * static_cast<double>(a * n + 1));
    }
}

} // namespace

TEMPLATE_TEST_CASE("reduce: sums, means, products and variances over every set of axes", "[core]", float, double) {
    const double tolerance = 4 * static_cast<double>(std::numeric_limits<TestType>::epsilon());
    for (const weft::index n : edge_lengths<TestType>()) {
        check_axes<TestType>(3, n, 1, tolerance);
        check_axes<TestType>(2, n, 5, tolerance);
        check_axes<TestType>(1, 3, n, tolerance);
        check_axes<TestType>(n, 2, 3, tolerance);
    }
}

TEST_CASE("reduce: extrema and their places", "[core]") {
    for (const weft::index n : {1, 15, 16, 17, 200, 2049}) {
        const auto x = numbers<float, 2>({3, n});
        const Tensor<float, 1> high = weft::max<1>(x), low = weft::min<1>(x);
        const Tensor<std::int64_t, 1> at = weft::argmax<1>(x), low_at = weft::argmin<-1>(x);
        const Tensor<std::int64_t, 1> column = weft::argmax<0>(x);
        for (weft::index i = 0; i < 3; ++i) {
            weft::index best = 0, worst = 0;
            for (weft::index k = 1; k < n; ++k) {
                if (x(i, k) > x(i, best)) best = k;
                if (x(i, k) < x(i, worst)) worst = k;
            }
            REQUIRE(high(i) == x(i, best));
            REQUIRE(low(i) == x(i, worst));
            REQUIRE(at(i) == best);
            REQUIRE(low_at(i) == worst);
        }
        for (weft::index k = 0; k < n; ++k) REQUIRE(x(column(k), k) == weft::max<0>(x)(k));
    }
    const auto ties = Tensor<int, 1>::from({3, 7, 7, 1, 1});
    REQUIRE(weft::argmax<0>(ties).item() == 1);
    REQUIRE(weft::argmin<0>(ties).item() == 3);
    REQUIRE(weft::max(ties).item() == 7);
    REQUIRE(weft::min(-ties).item() == -7);
}

TEMPLATE_TEST_CASE("reduce: many short rows, each sum repeated along its row", "[core]", float, double) {
    for (const weft::index rows : {1, 700, 30000})
        for (const weft::index length : {1, 2, 3, 7, 8, 11, 15, 17}) {
            const auto x = numbers<TestType, 3>({rows, 2, length}), y = numbers<TestType, 3>({1, 2, length}, 2);
            const Tensor<TestType, 2> sums = weft::sum<2>(x * y);
            const Tensor<TestType, 3> repeated = x + weft::unsqueeze(sums, 2);
            weft::index wrong = 0;
            for (weft::index i = 0; i < rows; ++i)
                for (weft::index h = 0; h < 2; ++h) {
                    double expected = 0;
                    for (weft::index c = 0; c < length; ++c) expected += double(x(i, h, c)) * double(y(0, h, c));
                    wrong += std::abs(double(sums(i, h)) - expected) > 1e-5;
                    for (weft::index c = 0; c < length; ++c) wrong += repeated(i, h, c) != x(i, h, c) + sums(i, h);
                }
            INFO(rows << " rows of " << length);
            REQUIRE(wrong == 0);
        }
}

TEST_CASE("reduce: NaN reaches extrema wherever it stands", "[core]") {
    for (const weft::index n : {1, 3, 16, 17, 40, 300})
        for (weft::index at = 0; at < n; ++at) {
            auto x = numbers<float, 1>({n});
            x(at) = nan_value;
            REQUIRE(std::isnan(weft::max(x).item()));
            REQUIRE(std::isnan(weft::min(x).item()));
            REQUIRE(weft::argmax<0>(x).item() == at);
            REQUIRE(weft::argmin<0>(x).item() == at);
        }
}

TEST_CASE("reduce: no elements", "[core]") {
    const auto x = Tensor<float, 2>::zeros({3, 0});
    REQUIRE(weft::sum(x).item() == 0);
    REQUIRE(weft::prod(x).item() == 1);
    REQUIRE(std::isnan(weft::mean(x).item()));
    REQUIRE(weft::sum<1>(x).shape() == Extents<1>{3});
    REQUIRE(weft::sum<0>(x).shape() == Extents<1>{0});
    REQUIRE(weft::max<0>(x).size() == 0);
    REQUIRE(weft::all(x).item());
    REQUIRE_FALSE(weft::any(x).item());
    REQUIRE(error_of([&] { weft::max<1>(x); }) == "weft: max: shape [3, 0]: there is no element to take the max of");
    REQUIRE(error_of([&] { weft::min(x); }) == "weft: min: shape [3, 0]: there is no element to take the min of");
    REQUIRE(error_of([&] { weft::argmax<1>(x); }) == "weft: argmax: shape [3, 0]: axis 1 has no element");
}

TEST_CASE("reduce: masks count in integers", "[core]") {
    const auto x = numbers<float, 2>({300, 257});
    std::int64_t above = 0;
    for (const float e : x.values()) above += e > 0.5f;
    const Tensor<std::int64_t, 0> counted = weft::sum(x > 0.5f);
    REQUIRE(counted.item() == above);
    const Tensor<bool, 2> mask = x > 0.5f;
    REQUIRE(weft::sum(mask).item() == above);
    REQUIRE(weft::count_nonzero(mask).item() == above);
    REQUIRE(weft::count_nonzero(x).item() == 300 * 257);
    REQUIRE(weft::any(x > 1.9f).item());
    REQUIRE_FALSE(weft::any(x > 2.5f).item());
    REQUIRE(weft::all(x < 2.5f).item());
    REQUIRE_FALSE(weft::all<1>(x < 1.9f)(0));
    REQUIRE(weft::max(x > 1.9f).item() == true);
}

TEST_CASE("reduce: other element types", "[core]") {
    const Tensor<std::int64_t, 0> big = weft::sum(Tensor<std::int64_t, 1>::full({1000}, std::int64_t{1} << 53));
    REQUIRE(big.item() == 1000 * (std::int64_t{1} << 53));
    const auto z = Tensor<std::complex<double>, 1>::full({5}, {1, -2});
    REQUIRE(weft::sum(z).item() == std::complex<double>(5, -10));
    REQUIRE(weft::mean(z).item() == std::complex<double>(1, -2));
    const auto h = Tensor<weft::half, 1>::full({3000}, weft::half(1.0f));
    REQUIRE(weft::sum(h).item() == 3000.0f); // beyond the integers that half holds
    const auto d = Tensor<Dual<float>, 1>::full({100}, Dual<float>(2, 0.5f));
    REQUIRE(weft::sum(d * d).item().value == 400);
    REQUIRE(weft::sum(d * d).item().tangent == 200);
    auto steep = Tensor<Dual<double>, 1>::full({9}, Dual<double>(1, 1));
    steep(4) = Dual<double>(3, 7);
    REQUIRE(weft::max(steep).item().tangent == 7);
}

TEST_CASE("reduce: views, keepdim and a large mean", "[core]") {
    const auto x = numbers<double, 2>({40, 70});
    const View<double, 2> turned = x.window<2>(0, {70, 40}, {1, 70});
    const Tensor<double, 1> rows = weft::sum<1>(turned), columns = weft::sum<0>(x);
    for (weft::index i = 0; i < 70; ++i) REQUIRE(rows(i) == Approx(columns(i)).margin(1e-13)); // added in another order
    REQUIRE(weft::sum<-1>(x, keepdim).shape() == Extents<2>{40, 1});
    REQUIRE(weft::mean(x, keepdim).shape() == Extents<2>{1, 1});
    REQUIRE(weft::max<0>(x, keepdim).shape() == Extents<2>{1, 70});
    const Tensor<double, 1> shifted = weft::var<1>(x + 1e8), plain = weft::var<1>(x);
    for (weft::index i = 0; i < 40; ++i) REQUIRE(shifted(i) == Approx(plain(i)).epsilon(1e-6));
    REQUIRE(weft::var<1>(x, 0)(3) == Approx(plain(3) * 69 / 70).epsilon(1e-13));
    REQUIRE(weft::stddev<1>(x)(3) == Approx(std::sqrt(plain(3))).epsilon(1e-13));
    REQUIRE(std::isnan(weft::var(Tensor<float, 1>::ones({1})).item()));
    REQUIRE(weft::sum(Tensor<float, 1>::from({infinity, 1})).item() == infinity);
}

TEST_CASE("reduce: the same bits on any number of threads", "[core]") {
    const auto x = numbers<float, 2>({3001, 129});
    require_thread_independent([&] { return weft::sum(x); });
    require_thread_independent([&] { return weft::sum<0>(exp(x)); });
    require_thread_independent([&] { return weft::sum<1>(x * x); });
    require_thread_independent([&] { return weft::var<0>(x); });
    require_thread_independent([&] { return weft::max<0>(x); });
    require_thread_independent([&] { return weft::argmax<0>(x); });
}
