// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/lanczos.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// How positional encodings find eigenvectors and singular vectors: in double precision, up to a size with a dense
/// solver, O(N^3), above by `lanczos`.
struct SpectralOptions {
    index dense_nodes = 2000; ///< the largest N for the dense solver; a complex matrix counts as one of 2 N
    LanczosOptions lanczos;
};

namespace detail {

/// The row of the largest element of each column of x, none of which is negative; of those that are equal up to
/// rounding errors, the first.
inline std::vector<index> largest_rows(const Tensor<double, 2>& x) {
    std::vector<index> rows;
    for (index column = 0; column < x.extent(1); ++column) {
        double largest = 0;
        for (index i = 0; i < x.extent(0); ++i) largest = std::max(largest, x(i, column));
        index row = 0;
        while (row + 1 < x.extent(0) && x(row, column) < largest * (1 - 1e-6)) ++row;
        rows.push_back(row);
    }
    return rows;
}

/// The columns [from, from + count) of x; those that x does not have are 0.
template <class T>
Tensor<T, 2> columns_or_zeros(const Tensor<double, 2>& x, index from, index count) {
    auto result = Tensor<T, 2>::zeros({x.extent(0), count});
    for (index i = 0; i < x.extent(0); ++i)
        for (index j = 0; j < std::min(count, x.extent(1) - from); ++j) result(i, j) = static_cast<T>(x(i, from + j));
    return result;
}

inline void check_columns(const char* operation, index count) {
    if (count < 0) throw error(operation, "k is {}: the number of columns must not be negative", count);
}

} // namespace detail

} // namespace weft::inline WEFT_ABI::gnn
