// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/linalg/product.hpp>

#include <variant>

namespace weft::inline WEFT_ABI {

namespace detail {

/// The two parts of Dual numbers as tensors of their own.
template <class T, int N>
std::pair<Tensor<T, N>, Tensor<T, N>> dual_planes(const Tensor<Dual<T>, N>& x) {
    auto value = Tensor<T, N>::empty(x.shape()), tangent = Tensor<T, N>::empty(x.shape());
    T *const v = value.mutable_data(), *const t = tangent.mutable_data();
    const Dual<T>* const p = x.data();
    for (index i = 0; i < x.size(); ++i) {
        v[i] = p[i].value;
        t[i] = p[i].tangent;
    }
    return {std::move(value), std::move(tangent)};
}
template <class T, int N>
Tensor<Dual<T>, N> join_planes(const Tensor<T, N>& value, const Tensor<T, N>& tangent) {
    auto x = Tensor<Dual<T>, N>::empty(value.shape());
    Dual<T>* const p = x.mutable_data();
    for (index i = 0; i < x.size(); ++i) p[i] = {value.data()[i], tangent.data()[i]};
    return x;
}

/// multiply(a, b), linear in both; of Dual numbers by its values on their parts.
template <class T, int A, int B, class F>
auto bilinear(const Tensor<T, A>& a, const Tensor<T, B>& b, F&& multiply) {
    if constexpr (IsDual<T>::value) {
        const auto [av, at] = dual_planes(a);
        const auto [bv, bt] = dual_planes(b);
        const auto value = multiply(av, bv);
        const std::remove_cvref_t<decltype(value)> tangent = multiply(av, bt) + multiply(at, bv);
        return join_planes(value, tangent);
    } else {
        return multiply(a, b);
    }
}

/// A stack of matrices: a contiguous tensor whose last two axes are the matrix, stored transposed or not.
template <class T, int N>
struct Matrices {
    const Tensor<T, N>& values;
    bool transposed;

    index rows() const { return values.extent(transposed ? -1 : -2); }
    index columns() const { return values.extent(transposed ? -2 : -1); }
    /// Elements from one matrix to the next along batch axis `axis` of `batch` axes; 0 where it is broadcast.
    index batch_stride(int axis, int batch) const {
        const int own = axis - (batch - (N - 2));
        if (own < 0 || values.extent(own) == 1) return 0;
        return values.strides()[static_cast<std::size_t>(own)];
    }
    Strided<const T> at(index offset) const {
        const Strided<const T> m{values.data() + offset, values.extent(-1), 1};
        return transposed ? m.transposed() : m;
    }
};

/// c = a b for all matrices of the broadcast batch, plus `row` [columns] in every row, if there is one; where c has
/// fewer of them, it takes the sum over the batch.
template <class T, int A, int B, int C>
void multiply_batch(const Matrices<T, A>& a, const Matrices<T, B>& b, Tensor<T, C>& c, const T* row = nullptr) {
    constexpr int batch = std::max(A, B) - 2;
    index m = a.rows(), n = b.columns(), k = a.columns();
    T* const out = c.mutable_data();
    const Matrices<T, C> result{c, false};
    Extents<batch> extents{}, stride_a{}, stride_b{}, stride_c{};
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
        const int i = static_cast<int>(axis);
        extents[axis] = 1;
        if (const int own = i - (batch - (A - 2)); own >= 0) extents[axis] = a.values.extent(own);
        if (const int own = i - (batch - (B - 2)); own >= 0 && extents[axis] == 1) extents[axis] = b.values.extent(own);
        stride_a[axis] = a.batch_stride(i, batch);
        stride_b[axis] = b.batch_stride(i, batch);
        stride_c[axis] = result.batch_stride(i, batch);
    }
    const index* const strides[] = {stride_a.data(), stride_b.data(), stride_c.data()};
    Iteration it(extents, strides);
    if (it.size == 0 || c.size() == 0) {
        std::fill_n(out, c.size(), T{});
        return add_row(out, row, c.size() / std::max<index>(n, 1), n);
    }
    // Matrices that lie below one another are one: more rows for a and c, or a longer sum.
    if (it.rank > 0) {
        const int last = it.rank - 1;
        const index e = it.extents[last], sa = it.strides[0][last], sb = it.strides[1][last], sc = it.strides[2][last];
        const Strided<const T> one_a = a.at(0), one_b = b.at(0);
        const bool more_rows = sb == 0 && sa == m * one_a.rows && sc == m * n;
        const bool longer_sum = sc == 0 && sa == k * one_a.columns && sb == k * one_b.rows;
        if (more_rows || longer_sum) {
            (more_rows ? m : k) *= e;
            it.size /= e;
            --it.rank;
        }
    }
    const bool sums = it.size > 1 && it.distinct(2) != it.size;
    if (sums) std::fill_n(out, c.size(), T{});
    const auto one = [&](index i) {
        index offset[3] = {0, 0, 0};
        for (int axis = it.rank - 1; axis >= 0; --axis) {
            for (int x = 0; x < 3; ++x) offset[x] += i % it.extents[axis] * it.strides[x][axis];
            i /= it.extents[axis];
        }
        product<T>(m, n, k, a.at(offset[0]), b.at(offset[1]), out + offset[2], sums ? Into::add : Into::replace, row);
    };
    const double each = static_cast<double>(m * n) * static_cast<double>(k) * 0.02;
    if (it.size == 1 || sums || each > 1e6)
        for (index i = 0; i < it.size; ++i) one(i);
    else
        for_each_chunk(it.size, static_cast<double>(it.size) * each, one);
}

/// The product as a new tensor of the given shape, plus `row` in every row, if there is one (not of Dual numbers).
template <class T, int A, int B, std::size_t C>
Tensor<T, static_cast<int>(C)> multiply_matrices(const Matrices<T, A>& a, const Matrices<T, B>& b,
                                                 const std::array<index, C>& shape, const T* row = nullptr) {
    constexpr int N = static_cast<int>(C);
    return bilinear(a.values, b.values, [&]<class P>(const Tensor<P, A>& x, const Tensor<P, B>& y) {
        auto c = Tensor<P, N>::empty(shape);
        const P* one_row = nullptr;
        if constexpr (std::same_as<P, T>) one_row = row;
        multiply_batch(Matrices<P, A>{x, a.transposed}, Matrices<P, B>{y, b.transposed}, c, one_row);
        return c;
    });
}

/// a b, with operands that may be stored transposed. `Element` is what a and b hold.
template <class Element>
struct MatMul {
    static constexpr auto name = "matmul";
    static constexpr bool may_skip = std::is_same_v<Element, float> || std::is_same_v<Element, double>;
    bool transpose_a;
    bool transpose_b;
    /// Of a, where that is nearly all zeros: the gradient of b skips them too.
    std::conditional_t<may_skip, Nonzeros<Element>, std::monostate> nonzeros{};

    /// Plus `row` in every row, if there is one.
    template <class S, int A, int B, class T = typename ComputeOf<S>::type>
    auto forward(const Tensor<S, A>& x, const Tensor<S, B>& y, const T* row = nullptr) const {
        const Tensor<T, A> a = x;
        const Tensor<T, B> b = y;
        const Matrices<T, A> left{a, transpose_a};
        const Matrices<T, B> right{b, transpose_b};
        Extents<A - 2> batch_a{};
        Extents<B - 2> batch_b{};
        std::copy_n(a.shape().begin(), A - 2, batch_a.begin());
        std::copy_n(b.shape().begin(), B - 2, batch_b.begin());
        const auto batch = broadcast_shapes(batch_a, batch_b, name);
        Extents<std::max(A, B)> shape{};
        std::copy(batch.begin(), batch.end(), shape.begin());
        shape[shape.size() - 2] = left.rows();
        shape[shape.size() - 1] = right.columns();
        return multiply_matrices(left, right, shape, row);
    }
    /// The same, and keeps the nonzeros.
    template <class S, int A, int B, class T = typename ComputeOf<S>::type>
    auto forward_recorded(const Tensor<S, A>& x, const Tensor<S, B>& y, const T* row = nullptr) {
        if constexpr (may_skip && A == 2 && B == 2) {
            const Matrices<S, B> right{y, transpose_b};
            const index n = right.columns();
            if (n >= 4 && 2 * y.size() <= x.size()) nonzeros = Nonzeros<S>::find(x.data(), x.extent(0), x.extent(1));
            auto c = nonzeros ? Tensor<S, 2>::empty({x.extent(transpose_a ? 1 : 0), n}) : Tensor<S, 2>();
            if (nonzeros && nonzeros.multiply(transpose_a, right.at(0), n, {c.mutable_data(), n, 1}, Into::replace)) {
                add_row(c.mutable_data(), row, c.extent(0), n);
                return c;
            }
        }
        return forward(x, y, row);
    }
    template <class T, int N, class Sink, class S, int A, int B>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<S, A>& x,
                  const Tensor<S, B>& y) const {
        const Matrices<T, N> adjoint{dy, false}, adjoint_transposed{dy, true};
        if (sink.template wants<0>()) {
            const Tensor<T, B> b = y;
            sink.template add<0>(transpose_a
                                     ? multiply_matrices(Matrices<T, B>{b, transpose_b}, adjoint_transposed, x.shape())
                                     : multiply_matrices(adjoint, Matrices<T, B>{b, !transpose_b}, x.shape()));
        }
        if (sink.template wants<1>()) {
            if constexpr (may_skip && A == 2 && B == 2)
                if (nonzeros) {
                    auto gradient = Tensor<T, 2>::empty(y.shape());
                    const Strided<T> to{gradient.mutable_data(), y.extent(1), 1};
                    const index n = dy.extent(1);
                    if (nonzeros.multiply(!transpose_a, {dy.data(), n, 1}, n, transpose_b ? to.transposed() : to,
                                          Into::replace))
                        return sink.template add<1>(gradient);
                }
            const Tensor<T, A> a = x;
            sink.template add<1>(transpose_b
                                     ? multiply_matrices(adjoint_transposed, Matrices<T, A>{a, transpose_a}, y.shape())
                                     : multiply_matrices(Matrices<T, A>{a, !transpose_a}, adjoint, y.shape()));
        }
    }
};

/// Whether the last two axes of a leaf are a matrix stored transposed and without gaps.
template <class E>
bool stored_transposed(const E& x) {
    auto extents = x.shape();
    auto strides = x.strides();
    constexpr std::size_t n = static_cast<std::size_t>(E::rank);
    if (is_contiguous(extents, strides)) return false;
    std::swap(extents[n - 1], extents[n - 2]);
    std::swap(strides[n - 1], strides[n - 2]);
    return is_contiguous(extents, strides);
}

/// The operand of matmul as it lies in memory: transposed if that is how it is stored.
template <class E>
auto as_stored(const E& x, bool transposed) {
    auto extents = x.shape();
    auto strides = x.strides();
    constexpr std::size_t n = static_cast<std::size_t>(E::rank);
    if (transposed) {
        std::swap(extents[n - 1], extents[n - 2]);
        std::swap(strides[n - 1], strides[n - 2]);
    }
    return x.template window<E::rank>(0, extents, strides);
}

/// Operand X of a product computed in T: half and bfloat16 pairs stay what they are, other constants are converted.
template <class T, class X>
auto product_operand(const X& x) {
    if constexpr (Structure<X>::differentiable || std::same_as<typename X::value_type, T>)
        return eval(x);
    else
        return Tensor<T, X::rank>(x);
}

template <class A, class B>
auto multiply_checked(const A& a, const B& b) {
    const bool transpose_a = stored_transposed(a), transpose_b = stored_transposed(b);
    return apply_operation(MatMul<typename A::value_type>{transpose_a, transpose_b}, as_stored(a, transpose_a),
                           as_stored(b, transpose_b));
}

} // namespace detail

/// The matrix product, as NumPy's and PyTorch's matmul. [M, K] x [K, N] is [M, N]; axes before the last two are a
/// batch and broadcast; a vector [K] is a row on the left and a column on the right, and its axis vanishes; two
/// vectors give a number. Transposed views are multiplied as they lie, without a copy. half and bfloat16 are computed
/// in float and give float. O(M N K). Errors: the inner extents differ, the batches do not broadcast.
template <Expression A, Expression B>
requires(A::rank >= 1 && B::rank >= 1) auto matmul(const A& a, const B& b) {
    const auto inner_a = static_cast<std::size_t>(A::rank - 1);
    const auto inner_b = static_cast<std::size_t>(B::rank == 1 ? 0 : B::rank - 2);
    if (a.shape()[inner_a] != b.shape()[inner_b])
        throw error("matmul", "a is {}, b is {}: inner extents {} and {} must be equal", detail::shape_text(a.shape()),
                    detail::shape_text(b.shape()), a.shape()[inner_a], b.shape()[inner_b]);
    static_assert(!std::same_as<typename A::value_type, bool> && !std::same_as<typename B::value_type, bool>,
                  "weft: matmul: a mask is not a matrix: use cast<float>(x)");
    if constexpr (A::rank == 1 && B::rank == 1) {
        return sum(a * b);
    } else {
        using T = typename detail::Promote<detail::compute_type<A>, detail::compute_type<B>>::type;
        using Stored =
            std::conditional_t<std::same_as<typename A::value_type, typename B::value_type>, typename A::value_type, T>;
        const auto x = detail::product_operand<Stored>(a);
        const auto y = detail::product_operand<Stored>(b);
        static_assert(std::same_as<typename decltype(x)::value_type, typename decltype(y)::value_type>,
                      "weft: matmul: a Var is multiplied with its own element type only: use cast<T>(x)");
        if constexpr (A::rank == 1)
            return contiguous(squeeze(detail::multiply_checked(unsqueeze(x, 0), y), -2));
        else if constexpr (B::rank == 1)
            return contiguous(squeeze(detail::multiply_checked(x, unsqueeze(y, 1)), -1));
        else
            return detail::multiply_checked(x, y);
    }
}

/// The inner product of two vectors of the same length, without conjugation. Errors: the lengths differ.
template <Expression A, Expression B>
requires(A::rank == 1 && B::rank == 1) auto dot(const A& a, const B& b) {
    if (a.shape() != b.shape())
        throw error("dot", "a is {}, b is {}: the lengths must be equal", detail::shape_text(a.shape()),
                    detail::shape_text(b.shape()));
    return sum(a * b);
}

/// All products a[i] b[j] of the elements of two vectors: [M] and [N] give [M, N].
template <Expression A, Expression B>
requires(A::rank == 1 && B::rank == 1) auto outer(const A& a, const B& b) {
    return eval(unsqueeze(a, 1) * unsqueeze(b, 0));
}

} // namespace weft::inline WEFT_ABI
