// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/equivariance.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/so3/expressivity.hpp>
#include <weft/so3/feature_product.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::FeatureProduct, so3::Irreps;

namespace {

/// A product of one's own: of scalars.
struct ScalarProduct {
    static std::string_view name() { return "scalar"; }
    static Irreps irreps_in1() { return "0e"; }
    static Irreps irreps_in2() { return "0e"; }
    static Irreps irreps_out() { return "0e"; }
    static bool parity() { return true; }
    static weft::index paths() { return 1; }
    static double flops() { return 1; }
    auto operator()(const auto& x1, const auto& x2) const { return weft::eval(x1 * x2); }
};
static_assert(so3::ProductOfFeatures<ScalarProduct> && so3::ProductOfFeatures<FeatureProduct>);
static_assert(so3::ProductOfFeatures<so3::ClebschGordanProduct> && so3::ProductOfFeatures<so3::GauntProduct> &&
              so3::ProductOfFeatures<so3::MatrixProduct> && so3::ProductOfFeatures<so3::VectorSignalProduct>);
static_assert(!so3::ProductOfFeatures<so3::GauntTensorProduct>);

template <class A, class B>
void require_close(const A& a, const B& b, double tolerance = 1e-12) {
    REQUIRE(a.shape() == b.shape());
    for (weft::index i = 0; i < a.size(); ++i) REQUIRE(a.data()[i] == Approx(b.data()[i]).margin(tolerance));
}

/// A layer that knows nothing of its product.
template <so3::ProductOfFeatures P>
Tensor<double, 3> layer(const P& product, weft::index nodes, weft::index channels) {
    return product(numbers<double, 3>({nodes, channels, product.irreps_in1().dim()}),
                   numbers<double, 3>({nodes, channels, product.irreps_in2().dim()}, 2));
}

} // namespace

TEST_CASE("FeatureProduct: what the products themselves give, by name and by type", "[so3]") {
    const auto rows = [](const so3::ProductOfFeatures auto& p) {
        return std::pair(numbers<double, 2>({12, p.irreps_in1().dim()}),
                         numbers<double, 2>({12, p.irreps_in2().dim()}, 2));
    };
    const auto compare = [&](std::string_view name, const auto& own, auto&& product) {
        INFO(name);
        const FeatureProduct chosen(name, 2, 1, 3);
        REQUIRE(chosen.name() == name);
        REQUIRE(chosen.irreps_in1() == own.irreps_in1());
        REQUIRE(chosen.irreps_in2() == own.irreps_in2());
        REQUIRE(chosen.irreps_out() == own.irreps_out());
        REQUIRE(chosen.parity() == own.parity());
        REQUIRE(chosen.paths() == own.paths());
        REQUIRE(chosen.flops() == own.flops());
        const auto [x1, x2] = rows(chosen);
        const Tensor<double, 2> expected = product(x1, x2);
        require_close(chosen(x1, x2), expected);
        require_close(own(x1, x2), expected);
        require_close(FeatureProduct(own)(x1, x2), expected);
        // Channels are one axis more.
        const Tensor<double, 3> of_channels = layer(chosen, 4, 3);
        REQUIRE(same_bits(of_channels, layer(own, 4, 3)));
        require_close(reshape(of_channels, expected.shape()), expected);
    };
    const so3::FullTensorProduct full("0e+1o+2e", "0e+1o");
    compare("clebsch-gordan", so3::ClebschGordanProduct(2, 1, 3), full);
    compare("clebsch-gordan-dense", so3::DenseClebschGordanProduct(2, 1, 3), full);
    const so3::GauntTensorProduct list(2, 1, 3, so3::GauntMethod::list), circles(2, 1, 3, so3::GauntMethod::circles),
        automatic(2, 1, 3);
    compare("gaunt-list", so3::GauntProduct(list), list);
    compare("gaunt-circles", so3::GauntProduct(circles), circles);
    const so3::GauntTensorProduct grid(2, 1, 3, so3::GauntMethod::grid), fourier(2, 1, 3, so3::GauntMethod::fourier);
    compare("gaunt-grid", so3::GauntProduct(grid), grid);
    compare("gaunt-fourier", so3::GauntProduct(fourier), fourier);
    compare("gaunt", so3::GauntProduct(automatic), automatic);
    const so3::MatrixTensorProduct single(2, 1, 3), block(2, 1, 3, so3::MatrixForm::block);
    compare("matrix", so3::MatrixProduct(single), single);
    compare("matrix-block", so3::MatrixProduct(block), block);
    const so3::VectorSignalTensorProduct cross(2, 1, 3);
    compare("vector-signal", so3::VectorSignalProduct(cross), cross);
    REQUIRE(so3::ClebschGordanProduct(2, 1, 1).irreps_out() == Irreps("0e+0e+1o+1o+1o+1e"));
}

TEST_CASE("FeatureProduct: every choice is equivariant, and its gradients are right", "[so3]") {
    for (const so3::FeatureProductChoice& choice : so3::feature_products) {
        INFO(choice.name);
        const FeatureProduct product(choice.name, 1, 2, 2);
        const Irreps in1 = product.irreps_in1(), in2 = product.irreps_in2(), out = product.irreps_out();
        const auto x1 = numbers<double, 2>({5, in1.dim()}), x2 = numbers<double, 2>({5, in2.dim()}, 2);
        for (const auto& rotation : some_rotations()) {
            if (rotation.improper() && !product.parity()) continue;
            const auto turned = [&](const Tensor<double, 2>& x, const Irreps& irreps) {
                return Tensor<double, 2>(matmul(x, transpose(so3::wigner_d(irreps, rotation))));
            };
            require_close(product(turned(x1, in1), turned(x2, in2)), turned(product(x1, x2), out));
        }
        weft::expect_grad<2>([&](const auto& a, const auto& b) { return product(a, b); },
                             numbers<double, 3>({2, 2, in1.dim()}), numbers<double, 3>({2, 2, in2.dim()}, 2));
        const auto many1 = numbers<float, 2>({500, in1.dim()}), many2 = numbers<float, 2>({500, in2.dim()}, 2);
        require_thread_independent([&] { return Tensor<float, 2>(product(many1, many2)); });
        REQUIRE(product(Tensor<float, 2>::zeros({0, in1.dim()}), Tensor<float, 2>::zeros({0, in2.dim()})).shape() ==
                Extents<2>{0, out.dim()});
    }
    // A product that mixes parities is not what it says.
    const FeatureProduct matrices("matrix", 1, 1, 2);
    REQUIRE_FALSE(matrices.parity());
    REQUIRE(matrices.irreps_in1() == Irreps("0e+1e"));
}

TEST_CASE("FeatureProduct: paths as counted in the paper", "[so3]") {
    const int clebsch_gordan[] = {6, 19, 44}, gaunt[] = {5, 14, 30};
    for (int l = 1; l <= 3; ++l) {
        const auto paths = [&](const char* name) { return FeatureProduct(name, l, l, 2 * l).paths(); };
        REQUIRE(paths("clebsch-gordan") == clebsch_gordan[l - 1]);
        REQUIRE(paths("matrix") == clebsch_gordan[l - 1]);
        for (const char* name : {"gaunt", "gaunt-list", "gaunt-circles", "gaunt-grid", "gaunt-fourier"}) REQUIRE(paths(name) == gaunt[l - 1]);
        const so3::GauntTensorProduct product(l, l, 2 * l);
        const auto interactions = so3::interactions(product, l, l, 2 * l);
        const auto irreps = [](int lmax) { return Irreps::spherical_harmonics(lmax); };
        const auto couplings = so3::copy_couplings(product, irreps(l), irreps(l), irreps(2 * l));
        REQUIRE(couplings.size() == interactions.size());
        for (std::size_t i = 0; i < couplings.size(); ++i) {
            REQUIRE(couplings[i].in1 == interactions[i].l1);
            REQUIRE(couplings[i].in2 == interactions[i].l2);
            REQUIRE(couplings[i].out == interactions[i].l3);
            REQUIRE(couplings[i].factor == Approx(interactions[i].factor));
        }
        const so3::ClebschGordanProduct full(l, l, 2 * l);
        REQUIRE(so3::copy_couplings(full, full.irreps_in1(), full.irreps_in2(), full.irreps_out()).size() ==
                std::size_t(full.paths()));
    }
    // Copies are counted one by one.
    const so3::TensorProduct pairs(
        "2x1o", "2x1o", "2x0e+1x1e",
        {{0, 0, 0, so3::ProductMode::uuu, false}, {0, 0, 1, so3::ProductMode::upper, false}});
    const auto found = so3::copy_couplings(pairs, "2x1o", "2x1o", "2x0e+1x1e");
    REQUIRE(found.size() == 3);
    REQUIRE((found[0].in1 == 0 && found[0].in2 == 0 && found[0].out == 0));
    REQUIRE((found[1].in1 == 0 && found[1].in2 == 1 && found[1].out == 2));
    REQUIRE((found[2].in1 == 1 && found[2].in2 == 1 && found[2].out == 1));
}

TEST_CASE("operation_count: what one product takes", "[so3]") {
    REQUIRE(so3::operation_count(ScalarProduct(), 7, 7) == 7);
    // 0e x 0e: the matrix is one entry of one term; coupled, times its weight, added up: three times x * y + z.
    REQUIRE(so3::operation_count(so3::FullTensorProduct("0e", "0e"), 1, 1) == 6);
    // The matrix of 3 entries, 3 products of it with x, 3 additions; each a multiplication and an addition.
    REQUIRE(so3::operation_count(so3::FullTensorProduct("0e", "1o"), 1, 3) == 18);
    // All l up to L: O(L^6) and O(L^3).
    const auto flops = [](const char* name, int l) { return FeatureProduct(name, l, l, 2 * l).flops(); };
    REQUIRE(flops("clebsch-gordan", 6) > 4 * flops("gaunt-circles", 6));
    REQUIRE(flops("gaunt-circles", 8) < 10 * flops("gaunt-circles", 4));
    REQUIRE(flops("vector-signal", 3) > 6 * flops("gaunt", 3));
}

TEST_CASE("FeatureProduct: errors", "[so3]") {
    REQUIRE(error_of([] { FeatureProduct("gount", 1, 1, 1); }) ==
            "weft: FeatureProduct: \"gount\" must be one of clebsch-gordan, clebsch-gordan-dense, gaunt, "
            "gaunt-list, gaunt-circles, gaunt-grid, gaunt-fourier, matrix, matrix-block, vector-signal");
    for (const so3::FeatureProductChoice& choice : so3::feature_products)
        REQUIRE_THAT(error_of([&] { FeatureProduct(choice.name, 1, -1, 1); }),
                     ContainsSubstring("must not be negative"));
    REQUIRE_THAT(error_of([] { FeatureProduct("matrix", 1, 1, 3); }), ContainsSubstring("components up to 2"));
    const FeatureProduct product("clebsch-gordan", 1, 1, 2);
    REQUIRE_THAT(error_of([&] {
                     (void)product(numbers<float, 3>({2, 2, 4}), numbers<float, 3>({2, 2, 5}));
                 }),
                 ContainsSubstring("must be 4"));
    REQUIRE_THAT(error_of([&] {
                     (void)product(numbers<float, 3>({2, 2, 4}), numbers<float, 3>({2, 3, 4}));
                 }),
                 ContainsSubstring("equal but for the last"));
}
