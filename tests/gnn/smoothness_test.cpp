// SPDX-License-Identifier: MIT
#include "weft_test.hpp"

#include <weft/core/random.hpp>
#include <weft/gnn/smoothness.hpp>

#include <cmath>
#include <limits>

using namespace weft;

namespace {

// The definition, pair by pair.
template <class T>
double over_pairs(const Tensor<T, 2>& x) {
    const weft::index n = x.extent(0), width = x.extent(1);
    const auto length = [&](weft::index i) {
        double squares = 0;
        for (weft::index c = 0; c < width; ++c) squares += static_cast<double>(x(i, c)) * static_cast<double>(x(i, c));
        return squares > 0 ? std::sqrt(squares) : 1;
    };
    double total = 0;
    for (weft::index i = 0; i < n; ++i)
        for (weft::index j = 0; j < n; ++j) {
            double squares = 0;
            for (weft::index c = 0; c < width; ++c) {
                const double d = static_cast<double>(x(i, c)) / length(i) - static_cast<double>(x(j, c)) / length(j);
                squares += d * d;
            }
            total += std::sqrt(squares) / 2;
        }
    return total / (static_cast<double>(n) * static_cast<double>(n - 1));
}

template <class T>
Tensor<T, 2> with_zero_rows(weft::index n, weft::index width) {
    Generator generator{7};
    auto x = Tensor<T, 2>::empty({n, width});
    fill_normal(generator, x.mutable_data(), x.size());
    for (weft::index i = 0; i < n; i += 5)
        for (weft::index c = 0; c < width; ++c) x(i, c) = 0;
    return x;
}

} // namespace

TEST_CASE("smoothness: the mean distance of directions", "[gnn]") {
    const auto x = Tensor<double, 2>::from({{1, 0}, {2, 0}, {0, 3}, {-1, 0}, {0, 0}});
    // Pairs: same 0, right angle sqrt(2) / 2, opposite 1, with zero 1 / 2.
    const double expected = (0 + 2 * std::sqrt(0.5) + 2 * 1 + std::sqrt(0.5) + 4 * 0.5) / 10;
    REQUIRE(std::abs(gnn::smoothness(x) - expected) < 1e-15);
    REQUIRE(gnn::smoothness(Tensor<float, 2>::ones({600, 4})) < 1e-7);
}
TEST_CASE("smoothness: what a loop over all pairs gives, zero rows and blocks", "[gnn]") {
    for (const weft::index n : {2, 3, 255, 256, 257, 600})
        for (const weft::index width : {1, 7}) {
            INFO(n << " rows of " << width);
            const auto x = with_zero_rows<double>(n, width);
            REQUIRE(std::abs(gnn::smoothness(x) - over_pairs(x)) < 1e-9);
            const auto y = with_zero_rows<float>(n, width);
            REQUIRE(std::abs(gnn::smoothness(y) - over_pairs(y)) < 1e-9);
            REQUIRE(gnn::smoothness(2.0f * y) == gnn::smoothness(y));
        }
}
TEST_CASE("smoothness: no rows, one row, no columns, zeros, NaN", "[gnn]") {
    REQUIRE(gnn::smoothness(Tensor<float, 2>::ones({0, 4})) == 0);
    REQUIRE(gnn::smoothness(Tensor<float, 2>::ones({1, 4})) == 0);
    REQUIRE(gnn::smoothness(Tensor<float, 2>::ones({3, 0})) == 0);
    REQUIRE(gnn::smoothness(Tensor<float, 2>::zeros({3, 4})) == 0);
    auto x = Tensor<float, 2>::ones({3, 4});
    x(1, 2) = std::numeric_limits<float>::quiet_NaN();
    REQUIRE(std::isnan(gnn::smoothness(x)));
}
TEST_CASE("smoothness: threads", "[gnn]") {
    const auto x = with_zero_rows<float>(700, 5);
    set_thread_count(1);
    const double one = gnn::smoothness(x);
    set_thread_count(2);
    REQUIRE(gnn::smoothness(x) == one);
    set_thread_count(0);
}
