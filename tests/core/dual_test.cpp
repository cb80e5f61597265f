// SPDX-License-Identifier: MIT
#include "weft_test.hpp"

#include <weft/core/dual.hpp>
#include <weft/core/format_scalar.hpp>

#include <xsimd/xsimd.hpp>

#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>
#include <vector>

using weft::Dual;

namespace {

// The error of a central difference of order 4 with this step is about 1e-10 for the functions here.
template <class F>
double difference(F f, double x) {
    const double h = 1e-3;
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h);
}

// Value, tangent against `slope` (the formula of the textbook) and against differences; Dual<float> and, where the
// packets have the function, every lane of a packet against the scalar.
template <class F, class S>
void check(const char* name, F f, S slope, std::vector<double> points) {
    INFO(name);
    for (const double x : points) {
        INFO("x = " << x);
        const double y = f(x), t = slope(x);
        const auto d = f(Dual<double>(x, 1.75));
        REQUIRE(d.value == y);
        REQUIRE(d.tangent == Approx(1.75 * t).epsilon(1e-13).margin(1e-15));
        REQUIRE(t == Approx(difference(f, x)).epsilon(1e-8).margin(1e-9));

        const auto s = f(Dual<float>(static_cast<float>(x), 1.75f));
        const double at = static_cast<double>(static_cast<float>(x));
        REQUIRE(s.value == Approx(f(at)).epsilon(2e-6).margin(1e-6));
        REQUIRE(s.tangent == Approx(1.75 * slope(at)).epsilon(2e-5).margin(1e-6));

        using P = xsimd::batch<double>;
        const auto p = f(Dual<P>(P(x), P(1.75)));
        double lane[P::size];
        p.value.store_unaligned(lane);
        for (const double v : lane) REQUIRE(v == Approx(y).epsilon(1e-12).margin(1e-14));
        p.tangent.store_unaligned(lane);
        for (const double v : lane) REQUIRE(v == Approx(1.75 * t).epsilon(1e-12).margin(1e-14));
    }
}

} // namespace

TEST_CASE("dual: slopes of the functions of one argument", "[core]") {
    using std::atan, std::sinh, std::cosh, std::tanh, std::asinh, std::acosh, std::atanh, std::erf, std::erfc;
    using std::sqrt, std::exp, std::expm1, std::log, std::log1p, std::sin, std::cos, std::tan, std::asin, std::acos;
    const std::vector<double> real{-2.3, -1.1, -0.4, 0.0, 0.3, 0.9, 1.7, 3.2}, positive{0.25, 0.4, 1.0, 1.9, 12.0},
        inside{-0.9, -0.45, 0.0, 0.2, 0.85}, above_one{1.4, 1.7, 4.0, 20.0}, above_minus_one{-0.9, -0.2, 0.0, 0.5, 7.0};
    check(
        "exp", [](auto x) { return exp(x); }, [](double x) { return std::exp(x); }, real);
    check(
        "expm1", [](auto x) { return expm1(x); }, [](double x) { return std::exp(x); }, real);
    check(
        "log", [](auto x) { return log(x); }, [](double x) { return 1 / x; }, positive);
    check(
        "log1p", [](auto x) { return log1p(x); }, [](double x) { return 1 / (1 + x); }, above_minus_one);
    check(
        "sqrt", [](auto x) { return sqrt(x); }, [](double x) { return 0.5 / std::sqrt(x); }, positive);
    check(
        "sin", [](auto x) { return sin(x); }, [](double x) { return std::cos(x); }, real);
    check(
        "cos", [](auto x) { return cos(x); }, [](double x) { return -std::sin(x); }, real);
    check(
        "tan", [](auto x) { return tan(x); }, [](double x) { return 1 / std::pow(std::cos(x), 2); }, inside);
    check(
        "asin", [](auto x) { return asin(x); }, [](double x) { return 1 / std::sqrt(1 - x * x); }, inside);
    check(
        "acos", [](auto x) { return acos(x); }, [](double x) { return -1 / std::sqrt(1 - x * x); }, inside);
    check(
        "atan", [](auto x) { return atan(x); }, [](double x) { return 1 / (1 + x * x); }, real);
    check(
        "sinh", [](auto x) { return sinh(x); }, [](double x) { return std::cosh(x); }, real);
    check(
        "cosh", [](auto x) { return cosh(x); }, [](double x) { return std::sinh(x); }, real);
    check(
        "tanh", [](auto x) { return tanh(x); }, [](double x) { return 1 / std::pow(std::cosh(x), 2); }, real);
    check(
        "asinh", [](auto x) { return asinh(x); }, [](double x) { return 1 / std::sqrt(1 + x * x); }, real);
    check(
        "acosh", [](auto x) { return acosh(x); }, [](double x) { return 1 / std::sqrt(x * x - 1); }, above_one);
    check(
        "atanh", [](auto x) { return atanh(x); }, [](double x) { return 1 / (1 - x * x); }, inside);
    const auto gauss = [](double x) { return 2 / std::sqrt(std::numbers::pi) * std::exp(-x * x); };
    check(
        "erf", [](auto x) { return erf(x); }, gauss, real);
    check(
        "erfc", [](auto x) { return erfc(x); }, [&](double x) { return -gauss(x); }, real);
    check(
        "abs",
        [](auto x) {
            using std::abs;
            return abs(x);
        },
        [](double x) { return x < 0 ? -1.0 : 1.0; }, {-2.0, -0.3, 0.4, 5.0});
    for (const double x : {0.01, 0.5, 3.0, 1e10, 1e-200}) {
        const auto y = rsqrt(Dual<double>(x, 2));
        REQUIRE(y.value == 1 / std::sqrt(x));
        REQUIRE(y.tangent == Approx(-std::pow(x, -1.5)));
    }
}

TEST_CASE("dual: arithmetic follows the product and quotient rules", "[core]") {
    using D = Dual<double>;
    const D a(1.25, 3), b(-0.75, 0.5);
    const auto is = [](const D& d, double value, double tangent) {
        return d.value == value && d.tangent == Approx(tangent).epsilon(1e-15);
    };
    REQUIRE(is(a + b, 0.5, 3.5));
    REQUIRE(is(a - b, 2.0, 2.5));
    REQUIRE(is(a * b, -0.9375, 3 * -0.75 + 1.25 * 0.5));
    REQUIRE(is(a / b, 1.25 / -0.75, (3 * -0.75 - 1.25 * 0.5) / (0.75 * 0.75)));
    REQUIRE(is(-a, -1.25, -3));
    REQUIRE(is(+a, 1.25, 3));
    REQUIRE(is(fma(a, b, D(2, 7)), 1.0625, 3 * -0.75 + 1.25 * 0.5 + 7));
    REQUIRE(is(fma(a, 2.0, 1), 3.5, 6));

    // Constants: the scalar itself and other arithmetic types, on either side.
    REQUIRE(is(a + 2, 3.25, 3));
    REQUIRE(is(2 + a, 3.25, 3));
    REQUIRE(is(a - 2.0f, -0.75, 3));
    REQUIRE(is(2.0 - a, 0.75, -3));
    REQUIRE(is(a * 4, 5, 12));
    REQUIRE(is(4 * a, 5, 12));
    REQUIRE(is(a / 2, 0.625, 1.5));
    REQUIRE(is(5 / a, 4, -5 * 3 / (1.25 * 1.25)));
    // A constant factor never meets the other tangent: infinity times zero would be NaN.
    REQUIRE((Dual<double>(1, 2) * std::numeric_limits<double>::infinity()).tangent ==
            std::numeric_limits<double>::infinity());

    D c = a;
    c += b;
    c -= 1;
    c *= a;
    c /= 2.0;
    REQUIRE(is(c, -0.3125, (3.5 * 1.25 + -0.5 * 3) / 2));

    static_assert((Dual<float>(2, 1) * Dual<float>(3, 1) + 1).tangent == 5);
    static_assert(max(Dual<float>(2, 1), 5).tangent == 0);
    static_assert(Dual<float>(2, 1) / 4 == 0.5f);
    static_assert(std::is_trivially_copyable_v<Dual<float>> && sizeof(Dual<float>) == 8);
}

TEST_CASE("dual: comparisons and selections look at the value", "[core]") {
    using D = Dual<double>;
    const D a(1, 5), b(2, -5);
    REQUIRE(a < b);
    REQUIRE(a <= b);
    REQUIRE(b > a);
    REQUIRE(b >= 2);
    REQUIRE(a == D(1, 7));
    REQUIRE(1 == a);
    REQUIRE(a != b);
    REQUIRE_FALSE(3 < a);
    static_assert(std::is_same_v<decltype(a < b), bool>);

    REQUIRE(select(a < b, a, b).tangent == 5);
    REQUIRE(select(a > b, a, b).tangent == -5);
    REQUIRE(max(a, b).tangent == -5);
    REQUIRE(min(a, b).tangent == 5);
    REQUIRE(max(a, D(1, 9)).tangent == 5); // the first of equals
    REQUIRE(min(a, D(1, 9)).tangent == 5);
    REQUIRE(max(a, 0.0).tangent == 5);
    REQUIRE(max(0.0, a).tangent == 5);
    const D nan(std::nan(""), 1);
    REQUIRE(isnan(max(nan, a)));
    REQUIRE(isnan(max(a, nan)));
    REQUIRE(isnan(min(nan, a)));
    REQUIRE(isnan(min(a, nan)));
    REQUIRE_FALSE(isnan(a));

    REQUIRE(abs(D(0, 3)).tangent == 0);
    REQUIRE((sign(D(-4, 3)).value == -1 && sign(D(-4, 3)).tangent == 0));
    REQUIRE((sign(D(0, 3)).value == 0 && sign(D(2, 3)).value == 1));
    for (const double x : {-1.5, -0.2, 0.5, 1.7}) {
        REQUIRE((floor(D(x, 3)).value == std::floor(x) && floor(D(x, 3)).tangent == 0));
        REQUIRE((ceil(D(x, 3)).value == std::ceil(x) && ceil(D(x, 3)).tangent == 0));
        REQUIRE((round(D(x, 3)).value == std::round(x) && round(D(x, 3)).tangent == 0));
    }
}

TEST_CASE("dual: pow and atan2 in both arguments", "[core]") {
    using D = Dual<double>;
    for (const double x : {0.3, 1.0, 2.5})
        for (const double y : {-1.5, 0.0, 0.7, 3.0}) {
            INFO(x << " " << y);
            const double dx = difference([&](double s) { return std::pow(s, y); }, x);
            const double dy = difference([&](double s) { return std::pow(x, s); }, y);
            const D p = pow(D(x, 2), D(y, 3));
            REQUIRE(p.value == std::pow(x, y));
            REQUIRE(p.tangent == Approx(2 * dx + 3 * dy).epsilon(1e-8).margin(1e-8));
            REQUIRE(pow(D(x, 2), y).tangent == Approx(2 * dx).epsilon(1e-8).margin(1e-8));
            REQUIRE(pow(x, D(y, 3)).tangent == Approx(3 * dy).epsilon(1e-8).margin(1e-8));
        }
    // Where log(base) is not finite.
    REQUIRE(pow(D(-2, 1), 3).tangent == 12);
    REQUIRE(pow(D(-2, 1), D(3)).tangent == 12);
    REQUIRE(std::isnan(pow(D(-2, 1), D(3, 1)).tangent));
    REQUIRE(pow(D(0, 1), 2).tangent == 0);
    REQUIRE(pow(D(0, 1), 1).tangent == 1);
    REQUIRE(pow(D(0, 1), 0).tangent == 0);
    REQUIRE(pow(D(0, 1), D(2, 1)).tangent == 0);
    REQUIRE(pow(0, D(2, 1)).tangent == 0);

    for (const double y : {-1.2, 0.4, 2.0})
        for (const double x : {-0.7, 0.5, 3.0}) {
            const double dy = difference([&](double s) { return std::atan2(s, x); }, y);
            const double dx = difference([&](double s) { return std::atan2(y, s); }, x);
            const D a = atan2(D(y, 2), D(x, 3));
            REQUIRE(a.value == std::atan2(y, x));
            REQUIRE(a.tangent == Approx(2 * dy + 3 * dx).epsilon(1e-8));
        }
}

TEST_CASE("dual: a packet of duals compares and selects lane by lane", "[core]") {
    using P = xsimd::batch<float>;
    constexpr auto n = P::size;
    float x[n], t[n], got[n];
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = static_cast<float>(i) - 1.5f;
        t[i] = static_cast<float>(i) + 10;
    }
    const Dual<P> a(P::load_unaligned(x), P::load_unaligned(t));
    const Dual<P> relu = max(a, 0);
    const Dual<P> leaky = select(a > 0, a, a * 0.25f);
    const Dual<P> guarded = select((a > 0) | (a != a), a, Dual<P>(7));
    relu.tangent.store_unaligned(got);
    for (std::size_t i = 0; i < n; ++i) REQUIRE(got[i] == (x[i] > 0 ? t[i] : 0));
    leaky.tangent.store_unaligned(got);
    for (std::size_t i = 0; i < n; ++i) REQUIRE(got[i] == (x[i] > 0 ? t[i] : 0.25f * t[i]));
    guarded.value.store_unaligned(got);
    for (std::size_t i = 0; i < n; ++i) REQUIRE(got[i] == (x[i] > 0 ? x[i] : 7));
}

TEST_CASE("dual: second derivatives by nesting", "[core]") {
    using D = Dual<Dual<double>>;
    const double x = 0.6;
    const D y = exp(sin(D(Dual<double>(x, 1), Dual<double>(1))) * 2);
    const double f = std::exp(2 * std::sin(x)), s = std::sin(x), c = std::cos(x);
    REQUIRE(y.value.value == Approx(f).epsilon(1e-15));
    REQUIRE(y.value.tangent == Approx(2 * c * f).epsilon(1e-15));
    REQUIRE(y.tangent.tangent == Approx((4 * c * c - 2 * s) * f).epsilon(1e-14));
}

TEST_CASE("dual: prints value and tangent", "[core]") {
    REQUIRE(fmt::format("{}", Dual<double>(1.5, -2)) == "1.5-2 ε");
    REQUIRE(fmt::format("{:.2f}", Dual<float>(1.5f, 0.25f)) == "1.50+0.25 ε");
    REQUIRE(fmt::format("{:.1f}", std::complex<double>(1, -2)) == "(1.0-2.0i)");
}
