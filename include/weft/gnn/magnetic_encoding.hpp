// SPDX-License-Identifier: MIT
#pragma once

#include <weft/gnn/spectral_options.hpp>
#include <weft/graph/complex_sum.hpp>
#include <weft/graph/magnetic_laplacian.hpp>

namespace weft::inline WEFT_ABI::gnn {

namespace detail {

template <class Real>
struct ComplexMatrix {
    Tensor<Real, 2> real, imag;
};
template <class Real>
ComplexMatrix<Real> adjoint(const ComplexMatrix<Real>& a) {
    return {transpose(a.real), -transpose(a.imag)};
}
template <class Real>
ComplexMatrix<Real> product(const ComplexMatrix<Real>& a, const ComplexMatrix<Real>& b) {
    return {matmul(a.real, b.real) - matmul(a.imag, b.imag), matmul(a.real, b.imag) + matmul(a.imag, b.real)};
}

/// The k lowest eigenpairs of a Hermitian matrix [N, N] from the 2 k lowest of the real symmetric matrix that it is on
/// the rows (node, part) of real and imaginary parts, vectors [2 N, 2 k]: that one has every eigenvalue twice.
template <class Real>
HermitianResult<Real> hermitian_pairs(const EighResult<Real>& pairs) {
    using Complex = ComplexMatrix<Real>;
    const index nodes = pairs.vectors.extent(0) / 2, twice = pairs.values.size(), count = twice / 2;
    const auto parts = reshape(pairs.vectors, {nodes, 2, twice});
    const Complex u{select_index(parts, 1, 0), select_index(parts, 1, 1)};
    // Orthonormal combinations of u: the Gram matrix of its columns has k eigenvalues of 2 and k of 0, or in between
    // where a multiple eigenvalue has more vectors than are asked for.
    const Complex gram = product(adjoint(u), u);
    const auto [length, re, im] = eigh_hermitian(gram.real, gram.imag);
    const Tensor<Real, 1> root = sqrt(slice(length, 0, twice - count));
    const Complex s{slice(re, 1, twice - count), slice(im, 1, twice - count)};
    const Complex basis{s.real / root, s.imag / root}, dual{s.real * root, s.imag * root};
    // The matrix on that basis.
    const auto values = unsqueeze(pairs.values, 1);
    const Complex projected = product(adjoint(dual), {basis.real * values, basis.imag * values});
    const auto ritz = eigh_hermitian(projected.real, projected.imag);
    const Complex vectors = product(u, product(basis, {ritz.real, ritz.imag}));
    return {ritz.values, vectors.real, vectors.imag};
}

} // namespace detail

/// The `count` lowest eigenvalues of the symmetrically normalised magnetic Laplacian of a square graph with edge
/// weights w [E] and charge q, in ascending order, and real and imaginary parts of orthonormal eigenvectors as columns
/// of [N, count]; see magnetic_laplacian. The entry of largest modulus of a vector, the first of equal ones, is real
/// and positive; of equal eigenvalues any basis may come. No gradient. Errors: those of magnetic_laplacian; count is
/// not in [0, N].
template <Expression W, std::same_as<double> Real = double>
requires(W::rank == 1) HermitianResult<Real> magnetic_eigenvectors(const Graph& g, const W& w, double q, index count,
                                                                   const SpectralOptions& options = {}) {
    using Matrix = Tensor<Real, 2>;
    const index nodes = g.num_nodes();
    if (count < 0 || count > nodes)
        throw error("magnetic_eigenvectors", "count is {}: it must be from 0 to {} nodes", count, nodes);
    const auto matrix = magnetic_laplacian(g, cast<Real>(Tensor<typename W::value_type, 1>(w)), q);

    HermitianResult<Real> result;
    if (2 * nodes <= options.dense_nodes) {
        auto real = Matrix::zeros({nodes, nodes}), imag = Matrix::zeros({nodes, nodes});
        for (index i = 0; i < nodes; ++i) real(i, i) = matrix.diagonal(i);
        for (index e = 0; e < matrix.graph.num_edges(); ++e) {
            const auto from = matrix.graph.sources()(e), to = matrix.graph.destinations()(e);
            real(from, to) = matrix.entries(e, 0);
            imag(from, to) = matrix.entries(e, 1);
        }
        const auto all = eigh_hermitian(real, imag);
        result = {slice(all.values, 0, 0, count), slice(all.real, 1, 0, count), slice(all.imag, 1, 0, count)};
    } else {
        const Graph rows = matrix.graph.reverse(); // whose sums are over the entries of a row
        const auto diagonal = unsqueeze(unsqueeze(matrix.diagonal, 1), 1);
        const auto multiply = [&](const Matrix& x) {
            const Tensor<Real, 3> parts = reshape(x, {nodes, 2, x.extent(1)});
            return reshape(eval(complex_sum_in(rows, parts, matrix.entries) + diagonal * parts), x.shape());
        };
        result = detail::hermitian_pairs(lanczos(2 * nodes, 2 * count, multiply, options.lanczos));
    }

    const auto largest = detail::largest_rows(square(result.real) + square(result.imag));
    auto turn_real = Tensor<Real, 1>::empty({count}), turn_imag = turn_real;
    for (index j = 0; j < count; ++j) {
        const index i = largest[static_cast<std::size_t>(j)];
        const double re = result.real(i, j), im = result.imag(i, j), modulus = std::hypot(re, im);
        turn_real(j) = re / modulus;
        turn_imag(j) = -im / modulus;
    }
    return {result.values, result.real * turn_real - result.imag * turn_imag,
            result.real * turn_imag + result.imag * turn_real};
}

/// Magnetic Laplacian positional encoding [N, 2 k] of a directed graph: the real parts of the k lowest eigenvectors of
/// magnetic_eigenvectors, then the imaginary ones, of the type of w; columns that a graph of less than k nodes does not
/// have are 0. The charge should be small against 1 / (longest path). Geisler et al., Transformers Meet Directed Graphs
/// (arXiv 2302.00049). Errors: as there; k < 0.
template <Expression W>
requires(W::rank == 1) auto magnetic_encoding(const Graph& g, const W& w, double q, index k,
                                              const SpectralOptions& options = {}) {
    using T = typename W::value_type;
    detail::check_columns("magnetic_encoding", k);
    const auto found = magnetic_eigenvectors(g, w, q, std::min(k, g.num_nodes()), options);
    return concat(1, detail::columns_or_zeros<T>(found.real, 0, k), detail::columns_or_zeros<T>(found.imag, 0, k));
}
/// The same with every edge of weight 1.
template <class T = float>
Tensor<T, 2> magnetic_encoding(const Graph& g, double q, index k, const SpectralOptions& options = {}) {
    return magnetic_encoding(g, Tensor<T, 1>::ones({g.num_edges()}), q, k, options);
}

} // namespace weft::inline WEFT_ABI::gnn
