// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/linalg/affine.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
void require_sum(const Tensor<T, 2>& y, const Tensor<T, 2>& x, const Tensor<T, 2>& w, const Tensor<T, 1>& b) {
    REQUIRE(y.shape() == Extents<2>{x.extent(0), w.extent(0)});
    for (weft::index i = 0; i < x.extent(0); ++i)
        for (weft::index j = 0; j < w.extent(0); ++j) {
            double sum = static_cast<double>(b.data()[j]), size = std::abs(sum);
            for (weft::index k = 0; k < x.extent(1); ++k) {
                const auto term = static_cast<double>(x.data()[i * x.extent(1) + k]) *
                                  static_cast<double>(w.data()[j * w.extent(1) + k]);
                sum += term;
                size += std::abs(term);
            }
            const double bound = static_cast<double>(x.extent(1) + 2) * std::numeric_limits<T>::epsilon() * size;
            REQUIRE(std::abs(static_cast<double>(std::as_const(y)(i, j)) - sum) <= bound);
        }
}

} // namespace

TEMPLATE_TEST_CASE("affine: x W^T + b by every way of multiplying", "[linalg]", float, double) {
    using T = TestType;
    // Rows [M, K] and columns [N, K]: none, one, small, of tiles, of a long sum, and with zeros that are skipped.
    for (const auto& [m, k, n] : {std::array<weft::index, 3>{0, 3, 4},
                                  {3, 0, 4},
                                  {1, 9, 5},
                                  {9, 5, 1},
                                  {4, 6, 5},
                                  {300, 70, 50},
                                  {5, 3000, 70},
                                  {400, 300, 8}}) {
        INFO(m << " x " << k << " x " << n);
        Tensor<T, 2> x = numbers<T, 2>({m, k}, 1);
        const auto w = numbers<T, 2>({n, k}, 2);
        const auto b = numbers<T, 1>({n}, 3);
        if (m == 400)
            for (weft::index i = 0; i < x.size(); ++i)
                if (i % 40 != 0) x.mutable_data()[i] = 0;
        require_sum<T>(affine(x, w, b), x, w, b);
        const Tensor<T, 2> stored_x = transpose(x), stored_w = transpose(w);
        require_sum<T>(affine(transpose(stored_x), transpose(stored_w), b), x, w, b);
        require_sum<T>(affine(Var<T, 2>(x), Var<T, 2>(w), Var<T, 1>(b)).value(), x, w, b);
    }
}

TEST_CASE("affine: gradients to second order", "[linalg]") {
    const auto f = [](const auto& x, const auto& w, const auto& b) { return affine(x, w, b); };
    expect_grad<2>(f, numbers<double, 2>({5, 3}, 1), numbers<double, 2>({4, 3}, 2), numbers<double, 1>({4}, 3));
    expect_grad([](const auto& x, const auto& w, const auto& b) { return affine(transpose(x), transpose(w), b); },
                numbers<double, 2>({3, 5}, 1), numbers<double, 2>({3, 4}, 2), numbers<double, 1>({4}, 3));
}

TEST_CASE("affine: errors say what does not fit", "[linalg]") {
    const auto x = Tensor<float, 2>::zeros({5, 3});
    const auto b = Tensor<float, 1>::zeros({4});
    REQUIRE_THROWS_WITH(affine(x, Tensor<float, 2>::zeros({4, 2}), b),
                        ContainsSubstring("x is [5, 3], weight is [4, 2], bias is [4]"));
    REQUIRE_THROWS_WITH(affine(x, Tensor<float, 2>::zeros({6, 3}), b), ContainsSubstring("weight is [6, 3]"));
}
