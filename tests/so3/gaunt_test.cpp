// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/core/reduce.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/gaunt_tensor_product.hpp>
#include <weft/so3/named_products.hpp>
#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/wigner_d.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::GauntMethod, so3::GauntTensorProduct;

namespace {

constexpr GauntMethod methods[] = {GauntMethod::list, GauntMethod::circles, GauntMethod::grid, GauntMethod::fourier};

weft::index components(int lmax) { return weft::index{lmax + 1} * (lmax + 1); }

void same(const Tensor<double, 2>& a, const Tensor<double, 2>& b, double tolerance) {
    REQUIRE(a.shape() == b.shape());
    for (weft::index i = 0; i < a.size(); ++i)
        REQUIRE(std::abs(a.data()[i] - b.data()[i]) <= tolerance * (1 + std::abs(b.data()[i])));
}

} // namespace

TEST_CASE("GauntTensorProduct: feature interaction as in the reference", "[so3][golden]") {
    for (const GauntMethod method : methods)
        for_each_golden_group("gaunt-tensor-product", "feature_interaction", [&](GoldenCase& g) {
            const auto l = g.get<std::int64_t, 1>("L");
            const auto degree = [&](weft::index i) { return static_cast<int>(l(i)); };
            const GauntTensorProduct product(degree(0), degree(1), degree(2), method);
            if (g.has("w1"))
                check_derivatives(
                    g,
                    [&](const auto& x1, const auto& x2, const auto& w1, const auto& w2, const auto& w3) {
                        return weft::eval(product(weft::eval(x1 * so3::degree_weights(w1)),
                                                  weft::eval(x2 * so3::degree_weights(w2))) *
                                          so3::degree_weights(w3));
                    },
                    Input<3>{"x1"}, Input<3>{"x2"}, Input<2>{"w1"}, Input<2>{"w2"}, Input<2>{"w3"});
            else
                check_derivatives(g, product, Input<3>{"x1"}, Input<3>{"x2"});
        });
}

TEST_CASE("GauntTensorProduct: convolution as in the reference", "[so3][golden]") {
    for_each_golden_group("gaunt-tensor-product", "convolution", [&](GoldenCase& g) {
        const auto l = g.get<std::int64_t, 1>("L");
        const int l2 = static_cast<int>(l(1));
        const GauntTensorProduct product(static_cast<int>(l(0)), l2, static_cast<int>(l(2)));
        check_derivatives(
            g,
            [&](const auto& x, const auto& r, const auto& h) {
                const auto y =
                    so3::spherical_harmonics(so3::degrees_up_to(l2), r, {.normalization = so3::Normalization::norm});
                return product(x, weft::eval(so3::degree_weights(h) * unsqueeze(y, 1)));
            },
            Input<3>{"x"}, Input<2>{"r"}, Input<3>{"h"});
    });
}

TEST_CASE("GauntTensorProduct: many bodies as in the reference", "[so3][golden]") {
    for_each_golden_group("gaunt-tensor-product", "many_body", [&](GoldenCase& g) {
        const auto sizes = g.get<std::int64_t, 1>("L_nu_Lout_B_C_E");
        const int l = static_cast<int>(sizes(0)), bodies = static_cast<int>(sizes(1)), out = static_cast<int>(sizes(2));
        const auto elements = g.get<std::int64_t, 1>("element");
        // Powers of f without loss.
        const auto x = g.get<double, 3>("x");
        Tensor<double, 3> power = x;
        for (int n = 2; n <= bodies; ++n) {
            power = GauntTensorProduct(l * (n - 1), l, l * n)(power, x);
            g.compare("power" + std::to_string(n), power);
        }
        check_derivatives(
            g,
            [&](const auto& f, const auto& w) {
                const auto of_degrees = [&](int n) {
                    const auto of_body =
                        reshape(contiguous(slice(w, 0, n - 1, n)), Extents<3>{w.extent(1), w.extent(2), w.extent(3)});
                    return so3::degree_weights(gather(of_body, elements));
                };
                auto so_far = weft::eval(f);
                const GauntTensorProduct constant(l, 0, out); // the projection on degrees up to `out`
                const auto one = weft::eval(weft::cast<typename std::remove_cvref_t<decltype(f)>::value_type>(
                    Tensor<double, 3>::full({f.extent(0), f.extent(1), 1}, std::sqrt(4 * std::numbers::pi))));
                auto sum = weft::eval(constant(f, one) * of_degrees(1));
                for (int n = 2; n <= bodies; ++n) {
                    sum = weft::eval(sum + GauntTensorProduct(l * (n - 1), l, out)(so_far, f) * of_degrees(n));
                    if (n < bodies) so_far = GauntTensorProduct(l * (n - 1), l, l * n)(so_far, f);
                }
                return sum;
            },
            Input<3>{"x"}, Input<4>{"W"});
    });
}

TEST_CASE("GauntTensorProduct: the factors of the 3j symbols, harmonics as Fourier series", "[so3][golden]") {
    with_golden_case("gaunt-tensor-product", "fourier_basis", "", [](GoldenCase& g) {
        const auto shape = g.shape("kappa");
        auto kappa = Tensor<double, 3>::zeros({shape[0], shape[1], shape[2]});
        for (int a = 0; a < shape[0]; ++a)
            for (int b = 0; b < shape[1]; ++b)
                for (int c = std::abs(a - b); c <= std::min(a + b, static_cast<int>(shape[2]) - 1); ++c)
                    kappa.mutable_data()[(a * shape[1] + b) * shape[2] + c] = so3::detail::gaunt_factor(a, b, c);
        g.compare("kappa", kappa);
        const auto part = [&](const Tensor<std::complex<double>, 3>& all, bool imaginary) {
            auto numbers = Tensor<double, 3>::empty(all.shape());
            for (weft::index i = 0; i < all.size(); ++i)
                numbers.mutable_data()[i] = imaginary ? all.data()[i].imag() : all.data()[i].real();
            return numbers;
        };
        for (int l = 1; l <= 3; ++l) {
            const std::string name = "L" + std::to_string(l);
            const int most = static_cast<int>(g.shape(name + ".z_re")[1] - 1) / 2;
            for (const bool imaginary : {false, true}) {
                const std::string suffix = imaginary ? "_im" : "_re";
                g.compare(name + ".y" + suffix, part(so3::fourier_basis(l), imaginary));
                g.compare(name + ".z" + suffix, part(so3::fourier_projection(l, most), imaginary));
            }
        }
    });
}

TEST_CASE("GauntTensorProduct: all methods are the couplings, for all degrees", "[so3]") {
    for (const auto& [a, b, c] :
         {std::array{0, 0, 0}, {1, 1, 2}, {3, 2, 4}, {2, 3, 1}, {4, 4, 8}, {5, 0, 5}, {1, 1, 5}, {6, 5, 6}}) {
        INFO(a << ", " << b << ", " << c);
        const auto x = numbers<double, 2>({19, components(a)}), y = numbers<double, 2>({19, components(b)}, 2);
        const Tensor<double, 2> list = GauntTensorProduct(a, b, c, GauntMethod::list)(x, y);
        for (const GauntMethod method : methods) {
            same(GauntTensorProduct(a, b, c, method)(x, y), list, 1e-12);
            REQUIRE(GauntTensorProduct(a, b, c, method).method() == method);
        }
        same(GauntTensorProduct(b, a, c)(y, x), list, 1e-12);
        // By tensor products with the path weights that make them integrals.
        const auto in1 = so3::Irreps::spherical_harmonics(a), in2 = so3::Irreps::spherical_harmonics(b),
                   out = so3::Irreps::spherical_harmonics(c);
        std::vector<so3::Instruction> paths;
        for (int l1 = 0; l1 <= a; ++l1)
            for (int l2 = 0; l2 <= b; ++l2)
                for (int l3 = std::abs(l1 - l2); l3 <= std::min(c, l1 + l2); l3 += 2)
                    paths.push_back(
                        {l1, l2, l3, so3::ProductMode::uuu, false, std::pow(so3::detail::gaunt_factor(l1, l2, l3), 2)});
        const so3::TensorProduct product(
            in1, in2, out, paths,
            {.irrep_normalization = so3::IrrepNormalization::none, .path_normalization = so3::PathNormalization::none});
        same(product(x, y), list, 1e-12);
    }
}

TEST_CASE("GauntTensorProduct: algebra of functions", "[so3]") {
    const double root = std::sqrt(4 * std::numbers::pi);
    for (const GauntMethod method : methods) {
        const auto f = numbers<double, 2>({5, 9}), h = numbers<double, 2>({5, 16}, 2),
                   k = numbers<double, 2>({5, 4}, 3);
        const auto times = [&](int a, int b) { return GauntTensorProduct(a, b, a + b, method); };
        same(times(5, 1)(times(2, 3)(f, h), k), times(2, 4)(f, times(3, 1)(h, k)), 1e-12);
        same(GauntTensorProduct(2, 0, 2, method)(f, Tensor<double, 2>::full({5, 1}, root)), f, 1e-13);
        const Tensor<double, 2> mean = GauntTensorProduct(2, 2, 0, method)(f, f);
        for (weft::index i = 0; i < 5; ++i) {
            double dot = 0;
            for (weft::index c = 0; c < 9; ++c) dot += f(i, c) * f(i, c);
            REQUIRE(root * mean(i, 0) == Approx(dot));
        }
        const auto rotation = so3::Rotation::from_angles({1, 2, 3}) * so3::Rotation::inversion();
        const auto turned = [&](const Tensor<double, 2>& x, int lmax) {
            return Tensor<double, 2>(
                matmul(x, transpose(so3::wigner_d(so3::Irreps::spherical_harmonics(lmax), rotation))));
        };
        same(times(2, 3)(turned(f, 2), turned(h, 3)), turned(times(2, 3)(f, h), 5), 1e-12);
    }
    REQUIRE(GauntTensorProduct(1, 1, 2).method() == GauntMethod::list);
    REQUIRE(GauntTensorProduct(10, 10, 20).method() == GauntMethod::circles);
    REQUIRE_THAT(error_of([] { (void)so3::fourier_basis(-1); }), ContainsSubstring("must not be negative"));
    REQUIRE_THAT(error_of([] { (void)so3::fourier_projection(1, -1); }), ContainsSubstring("must not be negative"));
}

TEST_CASE("GauntTensorProduct: a grid that is too coarse", "[so3]") {
    const int a = 3, b = 2, c = 4;
    const auto x = numbers<double, 2>({19, components(a)}), y = numbers<double, 2>({19, components(b)}, 2);
    const Tensor<double, 2> exact = GauntTensorProduct(a, b, c, GauntMethod::list)(x, y);
    same(GauntTensorProduct(a, b, c, GauntMethod::grid, {7, 13})(x, y), exact, 1e-12);
    same(GauntTensorProduct(a, b, c, GauntMethod::grid, {0, 10})(x, y), exact, 1e-12);
    // Just enough, and one less of either.
    const auto error_on = [&](weft::index beta, weft::index alpha) {
        const so3::detail::GauntGrid grid(a, b, c, {beta, alpha});
        constexpr weft::index w = weft::lanes<double>;
        weft::detail::Scratch<double> memory(grid.scratch<double>() +
                                             (components(a) + components(b) + components(c)) * w + 64);
        double* const in_x = memory.take(components(a) * w);
        double* const in_y = memory.take(components(b) * w);
        double* const to = memory.take(components(c) * w);
        so3::detail::rows_to_lanes(x.data(), components(a), w, in_x);
        so3::detail::rows_to_lanes(y.data(), components(b), w, in_y);
        grid.multiply(in_x, in_y, to, memory.take(grid.scratch<double>()));
        double most = 0;
        for (weft::index row = 0; row < w; ++row)
            for (weft::index k = 0; k < components(c); ++k)
                most = std::max(most, std::abs(to[k * w + row] - exact(row, k)));
        return most;
    };
    REQUIRE(error_on(5, 10) < 1e-12);
    REQUIRE(error_on(5, 9) > 1e-3);
    REQUIRE(error_on(4, 10) > 1e-3);
    REQUIRE(error_of([&] {
                GauntTensorProduct(a, b, c, GauntMethod::grid, {0, 9});
            }) ==
            "weft: GauntTensorProduct: a grid of 5 x 9 angles beta and alpha: degrees 3, 2, 4 need at least 5 x 10, or "
            "the product is wrong");
    REQUIRE_THAT(error_of([&] {
                     GauntTensorProduct(a, b, c, GauntMethod::grid, {4, 0});
                 }),
                 ContainsSubstring("at least"));
    REQUIRE_THAT(error_of([&] {
                     GauntTensorProduct(a, b, c, GauntMethod::circles, {5, 10});
                 }),
                 ContainsSubstring("only the method grid"));
}

TEST_CASE("GauntTensorProduct: float, threads, no rows, errors", "[so3]") {
    const GauntTensorProduct product(3, 2, 4, GauntMethod::circles);
    for (const GauntMethod method : methods)
        REQUIRE(GauntTensorProduct(1, 1, 1, method)(Tensor<float, 2>::zeros({0, 4}), Tensor<float, 2>::zeros({0, 4}))
                    .shape() == Extents<2>{0, 4});
    const auto x = numbers<float, 2>({3000, 16}), y = numbers<float, 2>({3000, 9}, 2),
               dz = numbers<float, 2>({3000, 25}, 3);
    require_thread_independent([&] {
        const Var vx{x}, vy{y};
        weft::backward(product(vx, vy), dz);
        return vx.grad();
    });
    REQUIRE(product(Tensor<float, 3>::zeros({0, 4, 16}), Tensor<float, 3>::zeros({0, 4, 9})).shape() ==
            Extents<3>{0, 4, 25});
    REQUIRE(error_of([&] { (void)product(y, y); }) ==
            "weft: GauntTensorProduct: x1 is [3000, 9]: its last extent must be 16, the number of components");
    REQUIRE_THAT(error_of([&] { (void)product(x, numbers<float, 2>({2, 9})); }), ContainsSubstring("must be equal"));
    REQUIRE_THAT(error_of([] { GauntTensorProduct(1, -1, 0); }), ContainsSubstring("must not be negative"));
}
