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

// Distance from the exact value in units of the last place of T there.
template <class T>
double ulps(T got, long double exact) {
    const T rounded = static_cast<T>(exact);
    if (got == rounded || (std::isnan(got) && std::isnan(rounded))) return 0;
    if (!std::isfinite(got) || !std::isfinite(rounded)) return infinity;
    int exponent = 0;
    std::frexp(rounded, &exponent);
    exponent = std::max(exponent, std::numeric_limits<T>::min_exponent);
    return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) /
                               std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits));
}

// The largest error of f over [low, high], evenly or (both positive) in ratio.
template <class T, class F, class R>
double largest_error(F f, R reference, double low, double high) {
    constexpr weft::index n = 40000;
    auto x = Tensor<T, 1>::empty({n});
    for (weft::index i = 0; i < n; ++i) {
        const double u = (static_cast<double>(i) + 0.37) / n;
        x.mutable_data()[i] = static_cast<T>(low > 0 ? low * std::pow(high / low, u) : low + u * (high - low));
    }
    const Tensor<T, 1> y = f(x);
    double worst = 0;
    for (weft::index i = 0; i < n; ++i)
        worst = std::max(worst, ulps(y.data()[i], reference(static_cast<long double>(x.data()[i]))));
    return worst;
}

template <class F, class R>
void check_accuracy(const char* name, F f, R reference, double low, double high, double bound, double double_bound) {
    INFO(name << " on [" << low << ", " << high << "]");
    CHECK(largest_error<float>(f, reference, low, high) <= bound);
    CHECK(largest_error<double>(f, reference, low, high) <= double_bound);
}

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

TEST_CASE("elementwise: accuracy in units of the last place", "[core]") {
    using L = long double;
    const auto check = [](const char* n, auto f, auto r, double low, double high, double b, double d) {
        check_accuracy(n, f, r, low, high, b, d);
    };
    check(
        "exp", [](auto& x) { return exp(x); }, [](L x) { return std::exp(x); }, -103, 88.7, 1.5, 1.5);
    check(
        "exp", [](auto& x) { return exp(x); }, [](L x) { return std::exp(x); }, -1, 1, 1.5, 1.5);
    CHECK(largest_error<double>([](auto& x) { return exp(x); }, [](L x) { return std::exp(x); }, -745, 709) <= 1.5);
    check(
        "expm1", [](auto& x) { return expm1(x); }, [](L x) { return std::expm1(x); }, -100, 88, 2, 2);
    check(
        "expm1", [](auto& x) { return expm1(x); }, [](L x) { return std::expm1(x); }, 1e-30, 1, 2, 2);
    check(
        "log", [](auto& x) { return log(x); }, [](L x) { return std::log(x); }, 1e-44, 3e38, 1, 1);
    check(
        "log", [](auto& x) { return log(x); }, [](L x) { return std::log(x); }, 0.5, 2, 1, 1);
    check(
        "log1p", [](auto& x) { return log1p(x); }, [](L x) { return std::log1p(x); }, -0.999, 1, 1, 1);
    check(
        "log1p", [](auto& x) { return log1p(x); }, [](L x) { return std::log1p(x); }, 1e-30, 1e30, 1, 1);
    check(
        "sin", [](auto& x) { return sin(x); }, [](L x) { return std::sin(x); }, -1000, 1000, 2, 2);
    check(
        "cos", [](auto& x) { return cos(x); }, [](L x) { return std::cos(x); }, -1000, 1000, 2, 2);
    check(
        "tan", [](auto& x) { return tan(x); }, [](L x) { return std::tan(x); }, -1000, 1000, 3, 3);
    check(
        "tanh", [](auto& x) { return tanh(x); }, [](L x) { return std::tanh(x); }, -10, 10, 1.5, 1.5);
    check(
        "tanh", [](auto& x) { return tanh(x); }, [](L x) { return std::tanh(x); }, 1e-30, 1, 1.5, 1.5);
    check(
        "erf", [](auto& x) { return erf(x); }, [](L x) { return std::erf(x); }, -6, 6, 3, 75);
    check(
        "erf", [](auto& x) { return erf(x); }, [](L x) { return std::erf(x); }, 1e-30, 1, 3, 75);
    check(
        "sqrt", [](auto& x) { return sqrt(x); }, [](L x) { return std::sqrt(x); }, 1e-37, 1e38, 0.5, 0.5);
    check(
        "rsqrt", [](auto& x) { return rsqrt(x); }, [](L x) { return 1 / std::sqrt(x); }, 1e-37, 1e38, 1.5, 1.5);
    check(
        "reciprocal", [](auto& x) { return reciprocal(x); }, [](L x) { return 1 / x; }, 1e-30, 1e30, 0.5, 0.5);
    check(
        "pow", [](auto& x) { return pow(x, 2.75); }, [](L x) { return std::pow(x, 2.75L); }, 1e-3, 1e3, 1, 1);
    check(
        "sigmoid", [](auto& x) { return sigmoid(x); }, [](L x) { return 1 / (1 + std::exp(-x)); }, -80, 80, 3, 3);
    check(
        "softplus", [](auto& x) { return softplus(x); },
        [](L x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::fabs(x))); }, -80, 80, 2, 2);
    check(
        "silu", [](auto& x) { return silu(x); }, [](L x) { return x / (1 + std::exp(-x)); }, -80, 80, 3, 3);
    // 1 + erf and 1 + tanh cancel for negative x, as in the formulas of PyTorch: relative accuracy for x > 0 only.
    check(
        "gelu", [](auto& x) { return gelu(x); }, [](L x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0L))); }, 1e-3,
        30, 3, 30);
    check(
        "gelu_tanh", [](auto& x) { return gelu_tanh(x); },
        [](L x) {
            return x / 2 * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846L) * (x + 0.044715L * x * x * x)));
        },
        1e-3, 30, 3, 3);
}

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
    check_slope<weft::Erf>(real);
    check_slope<weft::Abs>(real);
    check_slope<weft::Relu>(real);
    const std::vector<std::array<double, 2>> pairs{{-1.5, 0.4}, {0.3, 2.5}, {2.5, -0.7}, {1.5, 1.4}};
    check_slopes<weft::Add>(pairs);
    check_slopes<weft::Subtract>(pairs);
    check_slopes<weft::Multiply>(pairs);
    check_slopes<weft::Divide>(pairs);
    check_slopes<weft::Maximum>(pairs);
    check_slopes<weft::Minimum>(pairs);
    check_slopes<weft::Elu>(pairs);
    check_slopes<weft::LeakyRelu>(pairs);
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
