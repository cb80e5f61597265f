// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/dense.hpp>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/QR>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace weft::inline WEFT_ABI {

/// Result of `qr`: for a [M, N] and K = min(M, N), q [M, K] with orthonormal columns and r [K, N] upper triangular.
template <class T>
struct QrResult {
    Tensor<T, 2> q, r;
};

/// a = q r by Householder reflections; the signs of the diagonal of r are as they come. O(M N K), one thread.
template <detail::RealMatrix A>
auto qr(const A& a) {
    using T = typename A::value_type;
    const Tensor<T, 2> x = contiguous(a);
    const index k = std::min(x.extent(0), x.extent(1));
    if (x.size() == 0) return QrResult<T>{Tensor<T, 2>::zeros({x.extent(0), k}), Tensor<T, 2>::zeros({k, x.extent(1)})};
    using Matrix = detail::EigenMatrix<T>;
    const Eigen::HouseholderQR<Matrix> factors(detail::as_eigen(x));
    const Matrix q = factors.householderQ() * Matrix::Identity(x.extent(0), k);
    const Matrix r = factors.matrixQR().topRows(k).template triangularView<Eigen::Upper>();
    return QrResult<T>{detail::from_eigen<T>(q), detail::from_eigen<T>(r)};
}

} // namespace weft::inline WEFT_ABI
