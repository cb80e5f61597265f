// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/so3/sphere_grid.hpp>
#include <weft/so3/wigner_d.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Function, so3::Irreps, so3::Normalization, so3::SphereGrid;

namespace {

Normalization normalization(const GoldenCase& g) {
    const auto name = g.option("normalization", std::string());
    if (name == "component") return Normalization::component;
    if (name == "norm") return Normalization::norm;
    REQUIRE(name == "integral");
    return Normalization::integral;
}

/// Values and gradients of one of the two ways.
template <class T, class Way, int N>
void check_way(GoldenCase& g, const std::string& name, const Way& way, Input<N>) {
    const Var<T, N> x{g.get<T, N>(name + ".x")};
    const auto y = way(x);
    constexpr int rank = std::remove_cvref_t<decltype(y)>::rank;
    g.compare(name + ".y", y.value(), {.of_float = 2e-5});
    weft::backward(y, g.get<T, rank>(name + ".gy"));
    g.compare(name + ".g_x", x.grad(), {.of_float = 2e-5, .relative = 1e-9, .absolute = 1e-9});
}

void check_grid(GoldenCase& g) {
    const int lmax = g.option("lmax", 0);
    const so3::SphereResolution resolution{g.option("res_beta", weft::index{0}), g.option("res_alpha", weft::index{0})};
    const Normalization n = normalization(g);
    const SphereGrid grid(lmax, resolution);
    g.compare("betas", grid.betas());
    g.compare("alphas", grid.alphas());
    g.compare("grid_xyz", grid.points());
    const auto around = so3::spherical_harmonics_alpha(lmax, grid.alphas());
    g.compare("sha", Tensor<double, 2>(around));
    const auto weights = grid.quadrature_weights();
    g.compare("quadrature_times_norm", Tensor<double, 1>(weights / static_cast<double>(grid.res_alpha())));
    // The reference keeps the functions of beta apart, by order m.
    const auto along = so3::legendre(so3::degrees_up_to(lmax), grid.betas());
    const auto compare = [&](const char* name, auto&& scale, auto&& weight) {
        auto parts = Tensor<double, 3>::zeros({2 * lmax + 1, grid.res_beta(), grid.components()});
        for (int l = 0, at = 0; l <= lmax; ++l)
            for (int m = -l; m <= l; ++m, ++at)
                for (weft::index i = 0; i < grid.res_beta(); ++i)
                    parts.mutable_data()[((m + lmax) * grid.res_beta() + i) * grid.components() + at] =
                        scale(l) * weight(i) * along(i, at);
        g.compare(name, parts);
    };
    compare(
        "shb_to", [&](int l) { return so3::ToS2Grid<double>::scale(n, l, lmax); }, [](weft::index) { return 1.0; });
    compare(
        "shb_from", [&](int l) { return so3::FromS2Grid<double>::scale(n, l, lmax); },
        [&](weft::index i) { return weights(i) / static_cast<double>(grid.res_alpha()); });
    check_way<double>(g, "to", so3::ToS2Grid<double>(lmax, resolution, n), Input<2>{});
    check_way<float>(g, "to", so3::ToS2Grid<float>(lmax, resolution, n), Input<2>{});
    check_way<double>(g, "from", so3::FromS2Grid<double>(lmax, resolution, n), Input<3>{});
    check_way<float>(g, "from", so3::FromS2Grid<float>(lmax, resolution, n), Input<3>{});
}

void check_activation(GoldenCase& g) {
    const auto name = g.option("act", std::string());
    const Function function = name == "tanh" ? Function::tanh : Function::silu;
    REQUIRE((name == "tanh" || name == "silu"));
    REQUIRE(g.option("cst", 0.0) == Approx(so3::normalize2mom(function)).epsilon(1e-15));
    const auto resolution = g.option("res", std::vector<weft::index>());
    const Irreps in = irreps_of(g, "irreps_in");
    REQUIRE(in == Irreps(g.option("irreps_in", std::string())));
    (void)g.option("irreps_out", std::string());
    const int lmax_out = g.option("lmax_out", -1);
    const Normalization n = normalization(g);
    const so3::SphereResolution used{resolution.at(0), resolution.at(1)};
    REQUIRE(so3::S2Activation<double>(in, function, used, n, lmax_out).irreps_out() == irreps_of(g, "irreps_out"));
    check_derivatives(
        g,
        [&](const auto& x) {
            using T = typename std::remove_cvref_t<decltype(x)>::value_type;
            return so3::S2Activation<T>(in, function, used, n, lmax_out)(x);
        },
        Input<2>{"x"});
}

} // namespace

TEST_CASE("SphereGrid, S2Activation: as in e3nn", "[so3][golden]") {
    for_each_golden_case("equivariant-core", "s2grid", [](GoldenCase& g) {
        if (g.options().contains("act"))
            check_activation(g);
        else
            check_grid(g);
    });
}

TEST_CASE("SphereGrid: back and forth, and projections", "[so3]") {
    for (const Normalization n : {Normalization::component, Normalization::norm, Normalization::integral})
        for (const int lmax : {0, 1, 4, 7}) {
            const so3::ToS2Grid<double> to(lmax, {}, n);
            const so3::FromS2Grid<double> from(lmax, {}, n);
            const auto x = numbers<double, 2>({3, to.grid().components()});
            const Tensor<double, 2> again = from(to(x));
            for (weft::index i = 0; i < x.size(); ++i) REQUIRE(again.data()[i] == Approx(x.data()[i]).margin(1e-12));
            double sum = 0;
            for (const auto weights = to.grid().quadrature_weights(); const double w : weights.values()) sum += w;
            REQUIRE(sum == Approx(1).epsilon(1e-14));
        }
    // Degrees that the result does not have are left out.
    const so3::SphereResolution fine{16, 15};
    const so3::ToS2Grid<double> to(5, fine);
    const so3::FromS2Grid<double> from(2, fine, Normalization::component, 5);
    const auto x = numbers<double, 2>({2, 36});
    const Tensor<double, 2> part = from(to(x));
    for (weft::index row = 0; row < 2; ++row)
        for (weft::index i = 0; i < 9; ++i) REQUIRE(part(row, i) == Approx(x(row, i)).margin(1e-12));
}

TEST_CASE("S2Activation: nearly equivariant on a fine grid, no rows, errors", "[so3]") {
    const Irreps irreps("0e+1o+2e");
    const so3::S2Activation<double> activation(irreps, Function::tanh, {60, 59});
    const auto x = numbers<double, 2>({4, 9});
    const auto d = so3::wigner_d(irreps, so3::Rotation::from_angles({1, 2, 0.5}) * so3::Rotation::inversion());
    const Tensor<double, 2> a = activation(Tensor<double, 2>(matmul(x, transpose(d)))),
                            b = matmul(activation(x), transpose(d));
    for (weft::index i = 0; i < a.size(); ++i) REQUIRE(a.data()[i] == Approx(b.data()[i]).margin(1e-6));
    REQUIRE(activation(Tensor<double, 2>::zeros({0, 9})).shape() == Extents<2>{0, 9});
    REQUIRE(so3::S2Activation<float>("0o+1o+2o", Function::abs).irreps_out() == Irreps("0e+1e+2e"));

    REQUIRE(error_of([] {
                SphereGrid(3, {6, 5});
            }) == "weft: SphereGrid: 6 angles beta for lmax 3: must be an even number from 8 on");
    REQUIRE_THAT(error_of([] { SphereGrid(-1); }), ContainsSubstring("lmax is -1"));
    REQUIRE_THAT(error_of([] { SphereGrid(1, {7, 5}); }), ContainsSubstring("7 angles beta"));
    REQUIRE_THAT(error_of([] { so3::S2Activation<float>("0o+1e", Function::silu); }), ContainsSubstring("even or odd"));
    REQUIRE_THAT(error_of([] { so3::S2Activation<float>("0e+2e", Function::silu); }), ContainsSubstring("once each"));
    REQUIRE_THAT(error_of([] { so3::S2Activation<float>("", Function::silu); }), ContainsSubstring("once each"));
    REQUIRE_THAT(error_of([&] { (void)activation(numbers<double, 2>({4, 8})); }), ContainsSubstring("must be 9"));
}
