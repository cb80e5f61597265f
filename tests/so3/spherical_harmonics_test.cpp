// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/core/reduce.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/so3/spherical_harmonics_alpha_beta.hpp>

#include <numbers>

using namespace weft_test;
using weft::Dual, weft::Extents, weft::Tensor, weft::Var;
using weft::so3::degrees_up_to, weft::so3::Normalization, weft::so3::spherical_harmonics;
using Options = weft::so3::SphericalHarmonicsOptions;

namespace {

using weft::index; // there is a function of that name in the C library

constexpr Normalization normalizations[] = {Normalization::integral, Normalization::component, Normalization::norm};

Normalization normalization_of(const std::string& name) {
    if (name == "component") return Normalization::component;
    if (name == "norm") return Normalization::norm;
    INFO(name);
    REQUIRE(name == "integral");
    return Normalization::integral;
}

/// The highest degree in a name like y_integral_l0_to_4.
int degree_in(const std::string& tensor) { return std::stoi(tensor.substr(tensor.rfind('_') + 1)); }
/// The tensor of the case whose name begins so; there must be one.
std::string only(const GoldenCase& golden, const std::string& prefix) {
    const auto found = golden.tensors(prefix);
    REQUIRE(found.size() == 1);
    return prefix + found[0];
}
/// The degree up to which there are so many functions.
int degree_of(index components) {
    return static_cast<int>(std::lround(std::sqrt(static_cast<double>(components)))) - 1;
}

template <class T, int N>
Tensor<T, N> gradient(const std::vector<int>& degrees, const Tensor<T, N>& x, const Tensor<T, N>& dy,
                      const Options& o) {
    const Var<T, N> leaf{x};
    weft::backward(spherical_harmonics(degrees, leaf, o), dy);
    return leaf.grad();
}

/// The groups of the file that have values alone.
template <class T>
void compare_values(GoldenCase& golden) {
    constexpr Tolerance tolerance{.of_float = 2e-5};
    const auto component = [&](const std::vector<int>& degrees) {
        return spherical_harmonics(degrees, golden.get<T, 2>("x"), {.normalization = Normalization::component});
    };
    const std::string& group = golden.name();
    if (group == "subset") {
        const auto ls = golden.get<std::int64_t, 1>("ls");
        golden.compare("y", component({ls.values().begin(), ls.values().end()}), tolerance);
    } else if (group == "zero") {
        const std::string name = only(golden, "y_");
        golden.compare(name, component(degrees_up_to(degree_of(golden.shape(name)[1]))), tolerance);
    } else if (group == "high") {
        const std::string name = only(golden, "y_component_l0_to_");
        golden.compare(name, component(degrees_up_to(degree_in(name))),
                       {.of_float = 2e-5, .relative = 1e-12, .absolute = 1e-12});
    } else {
        INFO(group);
        REQUIRE(group == "ab");
        const std::string name = only(golden, "y_integral_l0_to_");
        const int lmax = degree_in(name);
        const auto degrees = degrees_up_to(lmax);
        const auto alpha = golden.get<T, 1>("alpha"), beta = golden.get<T, 1>("beta");
        golden.compare(name, weft::so3::spherical_harmonics_alpha_beta(degrees, alpha, beta), tolerance);
        golden.compare(name, spherical_harmonics(degrees, golden.get<T, 2>("xyz")), tolerance);
        const auto of_alpha = weft::so3::spherical_harmonics_alpha(lmax, alpha);
        Tensor<T, 2> product = weft::so3::legendre(degrees, beta);
        for (index i = 0; i < product.extent(0); ++i)
            for (index l = 0; l <= lmax; ++l)
                for (index m = -l; m <= l; ++m) product(i, l * l + l + m) *= of_alpha(i, lmax + m);
        golden.compare(name, product, tolerance);
    }
}

/// Points on the unit sphere.
Tensor<double, 2> directions(index n, unsigned seed) {
    auto x = numbers<double, 2>({n, 3}, seed);
    for (index i = 0; i < n; ++i) {
        const double r = std::hypot(x(i, 0), x(i, 1), x(i, 2));
        for (index k = 0; k < 3; ++k) x(i, k) /= r;
    }
    return x;
}

TEST_CASE("spherical_harmonics: as in e3nn, with gradients to second order", "[so3][golden]") {
    for_each_golden_group("equivariant-core", "spherical_harmonics", [](GoldenCase& golden) {
        if (!golden.has("gy")) {
            compare_values<double>(golden);
            compare_values<float>(golden);
            return;
        }
        const bool raw = golden.name().starts_with("raw_");
        const Options options{!raw, normalization_of(raw ? golden.name().substr(4) : golden.name())};
        const auto degrees = degrees_up_to(degree_of(golden.shape("y")[1]));
        check_derivatives(
            golden, [&](const auto& x) { return spherical_harmonics(degrees, x, options); }, Input<2>{"x"});
    });
}

TEST_CASE("spherical_harmonics: polynomials of low degree", "[so3]") {
    const auto points = numbers<double, 2>({7, 3});
    const Tensor<double, 2> y = spherical_harmonics({1, 2, 0}, points, {false, Normalization::component});
    const double a = std::sqrt(3.0), b = std::sqrt(15.0);
    for (index i = 0; i < 7; ++i) {
        const double x = points(i, 0), v = points(i, 1), z = points(i, 2);
        const double expected[9] = {a * x,     a * v,
                                    a * z,     b * x * z,
                                    b * x * v, b / a * (v * v - (x * x + z * z) / 2),
                                    b * v * z, b * (z * z - x * x) / 2,
                                    1};
        for (index k = 0; k < 9; ++k) REQUIRE(y(i, k) == Approx(expected[k]).margin(1e-14));
    }
}

TEST_CASE("spherical_harmonics: addition theorem", "[so3]") {
    const index n = 20;
    const auto a = directions(n, 1), b = directions(n, 2);
    const auto close = [&](int lmax, double tolerance) {
        const auto degrees = degrees_up_to(lmax);
        const Tensor<double, 2> of_a = spherical_harmonics(degrees, a), of_b = spherical_harmonics(degrees, b);
        for (index i = 0; i < n; ++i) {
            const double cosine = a(i, 0) * b(i, 0) + a(i, 1) * b(i, 1) + a(i, 2) * b(i, 2);
            for (index l = 0; l <= lmax; ++l) {
                double sum = 0, norm = 0;
                for (index k = l * l; k < (l + 1) * (l + 1); ++k) {
                    sum += of_a(i, k) * of_b(i, k);
                    norm += of_a(i, k) * of_a(i, k);
                }
                const double size = static_cast<double>(2 * l + 1) / (4 * std::numbers::pi);
                INFO("point " << i << ", degree " << l);
                REQUIRE(std::abs(sum / size - std::legendre(static_cast<unsigned>(l), cosine)) < tolerance);
                REQUIRE(std::abs(norm / size - 1) < tolerance);
            }
        }
    };
    close(12, 1e-13);
    close(100, 1e-11);
}

TEST_CASE("spherical_harmonics: high degrees of floats neither overflow nor vanish", "[so3]") {
    const int l = 200;
    const Tensor<float, 2> y =
        spherical_harmonics(l, Tensor<float, 2>(directions(5, 3)), {.normalization = Normalization::norm});
    for (index i = 0; i < 5; ++i) {
        double norm = 0;
        for (index k = 0; k < y.extent(1); ++k) norm += static_cast<double>(y(i, k)) * static_cast<double>(y(i, k));
        REQUIRE(norm == Approx(1).epsilon(1e-3));
    }
}

TEST_CASE("spherical_harmonics: integral normalisation is orthonormal", "[so3]") {
    // Gauss-Legendre along the polar axis, equal angles around it: exact for products of two of degree 6.
    constexpr int lmax = 6, rings = lmax + 1, around = 2 * lmax + 1;
    auto alpha = Tensor<double, 1>::empty({rings * around}), beta = alpha, weight = alpha;
    for (int r = 0; r < rings; ++r) {
        double t = std::cos(std::numbers::pi * (r + 0.75) / (rings + 0.5)), slope = 1;
        for (int step = 0; step < 20; ++step) {
            slope = rings * (t * std::legendre(rings, t) - std::legendre(rings - 1, t)) / (t * t - 1);
            t -= std::legendre(rings, t) / slope;
        }
        for (int k = 0; k < around; ++k) {
            alpha(r * around + k) = 2 * std::numbers::pi * k / around;
            beta(r * around + k) = std::acos(t);
            weight(r * around + k) = 2 / ((1 - t * t) * slope * slope) * 2 * std::numbers::pi / around;
        }
    }
    const auto y = weft::so3::spherical_harmonics_alpha_beta(degrees_up_to(lmax), alpha, beta);
    for (index a = 0; a < y.extent(1); ++a)
        for (index b = 0; b <= a; ++b) {
            double sum = 0;
            for (index i = 0; i < y.extent(0); ++i) sum += weight(i) * y(i, a) * y(i, b);
            INFO("functions " << a << " and " << b);
            REQUIRE(std::abs(sum - (a == b ? 1 : 0)) < 1e-12);
        }
}

TEST_CASE("spherical_harmonics: a rotation about the polar axis mixes m and -m", "[so3]") {
    const double angle = 0.7, c = std::cos(angle), s = std::sin(angle);
    const int lmax = 12;
    const auto x = numbers<double, 2>({9, 3});
    auto turned = x;
    for (index i = 0; i < 9; ++i) {
        turned(i, 0) = c * x(i, 0) + s * x(i, 2);
        turned(i, 2) = c * x(i, 2) - s * x(i, 0);
    }
    for (const Normalization normalization : normalizations) {
        const Tensor<double, 2> y = spherical_harmonics(degrees_up_to(lmax), x, {.normalization = normalization});
        const Tensor<double, 2> z = spherical_harmonics(degrees_up_to(lmax), turned, {.normalization = normalization});
        for (index i = 0; i < 9; ++i)
            for (index l = 0; l <= lmax; ++l)
                for (index m = 0; m <= l; ++m) {
                    const index center = l * l + l;
                    const double plus = y(i, center + m), minus = y(i, center - m), t = static_cast<double>(m) * angle;
                    INFO("point " << i << ", degree " << l << ", order " << m);
                    REQUIRE(std::abs(z(i, center + m) - (std::cos(t) * plus - std::sin(t) * minus)) < 1e-12);
                    REQUIRE(std::abs(z(i, center - m) - (std::cos(t) * minus + std::sin(t) * plus)) < 1e-12);
                }
    }
}

TEST_CASE("spherical_harmonics: normalisations, and polynomials of the length", "[so3]") {
    const auto x = numbers<double, 2>({5, 3});
    const auto degrees = degrees_up_to(5);
    const Tensor<double, 2> component = spherical_harmonics(degrees, x, {.normalization = Normalization::component});
    const Tensor<double, 2> integral = spherical_harmonics(degrees, x);
    const Tensor<double, 2> norm = spherical_harmonics(degrees, x, {.normalization = Normalization::norm});
    const Tensor<double, 2> raw = spherical_harmonics(degrees, x, {false, Normalization::norm});
    for (index i = 0; i < 5; ++i) {
        const double r = std::hypot(x(i, 0), x(i, 1), x(i, 2));
        for (index l = 0, k = 0; l <= 5; ++l)
            for (index m = -l; m <= l; ++m, ++k) {
                REQUIRE(integral(i, k) * std::sqrt(4 * std::numbers::pi) == Approx(component(i, k)).margin(1e-14));
                REQUIRE(norm(i, k) * std::sqrt(static_cast<double>(2 * l + 1)) ==
                        Approx(component(i, k)).margin(1e-14));
                REQUIRE(raw(i, k) == Approx(norm(i, k) * std::pow(r, static_cast<double>(l))).margin(1e-14));
            }
    }
}

TEST_CASE("spherical_harmonics: gradients to second order", "[so3]") {
    const auto x = numbers<double, 2>({3, 3}, 4);
    for (const auto& degrees : {std::vector<int>{0}, {1}, {3, 1, 3, 0, 1}, {0, 1, 2, 3, 4}, {7, 9}})
        for (const bool normalize : {true, false})
            for (const Normalization normalization : normalizations)
                weft::expect_grad(
                    [&](const auto& p) {
                        return spherical_harmonics(degrees, p, {normalize, normalization});
                    },
                    x);
    const auto alpha = numbers<double, 1>({4}, 5), beta = numbers<double, 1>({4}, 6);
    weft::expect_grad(
        [&](const auto& a, const auto& b) {
            return weft::so3::spherical_harmonics_alpha_beta({0, 3, 1}, a, b);
        },
        alpha, beta);
    weft::expect_grad([&](const auto& a) { return weft::so3::spherical_harmonics_alpha(3, a); }, alpha);
    weft::expect_grad([&](const auto& b) { return weft::so3::legendre({2, 0, 3}, b); }, beta);
}

// Sizes around packets and blocks; each row is that of its point alone.
TEMPLATE_TEST_CASE("spherical_harmonics: any number of points", "[so3]", float, double, Dual<double>) {
    using T = TestType;
    const index w = weft::lanes<T>;
    for (const auto& degrees : {std::vector<int>{0, 1, 2}, {1, 4, 1, 0, 0}, {3}, {}})
        for (const index n : {index{0}, index{1}, w - 1, w, w + 1, index{63}, index{64}, index{65}, index{1100}}) {
            INFO(n << " points");
            const auto x = numbers<T, 2>({n, 3}, 7);
            const Tensor<T, 2> y = spherical_harmonics(degrees, x);
            const auto dy = numbers<T, 2>({n, y.extent(1)}, 8);
            const Tensor<T, 2> dx = gradient(degrees, x, dy, {});
            REQUIRE(y.extent(0) == n);
            for (index i = 0; i < n; i += i < 70 ? 1 : 97) {
                const Tensor<T, 2> one = weft::slice(x, 0, i, i + 1), of_one = spherical_harmonics(degrees, one);
                const Tensor<T, 2> row = weft::slice(y, 0, i, i + 1), dx_row = weft::slice(dx, 0, i, i + 1);
                REQUIRE(same_bits(row, of_one));
                REQUIRE(same_bits(dx_row, gradient<T, 2>(degrees, one, weft::slice(dy, 0, i, i + 1), {})));
            }
        }
}

TEST_CASE("spherical_harmonics: axes, windows and single degrees", "[so3]") {
    const auto x = numbers<float, 2>({30, 3});
    const Tensor<float, 2> y = spherical_harmonics(std::vector<int>{2}, x);
    REQUIRE(same_bits(y, Tensor<float, 2>(spherical_harmonics(2, x))));
    const Tensor<float, 2> transposed = weft::transpose(x);
    REQUIRE(same_bits(y, Tensor<float, 2>(spherical_harmonics(2, weft::transpose(transposed)))));
    const Tensor<float, 2> part = weft::slice(y, 0, 1, 30, 2);
    REQUIRE(same_bits(part, Tensor<float, 2>(spherical_harmonics(2, weft::slice(x, 0, 1, 30, 2)))));
    const Tensor<float, 3> folded = spherical_harmonics(2, weft::reshape(x, {5, 6, 3}));
    REQUIRE(folded.shape() == Extents<3>{5, 6, 5});
    REQUIRE(same_bits(Tensor<float, 2>(weft::reshape(folded, {30, 5})), y));
    const Tensor<float, 1> alone = spherical_harmonics(2, weft::select_index(x, 0, 3));
    REQUIRE(alone(4) == y(3, 4));
    REQUIRE(same_bits(Tensor<float, 2>(spherical_harmonics(2, x + 0.0f)), y));

    const Var<float, 2> columns{transposed};
    const auto dy = numbers<float, 2>({30, 5}, 2);
    weft::backward(spherical_harmonics(2, weft::transpose(columns)), dy);
    REQUIRE(same_bits(Tensor<float, 2>(weft::transpose(columns.grad())), gradient({2}, x, dy, {})));
}

TEST_CASE("spherical_harmonics: no direction at 0", "[so3]") {
    const auto degrees = degrees_up_to(4);
    const auto check = [&]<class T>(T) {
        auto x = numbers<T, 2>({20, 3});
        for (index k = 0; k < 3; ++k) x(7, k) = T(0);
        const auto dy = numbers<T, 2>({20, 25}, 2);
        const Tensor<T, 2> y = spherical_harmonics(degrees, x, {.normalization = Normalization::component});
        const Tensor<T, 2> dx = gradient(degrees, x, dy, {});
        for (index k = 0; k < 25; ++k) REQUIRE(y(7, k) == (k == 0 ? 1 : 0));
        for (index k = 0; k < 3; ++k) REQUIRE(dx(7, k) == 0);
        REQUIRE(dx(6, 0) != 0);
        // The polynomials have a gradient there: that of degree 1.
        const Tensor<T, 2> raw = gradient(degrees, x, dy, {false, Normalization::component});
        for (index k = 0; k < 3; ++k) REQUIRE(raw(7, k) == Approx(std::sqrt(3) * static_cast<double>(dy(7, 1 + k))));
    };
    check(1.0f);
    check(1.0);

    const Var<Dual<double>, 2> x{Tensor<Dual<double>, 2>::full({1, 3}, Dual<double>(0, 1))};
    const Var y = spherical_harmonics(degrees, x);
    weft::backward(y, Tensor<Dual<double>, 2>::full({1, 25}, Dual<double>(1)));
    for (const Dual<double>& v : x.grad().values()) REQUIRE((v.value == 0 && v.tangent == 0));
}

TEST_CASE("spherical_harmonics: NaN stays in its row", "[so3]") {
    for (const bool normalize : {true, false}) {
        auto x = numbers<float, 2>({70, 3});
        const Options options{normalize, Normalization::integral};
        const auto dy = numbers<float, 2>({70, 16}, 2);
        const Tensor<float, 2> y = spherical_harmonics(degrees_up_to(3), x, options);
        const Tensor<float, 2> dx = gradient(degrees_up_to(3), x, dy, options);
        x(13, 1) = std::numeric_limits<float>::quiet_NaN();
        const Tensor<float, 2> z = spherical_harmonics(degrees_up_to(3), x, options);
        const Tensor<float, 2> dz = gradient(degrees_up_to(3), x, dy, options);
        for (index i = 0; i < 70; ++i) {
            for (index k = 0; k < 16; ++k)
                REQUIRE((i != 13 ? z(i, k) == y(i, k) : (!normalize && k > 0) || std::isnan(z(i, k))));
            for (index k = 0; k < 3; ++k) REQUIRE((i != 13 ? dz(i, k) == dx(i, k) : std::isnan(dz(i, k))));
        }
    }
}

TEST_CASE("spherical_harmonics: the same bits on any number of threads", "[so3]") {
    const auto x = numbers<float, 2>({20011, 3});
    const auto dy = numbers<float, 2>({20011, 16}, 2);
    require_thread_independent([&] { return Tensor<float, 2>(spherical_harmonics(degrees_up_to(3), x)); });
    require_thread_independent([&] { return gradient(degrees_up_to(3), x, dy, {}); });
}

TEST_CASE("spherical_harmonics: errors", "[so3]") {
    const auto x = Tensor<float, 2>::zeros({3, 2});
    REQUIRE(error_of([&] { (void)spherical_harmonics(1, x); }) ==
            "weft: spherical_harmonics: x is [3, 2]: the last extent must be 3, of the coordinates x, y, z");
    REQUIRE(error_of([&] {
                (void)spherical_harmonics({0, 1, -2}, Tensor<float, 2>::zeros({3, 3}));
            }) == "weft: spherical_harmonics: degree 2 of the list is -2: must not be negative");
    REQUIRE(error_of([&] { (void)weft::so3::spherical_harmonics_alpha(-1, Tensor<float, 1>::zeros({3})); }) ==
            "weft: spherical_harmonics_alpha: lmax is -1: must not be negative");
    REQUIRE_THAT(error_of([&] {
                     (void)weft::so3::spherical_harmonics_alpha_beta({1}, Tensor<float, 1>::zeros({3}),
                                                                     Tensor<float, 1>::zeros({2}));
                 }),
                 ContainsSubstring("[3]") && ContainsSubstring("[2]"));
}

} // namespace
