// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/standardize.hpp>
#include <weft/grad/backward.hpp>
#include <weft/grad/expect_grad.hpp>

using namespace weft_test;
using weft::Extents, weft::standardize, weft::Tensor, weft::Var;

TEST_CASE("standardize: every length, along every axis", "[core]") {
    for (const weft::index n : {1, 2, 3, 7, 15, 16, 17, 33, 130})
        for (const weft::index inner : {1, 5, 16, 19}) {
            INFO(n << " elements, " << inner << " neighbouring lines");
            const auto x = numbers<double, 3>({3, n, inner});
            const Tensor<double, 3> centred = x - weft::mean<1>(x, weft::keepdim);
            const Tensor<double, 3> expected = centred / sqrt(weft::mean<1>(square(centred), weft::keepdim) + 1e-3);
            const Tensor<double, 3> y = standardize<1>(x, 1e-3), of_rows = standardize(transpose(x), 1e-3);
            const Tensor<float, 3> in_float = standardize<1>(weft::cast<float>(x), 1e-3);
            const Tensor<double, 3> rows = transpose(of_rows);
            for (weft::index i = 0; i < y.size(); ++i) {
                REQUIRE(std::abs(y.data()[i] - expected.data()[i]) < 1e-13);
                REQUIRE(std::abs(rows.data()[i] - expected.data()[i]) < 1e-13);
                REQUIRE(std::abs(double(in_float.data()[i]) - expected.data()[i]) < 3e-5);
            }
        }
    REQUIRE(Tensor<float, 2>(standardize(Tensor<float, 2>::zeros({3, 0}))).size() == 0);
    REQUIRE(Tensor<float, 2>(standardize(Tensor<float, 2>::zeros({0, 3}))).size() == 0);
}

TEST_CASE("standardize: a large mean costs no digits", "[core]") {
    const Tensor<double, 2> x = numbers<double, 2>({4, 100}) / 4 + 1000; // exact in float to 6e-5
    const Tensor<float, 2> rounded = weft::cast<float>(x);
    const Tensor<double, 2> expected = standardize(weft::cast<double>(rounded));
    const Tensor<float, 2> y = standardize(rounded);
    for (weft::index i = 0; i < y.size(); ++i) REQUIRE(std::abs(double(y.data()[i]) - expected.data()[i]) < 1e-3);
}

TEST_CASE("standardize: gradients to second order", "[core]") {
    weft::expect_grad([](const auto& x) { return standardize(x); }, numbers<double, 2>({3, 5}));
    weft::expect_grad([](const auto& x) { return standardize<0>(x, 0.1); }, numbers<double, 2>({4, 3}));
    weft::expect_grad([](const auto& x) { return standardize(x); }, numbers<double, 1>({19}));
}

TEST_CASE("standardize: the same bits on any number of threads", "[core]") {
    const auto x = numbers<float, 2>({3001, 37}), dy = numbers<float, 2>({3001, 37}, 2);
    require_thread_independent([&] {
        const Var<float, 2> leaf{x};
        const Var<float, 2> y = standardize(leaf);
        backward(y, dy);
        return Tensor<float, 2>(y.value() + leaf.grad());
    });
}
