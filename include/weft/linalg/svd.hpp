// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/dense.hpp>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/SVD>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace weft::inline WEFT_ABI {

/// Result of `svd`: for a [M, N] and K = min(M, N), u [M, K] and vt [K, N] with orthonormal columns and rows, and the
/// singular values s [K], not negative, in descending order.
template <class T>
struct SvdResult {
    Tensor<T, 2> u;
    Tensor<T, 1> s;
    Tensor<T, 2> vt;
};

/// a = u diag(s) vt. O(M N K), one thread. Errors: an element is not finite.
template <detail::RealMatrix A>
auto svd(const A& a) {
    using T = typename A::value_type;
    const Tensor<T, 2> x = contiguous(a);
    const index k = std::min(x.extent(0), x.extent(1));
    if (x.size() == 0)
        return SvdResult<T>{Tensor<T, 2>::zeros({x.extent(0), k}), Tensor<T, 1>::zeros({k}),
                            Tensor<T, 2>::zeros({k, x.extent(1)})};
    if (!detail::as_eigen(x).allFinite()) throw error("svd", "a has an element that is not finite");
    const Eigen::BDCSVD<detail::EigenMatrix<T>> factors(detail::as_eigen(x), Eigen::ComputeThinU | Eigen::ComputeThinV);
    return SvdResult<T>{detail::from_eigen<T>(factors.matrixU()),
                        detail::vector_from_eigen<T>(factors.singularValues()),
                        detail::from_eigen<T>(factors.matrixV().transpose())};
}

} // namespace weft::inline WEFT_ABI
