// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/linalg/matmul.hpp>
#include <weft/so3/feature_product.hpp>
#include <weft/so3/matrix_tensor_product.hpp>
#include <weft/so3/named_products.hpp>
#include <weft/so3/sphere_grid.hpp>
#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/vector_signal_tensor_product.hpp>
#include <weft/so3/wigner_d.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Irreps, so3::MatrixForm, so3::MatrixTensorProduct, so3::VectorSignalTensorProduct;

namespace {

int degree(const Tensor<std::int64_t, 1>& of, weft::index i) { return static_cast<int>(of(i)); }

/// The factor of the 3j symbols in what product(x1, x2) makes of one term of each: the trace of both tensors.
template <class Product>
double path_factor(const Product& product, weft::index dim1, weft::index at1, weft::index dim2, weft::index at2,
                   weft::index at3, int l1, int l2, int l3) {
    const weft::index d1 = 2 * l1 + 1, d2 = 2 * l2 + 1;
    auto x1 = Tensor<double, 2>::zeros({d1 * d2, dim1}), x2 = Tensor<double, 2>::zeros({d1 * d2, dim2});
    for (weft::index i = 0; i < d1; ++i)
        for (weft::index j = 0; j < d2; ++j) {
            x1.mutable_data()[(i * d2 + j) * dim1 + at1 + i] = 1;
            x2.mutable_data()[(i * d2 + j) * dim2 + at2 + j] = 1;
        }
    const Tensor<double, 2> y = product(x1, x2);
    const auto c = so3::wigner_3j(l1, l2, l3);
    double factor = 0;
    for (weft::index i = 0; i < d1; ++i)
        for (weft::index j = 0; j < d2; ++j)
            for (weft::index k = 0; k <= 2 * l3; ++k) factor += c(i, j, k) * y(i * d2 + j, at3 + k);
    return factor;
}

void same(const Tensor<double, 2>& a, const Tensor<double, 2>& b, double tolerance) {
    REQUIRE(a.shape() == b.shape());
    for (weft::index i = 0; i < a.size(); ++i) REQUIRE(a.data()[i] == Approx(b.data()[i]).margin(tolerance));
}

Tensor<double, 2> turned(const Tensor<double, 2>& x, const Irreps& irreps, const so3::Rotation& rotation) {
    return Tensor<double, 2>(matmul(x, transpose(so3::wigner_d(irreps, rotation))));
}

} // namespace

TEST_CASE("FullTensorProduct: products of all degrees", "[so3][golden]") {
    for_each_golden_case("tensor-product-variants", "cgtp", [](GoldenCase& g) {
        const auto irreps = g.option("irreps", std::vector<std::string>());
        std::optional<Irreps> filter;
        for (const std::string& ir : g.option("filter_ir_out", std::vector<std::string>()))
            filter = filter.value_or(Irreps()) + Irreps(ir);
        const so3::FullTensorProduct product(
            irreps.at(0), irreps.at(1), filter,
            {.irrep_normalization = irrep_normalization(g.option("irrep_normalization", std::string()))});
        REQUIRE(product.irreps_in1() == irreps_of(g, "irreps_in1"));
        REQUIRE(product.irreps_in2() == irreps_of(g, "irreps_in2"));
        REQUIRE(product.irreps_out() == irreps_of(g, "irreps_out"));
        const auto expected = g.get<std::int64_t, 2>("instructions_i1_i2_iout");
        for (weft::index i = 0; i < expected.extent(0); ++i) {
            const so3::Instruction& own = product.instructions()[static_cast<std::size_t>(i)];
            REQUIRE(std::array{expected(i, 0), expected(i, 1), expected(i, 2)} ==
                    std::array<std::int64_t, 3>{own.in1, own.in2, own.out});
        }
        const auto& coefficients = product.path_coefficients();
        g.compare("path_coeff", Tensor<double, 1>::from(std::span<const double>(coefficients),
                                                        {static_cast<weft::index>(coefficients.size())}));
        check_derivatives(g, product, Input<2>{"x1"}, Input<2>{"x2"});
    });
}

TEST_CASE("products of functions on grids, also on one that is too coarse", "[so3][golden]") {
    for_each_golden_group("tensor-product-variants", "gtp_grid", [](GoldenCase& g) {
        const auto sizes = g.get<std::int64_t, 1>("L1_L2_L3_resbeta_resalpha");
        const so3::SphereResolution resolution{sizes(3), sizes(4)};
        const auto run = [&]<class T>(std::type_identity<T>, const Tolerance& tolerance) {
            const auto n = so3::Normalization::integral;
            const so3::ToS2Grid<T> first(degree(sizes, 0), resolution, n), second(degree(sizes, 1), resolution, n);
            const so3::FromS2Grid<T> back(degree(sizes, 2), resolution, n);
            const Var<T, 2> x1{g.get<T, 2>("x1")}, x2{g.get<T, 2>("x2")};
            const auto y = back(weft::eval(first(x1) * second(x2)));
            g.compare("y", y.value(), tolerance);
            weft::backward(y, g.get<T, 2>("gy"));
            g.compare("g_x1", x1.grad(), tolerance);
            g.compare("g_x2", x2.grad(), tolerance);
        };
        run(std::type_identity<double>{}, {.relative = 1e-9, .absolute = 1e-9});
        run(std::type_identity<float>{}, {.of_float = 2e-5});
        const so3::GauntTensorProduct exact(degree(sizes, 0), degree(sizes, 1), degree(sizes, 2));
        g.compare("y_exact_gaunt", Tensor<double, 2>(exact(g.get<double, 2>("x1"), g.get<double, 2>("x2"))));
    });
}

TEST_CASE("MatrixTensorProduct: as by brute force", "[so3][golden]") {
    const auto check = [](GoldenCase& g) {
        const auto sizes = g.get<std::int64_t, 1>("L1_L2_L3_ltilde");
        const MatrixForm form = g.name().starts_with("block") ? MatrixForm::block : MatrixForm::single;
        const MatrixTensorProduct product(degree(sizes, 0), degree(sizes, 1), degree(sizes, 2), form,
                                          irrep_normalization(g.metadata().at(g.name())));
        REQUIRE(product.l_matrix() == degree(sizes, 3));
        check_derivatives(g, product, Input<3>{"x1"}, Input<3>{"x2"});
        if (!g.has("path_l1l2l3")) return;
        const auto paths = g.get<std::int64_t, 2>("path_l1l2l3");
        auto factors = Tensor<double, 1>::empty({paths.extent(0)});
        for (weft::index p = 0; p < paths.extent(0); ++p) {
            const int l1 = static_cast<int>(paths(p, 0)), l2 = static_cast<int>(paths(p, 1)),
                      l3 = static_cast<int>(paths(p, 2));
            factors.mutable_data()[p] =
                path_factor(product, so3::components_up_to(degree(sizes, 0)), l1 * l1,
                            so3::components_up_to(degree(sizes, 1)), l2 * l2, l3 * l3, l1, l2, l3);
        }
        g.compare("path_coeff_on_w3j", factors);
    };
    for_each_golden_group("tensor-product-variants", "mtp", check);
}

TEST_CASE("VectorSignalTensorProduct: as by brute force", "[so3][golden]") {
    for_each_golden_group("tensor-product-variants", "vstp", [](GoldenCase& g) {
        if (g.name() == "vsh") {
            const auto points = g.get<double, 2>("points");
            const auto j_l = g.get<std::int64_t, 2>("J_l");
            const so3::VectorHarmonics harmonics{2};
            REQUIRE(static_cast<weft::index>(harmonics.blocks().size()) == j_l.extent(0));
            const auto scalars = so3::spherical_harmonics(so3::degrees_up_to(2), points);
            const auto map = harmonics.to_scalars();
            auto values = Tensor<double, 3>::zeros({points.extent(0), harmonics.dim(), 3});
            for (weft::index p = 0; p < points.extent(0); ++p)
                for (weft::index i = 0; i < harmonics.dim(); ++i)
                    for (weft::index axis = 0; axis < 3; ++axis)
                        for (weft::index c = 0; c < 9; ++c)
                            values.mutable_data()[(p * harmonics.dim() + i) * 3 + axis] +=
                                map(i, axis * 9 + c) * scalars(p, c);
            g.compare("values_l0_to_2", values);
            return;
        }
        const auto sizes = g.get<std::int64_t, 1>("L1_L2_L3");
        const VectorSignalTensorProduct product(degree(sizes, 0), degree(sizes, 1), degree(sizes, 2));
        const so3::VectorHarmonics* const harmonics[] = {&product.in1(), &product.in2(), &product.out()};
        for (std::size_t k = 0; k < 3; ++k) {
            const auto blocks = g.get<std::int64_t, 2>("J_l_of_blocks" + std::to_string(k + 1));
            const auto own = harmonics[k]->blocks();
            REQUIRE(blocks.extent(0) == static_cast<weft::index>(own.size()));
            for (weft::index b = 0; b < blocks.extent(0); ++b) {
                REQUIRE(blocks(b, 0) == own[static_cast<std::size_t>(b)].j);
                REQUIRE(blocks(b, 1) == own[static_cast<std::size_t>(b)].l);
            }
        }
        check_derivatives(g, product, Input<3>{"x1"}, Input<3>{"x2"});
        const auto paths = g.get<std::int64_t, 2>("path_blocks");
        REQUIRE(so3::VectorSignalProduct(product).paths() == paths.extent(0));
        auto factors = Tensor<double, 1>::empty({paths.extent(0)});
        for (weft::index p = 0; p < paths.extent(0); ++p) {
            weft::index at[3] = {};
            int j[3];
            for (std::size_t k = 0; k < 3; ++k) {
                const auto blocks = harmonics[k]->blocks();
                const auto number = static_cast<std::size_t>(paths(p, static_cast<weft::index>(k)));
                for (std::size_t b = 0; b < number; ++b) at[k] += 2 * blocks[b].j + 1;
                j[k] = blocks[number].j;
            }
            factors.mutable_data()[p] =
                path_factor(product, product.in1().dim(), at[0], product.in2().dim(), at[1], at[2], j[0], j[1], j[2]);
        }
        g.compare("path_coeff_on_w3j", factors);
    });
}

TEST_CASE("products: equivariance, antisymmetry, no rows, errors", "[so3]") {
    const auto rotation = so3::Rotation::from_angles({0.4, 2, -1});
    for (const MatrixForm form : {MatrixForm::single, MatrixForm::block}) {
        const MatrixTensorProduct product(2, 3, 4, form);
        const auto in1 = Irreps::spherical_harmonics(2, 1), in2 = Irreps::spherical_harmonics(3, 1),
                   out = Irreps::spherical_harmonics(4, 1);
        const auto x = numbers<double, 2>({7, 9}), y = numbers<double, 2>({7, 16}, 2);
        same(product(turned(x, in1, rotation), turned(y, in2, rotation)), turned(product(x, y), out, rotation), 1e-12);
    }
    const VectorSignalTensorProduct cross(2, 2, 3);
    const auto a = numbers<double, 2>({7, cross.in1().dim()}), b = numbers<double, 2>({7, cross.in2().dim()}, 2);
    const Tensor<double, 2> there = cross(a, b), back = cross(b, a);
    same(there, Tensor<double, 2>(-back), 1e-13);
    // Vectors make pseudo-vectors.
    const auto improper = rotation * so3::Rotation::inversion();
    same(cross(turned(a, cross.in1().irreps(), improper), turned(b, cross.in2().irreps(), improper)),
         turned(there, cross.out().irreps(1), improper), 1e-12);
    REQUIRE(MatrixTensorProduct(1, 1, 2)(Tensor<double, 2>::zeros({0, 4}), Tensor<double, 2>::zeros({0, 4})).shape() ==
            Extents<2>{0, 9});
    REQUIRE(error_of([] { MatrixTensorProduct(1, 1, 3); }) ==
            "weft: MatrixTensorProduct: l3 is 3: matrices of degree 1 have components up to 2");
    REQUIRE_THAT(error_of([] { MatrixTensorProduct(-1, 1, 0); }), ContainsSubstring("must not be negative"));
    REQUIRE_THAT(error_of([] { VectorSignalTensorProduct(1, 1, -2); }), ContainsSubstring("must not be negative"));
    REQUIRE_THAT(error_of([&] { (void)cross(numbers<double, 2>({7, 3}), b); }), ContainsSubstring("must be 27"));
}
