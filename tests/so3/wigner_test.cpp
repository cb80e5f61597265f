// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/core/views.hpp>
#include <weft/so3/wigner_d.hpp>

using namespace weft_test;
using weft::Tensor;
using weft::so3::EulerAngles, weft::so3::Irrep, weft::so3::Irreps, weft::so3::Rotation, weft::so3::wigner_3j,
    weft::so3::wigner_d;

namespace {

double difference(const auto& a, const auto& b) {
    REQUIRE(a.shape() == b.shape());
    double largest = 0;
    for (weft::index i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.data()[i] - b.data()[i]));
    return largest;
}

Tensor<double, 2> product(const Tensor<double, 2>& a, const Tensor<double, 2>& b) {
    auto c = Tensor<double, 2>::zeros({a.shape()[0], b.shape()[1]});
    for (weft::index i = 0; i < a.shape()[0]; ++i)
        for (weft::index j = 0; j < b.shape()[1]; ++j)
            for (weft::index k = 0; k < b.shape()[0]; ++k) c.mutable_data()[i * b.shape()[1] + j] += a(i, k) * b(k, j);
    return c;
}

std::array<double, 3> row(const Tensor<double, 2>& t, weft::index i) { return {t(i, 0), t(i, 1), t(i, 2)}; }

void check_couplings(GoldenCase& g) {
    const auto ls = g.get<std::int64_t, 2>("ls");
    const auto ptr = g.get<std::int64_t, 1>("ptr");
    const auto ijk = g.get<std::int8_t, 2>("ijk");
    const auto value = g.get<double, 1>("value");
    auto actual = Tensor<double, 1>::zeros(value.shape());
    for (weft::index n = 0; n < ls.shape()[0]; ++n) {
        const auto degree = [&](weft::index a) { return static_cast<int>(ls(n, a)); };
        const auto c = wigner_3j(degree(0), degree(1), degree(2));
        weft::index nonzero = 0;
        for (const double x : c.values()) nonzero += x != 0;
        REQUIRE(nonzero == ptr(n + 1) - ptr(n));
        for (weft::index e = ptr(n); e < ptr(n + 1); ++e) actual.mutable_data()[e] = c(ijk(e, 0), ijk(e, 1), ijk(e, 2));
    }
    g.compare("value", actual, {.relative = 1e-14, .absolute = 1e-14});
}

const Rotation some = Rotation::from_angles({0.3, 1.1, -2.4});

} // namespace

TEST_CASE("wigner_3j: as in e3nn", "[so3][golden]") {
    with_golden_case("equivariant-core", "wigner_3j_l4", "", check_couplings);
    with_golden_case("equivariant-core", "wigner_3j_l5_l6", "", check_couplings);
}

TEST_CASE("wigner_3j: identities", "[so3]") {
    for (int l = 0; l <= 5; ++l) {
        const auto c = wigner_3j(l, l, 0);
        for (weft::index i = 0; i <= 2 * l; ++i)
            for (weft::index j = 0; j <= 2 * l; ++j)
                REQUIRE(c(i, j, 0) == Approx(i == j ? 1 / std::sqrt(2 * l + 1) : 0).margin(1e-15));
    }
    const auto cross = wigner_3j(1, 1, 1);
    for (weft::index i = 0; i < 3; ++i)
        for (weft::index j = 0; j < 3; ++j)
            for (weft::index k = 0; k < 3; ++k)
                REQUIRE(cross(i, j, k) ==
                        Approx(static_cast<double>((i - j) * (j - k) * (k - i)) / 2 / std::sqrt(6)).margin(1e-15));
    for (const auto& [a, b, c] : {std::array{1, 2, 3}, {2, 2, 3}, {3, 4, 2}, {4, 5, 6}, {8, 7, 11}, {12, 12, 12}}) {
        const auto t = wigner_3j(a, b, c), turned = wigner_3j(b, c, a), swapped = wigner_3j(b, a, c);
        const double sign = (a + b + c) % 2 == 0 ? 1 : -1;
        const weft::index d1 = 2 * a + 1, d2 = 2 * b + 1, d3 = 2 * c + 1;
        for (weft::index i = 0; i < d1; ++i)
            for (weft::index j = 0; j < d2; ++j)
                for (weft::index k = 0; k < d3; ++k) {
                    REQUIRE(turned(j, k, i) == Approx(t(i, j, k)).margin(1e-14));
                    REQUIRE(swapped(j, i, k) == Approx(sign * t(i, j, k)).margin(1e-14));
                }
        for (weft::index k = 0; k < d3; ++k)
            for (weft::index other = 0; other < d3; ++other) {
                double dot = 0;
                for (weft::index i = 0; i < d1; ++i)
                    for (weft::index j = 0; j < d2; ++j) dot += t(i, j, k) * t(i, j, other);
                REQUIRE(dot == Approx(k == other ? 1.0 / static_cast<double>(d3) : 0).margin(1e-14));
            }
    }
    // C is what rotations leave as it is, also of large degrees.
    const auto c = wigner_3j(6, 7, 10);
    const auto a = wigner_d(6, some), b = wigner_d(7, some), d = wigner_d(10, some);
    auto half = Tensor<double, 3>::zeros(c.shape()), rotated = Tensor<double, 3>::zeros(c.shape());
    for (weft::index i = 0; i < 13; ++i)
        for (weft::index j = 0; j < 15; ++j)
            for (weft::index k = 0; k < 21; ++k)
                for (weft::index n = 0; n < 13; ++n) half.mutable_data()[(i * 15 + j) * 21 + k] += a(n, i) * c(n, j, k);
    auto next = Tensor<double, 3>::zeros(c.shape());
    for (weft::index i = 0; i < 13; ++i)
        for (weft::index j = 0; j < 15; ++j)
            for (weft::index k = 0; k < 21; ++k)
                for (weft::index n = 0; n < 15; ++n)
                    next.mutable_data()[(i * 15 + j) * 21 + k] += b(n, j) * half(i, n, k);
    for (weft::index i = 0; i < 13; ++i)
        for (weft::index j = 0; j < 15; ++j)
            for (weft::index k = 0; k < 21; ++k)
                for (weft::index n = 0; n < 21; ++n)
                    rotated.mutable_data()[(i * 15 + j) * 21 + k] += d(n, k) * next(i, j, n);
    REQUIRE(difference(rotated, c) < 1e-13);
    REQUIRE(error_of([] { (void)wigner_3j(1, 2, 4); }) ==
            "weft: wigner_3j: degrees 1, 2, 4: each must lie between the difference and the sum of the others");
}

TEST_CASE("wigner_d: as in e3nn", "[so3][golden]") {
    with_golden_case("equivariant-core", "wigner_d", "", [](GoldenCase& g) {
        const auto alpha = g.get<double, 1>("alpha"), beta = g.get<double, 1>("beta"),
                   gamma = g.get<double, 1>("gamma");
        const auto quaternions = g.get<double, 2>("quaternion_wxyz"), axes = g.get<double, 2>("axis_from3");
        const auto axis_angles = g.get<double, 1>("angle_from3");
        const weft::index n = alpha.size();
        std::vector<Rotation> rotations;
        auto matrices = Tensor<double, 3>::empty({n, 3, 3});
        for (weft::index i = 0; i < n; ++i) {
            rotations.push_back(Rotation::from_angles({alpha(i), beta(i), gamma(i)}));
            const Rotation& r = rotations.back();
            const auto m = r.to_tensor();
            std::copy_n(m.data(), 9, matrices.mutable_data() + 9 * i);
            const std::array<double, 4> q = {quaternions(i, 0), quaternions(i, 1), quaternions(i, 2),
                                             quaternions(i, 3)};
            REQUIRE(difference(Rotation::from_quaternion(q).to_tensor(), m) < 1e-12);
            REQUIRE(difference(Rotation::from_quaternion(r.quaternion()).to_tensor(), m) < 1e-12);
            REQUIRE(difference(Rotation::from_angles(r.angles()).to_tensor(), m) < 1e-12);
            REQUIRE(difference(Rotation::from_axis_angle(r.axis_angle().axis, r.axis_angle().angle).to_tensor(), m) <
                    1e-12);
            if (i >= 3) // the rows behind the third
                REQUIRE(difference(Rotation::from_axis_angle(row(axes, i - 3), axis_angles(i - 3)).to_tensor(), m) <
                        1e-12);
        }
        g.compare("R", matrices);
        for (int l = 0; g.has("D" + std::to_string(l)); ++l) {
            const weft::index d = 2 * l + 1;
            auto all = Tensor<double, 3>::empty({n, d, d});
            for (weft::index i = 0; i < n; ++i)
                std::copy_n(wigner_d(l, rotations[static_cast<std::size_t>(i)]).data(), d * d,
                            all.mutable_data() + i * d * d);
            g.compare("D" + std::to_string(l), all);
        }
        for (int l = 0; g.has("generators_l" + std::to_string(l)); ++l)
            g.compare("generators_l" + std::to_string(l), weft::so3::so3_generators(l));

        const Irreps irreps = irreps_of(g, "irreps");
        REQUIRE(irreps == Irreps(std::string_view(g.metadata().at("irreps"))));
        const auto improper = g.get<double, 3>("improper_R");
        const weft::index dim = irreps.dim(), count = improper.shape()[0];
        auto all = Tensor<double, 3>::empty({count, dim, dim});
        for (weft::index i = 0; i < count; ++i) {
            const Rotation r = Rotation::from_matrix(Tensor<double, 2>(reshape(slice(improper, 0, i, i + 1), {3, 3})));
            std::copy_n(wigner_d(irreps, r).data(), dim * dim, all.mutable_data() + i * dim * dim);
        }
        g.compare("D_irreps_improper", all);
    });
}

TEST_CASE("wigner_d: a representation", "[so3]") {
    const Rotation other = Rotation::from_axis_angle({1, -2, 0.5}, 2.9);
    for (int l = 0; l <= 12; ++l) {
        REQUIRE(difference(product(wigner_d(l, some), wigner_d(l, other)), wigner_d(l, some * other)) < 1e-12);
        auto one = Tensor<double, 2>::zeros({2 * l + 1, 2 * l + 1});
        for (weft::index i = 0; i <= 2 * l; ++i) one.mutable_data()[i * (2 * l + 2)] = 1;
        REQUIRE(difference(product(wigner_d(l, some), wigner_d(l, some.inverse())), one) < 1e-12);
    }
    const Rotation mirrored = some * Rotation::inversion();
    REQUIRE(mirrored.improper());
    REQUIRE(difference(wigner_d(Irrep{1, -1}, mirrored), mirrored.to_tensor()) < 1e-14);
    REQUIRE(difference(wigner_d(Irrep{1, 1}, mirrored), some.to_tensor()) < 1e-14);
    REQUIRE(wigner_d(Irrep{0, -1}, mirrored)(0, 0) == -1);
}

TEST_CASE("rotations: special ones, directions and errors", "[so3]") {
    const double pi = std::numbers::pi;
    for (const Rotation& r : {Rotation(), Rotation::about_x(pi), Rotation::about_y(pi), Rotation::about_z(pi),
                              Rotation::about_y(0.4), Rotation::about_x(pi) * Rotation::about_y(1.5)}) {
        REQUIRE(difference(Rotation::from_angles(r.angles()).to_tensor(), r.to_tensor()) < 1e-12);
        REQUIRE(difference(Rotation::from_quaternion(r.quaternion()).to_tensor(), r.to_tensor()) < 1e-12);
        const auto [axis, angle] = r.axis_angle();
        REQUIRE(difference(Rotation::from_axis_angle(axis, angle).to_tensor(), r.to_tensor()) < 1e-12);
    }
    REQUIRE(difference(Rotation::from_axis_angle({0, 0, 2}, 0.7).to_tensor(), Rotation::about_z(0.7).to_tensor()) <
            1e-15);
    const std::array<double, 3> v = {0.2, -0.9, 0.4};
    const auto u = weft::so3::unit_vector(weft::so3::direction_of(v));
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(u[i] == Approx(v[i] / std::hypot(0.2, 0.9, 0.4)));
    REQUIRE_THAT(error_of([] { (void)Rotation::from_axis_angle({0, 0, 0}, 1); }), ContainsSubstring("axis is zero"));
    REQUIRE_THAT(error_of([] {
                     (void)Rotation::from_matrix(Tensor<double, 2>::ones({3, 3}));
                 }),
                 ContainsSubstring("orthogonal"));
    REQUIRE_THAT(error_of([] { (void)wigner_d(-1, some); }), ContainsSubstring("l is -1"));
}
