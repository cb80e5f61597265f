// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/linalg/eigen_core.hpp>

namespace weft::inline WEFT_ABI::detail {

/// What the factorisations have in common: matrices of float or double, as Eigen sees them.
template <class T>
using EigenMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class E>
concept RealMatrix = Expression<E> && E::rank == 2 &&
                     (std::same_as<typename E::value_type, float> || std::same_as<typename E::value_type, double>);

template <class T>
Eigen::Map<const EigenMatrix<T>> as_eigen(const Tensor<T, 2>& x) {
    return {x.data(), x.extent(0), x.extent(1)};
}
/// The value of an expression of Eigen's as a tensor.
template <class T, class E>
Tensor<T, 2> from_eigen(const E& e) {
    auto x = Tensor<T, 2>::empty({e.rows(), e.cols()});
    Eigen::Map<EigenMatrix<T>>(x.mutable_data(), e.rows(), e.cols()) = e;
    return x;
}
template <class T, class E>
Tensor<T, 1> vector_from_eigen(const E& e) {
    auto x = Tensor<T, 1>::empty({e.size()});
    Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, 1>>(x.mutable_data(), e.size()) = e;
    return x;
}

inline void require_square(const Extents<2>& shape, const char* operation) {
    if (shape[0] != shape[1]) throw error(operation, "a is {}: it must be square", shape_text(shape));
}

} // namespace weft::inline WEFT_ABI::detail
