// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/linalg/segment_matmul.hpp>

using namespace weft;
using namespace weft_test;

TEST_CASE("segment_matmul: each run of rows has its matrix", "[linalg]") {
    const std::vector<weft::index> ptr{0, 3, 3, 40, 100};
    const auto x = numbers<double, 2>({100, 7}, 1);
    const auto w = numbers<double, 3>({4, 7, 5}, 2);
    const Tensor<double, 2> y = segment_matmul(x, ptr, w);
    for (weft::index s = 0; s < 4; ++s) {
        const auto begin = ptr[static_cast<std::size_t>(s)], end = ptr[static_cast<std::size_t>(s) + 1];
        const Tensor<double, 2> expected = matmul(slice(x, 0, begin, end), select_index(w, 0, s));
        for (weft::index i = begin; i < end; ++i)
            for (weft::index j = 0; j < 5; ++j) REQUIRE(std::abs(y(i, j) - expected(i - begin, j)) < 1e-14);
    }
    REQUIRE(
        Tensor<double, 2>(segment_matmul(Tensor<double, 2>::zeros({0, 7}), {0, 0}, Tensor<double, 3>::ones({1, 7, 5})))
            .shape() == Extents<2>{0, 5});
}

TEST_CASE("segment_matmul: gradients to second order", "[linalg]") {
    expect_grad<2>(
        [](const auto& x, const auto& w) {
            return segment_matmul(x, {0, 2, 2, 5}, w);
        },
        numbers<double, 2>({5, 3}, 1), numbers<double, 3>({3, 3, 4}, 2));
}

TEST_CASE("segment_matmul: errors say what does not fit", "[linalg]") {
    const auto x = Tensor<float, 2>::zeros({5, 3});
    const auto w = Tensor<float, 3>::zeros({2, 3, 4});
    REQUIRE_THROWS_WITH(segment_matmul(x, {0, 2, 5}, Tensor<float, 3>::zeros({2, 4, 4})),
                        ContainsSubstring("inner extents 3 and 4"));
    REQUIRE_THROWS_WITH(segment_matmul(x, {0, 5}, w), ContainsSubstring("in 2 steps"));
    REQUIRE_THROWS_WITH(segment_matmul(x, {0, 2, 4}, w), ContainsSubstring("from 0 to 5"));
    REQUIRE_THROWS_WITH(segment_matmul(x, {0, 6, 5}, w), ContainsSubstring("from 0 to 5"));
}
