// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/components.hpp>
#include <weft/so3/instruction.hpp>
#include <weft/so3/row_lanes.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// What the matrices of a matrix product act on: one irrep of degree ceil((l1 + l2) / 2), or all degrees up to it.
enum class MatrixForm { single, block };

namespace detail {

/// Between components of degrees 0 to lmax and square matrices, both ways by the same list.
struct MatrixMap {
    struct Entry {
        index at, component; // row-major
        double value;
    };
    index size = 0; // of the matrix
    std::vector<Entry> entries;

    MatrixMap() = default;
    MatrixMap(int lmax, int l_matrix, MatrixForm form, IrrepNormalization normalization) {
        const int first = form == MatrixForm::single ? l_matrix : 0;
        size = form == MatrixForm::single ? 2 * l_matrix + 1 : components_up_to(l_matrix);
        for (int a = first; a <= l_matrix; ++a)
            for (int b = first; b <= l_matrix; ++b)
                for (int l = std::abs(a - b); l <= std::min(lmax, a + b); ++l) {
                    const double n = normalization == IrrepNormalization::norm ? std::sqrt((2 * a + 1.0) * (2 * b + 1))
                                     : normalization == IrrepNormalization::component ? std::sqrt(2 * l + 1.0)
                                                                                      : 1;
                    const index row0 = form == MatrixForm::single ? 0 : index{a} * a;
                    const index column0 = form == MatrixForm::single ? 0 : index{b} * b;
                    for (const Coupling& c : *couplings(a, b, l))
                        entries.push_back({(row0 + c.i) * size + column0 + c.j, index{l} * l + c.k, n * c.value});
                }
    }
    template <class T>
    void to_matrix(const T* x, T* matrix) const {
        std::fill_n(matrix, size * size * lanes<T>, T{});
        for (const Entry& e : entries) add(e, x + e.component * lanes<T>, matrix + e.at * lanes<T>);
    }
    template <class T>
    void to_components(const T* matrix, index components, T* x) const {
        std::fill_n(x, components * lanes<T>, T{});
        for (const Entry& e : entries) add(e, matrix + e.at * lanes<T>, x + e.component * lanes<T>);
    }

private:
    template <class T>
    static WEFT_ALWAYS_INLINE void add(const Entry& e, const T* from, T* to) {
        const T value(static_cast<typename weft::detail::DualScalar<T>::type>(e.value));
        store_packet(to, multiply_add(splat(value), load_packet(from), load_packet(to)));
    }
};

/// z = x y of matrices [size, size], with x or y transposed.
template <class T>
WEFT_NOINLINE void multiply_matrices(index size, const T* x, bool turn_x, const T* y, bool turn_y, T* z) {
    constexpr index w = lanes<T>;
    const index x_row = turn_x ? w : size * w, x_column = turn_x ? size * w : w;
    const index y_row = turn_y ? w : size * w, y_column = turn_y ? size * w : w;
    for (index i = 0; i < size; ++i)
        for (index j = 0; j < size; ++j) {
            Packet<T> sum = splat(T{});
            for (index k = 0; k < size; ++k)
                sum = multiply_add(load_packet(x + i * x_row + k * x_column), load_packet(y + k * y_row + j * y_column),
                                   sum);
            store_packet(z + (i * size + j) * w, sum);
        }
}

struct MatrixPlan {
    int l1, l2, l3, l_matrix;
    MatrixMap maps[3];
};

/// Rows x1 [N, (l1 + 1)^2], x2 [N, (l2 + 1)^2] to [N, (l3 + 1)^2].
struct MatrixOperation {
    static constexpr auto name = "matrix_tensor_product";
    std::shared_ptr<const MatrixPlan> plan;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x1, const Tensor<T, 2>& x2) const {
        return run(x1, 0, false, x2, 1, false, 2);
    }
    /// With the matrices X, Y and G: dX = G Y^T, dY = X^T G.
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x1,
                  const Tensor<T, 2>& x2) const {
        if (sink.template wants<0>()) sink.template add<0>(run(dy, 2, false, x2, 1, true, 0));
        if (sink.template wants<1>()) sink.template add<1>(run(x1, 0, true, dy, 2, false, 1));
    }

private:
    /// The numbers are those of the maps.
    template <class T>
    Tensor<T, 2> run(const Tensor<T, 2>& a, int map_a, bool turn_a, const Tensor<T, 2>& b, int map_b, bool turn_b,
                     int map_y) const {
        const int degrees[] = {plan->l1, plan->l2, plan->l3};
        const index dim = components_up_to(degrees[map_y]);
        const index size = plan->maps[0].size, square = size * size * lanes<T>;
        return for_rows_of_both(a, b, dim, 0.05 * static_cast<double>(size * size * size), 3 * square,
                                [&](const T* x, const T* z, T* y, T* matrices) {
                                    T* const x_matrix = matrices;
                                    T* const z_matrix = matrices + square;
                                    T* const y_matrix = matrices + 2 * square;
                                    plan->maps[map_a].to_matrix(x, x_matrix);
                                    plan->maps[map_b].to_matrix(z, z_matrix);
                                    multiply_matrices(size, x_matrix, turn_a, z_matrix, turn_b, y_matrix);
                                    plan->maps[map_y].to_components(y_matrix, dim, y);
                                });
    }
};

} // namespace detail

/// The matrix tensor product: components [..., (l + 1)^2] of both operands as matrices X_ab = sum of C_abm x_m, their
/// product, and back, in O(L^3). It couples degrees whose sum is odd too, so that parity is lost: equivariant under
/// rotations alone. Unke & Maennel, e3x (arXiv 2401.07595); Xie et al. (arXiv 2506.13523). Gradients of any order.
class MatrixTensorProduct {
public:
    /// Of nothing, to be assigned to.
    MatrixTensorProduct() : MatrixTensorProduct(0, 0, 0) {}
    /// Errors: a degree is negative, or l3 above that of the matrices twice.
    MatrixTensorProduct(int l1, int l2, int l3, MatrixForm form = MatrixForm::single,
                        IrrepNormalization normalization = IrrepNormalization::norm) {
        if (std::min({l1, l2, l3}) < 0)
            throw error("MatrixTensorProduct", "degrees {}, {}, {}: must not be negative", l1, l2, l3);
        const int l_matrix = (l1 + l2 + 1) / 2;
        if (l3 > 2 * l_matrix)
            throw error("MatrixTensorProduct", "l3 is {}: matrices of degree {} have components up to {}", l3, l_matrix,
                        2 * l_matrix);
        auto plan = std::make_shared<detail::MatrixPlan>();
        plan->l1 = l1;
        plan->l2 = l2;
        plan->l3 = l3;
        plan->l_matrix = l_matrix;
        const int degrees[] = {l1, l2, l3};
        for (int d = 0; d < 3; ++d) plan->maps[d] = detail::MatrixMap(degrees[d], l_matrix, form, normalization);
        plan_ = plan;
    }
    /// Degree of the first operand, at most.
    int l1() const { return plan_->l1; }
    /// Degree of the second operand, at most.
    int l2() const { return plan_->l2; }
    /// Degree of the result, at most.
    int l3() const { return plan_->l3; }
    /// The degree of the matrices.
    int l_matrix() const { return plan_->l_matrix; }

    /// x1 [..., (l1 + 1)^2], x2 [..., (l2 + 1)^2] to [..., (l3 + 1)^2]. Errors: the extents do not fit.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        return detail::apply_to_components("MatrixTensorProduct", detail::MatrixOperation{plan_}, x1, plan_->l1, x2,
                                           plan_->l2, plan_->l3);
    }

private:
    std::shared_ptr<const detail::MatrixPlan> plan_;
};

} // namespace weft::inline WEFT_ABI::so3
