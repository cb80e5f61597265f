// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/core/reduce.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/so3/radial.hpp>

#include <set>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::RadialBasis;

namespace {

const std::pair<const char*, RadialBasis> bases[] = {{"gaussian", RadialBasis::gaussian},
                                                     {"cosine", RadialBasis::cosine},
                                                     {"smooth_finite", RadialBasis::smooth_finite},
                                                     {"fourier", RadialBasis::fourier},
                                                     {"bessel", RadialBasis::bessel}};

/// What is behind `prefix` in the names of cases that begin so, of which there must be some.
std::set<std::string> cases_of(const std::string& prefix) {
    std::set<std::string> found;
    const auto path = golden_path("equivariant-core", "radial");
    if (skip_without(path)) return found;
    const auto file = weft::io::SafetensorsFile::read(path);
    for (const std::string& name : file.names())
        if (name.starts_with(prefix)) found.insert(name.substr(prefix.size(), name.find('.') - prefix.size()));
    REQUIRE_FALSE(found.empty());
    return found;
}

/// Distances [N, 1] to what f makes of them as [N].
template <class F>
auto of_column(const F& f) {
    return [f](const auto& x) { return f(reshape(x, Extents<1>{x.size()})); };
}

nlohmann::json options_in(const GoldenCase& g, const char* key) { return nlohmann::json::parse(g.metadata().at(key)); }
double r_max_of(const GoldenCase& g) { return options_in(g, "mace_bessel").at("r_max"); }

} // namespace

TEST_CASE("soft_one_hot_linspace: as in e3nn", "[so3][golden]") {
    for (const std::string& name : cases_of("onehot_"))
        with_golden_case("equivariant-core", "radial", "onehot_" + name, [&](GoldenCase& g) {
            const auto end = name.rfind('_');
            const std::string basis = name.substr(0, end), cutoff = name.substr(end + 1);
            const auto found =
                std::find_if(std::begin(bases), std::end(bases), [&](const auto& b) { return b.first == basis; });
            REQUIRE(found != std::end(bases));
            REQUIRE((cutoff == "cutoff" || cutoff == "nocutoff"));
            const auto o = options_in(g, "onehot");
            const auto f = [&](const auto& x) {
                return so3::soft_one_hot_linspace(x, o.at("start"), o.at("end"), o.at("number"), found->second,
                                                  cutoff == "cutoff");
            };
            if (found->second != RadialBasis::cosine) return check_derivatives(g, f, Input<1>{"x"});
            // Some distances are exactly 1, where the slope jumps: on which side they are is decided by how the
            // reference rounds, in double.
            weft_test::detail::check_first_order<double>(g, f, Input<1>{"x"});
            weft_test::detail::check_second_order(g, f, Input<1>{"x"});
            g.compare("y", f(g.get<float, 1>("x")), {.of_float = 2e-5});
        });
    with_golden_case("equivariant-core", "radial", "soft_unit_step", [](GoldenCase& g) {
        check_derivatives(
            g, [](const auto& x) { return eval(so3::soft_unit_step(x)); }, Input<1>{"x"});
    });
}

TEST_CASE("bessel_basis, gaussian_basis, chebyshev_basis, polynomial_cutoff: as in MACE", "[so3][golden]") {
    with_golden_case("equivariant-core", "radial", "mace_bessel", [](GoldenCase& g) {
        const weft::index number = options_in(g, "mace_bessel").at("num_basis");
        const double r_max = r_max_of(g);
        check_derivatives(g, of_column([=](const auto& r) { return so3::bessel_basis(r, r_max, number); }),
                          Input<2>{"x"});
    });
    for (const std::string& number : cases_of("mace_gaussian"))
        with_golden_case("equivariant-core", "radial", "mace_gaussian" + number, [&](GoldenCase& g) {
            const double r_max = r_max_of(g);
            check_derivatives(
                g, of_column([&](const auto& r) { return so3::gaussian_basis(r, r_max, std::stol(number)); }),
                Input<2>{"x"});
        });
    for (const std::string& number : cases_of("mace_chebyshev"))
        with_golden_case("equivariant-core", "radial", "mace_chebyshev" + number, [&](GoldenCase& g) {
            const auto f = of_column([&](const auto& x) { return so3::chebyshev_basis(x, std::stol(number)); });
            g.compare("y", f(g.get<double, 2>("x")));
            g.compare("y", f(g.get<float, 2>("x")));
        });
    for (const std::string& p : cases_of("polycutoff_p"))
        with_golden_case("equivariant-core", "radial", "polycutoff_p" + p, [&](GoldenCase& g) {
            const double r_max = r_max_of(g);
            check_derivatives(
                g, [&](const auto& r) { return so3::polynomial_cutoff(r, r_max, std::stod(p)); }, Input<2>{"x"});
        });
}

TEST_CASE("bessel_basis: as in e3nn-jax, with the limit at 0", "[so3][golden]") {
    with_golden_case("equivariant-core", "radial", "bessel_jax", [](GoldenCase& g) {
        const auto r = g.get<double, 1>("r");
        for (const std::string& tensor : g.tensors("y_n")) { // y_n6_xmax3.5
            const auto number = std::stol(tensor);
            const double r_max = std::stod(tensor.substr(tensor.find("xmax") + 4));
            auto y = so3::bessel_basis(r, r_max, number);
            g.compare("y_n" + tensor, y);
        }
    });
}

TEST_CASE("Radial functions: limits at 0 and at the cutoff", "[so3]") {
    const double pi = std::numbers::pi, r_max = 2.5;
    const auto r = Tensor<double, 1>::from({0, 1e-9, r_max, 3});
    for (const bool cutoff : {false, true}) {
        const Var<double, 1> v{r};
        const auto y = so3::soft_one_hot_linspace(v, 0, r_max, 3, RadialBasis::bessel, cutoff);
        weft::backward(y, Tensor<double, 2>::ones({4, 3}));
        for (weft::index n = 1; n <= 3; ++n)
            for (weft::index i = 0; i < 2; ++i)
                REQUIRE(std::abs(y.value()(i, n - 1) - double(n) * pi / r_max * std::sqrt(2 / r_max)) < 1e-12);
        REQUIRE(v.grad()(0) == 0); // of an even function
        REQUIRE(std::abs(v.grad()(1)) < 1e-6);
        if (cutoff) REQUIRE((v.grad()(2) == 0 && v.grad()(3) == 0 && y.value()(3, 1) == 0));
    }
    // The second derivative at 0 is -(n pi / r_max)^2 / 3 times the value.
    const auto second = [&](double at) {
        using Dual = weft::Dual<double>;
        const Var<Dual, 1> v{Tensor<Dual, 1>::from({Dual{at, 1}})};
        weft::backward(so3::bessel_basis(v, r_max, 1), Tensor<Dual, 2>::ones({1, 1}));
        return v.grad()(0).tangent;
    };
    const double curvature = -std::pow(pi / r_max, 3) / 3 * std::sqrt(2 / r_max);
    REQUIRE(std::abs(second(0) - curvature) < 1e-12);
    REQUIRE(std::abs(second(1e-5) - curvature) < 1e-9);
    // Both sides of where the series of the slope of sin(a) / a ends.
    REQUIRE(std::abs(second((1 - 1e-9) * r_max / pi) - second((1 + 1e-9) * r_max / pi)) < 1e-8);

    const Var<double, 1> v{r};
    const auto fall = so3::polynomial_cutoff(v, r_max, 5);
    weft::backward(fall, Tensor<double, 1>::ones({4}));
    REQUIRE((fall.value()(0) == 1 && fall.value()(2) == 0 && fall.value()(3) == 0));
    REQUIRE((v.grad()(0) == 0 && v.grad()(2) == 0 && v.grad()(3) == 0));

    const double not_a_number = std::numeric_limits<double>::quiet_NaN();
    for (const auto& [name, basis] : bases) {
        INFO(name);
        const auto y = so3::soft_one_hot_linspace(Tensor<double, 1>::from({not_a_number, 1}), 0, 2, 3, basis, false);
        REQUIRE(std::isnan(y(0, 1)));
        REQUIRE_FALSE(std::isnan(y(1, 1)));
    }
}

TEST_CASE("Radial functions: squares sum up to about 1, gradients", "[so3]") {
    const auto x = Tensor<double, 1>::from({0.31, 0.9, 1.77, 2.2, 2.61});
    for (const auto& b : bases)
        for (const bool cutoff : {false, true}) {
            const RadialBasis basis = b.second; // clang captures no structured bindings
            INFO(b.first << " " << cutoff);
            const auto f = [&](const auto& v) { return so3::soft_one_hot_linspace(v, 0.2, 2.9, 6, basis, cutoff); };
            weft::expect_grad<2>({.tolerance = 1e-4}, f, x);
            if (basis == RadialBasis::bessel) continue;
            const auto within = Tensor<double, 1>::from({1.2, 1.4, 1.6, 1.8});
            const Tensor<double, 1> squares = weft::sum<1>(square(f(within)));
            for (const double each : squares.values()) REQUIRE(std::abs(each - 1) < 0.6);
        }
    weft::expect_grad<2>([](const auto& v) { return so3::chebyshev_basis(v * 0.3, 5); }, x);
    weft::expect_grad<2>([](const auto& v) { return so3::polynomial_cutoff(v, 3, 2.5); }, x);
    weft::expect_grad<2>([](const auto& v) { return so3::gaussian_basis(v, 3, 4); }, x);
    weft::expect_grad<2>([](const auto& v) { return so3::soft_unit_step(v); }, x);
}

TEST_CASE("Radial functions: no distances, any number of threads, errors", "[so3]") {
    for (const auto& b : bases) {
        const RadialBasis basis = b.second;
        REQUIRE(so3::soft_one_hot_linspace(Tensor<float, 1>::zeros({0}), 0, 1, 4, basis, true).shape() ==
                Extents<2>{0, 4});
        const auto r = numbers<float, 1>({20000});
        require_thread_independent([&] {
            const Var v{r};
            weft::backward(so3::soft_one_hot_linspace(v, -1, 1, 8, basis, true), numbers<float, 2>({20000, 8}));
            return v.grad();
        });
    }
    REQUIRE(so3::chebyshev_basis(Tensor<float, 1>::zeros({0}), 4).shape() == Extents<2>{0, 4});
    REQUIRE(so3::soft_one_hot_linspace(Tensor<float, 2>::zeros({2, 3}), 0, 1, 4, RadialBasis::cosine, true).shape() ==
            Extents<3>{2, 3, 4});
    const auto x = Tensor<double, 1>::zeros({3});
    REQUIRE(error_of([&] { (void)so3::soft_one_hot_linspace(x, 2, 1, 4, RadialBasis::cosine, true); }) ==
            "weft: soft_one_hot_linspace: the range is from 2 to 1: must not be empty");
    REQUIRE(error_of([&] { (void)so3::soft_one_hot_linspace(x, 0, 1, 1, RadialBasis::cosine, false); }) ==
            "weft: soft_one_hot_linspace: the number of functions is 1: must be at least 2");
    REQUIRE_THAT(error_of([&] { (void)so3::bessel_basis(x, 0, 4); }), ContainsSubstring("from 0 to 0"));
    REQUIRE_THAT(error_of([&] { (void)so3::gaussian_basis(x, 1, 1); }), ContainsSubstring("at least 2"));
    REQUIRE_THAT(error_of([&] { (void)so3::chebyshev_basis(x, 0); }), ContainsSubstring("at least 1"));
    REQUIRE_THAT(error_of([&] { (void)so3::polynomial_cutoff(x, -1); }), ContainsSubstring("r_max is -1"));
    REQUIRE_THAT(error_of([&] { (void)so3::polynomial_cutoff(x, 1, 1); }), ContainsSubstring("p is 1"));
}
