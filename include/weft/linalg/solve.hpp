// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/dense.hpp>
#include <weft/linalg/matmul.hpp>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Cholesky>
#include <Eigen/LU>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/// Linear systems. Their cost is O(N^3); they run on one thread. Gradients are of first order: they are not built for
/// Dual numbers.
namespace weft::inline WEFT_ABI {

namespace detail {

/// LU with partial pivoting. Errors: a pivot is 0 or not finite.
template <class T>
Eigen::PartialPivLU<EigenMatrix<T>> factorized(const Tensor<T, 2>& a, const char* operation) {
    require_square(a.shape(), operation);
    Eigen::PartialPivLU<EigenMatrix<T>> lu;
    if (a.size() == 0) return lu;
    lu.compute(as_eigen(a));
    for (index i = 0; i < a.extent(0); ++i) {
        const T pivot = lu.matrixLU()(i, i);
        if (!(std::abs(pivot) > T(0)) || !std::isfinite(pivot))
            throw error(operation, "a is singular: pivot {} is {}", i, static_cast<double>(pivot));
    }
    return lu;
}

struct Solve {
    static constexpr auto name = "solve";
    bool transposed = false; // solve a^T x = b

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& a, const Tensor<T, 2>& b) const {
        const auto lu = factorized(a, name);
        if (b.extent(0) != a.extent(0))
            throw error(name, "a is {}, b is {}: extents {} and {} of axis 0 must be equal", shape_text(a.shape()),
                        shape_text(b.shape()), a.extent(0), b.extent(0));
        if (b.size() == 0) return b;
        return transposed ? from_eigen<T>(lu.transpose().solve(as_eigen(b))) : from_eigen<T>(lu.solve(as_eigen(b)));
    }
    /// With y = a^-1 b: db = a^-T dy, da = -db y^T.
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>& y, Sink& sink, const Tensor<T, 2>& a,
                  const Tensor<T, 2>&) const {
        const Tensor<T, 2> db = Solve{true}.forward(a, dy);
        if (sink.template wants<0>()) sink.template add<0>(-matmul(db, transpose(y)));
        if (sink.template wants<1>()) sink.template add<1>(db);
    }
};

struct Inverse {
    static constexpr auto name = "inverse";
    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& a) const {
        const auto lu = factorized(a, name);
        return a.size() == 0 ? a : from_eigen<T>(lu.inverse());
    }
    /// With y = a^-1: da = -y^T dy y^T.
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>& y, Sink& sink, const Tensor<T, 2>&) const {
        const auto turned = transpose(y);
        if (sink.template wants<0>()) sink.template add<0>(-matmul(matmul(turned, dy), turned));
    }
};

struct Determinant {
    static constexpr auto name = "det";
    template <class T>
    Tensor<T, 0> forward(const Tensor<T, 2>& a) const {
        require_square(a.shape(), name);
        return a.size() == 0 ? T(1) : Eigen::PartialPivLU<EigenMatrix<T>>(as_eigen(a)).determinant();
    }
    /// da = dy y a^-T.
    template <class T, class Sink>
    void backward(const Tensor<T, 0>& dy, const Tensor<T, 0>& y, Sink& sink, const Tensor<T, 2>& a) const {
        if (sink.template wants<0>()) sink.template add<0>(dy * y * transpose(Inverse{}.forward(a)));
    }
};

struct Cholesky {
    static constexpr auto name = "cholesky";
    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& a) const {
        require_square(a.shape(), name);
        if (a.size() == 0) return a;
        const Eigen::LLT<EigenMatrix<T>> llt(as_eigen(a));
        if (llt.info() != Eigen::Success) throw error(name, "a is not positive definite");
        return from_eigen<T>(EigenMatrix<T>(llt.matrixL()));
    }
    /// With a = l l^T: da = l^-T p l^-1, made symmetric, where p is the lower triangle of l^T dl with its diagonal
    /// halved (Murray, Differentiation of the Cholesky decomposition, 2016).
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>& y, Sink& sink, const Tensor<T, 2>&) const {
        if (!sink.template wants<0>() || y.size() == 0) return;
        const auto l = as_eigen(y);
        EigenMatrix<T> p = (l.transpose() * as_eigen(dy)).template triangularView<Eigen::Lower>();
        p.diagonal() *= T(0.5);
        const auto lower = l.template triangularView<Eigen::Lower>();
        lower.transpose().solveInPlace(p);
        lower.template solveInPlace<Eigen::OnTheRight>(p);
        sink.template add<0>(from_eigen<T>((p + p.transpose()) * T(0.5)));
    }
};

} // namespace detail

/// x with a x = b, for a [N, N] and b [N] or [N, K], by LU with partial pivoting. Gradients: db = a^-T dx,
/// da = -db x^T. Errors: a is not square or singular, the extents differ.
template <detail::RealMatrix A, Expression B>
requires(B::rank == 1 || B::rank == 2) auto solve(const A& a, const B& b) {
    if constexpr (B::rank == 1)
        return contiguous(squeeze(apply_operation(detail::Solve{}, a, unsqueeze(b, 1)), 1));
    else
        return apply_operation(detail::Solve{}, a, b);
}

/// The inverse of a [N, N]; to solve a system, `solve` is faster and more accurate. Errors: not square, singular.
template <detail::RealMatrix A>
auto inverse(const A& a) {
    return apply_operation(detail::Inverse{}, a);
}

/// The determinant of a [N, N]. Its gradient needs a regular matrix. Errors: not square.
template <detail::RealMatrix A>
auto det(const A& a) {
    return apply_operation(detail::Determinant{}, a);
}

/// The lower triangular l [N, N] with a = l l^T for a symmetric positive definite a, of which the lower triangle is
/// read. The gradient is symmetric. Errors: not square, not positive definite.
template <detail::RealMatrix A>
auto cholesky(const A& a) {
    return apply_operation(detail::Cholesky{}, a);
}

} // namespace weft::inline WEFT_ABI
