// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "golden.hpp"

#include <weft/attention/alibi_slopes.hpp>
#include <weft/attention/rotary_embedding.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/grad/backward.hpp>
#include <weft/grad/expect_grad.hpp>

using namespace weft_test;
using weft::Extents, weft::RotaryLayout, weft::RotaryTable, weft::Tensor, weft::Var;

TEST_CASE("rotary_embedding: the reference", "[attention][golden]") {
    with_golden_case("attention-core", "rope", "", [](GoldenCase& golden) {
        const auto base = golden.number<double>("base");
        const auto positions = golden.get<double, 1>("pos");
        const auto check = [&]<class T>(T) {
            const auto x = golden.get<T, 4>("x");
            for (const weft::index rotated : {16, 8})
                for (const auto layout : {RotaryLayout::interleaved, RotaryLayout::half}) {
                    const Tensor<T, 4> y = rotary_embedding(x, positions, {rotated, base, layout});
                    golden.compare(
                        fmt::format("y_{}_{}", layout == RotaryLayout::half ? "half" : "interleaved", rotated), y,
                        {.of_float = 2e-6, .relative = 1e-12, .absolute = 1e-12});
                }
            for (const int axes : {2, 3}) {
                const Tensor<T, 4> y =
                    axial_rotary_embedding(x, golden.get<double, 2>(fmt::format("pos{}", axes)), base);
                golden.compare(fmt::format("y_axial{}", axes), y,
                               {.of_float = 2e-6, .relative = 1e-12, .absolute = 1e-12});
            }
        };
        check(double{});
        check(float{});
    });
}

TEST_CASE("rotary_embedding: by the definition, for rows of any length", "[attention]") {
    const auto positions = Tensor<double, 1>::from({0, 1, 2.5, -7, 99999.25});
    const auto check = [&]<class T>(T) {
        for (const weft::index rotated : {2, 6, 8, 14, 16, 30, 32, 34, 66})
            for (const auto layout : {RotaryLayout::interleaved, RotaryLayout::half}) {
                const weft::index features = rotated + 3;
                const auto x = numbers<T, 3>({2, 5, features});
                const Tensor<T, 3> y = rotary_embedding(x, positions, {rotated, 100, layout});
                for (weft::index b = 0; b < 2; ++b)
                    for (weft::index n = 0; n < 5; ++n) {
                        for (weft::index t = 0; t < rotated / 2; ++t) {
                            const bool half = layout == RotaryLayout::half;
                            const weft::index e = half ? t : 2 * t, o = half ? t + rotated / 2 : e + 1;
                            const double a = positions(n) * std::pow(100, -2.0 * double(t) / double(rotated));
                            const double bound = std::is_same_v<T, float> ? 1e-6 : 1e-14;
                            REQUIRE(std::abs(double(y(b, n, e)) - (double(x(b, n, e)) * std::cos(a) -
                                                                   double(x(b, n, o)) * std::sin(a))) < bound);
                            REQUIRE(std::abs(double(y(b, n, o)) - (double(x(b, n, e)) * std::sin(a) +
                                                                   double(x(b, n, o)) * std::cos(a))) < bound);
                        }
                        for (weft::index d = rotated; d < features; ++d) REQUIRE(y(b, n, d) == x(b, n, d));
                    }
            }
    };
    check(double{});
    check(float{});
}

TEST_CASE("rotary_embedding: products depend on the difference of positions", "[attention]") {
    const auto q = numbers<double, 2>({1, 24}), k = numbers<double, 2>({1, 24}, 2);
    const auto at = [](const auto& x, double p) {
        return rotary_embedding(x, Tensor<double, 1>::from({p}), {.layout = RotaryLayout::half});
    };
    const Tensor<double, 0> near = sum(at(q, 7) * at(k, 3)), far = sum(at(q, 1007) * at(k, 1003)),
                            other = sum(at(q, 7) * at(k, 4));
    REQUIRE(near.item() == Approx(far.item()).epsilon(1e-11));
    REQUIRE(std::abs(near.item() - other.item()) > 1e-3);
}

TEST_CASE("rotary_embedding: gradients", "[attention]") {
    const auto positions = Tensor<double, 1>::from({0, 1.5, -3});
    for (const auto layout : {RotaryLayout::interleaved, RotaryLayout::half})
        weft::expect_grad(
            [&](const auto& x) {
                return rotary_embedding(x, positions, {6, 10, layout});
            },
            numbers<double, 3>({2, 3, 9}));
    const auto places = Tensor<double, 2>::from({{0, 1}, {2, -1}, {0.5, 4}});
    weft::expect_grad([&](const auto& x) { return axial_rotary_embedding(x, places, 10); }, numbers<double, 2>({3, 9}));
}

TEST_CASE("rotary_embedding: heads between positions and rows", "[attention]") {
    const auto x = numbers<float, 4>({2, 5, 4, 8});
    const RotaryTable<float> table(weft::arange<double>(5), 8);
    const Tensor<float, 4> all = rotary_embedding(x, table, {.axis = 1});
    const Tensor<float, 4> turned = transpose(rotary_embedding(weft::contiguous(transpose(x, 1, 2)), table), 1, 2);
    REQUIRE(same_bits(all, turned));
    const Tensor<float, 4> some = rotary_embedding(x, table, {.axis = 1, .rotated = 3});
    REQUIRE(same_bits(Tensor<float, 4>(slice(some, 2, 0, 3)), Tensor<float, 4>(slice(all, 2, 0, 3))));
    REQUIRE(same_bits(Tensor<float, 4>(slice(some, 2, 3)), Tensor<float, 4>(slice(x, 2, 3))));
    weft::expect_grad(
        [&](const auto& a) {
            return rotary_embedding(a, RotaryTable<double>(weft::arange<double>(3), 4), {.axis = 1, .rotated = 2});
        },
        numbers<double, 4>({2, 3, 3, 4}));
    // Part of a table: the positions of a step of decoding.
    const Tensor<float, 4> last = rotary_embedding(slice(x, 1, 3), table.rows(3, 2), {.axis = 1});
    REQUIRE(same_bits(last, Tensor<float, 4>(slice(all, 1, 3))));
    require_thread_independent([&] {
        const auto many = numbers<float, 4>({3, 5, 400, 8});
        return Tensor<float, 4>(rotary_embedding(many, table, {.axis = 1}));
    });
    // Nothing to rotate.
    REQUIRE(Tensor<float, 3>(rotary_embedding(Tensor<float, 3>::zeros({0, 5, 8}), table)).size() == 0);
    REQUIRE(same_bits(Tensor<float, 4>(rotary_embedding(
                          x, RotaryTable<float>(weft::arange<double>(5), 8, {.rotated = 0}), {.axis = 1})),
                      x));
}

TEST_CASE("rotary_embedding: errors", "[attention]") {
    const auto x = Tensor<float, 3>::zeros({2, 5, 8});
    const auto five = weft::arange<double>(5);
    REQUIRE(error_of([&] { (void)rotary_embedding(x, five, {.rotated = 3}); }) ==
            "weft: rotary_embedding: 3 of 8 features are to be rotated: must be even and not more than all");
    REQUIRE_THAT(error_of([&] { (void)rotary_embedding(x, five, {.rotated = 10}); }), ContainsSubstring("10 of 8"));
    REQUIRE_THAT(error_of([&] { (void)rotary_embedding(x, five, {.base = 0}); }), ContainsSubstring("base is 0"));
    REQUIRE(error_of([&] { (void)rotary_embedding(x, weft::arange<double>(4)); }) ==
            "weft: rotary_embedding: x is [2, 5, 8], the table has 4 positions for rows of 8: axis 1 of x must be the "
            "positions, the last one the rows");
    REQUIRE_THAT(error_of([&] { (void)rotary_embedding(x, RotaryTable<float>(five, 8), {.axis = 2}); }),
                 ContainsSubstring("axis 2 of x"));
    REQUIRE_THAT(error_of([&] { (void)rotary_embedding(x, RotaryTable<float>(five, 8), {.rotated = 2}); }),
                 ContainsSubstring("2 rows of each position are to be rotated: x [2, 5, 8] has 1"));
    REQUIRE(error_of([&] {
                (void)axial_rotary_embedding(x, Tensor<double, 2>::zeros({5, 4}));
            }) == "weft: axial_rotary_embedding: positions are [5, 4]: they must be [N, 2] or [N, 3]");
    REQUIRE(error_of([&] { (void)RotaryTable<float>(five, 8).rows(3, 3); }) ==
            "weft: RotaryTable: 3 positions from 3 on: the table has 5");
}

TEST_CASE("alibi_slopes: the reference", "[attention][golden]") {
    for (const char* const file : {"alibi_a", "alibi_b"}) {
        const auto path = golden_path("attention-core", file);
        if (skip_without(path)) return;
        const auto expected = weft::io::SafetensorsFile::read(path).get<double, 1>("slopes");
        REQUIRE(expected.size() > 0);
        const auto slopes = weft::alibi_slopes(expected.size());
        for (weft::index i = 0; i < slopes.size(); ++i) REQUIRE(slopes(i) == Approx(expected(i)).epsilon(1e-14));
    }
}

TEST_CASE("alibi_slopes: numbers of heads", "[attention]") {
    REQUIRE(weft::alibi_slopes(0).size() == 0);
    REQUIRE(weft::alibi_slopes(1)(0) == std::exp2(-8));
    REQUIRE(weft::alibi_slopes(8)(0) == 0.5);
    REQUIRE(weft::alibi_slopes(3)(2) == std::exp2(-2)); // 2 heads: 2^-4, 2^-8; the first of 4
    REQUIRE_THAT(error_of([] { weft::alibi_slopes(-1); }), ContainsSubstring("-1 heads"));
}
