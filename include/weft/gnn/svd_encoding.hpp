// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/spectral_options.hpp>
#include <weft/graph/directed_norm.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/linalg/svd.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Singular vectors of a graph: what nodes are as sources and as destinations of edges.
template <class T>
struct SvdEncoding {
    Tensor<T, 2> out;    ///< [num_src, k] left singular vectors
    Tensor<T, 2> in;     ///< [num_dst, k] right singular vectors
    Tensor<T, 1> values; ///< [k] singular values, descending
};

/// The k largest singular values and vectors of D_out^-1/2 A D_in^-1/2 of a graph with edge weights w [E], also a
/// bipartite one; duplicates add up. The entry of largest modulus of a left vector, the first of equal ones, is
/// positive; of equal values any basis may come. Vectors of singular values below 1e-6, and those that the graph does
/// not have, are 0. No gradient. Errors: w is not [E], or a weight not a number; a negative degree; k < 0.
template <Expression W, std::same_as<double> Real = double>
requires(W::rank == 1) SvdEncoding<typename W::value_type> svd_encoding(const Graph& g, const W& w, index k,
                                                                        const SpectralOptions& options = {}) {
    using T = typename W::value_type;
    using Matrix = Tensor<Real, 2>;
    detail::check_columns("svd_encoding", k);
    const auto entries = directed_norm(g, cast<Real>(Tensor<T, 1>(w)), DirectedNorm::symmetric);
    const index rows = g.num_src(), columns = g.num_dst(), count = std::min({k, rows, columns});

    Matrix left, right;
    Tensor<Real, 1> values;
    if (std::max(rows, columns) <= options.dense_nodes) {
        auto dense = Matrix::zeros({rows, columns});
        for (index e = 0; e < g.num_edges(); ++e) dense(g.sources()(e), g.destinations()(e)) += entries(e);
        const auto all = svd(dense);
        left = slice(all.u, 1, 0, count);
        right = transpose(slice(all.vt, 0, 0, count));
        values = slice(all.s, 0, 0, count);
    } else {
        // With the singular vectors u and v, (u, v) / sqrt(2) is an eigenvector of the matrix (0, -M; -M^T, 0).
        const Graph reverse = g.reverse();
        const auto pairs = lanczos(
            rows + columns, count,
            [&](const Matrix& x) {
                const Matrix top = slice(x, 0, 0, rows), bottom = slice(x, 0, rows);
                return Matrix(
                    -concat(0, sum_in(reverse, src(bottom) * edge(entries)), sum_in(g, src(top) * edge(entries))));
            },
            options.lanczos);
        left = slice(pairs.vectors, 0, 0, rows) * std::sqrt(2.0);
        right = slice(pairs.vectors, 0, rows) * std::sqrt(2.0);
        values = maximum(-pairs.values, 0.0);
    }

    const auto largest = detail::largest_rows(square(left));
    auto sign = Tensor<Real, 1>::empty({count});
    for (index j = 0; j < count; ++j)
        sign(j) = values(j) < 1e-6 ? 0 : left(largest[static_cast<std::size_t>(j)], j) < 0 ? -1 : 1;
    const auto padded = detail::columns_or_zeros<T>(unsqueeze(values, 0), 0, k);
    return {detail::columns_or_zeros<T>(left * sign, 0, k), detail::columns_or_zeros<T>(right * sign, 0, k),
            squeeze(padded, 0)};
}
/// The same with every edge of weight 1.
template <class T = float>
SvdEncoding<T> svd_encoding(const Graph& g, index k, const SpectralOptions& options = {}) {
    return svd_encoding(g, Tensor<T, 1>::ones({g.num_edges()}), k, options);
}

} // namespace weft::inline WEFT_ABI::gnn
