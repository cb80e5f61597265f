// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/random.hpp>
#include <weft/linalg/eigh.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/linalg/qr.hpp>

namespace weft::inline WEFT_ABI {

/// Options of `lanczos`.
struct LanczosOptions {
    /// Largest |A x - lambda x| of the unit vectors found, relative to the largest |lambda| seen.
    double tolerance = 1e-9;
    index max_restarts = 1000;
    std::uint64_t seed = 0; ///< of the first vectors
};

/// The `count` lowest eigenvalues of a symmetric matrix A [N, N] in ascending order, and orthonormal eigenvectors as
/// columns of [N, count]; the sign of a vector is as it comes. `multiply(x)` is A x for x [N, any]. A block Lanczos
/// iteration with full reorthogonalisation and thick restarts (Wu & Simon, Thick-restart Lanczos method for large
/// symmetric eigenvalue problems, SIAM J. Matrix Anal. 22, 2000). What it finds is tested from new random vectors until
/// nothing lower turns up, so that multiple eigenvalues are found as often as they occur. Keeps about 4 count + 100
/// vectors; where N is not more, A is made dense for `eigh`. Errors: count is not in [0, N]; it does not converge.
template <class F, std::same_as<double> Real = double>
EighResult<Real> lanczos(index n, index count, F&& multiply, const LanczosOptions& options = {}) {
    using Matrix = Tensor<Real, 2>; // of a type that the template names: Eigen is compiled by who calls it
    if (count < 0 || count > n) throw error("lanczos", "count is {}: it must be from 0 to {}, the size", count, n);
    if (count == 0) return {Tensor<Real, 1>::zeros({0}), Matrix::zeros({n, 0})};

    constexpr index width = 4; // vectors of a block
    const index kept = count + count / 2 + width, size = kept + width * std::max<index>(24, count / 2);
    if (n < size + width) {
        auto identity = Matrix::zeros({n, n});
        for (index i = 0; i < n; ++i) identity(i, i) = 1;
        const auto all = eigh(Matrix(multiply(identity)));
        return {slice(all.values, 0, 0, count), slice(all.vectors, 1, 0, count)};
    }

    auto basis = Matrix::zeros({size, n}); // orthonormal rows, of which `used` are valid
    index used = 0;
    const auto rows = [&] { return Matrix::share(basis.storage(), basis.data(), {used, n}); };
    const auto append = [&](const Matrix& vectors) {
        std::copy_n(vectors.data(), vectors.size(), basis.mutable_data() + used * n);
        used += vectors.extent(0);
    };
    Generator generator{.seed = options.seed};
    const auto random_block = [&] {
        auto x = Matrix::empty({n, width});
        fill_normal(generator, x.mutable_data(), x.size());
        return x;
    };
    // Orthonormal columns that are orthogonal to the basis.
    const auto orthonormal = [&](Matrix x) {
        for (int pass = 0; pass < 2; ++pass) x = qr(Matrix(x - matmul(transpose(rows()), matmul(rows(), x)))).q;
        return x;
    };

    Matrix next = orthonormal(random_block());
    auto projected = Matrix::zeros({size, size}); // A in the basis, the lower triangle
    Tensor<Real, 1> found;                        // what the last convergence found
    for (index restart = 0; restart <= options.max_restarts; ++restart) {
        Matrix coupling; // of the last block with `next`, which follows it
        while (used + width <= size) {
            const index at = used;
            append(transpose(next));
            Matrix rest = multiply(next);
            const double noise = 1e-14 * std::max(norm(rest).item() / std::sqrt(static_cast<double>(n)), 1e-100);
            for (int pass = 0; pass < 2; ++pass) {
                const Matrix c = matmul(rows(), rest);
                rest = rest - matmul(transpose(rows()), c);
                for (index i = 0; i < used; ++i)
                    for (index j = 0; j < width; ++j) projected(at + j, i) += c(i, j);
            }
            // Where the basis holds all of A next, random vectors take the place of rounding errors.
            next = orthonormal(rest + noise * random_block());
            coupling = matmul(transpose(next), rest);
        }
        const auto ritz = eigh(Matrix(slice(slice(projected, 0, 0, used), 1, 0, used)));
        const Matrix residual = matmul(coupling, slice(ritz.vectors, 0, used - width));
        const double scale = std::max(std::abs(ritz.values(0)), std::abs(ritz.values(used - 1)));
        const auto converged = [&](index pair, double tolerance) {
            double square = 0;
            for (index i = 0; i < width; ++i) square += residual(i, pair) * residual(i, pair);
            return std::sqrt(square) <= tolerance * scale;
        };
        bool all = true;
        for (index i = 0; i < count; ++i) all = all && converged(i, options.tolerance);
        // Having met the lowest of all other eigenvalues roughly is enough to know that it is not among the wanted.
        all = all && converged(count, std::max(options.tolerance, std::sqrt(options.tolerance)));

        const index keep = all ? count : kept;
        const Matrix vectors = matmul(transpose(slice(ritz.vectors, 1, 0, keep)), rows());
        if (all) {
            const Tensor<Real, 1> values = slice(ritz.values, 0, 0, count);
            bool same = found.size() == count;
            for (index i = 0; same && i < count; ++i)
                same = std::abs(values(i) - found(i)) <= 10 * options.tolerance * scale;
            if (same) return {values, transpose(vectors)};
            found = values;
        }
        used = 0;
        append(vectors);
        projected = Matrix::zeros({size, size});
        for (index i = 0; i < keep; ++i) projected(i, i) = ritz.values(i);
        if (all) next = orthonormal(random_block());
    }
    throw error("lanczos", "no convergence after {} restarts", options.max_restarts);
}

} // namespace weft::inline WEFT_ABI
