// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/gnn/spectral_options.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/graph/transforms.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// The `count` lowest eigenvalues of I - D^-1/2 A D^-1/2 in ascending order, and orthonormal eigenvectors as columns
/// of [N, count], for an undirected graph with edge weights w [E]: every edge is there in both directions. Loops are
/// left out, duplicates add up; a node without edges has the eigenvalue 1. The entry of largest modulus of a vector,
/// the first of equal ones, is positive; of equal eigenvalues any basis may come. No gradient. Errors: the graph is
/// not square or not undirected; w is not [E]; the weights of a node add up to less than 0; count is not in [0, N].
template <Expression W, std::same_as<double> Real = double>
requires(W::rank == 1) EighResult<Real> laplacian_eigenvectors(const Graph& g, const W& w, index count,
                                                               const SpectralOptions& options = {}) {
    constexpr auto name = "laplacian_eigenvectors";
    using Matrix = Tensor<Real, 2>;
    const index nodes = g.num_nodes();
    if (count < 0 || count > nodes) throw error(name, "count is {}: it must be from 0 to {} nodes", count, nodes);
    const auto entries = laplacian(g, cast<Real>(Tensor<typename W::value_type, 1>(w)), Laplacian::symmetric);
    const auto matrix = coalesce(entries.graph, entries.weight);
    const auto transposed = coalesce(entries.graph.reverse(), entries.weight);
    const auto &from = matrix.graph.sources(), &to = matrix.graph.destinations();
    for (index e = 0; e < matrix.graph.num_edges(); ++e) {
        const double a = matrix.weight(e), b = transposed.weight(e);
        if (from(e) != transposed.graph.sources()(e) || to(e) != transposed.graph.destinations()(e) ||
            !(std::abs(a - b) <= 1e-12 * std::abs(a)))
            throw error(name,
                        "the edges between nodes {} and {} are not the same in both directions: see to_undirected, or "
                        "magnetic_encoding for directed graphs",
                        from(e), to(e));
    }

    EighResult<Real> result;
    if (nodes <= options.dense_nodes) {
        auto dense = Matrix::zeros({nodes, nodes});
        for (index e = 0; e < matrix.graph.num_edges(); ++e) dense(from(e), to(e)) = matrix.weight(e);
        const auto all = eigh(dense);
        result = {slice(all.values, 0, 0, count), slice(all.vectors, 1, 0, count)};
    } else {
        result = lanczos(
            nodes, count, [&](const Matrix& x) { return sum_in(matrix.graph, src(x) * edge(matrix.weight)); },
            options.lanczos);
    }
    const auto rows = detail::largest_rows(square(result.vectors));
    auto signs = Tensor<Real, 1>::empty({count});
    for (index j = 0; j < count; ++j) signs(j) = result.vectors(rows[static_cast<std::size_t>(j)], j) < 0 ? -1 : 1;
    result.vectors = result.vectors * signs;
    return result;
}

/// Laplacian positional encoding [N, k]: the eigenvectors 2, ..., k + 1 of laplacian_eigenvectors, of the type of w;
/// columns that a graph of at most k nodes does not have are 0. In training, their signs should be random:
/// `random_signs`. Dwivedi et al., Benchmarking Graph Neural Networks (arXiv 2003.00982). Errors: as there; k < 0.
template <Expression W>
requires(W::rank == 1) auto laplacian_encoding(const Graph& g, const W& w, index k,
                                               const SpectralOptions& options = {}) {
    detail::check_columns("laplacian_encoding", k);
    const auto found = laplacian_eigenvectors(g, w, std::min(k + 1, g.num_nodes()), options);
    return detail::columns_or_zeros<typename W::value_type>(found.vectors, 1, k);
}
/// The same with every edge of weight 1.
template <class T = float>
Tensor<T, 2> laplacian_encoding(const Graph& g, index k, const SpectralOptions& options = {}) {
    return laplacian_encoding(g, Tensor<T, 1>::ones({g.num_edges()}), k, options);
}

/// x [N, k], each column times 1 or -1, equally likely: eigenvectors are as good with the other sign.
template <Expression X>
requires(X::rank == 2) auto random_signs(const X& x, Generator& generator) {
    using T = typename X::value_type;
    auto signs = Tensor<T, 1>::empty({x.shape()[1]});
    fill_bernoulli(generator, signs.mutable_data(), signs.size(), 0.5);
    return eval(x * (T(1) - T(2) * signs));
}

} // namespace weft::inline WEFT_ABI::gnn
