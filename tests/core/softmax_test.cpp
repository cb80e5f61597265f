// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/softmax.hpp>
#include <weft/core/views.hpp>

#include <limits>

using namespace weft_test;
using weft::Dual, weft::Extents, weft::keepdim, weft::Tensor;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// The three functions over the middle axis of [a, n, b] against loops in double.
template <class T>
void check(weft::index a, weft::index n, weft::index b) {
    INFO("shape " << a << " " << n << " " << b);
    const double tolerance = 8 * static_cast<double>(std::numeric_limits<T>::epsilon());
    const Tensor<T, 3> x = numbers<T, 3>({a, n, b}) * T(4);
    const Tensor<T, 3> p = weft::softmax<1>(x), l = weft::log_softmax<-2>(x);
    const Tensor<T, 2> s = weft::logsumexp<1>(x);
    for (weft::index i = 0; i < a; ++i)
        for (weft::index j = 0; j < b; ++j) {
            double sum = 0;
            for (weft::index k = 0; k < n; ++k) sum += std::exp(static_cast<double>(x(i, k, j)));
            REQUIRE(std::abs(static_cast<double>(s(i, j)) - std::log(sum)) <= 10 * tolerance);
            for (weft::index k = 0; k < n; ++k) {
                const double log_p = static_cast<double>(x(i, k, j)) - std::log(sum);
                REQUIRE(static_cast<double>(p(i, k, j)) == Approx(std::exp(log_p)).epsilon(10 * tolerance));
                REQUIRE(std::abs(static_cast<double>(l(i, k, j)) - log_p) <= 10 * tolerance * (1 + std::abs(log_p)));
            }
        }
}

// What an operation hands to its operands.
template <class T, int N>
struct Collected {
    Tensor<T, N> gradient;
    template <std::size_t K>
    bool wants() const {
        return true;
    }
    template <std::size_t K, class E>
    void add(const E& e) {
        gradient = e;
    }
};

// The gradient of sum(w * f(x)) by the rule of the operation, against central differences.
template <class Op, int N>
void check_gradient(const Op& op, Tensor<double, N> x) {
    const auto y = op.forward(x);
    const auto w = numbers<double, std::remove_cvref_t<decltype(y)>::rank>(y.shape(), 7);
    Collected<double, N> sink;
    op.backward(w, y, sink, x);
    const double h = 1e-5;
    for (weft::index i = 0; i < x.size(); ++i) {
        auto above = x, below = x;
        above.mutable_data()[i] += h;
        below.mutable_data()[i] -= h;
        const double difference = weft::sum(w * (op.forward(above) - op.forward(below))).item() / (2 * h);
        REQUIRE(sink.gradient.data()[i] == Approx(difference).epsilon(1e-6).margin(1e-8));
    }
}

} // namespace

TEMPLATE_TEST_CASE("softmax: values along every axis", "[core]", float, double) {
    for (const weft::index n : edge_lengths<TestType>()) {
        if (n == 0) continue;
        check<TestType>(3, n, 1);
        check<TestType>(37, n < 100 ? n : 5, 1); // several rows per packet, and a rest
        check<TestType>(2, n < 100 ? n : 7, 19);
        check<TestType>(2, 3, n);
    }
}

TEST_CASE("softmax: expressions, half and shapes without elements", "[core]") {
    const auto x = numbers<float, 2>({5, 33});
    const Tensor<float, 2> a = weft::softmax(x * 2.0f), b = weft::softmax(Tensor<float, 2>(x * 2.0f));
    REQUIRE(same_bits(a, b));
    const Tensor<float, 2> turned = weft::softmax(weft::transpose(x)), columns = weft::softmax<0>(x);
    for (weft::index i = 0; i < 33; ++i)
        for (weft::index j = 0; j < 5; ++j) REQUIRE(turned(i, j) == Approx(columns(j, i)).epsilon(1e-6));
    const Tensor<weft::half, 2> h = weft::softmax(Tensor<weft::half, 2>(x));
    const Tensor<float, 2> exact = weft::softmax(Tensor<float, 2>(Tensor<weft::half, 2>(x)));
    for (weft::index i = 0; i < h.size(); ++i) REQUIRE(float(h.data()[i]) == float(weft::half(exact.data()[i])));
    REQUIRE(weft::softmax(Tensor<float, 2>::zeros({3, 0})).size() == 0);
    REQUIRE(weft::logsumexp(Tensor<float, 2>::zeros({3, 0}))(2) == -infinity);
    REQUIRE(weft::logsumexp<0>(x, keepdim).shape() == Extents<2>{1, 33});
}

TEST_CASE("softmax: infinities, NaN and huge numbers", "[core]") {
    for (const weft::index n : {2, 5, 16, 40}) {
        auto x = Tensor<float, 2>::full({3, n}, -infinity);
        REQUIRE(std::isnan(weft::softmax(x)(1, 0)));
        REQUIRE(weft::logsumexp(x)(1) == -infinity);
        x(1, n - 1) = 3;
        REQUIRE(weft::softmax(x)(1, n - 1) == 1);
        REQUIRE(weft::softmax(x)(1, 0) == 0);
        REQUIRE(weft::log_softmax(x)(1, 0) == -infinity);
        REQUIRE(weft::logsumexp(x)(1) == 3);
        x(1, 0) = infinity;
        REQUIRE(weft::logsumexp(x)(1) == infinity);
        REQUIRE(std::isnan(weft::softmax(x)(1, n - 1)));
        x(2, 0) = std::numeric_limits<float>::quiet_NaN();
        REQUIRE(std::isnan(weft::softmax(x)(2, n - 1)));
        REQUIRE(std::isnan(weft::logsumexp(x)(2)));
        const auto huge = Tensor<float, 1>::full({n}, 3e38f);
        REQUIRE(weft::softmax(huge)(0) == Approx(1.0 / static_cast<double>(n)).epsilon(1e-6));
        REQUIRE(weft::log_softmax(huge)(0) == Approx(-std::log(static_cast<double>(n))).epsilon(1e-6));
    }
}

TEST_CASE("softmax: gradients", "[core]") {
    for (const weft::index n : {1, 3, 8, 21}) {
        const auto x = numbers<double, 2>({11, n});
        check_gradient(weft::detail::Softmax<-1>{}, x);
        check_gradient(weft::detail::Softmax<0>{}, x);
        check_gradient(weft::detail::LogSoftmax<-1>{}, x);
        check_gradient(weft::detail::LogSoftmax<0>{}, x);
        check_gradient(weft::detail::LogSumExp<1, false>{}, x);
        check_gradient(weft::detail::LogSumExp<0, true>{}, x);
    }
}

TEST_CASE("softmax: tangents of Duals", "[core]") {
    for (const weft::index n : {3, 8, 21}) {
        const auto x = numbers<double, 2>({4, n}), direction = numbers<double, 2>({4, n}, 5);
        auto d = Tensor<Dual<double>, 2>::empty({4, n});
        for (weft::index i = 0; i < x.size(); ++i) d.mutable_data()[i] = {x.data()[i], direction.data()[i]};
        const Tensor<Dual<double>, 2> y = weft::softmax(d), columns = weft::softmax<0>(d);
        const Tensor<Dual<double>, 1> l = weft::logsumexp(d);
        const double h = 1e-5;
        const Tensor<double, 2> above = x + h * direction, below = x - h * direction;
        const Tensor<double, 2> dy = (weft::softmax(above) - weft::softmax(below)) / (2 * h);
        const Tensor<double, 2> dc = (weft::softmax<0>(above) - weft::softmax<0>(below)) / (2 * h);
        const Tensor<double, 1> dl = (weft::logsumexp(above) - weft::logsumexp(below)) / (2 * h);
        for (weft::index i = 0; i < x.size(); ++i) {
            REQUIRE(y.data()[i].value == Approx(weft::softmax(x).data()[i]).epsilon(1e-14));
            REQUIRE(y.data()[i].tangent == Approx(dy.data()[i]).epsilon(1e-6).margin(1e-9));
            REQUIRE(columns.data()[i].tangent == Approx(dc.data()[i]).epsilon(1e-6).margin(1e-9));
        }
        for (weft::index i = 0; i < 4; ++i) REQUIRE(l(i).tangent == Approx(dl(i)).epsilon(1e-6).margin(1e-9));
    }
}

TEST_CASE("softmax: the same bits on any number of threads", "[core]") {
    const auto x = numbers<float, 2>({3001, 77});
    require_thread_independent([&] { return weft::softmax(x); });
    require_thread_independent([&] { return weft::softmax<0>(x); });
    require_thread_independent([&] { return weft::logsumexp<0>(x); });
    const auto narrow = numbers<float, 2>({60001, 5});
    require_thread_independent([&] { return weft::log_softmax(narrow); });
}

TEST_CASE("softmax: a long line costs no digits", "[core]") {
    constexpr weft::index n = 200000, columns = 16;
    const Tensor<float, 2> rows = numbers<float, 2>({1, n}) * 0.25f;
    const Tensor<float, 2> side_by_side = weft::transpose(rows) + Tensor<float, 2>::zeros({n, columns});
    const Tensor<float, 2> p = weft::softmax<1>(rows), q = weft::softmax<0>(side_by_side);
    double sum = 0, worst = 0;
    for (weft::index k = 0; k < n; ++k) sum += std::exp(double{rows(0, k)});
    for (weft::index k = 0; k < n; ++k) {
        const double exact = std::exp(double{rows(0, k)}) / sum;
        worst = std::max({worst, std::abs(p(0, k) / exact - 1), std::abs(q(k, columns - 1) / exact - 1)});
    }
    CHECK(worst <= 4 * static_cast<double>(std::numeric_limits<float>::epsilon()));
}
