// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/random.hpp>
#include <weft/linalg/eigh.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/linalg/qr.hpp>

namespace weft::inline WEFT_ABI {

struct LanczosOptions {
    /// Largest |A x - lambda x| of the unit vectors found, relative to the largest |lambda| seen.
    double tolerance = 1e-9;
    index max_restarts = 1000;
    std::uint64_t seed = 0; ///< of the first vectors
};

/// The `count` lowest eigenvalues of a symmetric matrix A [N, N] in ascending order, and orthonormal eigenvectors as
/// columns of [N, count]; the sign of a vector is as it comes. `multiply(x)` is A x for x [N, any]. A block Lanczos
/// iteration with full reorthogonalisation and thick restarts (Wu & Simon, Thick-restart Lanczos method for large
/// symmetric eigenvalue problems, SIAM J. Matrix Anal. 22, 2000): blocks of `count` vectors, so that eigenvalues of
/// any multiplicity are found as often as they occur. Keeps about max(10 count, 100) vectors; where N is not much
/// more, A is made dense for `eigh`. Errors: count is not in [0, N]; it does not converge.
template <class F>
EighResult<double> lanczos(index n, index count, F&& multiply, const LanczosOptions& options = {}) {
    using Matrix = Tensor<double, 2>;
    if (count < 0 || count > n) throw error("lanczos", "count is {}: it must be from 0 to {}, the size", count, n);
    if (count == 0) return {Tensor<double, 1>::zeros({0}), Matrix::zeros({n, 0})};
    const auto columns = [](const Matrix& m, index end) { return Matrix(slice(m, 1, 0, end)); };

    const index kept = count + (count + 1) / 2, size = kept + std::max<index>(8, 96 / count) * count;
    if (n < size + count) {
        auto identity = Matrix::zeros({n, n});
        for (index i = 0; i < n; ++i) identity(i, i) = 1;
        const auto all = eigh(Matrix(multiply(identity)));
        return {Tensor<double, 1>(slice(all.values, 0, 0, count)), columns(all.vectors, count)};
    }

    auto next = Matrix::empty({n, count});
    Generator generator{.seed = options.seed};
    fill_normal(generator, next.mutable_data(), next.size());
    next = qr(next).q;

    std::vector<Matrix> basis; // blocks of columns, all orthonormal
    // Takes the components along the basis out of x; add(i, coefficients) for those of each block, from column i.
    const auto orthogonalize = [&](Matrix x, auto&& add) {
        index from = 0;
        for (const Matrix& block : basis) {
            const Matrix coefficients = matmul(transpose(block), x);
            x = x - matmul(block, coefficients);
            add(from, coefficients);
            from += block.extent(1);
        }
        return x;
    };
    auto projected = Matrix::zeros({size, size}); // A in the basis, the lower triangle
    index used = 0;                               // columns of the basis
    for (index restart = 0; restart <= options.max_restarts; ++restart) {
        Matrix coupling; // of the last block with `next`, which follows it
        for (; used + count <= size; used += count) {
            basis.push_back(next);
            Matrix rest = multiply(next);
            for (int pass = 0; pass < 2; ++pass)
                rest = orthogonalize(rest, [&](index from, const Matrix& c) {
                    for (index i = 0; i < c.extent(0); ++i)
                        for (index j = 0; j < count; ++j) projected(used + j, from + i) += c(i, j);
                });
            // Where `rest` is rounding errors, so are its directions: they have to be made orthogonal again.
            next = qr(orthogonalize(qr(rest).q, [](index, const Matrix&) {})).q;
            coupling = matmul(transpose(next), rest);
        }
        const auto ritz = eigh(Matrix(slice(slice(projected, 0, 0, used), 1, 0, used)));
        const Matrix residual = matmul(coupling, slice(columns(ritz.vectors, count), 0, used - count));
        const double scale = std::max(std::abs(ritz.values(0)), std::abs(ritz.values(used - 1)));
        double largest = 0; // squared
        for (const double r : Tensor<double, 1>(sum<0>(square(residual))).values()) largest = std::max(largest, r);
        const bool converged = std::sqrt(largest) <= options.tolerance * scale;

        const index wanted = converged ? count : kept;
        auto vectors = Matrix::zeros({n, wanted});
        index from = 0;
        for (const Matrix& block : basis) {
            const index to = from + block.extent(1);
            vectors = vectors + matmul(block, slice(columns(ritz.vectors, wanted), 0, from, to));
            from = to;
        }
        if (converged) return {Tensor<double, 1>(slice(ritz.values, 0, 0, count)), vectors};
        basis.assign(1, vectors);
        used = kept;
        projected = Matrix::zeros({size, size});
        for (index i = 0; i < kept; ++i) projected(i, i) = ritz.values(i);
    }
    throw error("lanczos", "no convergence after {} restarts", options.max_restarts);
}

} // namespace weft::inline WEFT_ABI
