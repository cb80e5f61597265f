// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/ops.hpp>

#include <algorithm>
#include <complex>
#include <limits>

using namespace weft_test;
using weft::Dual, weft::Tensor;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

// The adjoint of Op's operand by its rule, against central differences; for scalars, packets and Duals.
template <class Op>
void check_slope(std::vector<double> points) {
    INFO(Op::name);
    for (const double x : points) {
        INFO("x = " << x);
        const double h = 1e-5 * std::max(1.0, std::abs(x));
        const double difference = (Op::value(x + h) - Op::value(x - h)) / (2 * h);
        const double slope = weft::detail::unary_adjoint<Op, double>(2.0, x, Op::value(x)) / 2;
        REQUIRE(slope == Approx(difference).epsilon(1e-7).margin(1e-9));

        using P = weft::Packet<double>;
        double lane[static_cast<std::size_t>(weft::lanes<double>)];
        weft::store_packet<double>(lane, weft::detail::unary_adjoint<Op, P>(P(2.0), P(x), Op::value(P(x))));
        for (const double v : lane) REQUIRE(v == Approx(2 * slope).epsilon(1e-12).margin(1e-14));

        // The tangent of the value is the slope; that of the slope is its difference.
        const Dual<double> d(x, 1.0), y = Op::value(d);
        REQUIRE(y.value == Approx(Op::value(x)).epsilon(1e-14));
        REQUIRE(y.tangent == Approx(slope).epsilon(1e-10).margin(1e-12));
        const auto slope_at = [](double at) { return weft::detail::unary_adjoint<Op, double>(1.0, at, Op::value(at)); };
        const double curvature = (slope_at(x + h) - slope_at(x - h)) / (2 * h);
        REQUIRE(weft::detail::unary_adjoint<Op, Dual<double>>(Dual<double>(1.0), d, y).tangent ==
                Approx(curvature).epsilon(1e-6).margin(1e-8));
    }
}

template <class Op, int K, std::size_t N>
double operand_slope(const std::array<double, N>& a) {
    if constexpr (N == 2)
        return weft::detail::operand_adjoint<Op, K, double>(1.0, a[0], a[1], Op::value(a[0], a[1]));
    else
        return weft::detail::operand_adjoint<Op, K, double>(1.0, a[0], a[1], a[2], Op::value(a[0], a[1], a[2]));
}
template <class Op, std::size_t N>
double value_of(const std::array<double, N>& a) {
    if constexpr (N == 2)
        return Op::value(a[0], a[1]);
    else
        return Op::value(a[0], a[1], a[2]);
}
template <class Op, int K, std::size_t N>
void check_operand(const std::array<double, N>& a) {
    const double h = 1e-6;
    auto above = a, below = a;
    above[K] += h;
    below[K] -= h;
    INFO(Op::name << " operand " << K << " at " << a[0] << " " << a[1]);
    REQUIRE(operand_slope<Op, K>(a) ==
            Approx((value_of<Op>(above) - value_of<Op>(below)) / (2 * h)).epsilon(1e-7).margin(1e-8));
}
template <class Op, std::size_t N>
void check_slopes(std::vector<std::array<double, N>> points) {
    for (const auto& a : points) {
        check_operand<Op, 0>(a);
        check_operand<Op, 1>(a);
        if constexpr (N > 2) check_operand<Op, 2>(a);
    }
}

// f over tensors of all edge lengths is, element by element, what it is of a long tensor: tails and blocks agree.
template <class T, class F>
void check_lengths(F f) {
    const auto x = numbers<T, 1>({5000});
    const auto whole = weft::eval(f(x));
    for (const weft::index n : edge_lengths<T>()) {
        const auto part = weft::eval(f(Tensor<T, 1>::from(x.values().first(static_cast<std::size_t>(n)), {n})));
        REQUIRE(part.shape() == weft::Extents<1>{n});
        for (weft::index i = 0; i < n; ++i) REQUIRE(std::memcmp(&part(i), &whole(i), sizeof(whole(i))) == 0);
    }
}

template <class T>
std::vector<T> list(const Tensor<T, 1>& x) {
    return {x.values().begin(), x.values().end()};
}

} // namespace

TEST_CASE("elementwise: slopes against differences, second order by Duals", "[core]") {
    const std::vector<double> real{-3.1, -1.2, -0.3, 0.2, 0.9, 2.4}, positive{0.1, 0.7, 1.3, 8};
    check_slope<weft::Negate>(real);
    check_slope<weft::Square>(real);
    check_slope<weft::Sqrt>(positive);
    check_slope<weft::ReciprocalSqrt>(positive);
    check_slope<weft::Reciprocal>(real);
    check_slope<weft::Exp>(real);
    check_slope<weft::Expm1>(real);
    check_slope<weft::Log>(positive);
    check_slope<weft::Log1p>(positive);
    check_slope<weft::Sin>(real);
    check_slope<weft::Cos>(real);
    check_slope<weft::Tan>(real);
    check_slope<weft::Tanh>(real);
    check_slope<weft::Sigmoid>(real);
    check_slope<weft::Softplus>(real);
    check_slope<weft::Silu>(real);
    check_slope<weft::Gelu>(real);
    check_slope<weft::GeluTanh>(real);
    check_slope<weft::QuickGelu>(real);
    check_slope<weft::Mish>(real);
    check_slope<weft::LogSigmoid>(real);
    check_slope<weft::Softsign>(real);
    check_slope<weft::Selu>(real);
    check_slope<weft::Erf>(real);
    check_slope<weft::Erfc>(real);
    check_slope<weft::Abs>(real);
    check_slope<weft::Relu>(real);
    check_slope<weft::Relu6>({-1.2, 0.3, 5.8, 6.4});
    check_slope<weft::SquaredRelu>(real);
    check_slope<weft::Hardtanh>(real);
    check_slope<weft::Hardsigmoid>({-3.1, -2.9, 0.4, 2.9, 3.1});
    check_slope<weft::Hardswish>({-3.1, -2.9, 0.4, 2.9, 3.1});
    const std::vector<std::array<double, 2>> pairs{{-1.5, 0.4}, {0.3, 2.5}, {2.5, -0.7}, {1.5, 1.4}};
    check_slopes<weft::Add>(pairs);
    check_slopes<weft::Subtract>(pairs);
    check_slopes<weft::Multiply>(pairs);
    check_slopes<weft::Divide>(pairs);
    check_slopes<weft::Maximum>(pairs);
    check_slopes<weft::Minimum>(pairs);
    check_slopes<weft::Elu>(pairs);
    check_slopes<weft::LeakyRelu>(pairs);
    const std::vector<std::array<double, 2>> shaped{{-1.5, 0.4}, {0.3, 2.5}, {2.5, 0.7}, {-4, 1.4}};
    check_slopes<weft::Celu>(shaped);
    check_slopes<weft::Squareplus>(shaped);
    check_slopes<weft::Power>(std::vector<std::array<double, 2>>{{0.3, 2.5}, {2.5, -0.7}, {1.5, 0.4}, {4, 1}});
    check_slopes<weft::MultiplyAdd>(std::vector<std::array<double, 3>>{{0.3, 2.5, -1}, {2.5, -0.7, 4}});
    check_slopes<weft::Clamp>(std::vector<std::array<double, 3>>{{-2, -1, 1}, {0.5, -1, 1}, {3, -1, 1}, {0, 2, 1}});
    check_slopes<weft::Where>(std::vector<std::array<double, 3>>{{1, -1, 1}, {2, 5, 7}});
}

TEST_CASE("elementwise: slopes at kinks and ties", "[core]") {
    REQUIRE(operand_slope<weft::Maximum, 0>(std::array{2.0, 2.0}) == 0.5);
    REQUIRE(operand_slope<weft::Maximum, 1>(std::array{2.0, 2.0}) == 0.5);
    REQUIRE(operand_slope<weft::Minimum, 1>(std::array{-2.0, -2.0}) == 0.5);
    REQUIRE(weft::Abs::adjoint(3.0, 0.0, 0.0) == 0);
    REQUIRE(weft::Relu::adjoint(3.0, 0.0, 0.0) == 0);
    REQUIRE(operand_slope<weft::Clamp, 0>(std::array{1.0, -1.0, 1.0}) == 1);
    REQUIRE(operand_slope<weft::Power, 0>(std::array{0.0, 0.0}) == 0);
    REQUIRE(operand_slope<weft::Power, 1>(std::array{0.0, 2.0}) == 0);
    // As in PyTorch, at the kinks and of second order there.
    const auto curvature = []<class Op>(Op, double x) {
        const Dual<double> at(x, 1);
        return weft::detail::unary_adjoint<Op>(Dual<double>(1), at, Op::value(at));
    };
    for (const double kink : {0.0, 6.0}) REQUIRE(weft::Relu6::adjoint(3.0, kink, kink) == 0);
    for (const double kink : {-1.0, 1.0}) REQUIRE(weft::Hardtanh::adjoint(3.0, kink, kink) == 0);
    for (const double kink : {-3.0, 3.0}) REQUIRE(weft::Hardsigmoid::adjoint(3.0, kink, 0.0) == 0);
    REQUIRE(weft::Hardswish::adjoint(3.0, -3.0, 0.0) == 0);
    REQUIRE(weft::Hardswish::adjoint(3.0, 3.0, 3.0) == 3);
    REQUIRE(curvature(weft::SquaredRelu{}, 0.0).tangent == 0);
    REQUIRE(curvature(weft::Softsign{}, 0.0).tangent == 0);
    REQUIRE(curvature(weft::Selu{}, 0.0).tangent == Approx(weft::Selu::lambda * weft::Selu::alpha));
    // Smooth functions are smooth at 0, where their formulas change.
    REQUIRE(curvature(weft::Softplus{}, 0.0).tangent == Approx(0.25));
    REQUIRE(weft::Softplus::value(Dual<double>(0, 1)).tangent == Approx(0.5));
    REQUIRE(curvature(weft::LogSigmoid{}, 0.0).tangent == Approx(-0.25));
    REQUIRE(weft::LogSigmoid::value(Dual<double>(0, 1)).tangent == Approx(0.5));
    REQUIRE(curvature(weft::Silu{}, 0.0).tangent == Approx(0.5));
    REQUIRE(curvature(weft::Gelu{}, 0.0).tangent == Approx(2 * 0.3989422804014327));
    REQUIRE(curvature(weft::GeluTanh{}, 0.0).tangent == Approx(2 * 0.3989422804014327));
    REQUIRE(curvature(weft::QuickGelu{}, 0.0).tangent == Approx(1.702 / 2));
    REQUIRE(curvature(weft::Mish{}, 0.0).tangent == Approx(0.64));
    REQUIRE(curvature(weft::Mish{}, 0.0).value == Approx(0.6));
    // What was not selected gets 0 even of an infinite adjoint.
    REQUIRE(weft::Where::adjoint_c(infinity, 1.0, 2.0, 3.0, 2.0) == 0);
    REQUIRE(weft::Relu::adjoint(infinity, -1.0, 0.0) == 0);
    REQUIRE(weft::Elu::adjoint_b(infinity, 1.0, 1.0, 1.0) == 0);
}

TEST_CASE("elementwise: infinities and NaN", "[core]") {
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    auto x = Tensor<float, 1>::full({19}, 1.0f); // a whole packet and a tail
    const float special[] = {inf, -inf, 88.72f, 88.73f, -103.9f, -104.1f, -0.0f};
    std::copy(std::begin(special), std::end(special), x.mutable_data());
    const Tensor<float, 1> e = exp(x), s = sigmoid(x), p = softplus(x), t = tanh(x), q = rsqrt(x * 0.0f + 0.0f);
    REQUIRE(e(0) == inf);
    REQUIRE(e(1) == 0);
    REQUIRE(std::isfinite(e(2)));
    REQUIRE(e(3) == inf);
    REQUIRE(e(4) == std::numeric_limits<float>::denorm_min());
    REQUIRE(e(5) == 0);
    REQUIRE(e(6) == 1);
    REQUIRE((s(0) == 1 && s(1) == 0 && s(5) == 0));
    REQUIRE((p(0) == inf && p(1) == 0 && p(2) == 88.72f));
    REQUIRE((t(0) == 1 && t(1) == -1));
    REQUIRE(q(6) == inf);
    REQUIRE(Tensor<float, 1>(expm1(x))(1) == -1);
    REQUIRE(std::isinf(Tensor<float, 1>(log(x * 0.0f))(6)));

    for (const weft::index at : {0, 5, 16, 18}) { // in packets and in the tail
        auto y = Tensor<float, 1>::full({19}, 0.5f);
        y(at) = nan;
        const auto propagates = [&](const Tensor<float, 1>& z) {
            for (weft::index i = 0; i < 19; ++i)
                if (std::isnan(z(i)) != (i == at)) return false;
            return true;
        };
        REQUIRE(propagates(relu(y)));
        REQUIRE(propagates(maximum(y, 0)));
        REQUIRE(propagates(maximum(0, y)));
        REQUIRE(propagates(minimum(y, 1)));
        REQUIRE(propagates(clamp(y, 0, 1)));
        REQUIRE(propagates(exp(y)));
        REQUIRE(propagates(softplus(y)));
        REQUIRE(propagates(elu(y)));
        REQUIRE(propagates(leaky_relu(y)));
        REQUIRE(propagates(gelu(y) + silu(y) + tanh(y) + erf(y)));
        REQUIRE(propagates(relu6(y)));
        REQUIRE(propagates(hardtanh(y)));
        REQUIRE(propagates(hardsigmoid(y)));
        REQUIRE(propagates(hardswish(y)));
        REQUIRE(propagates(squared_relu(y)));
        REQUIRE(propagates(gelu_tanh(y) + quick_gelu(y)));
        REQUIRE(propagates(mish(y) + softsign(y)));
        REQUIRE(propagates(logsigmoid(y) + sigmoid(y) + erfc(y)));
        REQUIRE(propagates(celu(y) + selu(y) + squareplus(y)));
        REQUIRE(propagates(log(y) + sqrt(y) + sin(y) + cos(y) + abs(y) + round(y)));
        REQUIRE(Tensor<float, 1>(sign(y))(at) == 0);
        REQUIRE_FALSE(Tensor<bool, 1>(y == y)(at));
        REQUIRE(Tensor<bool, 1>(y != y)(at));
    }
    REQUIRE(std::isnan(nan_value));
}

TEST_CASE("elementwise: rounding, signs and selection", "[core]") {
    const auto x = Tensor<float, 1>::from({-2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f, 7, -7.25f, 0});
    REQUIRE(list<float>(round(x)) == std::vector<float>{-2, -2, 0, 0, 2, 2, 7, -7, 0});
    REQUIRE(list<float>(floor(x)) == std::vector<float>{-3, -2, -1, 0, 1, 2, 7, -8, 0});
    REQUIRE(list<float>(ceil(x)) == std::vector<float>{-2, -1, 0, 1, 2, 3, 7, -7, 0});
    REQUIRE(list<float>(sign(x)) == std::vector<float>{-1, -1, -1, 1, 1, 1, 1, -1, 0});
    REQUIRE(list<float>(abs(x)) == std::vector<float>{2.5, 1.5, 0.5, 0.5, 1.5, 2.5, 7, 7.25, 0});
    REQUIRE(list<float>(clamp(x, -1, 2)) == std::vector<float>{-1, -1, -0.5, 0.5, 1.5, 2, 2, -1, 0});
    REQUIRE(list<float>(where(x > 0, x, 10 * x)) == std::vector<float>{-25, -15, -5, 0.5, 1.5, 2.5, 7, -72.5, 0});
    REQUIRE(list<float>(elu(x, 2))[0] == Approx(2 * std::expm1(-2.5)));
    REQUIRE(list<float>(leaky_relu(x, 0.5)) == std::vector<float>{-1.25, -0.75, -0.25, 0.5, 1.5, 2.5, 7, -3.625, 0});
    REQUIRE(list<float>(-x + (x - 1) * x / 2)[0] == 2.5f + 3.5f * 2.5f / 2);
    REQUIRE(list<float>(fma(x, x, 1))[0] == 7.25f);
    REQUIRE(list<float>(pow(x, 3))[1] == -3.375f);
}

TEST_CASE("elementwise: powers of Duals, in packets and one by one", "[core]") {
    using D = Dual<double>;
    std::vector<D> bases, exponents;
    for (const double base : {-2.0, 0.0, 0.3, 1.0, 7.5})
        for (const D exponent : {D(-1, 0), D(0, 0), D(2, 0), D(3, 0), D(2.5, 1), D(0, -2)}) {
            bases.push_back(D(base, 1.75));
            exponents.push_back(exponent);
        }
    const auto a = Tensor<D, 1>::from(bases), b = Tensor<D, 1>::from(exponents);
    const Tensor<D, 1> y = pow(a, b);
    for (std::size_t i = 0; i < bases.size(); ++i) {
        INFO(bases[i].value << " to the power " << exponents[i].value << " " << exponents[i].tangent);
        const D expected = pow(bases[i], exponents[i]), got = y(static_cast<weft::index>(i));
        const auto same = [](double p, double q) {
            return p == q || (std::isnan(p) && std::isnan(q)) || std::abs(p - q) <= 4e-16 * std::abs(q);
        };
        REQUIRE(same(got.value, expected.value));
        REQUIRE(same(got.tangent, expected.tangent));
    }
}

TEST_CASE("elementwise: masks", "[core]") {
    const auto x = numbers<float, 1>({100}), y = numbers<float, 1>({100}, 2);
    const Tensor<bool, 1> less = x < y, both = x < y && y > 0, either = !(x < y) || x == x;
    const Tensor<bool, 1> stored = less && (less || less);
    const Tensor<float, 1> picked = less * x, chosen = where(less, x, y);
    const Tensor<std::int64_t, 1> count = less + less + (x < y);
    for (weft::index i = 0; i < 100; ++i) {
        REQUIRE(less(i) == (x(i) < y(i)));
        REQUIRE(both(i) == (x(i) < y(i) && y(i) > 0));
        REQUIRE(either(i));
        REQUIRE(stored(i) == less(i));
        REQUIRE(picked(i) == (less(i) ? x(i) : 0));
        REQUIRE(chosen(i) == std::min(x(i), y(i)));
        REQUIRE(count(i) == (less(i) ? 3 : 0));
    }
    REQUIRE(list<bool>(x <= y)[7] == (x(7) <= y(7)));
    REQUIRE(list<bool>(x >= y)[7] == (x(7) >= y(7)));
    REQUIRE(list<bool>(x != y)[7]);
    // Fractional numbers and masks make fractions.
    REQUIRE(list<float>(less * 0.5f)[3] == (less(3) ? 0.5f : 0.0f));
    REQUIRE(list<float>(where(less, 0.25f, 0.75f))[3] == (less(3) ? 0.25f : 0.75f));
    REQUIRE(list<double>(where(x < y, 0.25, 0.75))[3] == (less(3) ? 0.25 : 0.75));
}

TEST_CASE("elementwise: integers, complex numbers, half precision", "[core]") {
    const auto i = Tensor<int, 1>::from({-7, 0, 5, 9});
    REQUIRE(list<int>(abs(i) / 2 * 3 - 1) == std::vector<int>{8, -1, 5, 11});
    REQUIRE(list<int>(maximum(i, 2) + minimum(i, 3) + clamp(i, -1, 6)) == std::vector<int>{-6, 2, 13, 18});
    REQUIRE(list<std::int64_t>(i + Tensor<std::int64_t, 1>::full({4}, std::int64_t{1} << 40))[2] ==
            (std::int64_t{1} << 40) + 5);
    const auto z = Tensor<std::complex<double>, 1>::full({3}, {1, 2});
    REQUIRE(Tensor<std::complex<double>, 1>(z * z - z / 2.0)(1) == std::complex<double>(-3.5, 3));
    REQUIRE(std::abs(Tensor<std::complex<double>, 1>(exp(z))(2) - std::exp(std::complex<double>(1, 2))) < 1e-15);
    const auto h = Tensor<weft::half, 1>::full({20}, weft::half(0.1f));
    const Tensor<weft::half, 1> sum = h + h * 2.0f;
    REQUIRE(float(sum(19)) == float(weft::half(3 * float(weft::half(0.1f))))); // rounded once, at the end
    const Tensor<double, 1> wide = Tensor<float, 1>::full({3}, 0.1f) + Tensor<double, 1>::full({3}, 0.2);
    REQUIRE(wide(0) == static_cast<double>(0.1f) + 0.2);
}

TEMPLATE_TEST_CASE("elementwise: every length gives the same elements", "[core]", float, double) {
    check_lengths<TestType>([](auto x) { return exp(x) + sigmoid(x) * x; });
    check_lengths<TestType>([](auto x) { return gelu(x) - softplus(x) / (x * x + TestType(1)); });
    check_lengths<TestType>([](auto x) { return where(x > TestType(0), tanh(x), expm1(x)); });
    check_lengths<TestType>([](auto x) { return x > TestType(0.5); });
    check_lengths<Dual<TestType>>([](auto x) { return tanh(x) * x; });
    check_lengths<weft::half>([](auto x) { return Tensor<weft::half, 1>(x * x + 1.0f); });
    check_lengths<int>([](auto x) { return x * 3 + 1; });
}

TEST_CASE("elementwise: compound assignment", "[core]") {
    auto x = numbers<float, 2>({3, 5});
    const auto before = x; // shares the memory
    x += 1;
    x *= before;
    x -= Tensor<float, 1>::ones({5});
    x /= 2;
    for (weft::index i = 0; i < x.size(); ++i) {
        const float b = before.data()[i];
        REQUIRE(x.data()[i] == Approx(((b + 1) * b - 1) / 2).margin(1e-6));
    }
    auto row = Tensor<float, 1>::ones({5});
    auto narrow = Tensor<float, 2>::ones({1, 5});
    REQUIRE(error_of([&] { narrow += x; }) ==
            "weft: assign: x is [1, 5], the result is [3, 5]: compound assignment must keep the shape");
    REQUIRE(error_of([&] { row += Tensor<float, 1>::ones({4}); }) ==
            "weft: add: a is [5], b is [4]: extents 5 and 4 of axis 0 must be equal or 1");
    REQUIRE(list(row) == std::vector<float>(5, 1.0f));
}

TEST_CASE("elementwise: the same bits on any number of threads", "[core]") {
    const auto x = numbers<float, 2>({1500, 211});
    const auto bias = numbers<float, 1>({211}, 2);
    require_thread_independent([&] { return Tensor<float, 2>(gelu(x + bias)); });
    require_thread_independent([&] { return Tensor<bool, 2>(x * bias > 0.3f); });
}
