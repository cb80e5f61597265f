// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/so3/point_block.hpp>

using namespace weft_test;
using weft::Dual, weft::Tensor;

// Whole squares, narrow edges of both kinds and what is left.
TEMPLATE_TEST_CASE("transpose_block: all shapes", "[so3]", float, double, Dual<double>) {
    using T = TestType;
    constexpr weft::index largest = 37, stride = 41;
    const auto from = numbers<T, 2>({largest, stride});
    for (weft::index rows = 0; rows <= largest; ++rows)
        for (weft::index columns = 0; columns <= largest; ++columns) {
            auto to = Tensor<T, 2>::full({largest, stride}, T(7));
            weft::detail::transpose_block(from.data(), stride, rows, columns, to.mutable_data(), stride);
            bool right = true;
            for (weft::index c = 0; c < largest; ++c)
                for (weft::index r = 0; r < stride; ++r)
                    right = right && to(c, r) == (c < columns && r < rows ? from(r, c) : T(7));
            INFO(rows << " rows, " << columns << " columns");
            REQUIRE(right);
        }
    // No columns: nothing is written, whatever the stride.
    auto to = Tensor<T, 2>::full({1, stride}, T(7));
    weft::detail::transpose_block(from.data(), 1, largest, 0, to.mutable_data(), stride);
    REQUIRE(same_bits(to, Tensor<T, 2>::full({1, stride}, T(7))));
}

TEMPLATE_TEST_CASE("transpose_block: rows without gaps, to columns and back", "[so3]", float, double, Dual<double>) {
    using T = TestType;
    for (weft::index rows = 0; rows <= 37; ++rows)
        for (weft::index columns = 1; columns <= 9; ++columns) {
            INFO(rows << " rows, " << columns << " columns");
            const auto from = numbers<T, 2>({rows, columns});
            auto turned = Tensor<T, 2>::full({columns + 1, rows}, T(7)),
                 back = Tensor<T, 2>::full({rows + 1, columns}, T(7));
            weft::detail::transpose_block(from.data(), columns, rows, columns, turned.mutable_data(), rows);
            weft::detail::transpose_block(turned.data(), rows, columns, rows, back.mutable_data(), columns);
            bool right = true;
            for (weft::index r = 0; r <= rows; ++r)
                for (weft::index c = 0; c < columns; ++c) {
                    right = right && back(r, c) == (r < rows ? from(r, c) : T(7));
                    if (r < rows) right = right && turned(c, r) == from(r, c) && turned(columns, r) == T(7);
                }
            REQUIRE(right);
        }
}

TEMPLATE_TEST_CASE("point_block: coordinates of any number of points side by side, and back", "[so3]", float, double,
                   Dual<double>) {
    using T = TestType;
    constexpr weft::index stride = 40;
    for (weft::index n = 0; n <= stride; ++n) {
        INFO(n << " points");
        const auto points = numbers<T, 2>({n, 3});
        auto block = Tensor<T, 2>::zeros({3, stride});
        weft::so3::detail::load_points(points.data(), n, block.mutable_data(), stride);
        bool right = true;
        for (weft::index k = 0; k < 3; ++k)
            for (weft::index i = 0; i < stride; ++i) right = right && block(k, i) == (i < n ? points(i, k) : T(0));
        REQUIRE(right);
        auto back = Tensor<T, 2>::full({n + 1, 3}, T(7));
        weft::so3::detail::store_points(block.data(), stride, n, back.mutable_data());
        for (weft::index i = 0; i <= n; ++i)
            for (weft::index k = 0; k < 3; ++k) right = right && back(i, k) == (i < n ? points(i, k) : T(7));
        REQUIRE(right);
    }
}

TEMPLATE_TEST_CASE("sum_rows: the sum of the lanes of each of any number of packets", "[core]", float, double,
                   Dual<double>) {
    using T = TestType;
    constexpr weft::index w = weft::lanes<T>, most = 2 * w + 3;
    for (weft::index n = 0; n <= most; ++n) {
        INFO(n << " packets");
        auto packets = Tensor<T, 2>::empty({most, w});
        for (weft::index i = 0; i < packets.size(); ++i) // small whole numbers, whose sums are exact
            packets.mutable_data()[i] = T(static_cast<int>(i * i % 31));
        auto sums = Tensor<T, 1>::full({most + 1}, T(7));
        weft::detail::sum_rows<T>(packets.data(), n, sums.mutable_data());
        bool right = true;
        for (weft::index r = 0; r <= most; ++r) {
            T sum(0);
            for (weft::index i = 0; i < w && r < n; ++i) sum = sum + packets(r, i);
            right = right && sums(r) == (r < n ? sum : T(7));
        }
        REQUIRE(right);
    }
}
