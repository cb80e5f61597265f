// SPDX-License-Identifier: MIT
// Every element-wise operation: values, slopes and second derivatives, alone and under broadcasting.
#include "../core/tensor_checks.hpp"

#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/grad.hpp>

using namespace weft_test;
using weft::expect_grad, weft::Tensor;

namespace {

/// Numbers in [low, high], none within 0.02 of a multiple of 1/2, where some function has a kink or a jump.
Tensor<double, 2> between(double low, double high, unsigned seed = 1) {
    Tensor<double, 2> x = (numbers<double, 2>({3, 7}, seed) + 2.0) * ((high - low) / 4) + low;
    for (double& v : x.mutable_values()) {
        const double nearest = std::round(v * 2) / 2;
        if (std::abs(v - nearest) < 0.02) v = nearest + (nearest + 0.03 <= high ? 0.03 : -0.03);
    }
    return x;
}

} // namespace

#define UNARY(function, low, high)                                                                                     \
    {                                                                                                                  \
        INFO(#function);                                                                                               \
        expect_grad([](const auto& a) { return function; }, between(low, high));                                       \
    }

TEST_CASE("gradients: elementary functions", "[grad]") {
    using namespace weft;
    UNARY(-a, -2, 2)
    UNARY(abs(a), -2, 2)
    UNARY(square(a), -2, 2)
    UNARY(sqrt(a), 0.1, 3)
    UNARY(rsqrt(a), 0.1, 3)
    UNARY(reciprocal(a), 0.2, 3)
    UNARY(reciprocal(a), -3, -0.2)
    UNARY(exp(a), -3, 3)
    UNARY(expm1(a), -2, 2)
    UNARY(log(a), 0.1, 4)
    UNARY(log1p(a), -0.8, 3)
}

TEST_CASE("gradients: trigonometric functions", "[grad]") {
    using namespace weft;
    UNARY(sin(a), -4, 4)
    UNARY(cos(a), -4, 4)
    UNARY(tan(a), -1.3, 1.3)
    UNARY(tanh(a), -3, 3)
    UNARY(erf(a), -2.5, 2.5)
}

TEST_CASE("gradients: activations", "[grad]") {
    using namespace weft;
    UNARY(relu(a), -2, 2)
    UNARY(leaky_relu(a, 0.2), -2, 2)
    UNARY(elu(a, 1.3), -3, 3)
    UNARY(gelu(a), -3, 3)
    UNARY(gelu_tanh(a), -3, 3)
    UNARY(silu(a), -4, 4)
    UNARY(sigmoid(a), -4, 4)
    UNARY(softplus(a), -4, 4)
}

TEST_CASE("gradients: steps have none", "[grad]") {
    using namespace weft;
    UNARY(sign(a) * a, -2, 2)
    UNARY(round(a) * a, -2, 2)
    UNARY(floor(a) * a, -2, 2)
    UNARY(ceil(a) * a, -2, 2)
    UNARY(where(a > 0.0, a * a, 3.0 * a), -2, 2)
    UNARY(where((a > -1.0 && a < 1.0) || !(a >= -1.5), a * a * a, 0.0), -2, 2)
    UNARY(where((a && a * a) || !(a + 3.0), a * a * a, a), -2, 2) // numbers that count as true
}

#undef UNARY

#define BINARY(function, low_a, high_a, low_b, high_b)                                                                 \
    {                                                                                                                  \
        INFO(#function);                                                                                               \
        expect_grad([](const auto& a, const auto& b) { return function; }, between(low_a, high_a, 1),                  \
                    between(low_b, high_b, 2));                                                                        \
    }

TEST_CASE("gradients: operations of two operands", "[grad]") {
    using namespace weft;
    BINARY(a + b, -2, 2, -2, 2)
    BINARY(a - b, -2, 2, -2, 2)
    BINARY(a * b, -2, 2, -2, 2)
    BINARY(a / b, -2, 2, 0.2, 2)
    BINARY(2.0 / b - a / 3.0, -2, 2, 0.2, 2)
    BINARY(pow(a, b), 0.1, 3, -2, 2)
    BINARY(pow(a, 3) + pow(2.0, b), -2, 2, -2, 2)
    BINARY(where(a > b, a, b * b), -2, 2, 2.1, 2.4)
}

TEST_CASE("gradients: extrema and clamping", "[grad]") {
    using namespace weft;
    // b = a + 0.3 or a - 0.3: away from ties.
    const auto a = between(-2, 2, 1);
    const Tensor<double, 2> b = a + where(between(-2, 2, 3) > 0.0, 0.3, -0.3);
    expect_grad([](const auto& x, const auto& y) { return maximum(x, y) * x; }, a, b);
    expect_grad([](const auto& x, const auto& y) { return minimum(x, y) * x; }, a, b);
    expect_grad([](const auto& x) { return clamp(x * x, 0.3, 1.7); }, a);
    const Tensor<double, 2> low = a - 0.5, high = a + 0.5;
    expect_grad([](const auto& x, const auto& l, const auto& h) { return square(clamp(x, l, h)); }, b, low, high);
    expect_grad([](const auto& x, const auto& l, const auto& h) { return fma(x, l, h); }, a, b, low);
}

#undef BINARY

TEST_CASE("gradients: equal operands share that of their extremum", "[grad]") {
    const weft::Var<double, 1> a{numbers<double, 1>({4}, 1)}, b{a.value()};
    backward(weft::sum(maximum(a, b)));
    for (weft::index i = 0; i < 4; ++i) REQUIRE(a.grad()(i) + b.grad()(i) == 1);
}

TEST_CASE("gradients: every pattern of broadcasting", "[grad]") {
    const auto mix = [](const auto& a, const auto& b) { return tanh(a * b) + a; };
    const auto full = numbers<double, 3>({4, 3, 5}, 1);
    expect_grad(mix, full, numbers<double, 1>({5}, 2));
    expect_grad(mix, full, numbers<double, 1>({1}, 2));
    expect_grad(mix, full, numbers<double, 0>({}, 2));
    expect_grad(mix, full, numbers<double, 2>({3, 5}, 2));
    expect_grad(mix, full, numbers<double, 2>({3, 1}, 2));
    expect_grad(mix, full, numbers<double, 3>({4, 1, 1}, 2));
    expect_grad(mix, full, numbers<double, 3>({4, 3, 1}, 2));
    expect_grad(mix, full, numbers<double, 3>({1, 3, 1}, 2));
    expect_grad(mix, full, numbers<double, 3>({4, 1, 5}, 2));
    expect_grad(mix, numbers<double, 2>({6, 1}, 1), numbers<double, 2>({1, 7}, 2)); // both
    expect_grad(mix, numbers<double, 1>({7}, 1), numbers<double, 2>({6, 1}, 2));
    expect_grad(mix, numbers<double, 0>({}, 1), numbers<double, 0>({}, 2));
}

TEST_CASE("gradients: broadcasting over many blocks and chunks", "[grad]") {
    // Sums over 200,000 elements: checked against plain loops.
    const auto x = numbers<double, 3>({500, 40, 10}, 1);
    const weft::Var<double, 3> a{numbers<double, 3>({500, 40, 1}, 2)}, c{numbers<double, 3>({1, 40, 1}, 5)};
    const weft::Var<double, 1> b{numbers<double, 1>({10}, 3)};
    const weft::Var<double, 0> s{0.7};
    const weft::Var<double, 3> y = x * a * b + s * x + c * x;
    const auto dy = numbers<double, 3>({500, 40, 10}, 4);
    backward(y, dy);
    auto ga = Tensor<double, 3>::zeros({500, 40, 1}), gc = Tensor<double, 3>::zeros({1, 40, 1});
    auto gb = Tensor<double, 1>::zeros({10});
    double gs = 0;
    const Tensor<double, 3> av = a.value();
    const Tensor<double, 1> bv = b.value();
    for (weft::index i = 0; i < 500; ++i)
        for (weft::index j = 0; j < 40; ++j)
            for (weft::index k = 0; k < 10; ++k) {
                const double t = dy(i, j, k) * x(i, j, k);
                ga(i, j, 0) += t * bv(k);
                gb(k) += t * av(i, j, 0);
                gc(0, j, 0) += t;
                gs += t;
            }
    for (weft::index i = 0; i < 20000; ++i) REQUIRE(std::abs(a.grad().data()[i] - ga.data()[i]) < 1e-12);
    for (weft::index k = 0; k < 10; ++k) REQUIRE(std::abs(b.grad()(k) - std::as_const(gb)(k)) < 1e-10);
    for (weft::index j = 0; j < 40; ++j) REQUIRE(std::abs(c.grad().data()[j] - gc.data()[j]) < 1e-10);
    REQUIRE(s.grad().item() == Approx(gs).epsilon(1e-11));
}
