// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/derived_values.hpp>
#include <weft/core/evaluate.hpp>
#include <weft/so3/components.hpp>
#include <weft/so3/product_kernel.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// Options of `TensorProduct`.
struct TensorProductOptions {
    IrrepNormalization irrep_normalization = IrrepNormalization::component;
    PathNormalization path_normalization = PathNormalization::element;
    /// Variances of the terms of the inputs and wanted ones of the result; empty: 1.
    std::vector<double> in1_var = {}, in2_var = {}, out_var = {};
};

namespace detail {

/// All that does not depend on the type of the elements.
struct TensorProductPlan {
    Irreps in1, in2, out;
    std::vector<Instruction> instructions;
    std::vector<double> coefficients;
    std::vector<ProductPath> paths;
    index weight_numel = 0;
    double cost = 0;                             // nanoseconds a row, about
    mutable weft::detail::DerivedValues derived; // plans of other loops
};

template <class X>
void require_product_operand(const char* what, const X& x, const Irreps& irreps) {
    if (x.extent(1) != irreps.dim())
        throw error("TensorProduct", "{} is {}: its last extent must be {}, the dimension of {}", what,
                    weft::detail::shape_text(x.shape()), irreps.dim(), irreps_text(irreps));
}
/// Weights [numel], or [N, numel] for the rows of x, or none if there are none.
template <class X, class... W>
void require_product_weights(const TensorProductPlan& plan, const char* what, const X& x, const W&... weights) {
    const index numel = plan.weight_numel;
    if (sizeof...(W) == 0 && numel != 0) throw error("TensorProduct", "there are no weights: {} are needed", numel);
    [[maybe_unused]] const auto require = [&](const auto& w) {
        if (w.extent(w.rank - 1) != numel)
            throw error("TensorProduct",
                        "the weights are {}: the last extent must be {}, their number for {} x {} -> {}",
                        weft::detail::shape_text(w.shape()), numel, irreps_text(plan.in1), irreps_text(plan.in2),
                        irreps_text(plan.out));
        if (w.rank == 2 && w.extent(0) != x.extent(0))
            throw error("TensorProduct", "the weights are {}, {} is {}: each row needs its own, or all the same [{}]",
                        weft::detail::shape_text(w.shape()), what, weft::detail::shape_text(x.shape()), numel);
    };
    (require(weights), ...);
}

/// x1 [N, dim1], x2 [N, dim2] and weights [numel], [N, numel] or none, to [N, dim3].
struct TensorProductOperation {
    static constexpr auto name = "tensor_product";
    std::shared_ptr<const TensorProductPlan> plan;

    template <class T, class... W>
    Tensor<T, 2> forward(const Tensor<T, 2>& x1, const Tensor<T, 2>& x2, const W&... w) const {
        require_product_operand("x1", x1, plan->in1);
        require_product_operand("x2", x2, plan->in2);
        if (x1.extent(0) != x2.extent(0))
            throw error("TensorProduct", "x1 is {}, x2 is {}: they must have the same number of rows",
                        weft::detail::shape_text(x1.shape()), weft::detail::shape_text(x2.shape()));
        require_product_weights(*plan, "x1", x1, w...);
        const index n = x1.extent(0), dim = plan->out.dim();
        auto y = Tensor<T, 2>::empty({n, dim});
        T* const to = y.mutable_data();
        const LayerWeights<T, W...> weights(w...);
        for_each_row_chunk(n, plan->cost, [&](index, index begin, index end) {
            Block<T> block(*plan);
            for (index row = begin; row < end; row += lanes<T>) {
                const index count = std::min(lanes<T>, end - row);
                block.load(x1, x2, row, count);
                std::fill_n(block.out, dim * lanes<T>, T{});
                block.product.forward(block.x1, block.x2, weights.of(row, count, block.w), block.out);
                lanes_to_rows(block.out, dim, count, to + row * dim);
            }
        });
        return y;
    }

    template <class T, class Sink, class... W>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x1,
                  const Tensor<T, 2>& x2, const W&... w) const {
        const index n = x1.extent(0), dim1 = plan->in1.dim(), dim2 = plan->in2.dim(), dim = plan->out.dim();
        const bool wants1 = sink.template wants<0>(), wants2 = sink.template wants<1>();
        bool wants_weights = false;
        if constexpr (sizeof...(W) > 0) wants_weights = sink.template wants<2>();
        auto d1 = Tensor<T, 2>::empty({wants1 ? n : 0, dim1}), d2 = Tensor<T, 2>::empty({wants2 ? n : 0, dim2});
        T* const to1 = d1.mutable_data();
        T* const to2 = d2.mutable_data();
        LayerWeights<T, W...> weights(w...);
        weights.turn(plan->paths);
        LayerWeightGradients<T, LayerWeights<T, W...>::of_rows> dw(wants_weights, n, plan->weight_numel);
        for_each_row_chunk(n, 3 * plan->cost, [&](index chunk, index begin, index end) {
            Block<T> block(*plan, true);
            dw.begin_chunk(block.dw);
            for (index row = begin; row < end; row += lanes<T>) {
                const index count = std::min(lanes<T>, end - row);
                block.load(x1, x2, row, count);
                rows_to_lanes(dy.data() + row * dim, dim, count, block.out);
                std::fill_n(block.d1, dim1 * lanes<T>, T{});
                std::fill_n(block.d2, dim2 * lanes<T>, T{});
                dw.begin_block(block.dw);
                block.product.backward(block.x1, block.x2, weights.of(row, count, block.w), block.out,
                                       wants1 ? block.d1 : nullptr, wants2 ? block.d2 : nullptr,
                                       wants_weights ? block.dw : nullptr);
                if (wants1) lanes_to_rows(block.d1, dim1, count, to1 + row * dim1);
                if (wants2) lanes_to_rows(block.d2, dim2, count, to2 + row * dim2);
                dw.end_block(row, count, block.dw);
            }
            dw.end_chunk(chunk, block.dw);
        });
        if (wants1) sink.template add<0>(d1);
        if (wants2) sink.template add<1>(d2);
        if constexpr (sizeof...(W) > 0)
            if (wants_weights) sink.template add<2>(dw.gradient());
    }

private:
    template <class T>
    struct Block {
        weft::detail::Scratch<T> memory;
        ProductBlock<T> product;
        T *x1, *x2, *out, *w, *d1 = nullptr, *d2 = nullptr, *dw = nullptr;

        explicit Block(const TensorProductPlan& p, bool gradients = false)
            : memory((2 * (p.in1.dim() + p.in2.dim()) + p.out.dim() + 2 * p.weight_numel) * lanes<T> + 128),
              product(p.paths) {
            x1 = memory.take(p.in1.dim() * lanes<T>);
            x2 = memory.take(p.in2.dim() * lanes<T>);
            out = memory.take(p.out.dim() * lanes<T>);
            w = memory.take(p.weight_numel * lanes<T>);
            if (!gradients) return;
            d1 = memory.take(p.in1.dim() * lanes<T>);
            d2 = memory.take(p.in2.dim() * lanes<T>);
            dw = memory.take(p.weight_numel * lanes<T>);
        }
        void load(const Tensor<T, 2>& a, const Tensor<T, 2>& b, index row, index count) {
            rows_to_lanes(a.data() + row * a.extent(1), a.extent(1), count, x1);
            rows_to_lanes(b.data() + row * b.extent(1), b.extent(1), count, x2);
        }
    };
};

/// The matrices [N, dim1, dim3] by which x1 is multiplied, of x2 [N, dim2] and weights.
struct TensorProductRight {
    static constexpr auto name = "tensor_product_right";
    std::shared_ptr<const TensorProductPlan> plan;

    template <class T, class... W>
    Tensor<T, 3> forward(const Tensor<T, 2>& x2, const W&... w) const {
        require_product_operand("x2", x2, plan->in2);
        require_product_weights(*plan, "x2", x2, w...);
        const index n = x2.extent(0), dim2 = plan->in2.dim(), size = matrix_size();
        auto y = Tensor<T, 3>::empty({n, plan->in1.dim(), plan->out.dim()});
        T* const to = y.mutable_data();
        const LayerWeights<T, W...> weights(w...);
        for_each_row_chunk(n, cost(), [&](index, index begin, index end) {
            weft::detail::Scratch<T> memory((dim2 + size + plan->weight_numel) * lanes<T> + 64);
            T* const x_lanes = memory.take(dim2 * lanes<T>);
            T* const y_lanes = memory.take(size * lanes<T>);
            T* const w_lanes = memory.take(plan->weight_numel * lanes<T>);
            ProductBlock<T> product(plan->paths);
            for (index row = begin; row < end; row += lanes<T>) {
                const index count = std::min(lanes<T>, end - row);
                rows_to_lanes(x2.data() + row * dim2, dim2, count, x_lanes);
                std::fill_n(y_lanes, size * lanes<T>, T{});
                product.right(x_lanes, weights.of(row, count, w_lanes), plan->out.dim(), y_lanes);
                lanes_to_rows(y_lanes, size, count, to + row * size);
            }
        });
        return y;
    }
    template <class T, class Sink, class... W>
    void backward(const Tensor<T, 3>& dy, const Tensor<T, 3>&, Sink& sink, const Tensor<T, 2>& x2,
                  const W&... w) const {
        const index n = x2.extent(0), dim2 = plan->in2.dim(), size = matrix_size(), numel = plan->weight_numel;
        const bool wants2 = sink.template wants<0>();
        bool wants_weights = false;
        if constexpr (sizeof...(W) > 0) wants_weights = sink.template wants<1>();
        auto d2 = Tensor<T, 2>::empty({wants2 ? n : 0, dim2});
        T* const to = d2.mutable_data();
        const LayerWeights<T, W...> weights(w...);
        LayerWeightGradients<T, LayerWeights<T, W...>::of_rows> dw(wants_weights, n, numel);
        for_each_row_chunk(n, 2 * cost(), [&](index chunk, index begin, index end) {
            weft::detail::Scratch<T> memory((2 * dim2 + size + 2 * numel) * lanes<T> + 128);
            T* const x_lanes = memory.take(dim2 * lanes<T>);
            T* const dx_lanes = memory.take(dim2 * lanes<T>);
            T* const dy_lanes = memory.take(size * lanes<T>);
            T* const w_lanes = memory.take(numel * lanes<T>);
            T* const dw_lanes = memory.take(numel * lanes<T>);
            ProductBlock<T> product(plan->paths);
            dw.begin_chunk(dw_lanes);
            for (index row = begin; row < end; row += lanes<T>) {
                const index count = std::min(lanes<T>, end - row);
                rows_to_lanes(x2.data() + row * dim2, dim2, count, x_lanes);
                rows_to_lanes(dy.data() + row * size, size, count, dy_lanes);
                std::fill_n(dx_lanes, dim2 * lanes<T>, T{});
                dw.begin_block(dw_lanes);
                product.right_backward(x_lanes, weights.of(row, count, w_lanes), plan->out.dim(), dy_lanes,
                                       wants2 ? dx_lanes : nullptr, wants_weights ? dw_lanes : nullptr);
                if (wants2) lanes_to_rows(dx_lanes, dim2, count, to + row * dim2);
                dw.end_block(row, count, dw_lanes);
            }
            dw.end_chunk(chunk, dw_lanes);
        });
        if (wants2) sink.template add<0>(d2);
        if constexpr (sizeof...(W) > 0)
            if (wants_weights) sink.template add<1>(dw.gradient());
    }

private:
    index matrix_size() const { return plan->in1.dim() * plan->out.dim(); }
    double cost() const { return plan->cost + 0.1 * static_cast<double>(matrix_size()); }
};

} // namespace detail

/// A bilinear equivariant function of two feature vectors: for each instruction the terms in1 and in2 are coupled by
/// the real 3j symbols, paired and weighted as its mode says, and added to the term out. With the names, normalisation
/// and order of weights of e3nn.o3.TensorProduct; features are in the layout mul_ir. Gradients of any order by any
/// operand.
class TensorProduct {
public:
    /// Of nothing, to be assigned to.
    TensorProduct() : TensorProduct({}, {}, {}, {}) {}
    /// Errors: an instruction names a term that is not there, breaks parity or the triangle rule, or its multiplicities
    /// do not fit its mode; variances of another number than the terms.
    TensorProduct(const Irreps& in1, const Irreps& in2, const Irreps& out, const std::vector<Instruction>& instructions,
                  const TensorProductOptions& options = {}) {
        auto plan = std::make_shared<detail::TensorProductPlan>();
        plan->in1 = in1;
        plan->in2 = in2;
        plan->out = out;
        plan->instructions = instructions;
        require_variances(options.in1_var, in1, "in1_var");
        require_variances(options.in2_var, in2, "in2_var");
        require_variances(options.out_var, out, "out_var");
        for (const Instruction& path : instructions) require(*plan, path);
        const auto slices1 = in1.slices(), slices2 = in2.slices(), slices3 = out.slices();
        for (const Instruction& path : instructions) {
            const MulIrrep &a = in1[path.in1], &b = in2[path.in2], &c = out[path.out];
            const double coefficient = path_coefficient(*plan, path, options);
            plan->coefficients.push_back(coefficient);
            const auto pairs = detail::product_pairs(path, a, b, c);
            const index weights = path.has_weight ? pairs.weights() : 0;
            if (a.dim() > 0 && b.dim() > 0 && c.dim() > 0) {
                detail::ProductPath& made = plan->paths.emplace_back(pairs, a.ir.l, b.ir.l, c.ir.l, coefficient);
                made.at1 = slices1[static_cast<std::size_t>(path.in1)].begin;
                made.at2 = slices2[static_cast<std::size_t>(path.in2)].begin;
                made.at3 = slices3[static_cast<std::size_t>(path.out)].begin;
                made.weight = path.has_weight ? plan->weight_numel : -1;
                plan->cost += made.cost() * 0.03;
                plan->weight_numel += weights;
            }
        }
        plan->cost += 0.1 * static_cast<double>(in1.dim() + in2.dim() + out.dim());
        plan_ = plan;
    }

    const Irreps& irreps_in1() const { return plan_->in1; }
    const Irreps& irreps_in2() const { return plan_->in2; }
    const Irreps& irreps_out() const { return plan_->out; }
    /// The paths.
    const std::vector<Instruction>& instructions() const { return plan_->instructions; }
    /// The factor of each path.
    const std::vector<double>& path_coefficients() const { return plan_->coefficients; }
    /// How many weights there are: those of the instructions one after the other, each row-major.
    index weight_numel() const { return plan_->weight_numel; }
    /// 1 for the components of the result that a path reaches, 0 for those that are always 0.
    Tensor<double, 1> output_mask() const {
        auto mask = Tensor<double, 1>::zeros({plan_->out.dim()});
        const auto slices = plan_->out.slices();
        for (std::size_t p = 0; p < plan_->instructions.size(); ++p) {
            const Instruction& path = plan_->instructions[p];
            if (plan_->in1[path.in1].mul == 0 || plan_->in2[path.in2].mul == 0 || plan_->coefficients[p] == 0) continue;
            const IrrepSlice at = slices[static_cast<std::size_t>(path.out)];
            std::fill(mask.mutable_data() + at.begin, mask.mutable_data() + at.end, 1.0);
        }
        return mask;
    }

    /// x1 [..., dim1], x2 [..., dim2], to [..., dim of the result], without weights. Errors: there are weights; the
    /// extents do not fit.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        const detail::TensorProductOperation operation{plan_};
        if constexpr (X1::rank == 2)
            return apply_operation(operation, x1, x2);
        else
            return detail::apply_to_rows("TensorProduct", operation, x1, plan_->in1.dim(), x2, plan_->in2.dim(),
                                         plan_->out.dim());
    }
    /// x1 [N, dim1], x2 [N, dim2], with weights [weight_numel()], or [N, weight_numel()], one set for each row.
    template <Expression X1, Expression X2, Expression W>
    auto operator()(const X1& x1, const X2& x2, const W& weights) const {
        static_assert(W::rank == 1 || W::rank == 2, "weft: TensorProduct: the weights are [numel] or [N, numel]");
        return apply_operation(detail::TensorProductOperation{plan_}, x1, x2, weights);
    }

    /// The matrices [N, dim1, dim of the result] for which x1 times that of its row is the product with x2 [N, dim2]:
    /// e3nn's right, but for modes uvu<v and u<vw too. Weights as above, or none. Errors: the extents do not fit.
    template <Expression X2, Expression... W>
    auto right(const X2& x2, const W&... weights) const {
        static_assert(sizeof...(W) <= 1 && ((W::rank == 1 || W::rank == 2) && ...),
                      "weft: TensorProduct: the weights are [numel] or [N, numel]");
        return apply_operation(detail::TensorProductRight{plan_}, x2, weights...);
    }

    /// The paths in the order they are computed, shared by copies of the product: what so3::convolution reads.
    const std::shared_ptr<const detail::TensorProductPlan>& plan() const { return plan_; }

private:
    static void require_variances(const std::vector<double>& variances, const Irreps& irreps, const char* what) {
        if (!variances.empty() && static_cast<index>(variances.size()) != irreps.size())
            throw error("TensorProduct", "{} has {} elements: it must have {}, one for each term of {}", what,
                        variances.size(), irreps.size(), detail::irreps_text(irreps));
    }
    static void require(const detail::TensorProductPlan& plan, const Instruction& path) {
        if (path.in1 < 0 || path.in1 >= plan.in1.size() || path.in2 < 0 || path.in2 >= plan.in2.size() ||
            path.out < 0 || path.out >= plan.out.size())
            throw error("TensorProduct", "an instruction couples terms {} and {} to {}: there are {}, {} and {}",
                        path.in1, path.in2, path.out, plan.in1.size(), plan.in2.size(), plan.out.size());
        const Irrep a = plan.in1[path.in1].ir, b = plan.in2[path.in2].ir, c = plan.out[path.out].ir;
        if (!(a * b).contains(c))
            throw error("TensorProduct", "an instruction couples {} and {} to {}, which is not in their product",
                        detail::irreps_text(a), detail::irreps_text(b), detail::irreps_text(c));
        if (std::max({a.l, b.l, c.l}) > 60) throw error("TensorProduct", "degrees must be at most 60");
        if (!(path.path_weight >= 0))
            throw error("TensorProduct", "a path has weight {}: must not be negative", path.path_weight);
    }
    static double path_coefficient(const detail::TensorProductPlan& plan, const Instruction& path,
                                   const TensorProductOptions& o) {
        const auto variance = [](const std::vector<double>& all, index i) {
            return all.empty() ? 1.0 : all[static_cast<std::size_t>(i)];
        };
        const auto added_by = [&](const Instruction& other) {
            return variance(o.in1_var, other.in1) * variance(o.in2_var, other.in2) *
                   static_cast<double>(
                       detail::product_elements(other.mode, plan.in1[other.in1].mul, plan.in2[other.in2].mul));
        };
        double sum = 0, paths = 0;
        for (const Instruction& other : plan.instructions) {
            if (other.out != path.out) continue;
            sum += added_by(other);
            ++paths;
        }
        const double divisor = o.path_normalization == PathNormalization::element ? sum
                               : o.path_normalization == PathNormalization::path  ? added_by(path) * paths
                                                                                  : 1;
        const double d1 = plan.in1[path.in1].ir.dim(), d2 = plan.in2[path.in2].ir.dim(),
                     d3 = plan.out[path.out].ir.dim();
        const double scale = o.irrep_normalization == IrrepNormalization::component ? d3
                             : o.irrep_normalization == IrrepNormalization::norm    ? d1 * d2
                                                                                    : 1;
        return std::sqrt(scale * variance(o.out_var, path.out) * path.path_weight / (divisor > 0 ? divisor : 1));
    }

    std::shared_ptr<const detail::TensorProductPlan> plan_;
};

} // namespace weft::inline WEFT_ABI::so3
