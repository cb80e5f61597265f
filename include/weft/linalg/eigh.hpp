// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/dense.hpp>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Eigenvalues>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace weft::inline WEFT_ABI {

/// Result of `eigh`: the eigenvalues [N] in ascending order, and the orthonormal eigenvectors as columns of [N, N].
template <class T>
struct EighResult {
    Tensor<T, 1> values;
    Tensor<T, 2> vectors;
};

/// a = vectors diag(values) vectors^T for a symmetric a [N, N], of which the lower triangle is read; the sign of a
/// vector is as it comes. O(N^3), one thread. Errors: not square, an element is not finite.
template <detail::RealMatrix A>
auto eigh(const A& a) {
    using T = typename A::value_type;
    const Tensor<T, 2> x = contiguous(a);
    detail::require_square(x.shape(), "eigh");
    if (x.size() == 0) return EighResult<T>{Tensor<T, 1>::zeros({0}), x};
    if (!detail::as_eigen(x).allFinite()) throw error("eigh", "a has an element that is not finite");
    const Eigen::SelfAdjointEigenSolver<detail::EigenMatrix<T>> solver(detail::as_eigen(x));
    if (solver.info() != Eigen::Success) throw error("eigh", "the iteration does not converge");
    return EighResult<T>{detail::vector_from_eigen<T>(solver.eigenvalues()),
                         detail::from_eigen<T>(solver.eigenvectors())};
}

/// Result of `eigh_hermitian`: the eigenvalues [N] in ascending order, and the real and imaginary parts of the
/// orthonormal eigenvectors, columns of [N, N].
template <class T>
struct HermitianResult {
    Tensor<T, 1> values;
    Tensor<T, 2> real, imag;
};

/// The same for the Hermitian matrix real + i imag, of which the lower triangles are read; the phase of a vector is as
/// it comes. O(N^3), one thread. Errors: not square, different shapes, an element is not finite.
template <detail::RealMatrix A, detail::RealMatrix B>
auto eigh_hermitian(const A& real, const B& imag) {
    using T = typename A::value_type;
    const Tensor<T, 2> re = contiguous(real), im = contiguous(imag);
    detail::require_square(re.shape(), "eigh_hermitian");
    if (re.shape() != im.shape())
        throw error("eigh_hermitian", "real is {}, imag is {}: they must be equal", detail::shape_text(re.shape()),
                    detail::shape_text(im.shape()));
    if (re.size() == 0) return HermitianResult<T>{Tensor<T, 1>::zeros({0}), re, re};
    if (!detail::as_eigen(re).allFinite() || !detail::as_eigen(im).allFinite())
        throw error("eigh_hermitian", "a has an element that is not finite");
    using Complex = std::complex<T>;
    const detail::EigenMatrix<Complex> a =
        detail::as_eigen(re).template cast<Complex>() + Complex(0, 1) * detail::as_eigen(im).template cast<Complex>();
    const Eigen::SelfAdjointEigenSolver<detail::EigenMatrix<Complex>> solver(a);
    if (solver.info() != Eigen::Success) throw error("eigh_hermitian", "the iteration does not converge");
    return HermitianResult<T>{detail::vector_from_eigen<T>(solver.eigenvalues()),
                              detail::from_eigen<T>(solver.eigenvectors().real()),
                              detail::from_eigen<T>(solver.eigenvectors().imag())};
}

} // namespace weft::inline WEFT_ABI
