// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/convolution_sweep.hpp>
#include <weft/so3/convolution_table.hpp>
#include <weft/so3/convolution_weights.hpp>
#include <weft/so3/named_products.hpp>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// x [N_src, dim1], harmonics [E, dim2], weights [E, numel], to the sums [N_dst, dim3] of the products over the edges.
struct Convolution {
    static constexpr auto name = "convolution";
    std::shared_ptr<const TensorProductPlan> product;
    Graph graph;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, 2>& harmonics, const Tensor<T, 2>& weights) const {
        const auto plan = ConvolutionPlan::of<T>(*product);
        const StoredWeights<T> stored(*plan, weights.data());
        return convolve_rows(*plan, graph.in(), x, harmonics, stored);
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x,
                  const Tensor<T, 2>& harmonics, const Tensor<T, 2>& weights) const {
        const auto plan = ConvolutionPlan::of<T>(*product);
        auto dh = Tensor<T, 2>::empty(harmonics.shape()), dw = Tensor<T, 2>::empty(weights.shape());
        const StoredWeights<T> stored(*plan, weights.data(), dw.mutable_data());
        const auto dx = differentiate_rows(*plan, graph.in(), gradient_chunks(graph.in()), sink.template wants<0>(), dy,
                                           x, harmonics, stored, dh.mutable_data());
        if (sink.template wants<0>()) sink.template add<0>(dx);
        if (sink.template wants<1>()) sink.template add<1>(dh);
        if (sink.template wants<2>()) sink.template add<2>(dw);
    }
};

/// The same with weights hidden [rows, H] matrix [H, numel].
struct RadialConvolution {
    static constexpr auto name = "convolution";
    std::shared_ptr<const TensorProductPlan> product;
    Graph graph;
    EdgeRows rows;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, 2>& harmonics, const Tensor<T, 2>& hidden,
                         const Tensor<T, 2>& matrix) const {
        const auto plan = ConvolutionPlan::of<T>(*product);
        RadialWeights<T> radial(*plan, hidden, rows, matrix);
        return convolve_rows(*plan, graph.in(), x, harmonics, radial);
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x,
                  const Tensor<T, 2>& harmonics, const Tensor<T, 2>& hidden, const Tensor<T, 2>& matrix) const {
        const auto plan = ConvolutionPlan::of<T>(*product);
        auto dh = Tensor<T, 2>::empty(harmonics.shape());
        auto d_hidden = Tensor<T, 2>::empty({graph.num_edges(), hidden.extent(1)});
        const auto chunks = gradient_chunks(graph.in());
        const bool wants_matrix = sink.template wants<3>();
        RadialWeights<T> radial(*plan, hidden, rows, matrix, d_hidden.mutable_data(),
                                wants_matrix ? static_cast<index>(chunks.size()) - 1 : 0);
        const auto dx = differentiate_rows(*plan, graph.in(), chunks, sink.template wants<0>(), dy, x, harmonics,
                                           radial, dh.mutable_data());
        if (sink.template wants<0>()) sink.template add<0>(dx);
        if (sink.template wants<1>()) sink.template add<1>(dh);
        if (sink.template wants<2>()) sink.template add<2>(rows.sum(d_hidden, hidden.extent(0)));
        if (wants_matrix) sink.template add<3>(radial.matrix_gradient());
    }
};

/// The same with weights of lengths [E], from a table.
template <class Scalar>
struct TableConvolution {
    static constexpr auto name = "convolution";
    std::shared_ptr<const TensorProductPlan> product;
    Graph graph;
    std::shared_ptr<const RadialTableData<Scalar>> table;
    Tensor<std::int32_t, 1> kind;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, 2>& harmonics, const Tensor<T, 1>& lengths) const {
        table->require(lengths, kind);
        const auto plan = ConvolutionPlan::of<T>(*product);
        const TableWeights<T> weights(*plan, *table, lengths.data(), kind);
        return convolve_rows(*plan, graph.in(), x, harmonics, weights);
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x,
                  const Tensor<T, 2>& harmonics, const Tensor<T, 1>& lengths) const {
        const auto plan = ConvolutionPlan::of<T>(*product);
        auto dh = Tensor<T, 2>::empty(harmonics.shape());
        auto dr = Tensor<T, 1>::empty(lengths.shape());
        const TableWeights<T> weights(*plan, *table, lengths.data(), kind,
                                      sink.template wants<2>() ? dr.mutable_data() : nullptr);
        const auto dx = differentiate_rows(*plan, graph.in(), gradient_chunks(graph.in()), sink.template wants<0>(), dy,
                                           x, harmonics, weights, dh.mutable_data());
        if (sink.template wants<0>()) sink.template add<0>(dx);
        if (sink.template wants<1>()) sink.template add<1>(dh);
        if (sink.template wants<2>()) sink.template add<2>(dr);
    }
};

template <class X>
void require_matrix(const char* what, const X& x, index rows, index columns) {
    static_assert(X::rank == 2, "weft: convolution: its operands are matrices");
    if (x.shape() != Extents<2>{rows, columns})
        throw error("convolution", "{} is {}: must be [{}, {}]", what, weft::detail::shape_text(x.shape()), rows,
                    columns);
}

/// Errors: a path that convolutions do not have; extents that do not fit.
template <class X, class Y>
void require_convolution(const TensorProductPlan& plan, const Graph& g, const X& x, const Y& harmonics) {
    static_assert(X::rank == 2 && Y::rank == 2, "weft: convolution: x is [N, dim], harmonics [E, dim]");
    for (const Instruction& i : plan.instructions)
        if (i.mode != ProductMode::uvu || !i.has_weight || plan.in2[i.in2].mul != 1)
            throw error("convolution",
                        "a path {} x {} -> {} in mode {}{}: must be uvu with weights and multiplicity 1 of the second",
                        irreps_text(plan.in1[i.in1]), irreps_text(plan.in2[i.in2]), irreps_text(plan.out[i.out]),
                        mode_name(i.mode), i.has_weight ? "" : " without weights");
    require_matrix("x", x, g.num_src(), plan.in1.dim());
    require_matrix("harmonics", harmonics, g.num_edges(), plan.in2.dim());
}
} // namespace detail

/// The convolution below with weights = hidden matrix, the last layer of a radial network: hidden [E, H], matrix
/// [H, weight_numel()]; or hidden [rows, H] with the row [E] of each edge, for edges that share rows, as the two
/// between a pair of atoms do. The weights are made for a few edges at a time and never stored, nor are their
/// gradients: nothing of size edges x paths x copies exists.
template <Expression X, Expression Y, Expression H, Expression M>
auto convolution(const TensorProduct& product, const Graph& g, const X& x, const Y& harmonics, const H& hidden,
                 const M& matrix, const Tensor<std::int32_t, 1>& row = {}) {
    static_assert(H::rank == 2, "weft: convolution: hidden is [E, H]");
    const auto& plan = product.plan();
    const detail::EdgeRows rows(row);
    detail::require_convolution(*plan, g, x, harmonics);
    rows.require("convolution", g.num_edges(), hidden.extent(0));
    detail::require_matrix("matrix", matrix, hidden.extent(-1), plan->weight_numel);
    return apply_operation(detail::RadialConvolution{plan, g, rows}, x, harmonics, hidden, matrix);
}

/// The convolution below with the weights of lengths [E], read from a table for a few edges at a time and never stored,
/// nor are their gradients: that of a length is made at once. A table of several kinds is given the kind [E] of each
/// edge. Gradients of any order by x, harmonics and lengths; the table is a constant. Errors: another product; extents
/// that do not fit, also of the table; a length or a kind that the table does not have (see RadialTable).
template <Expression X, Expression Y, Expression R, class T>
auto convolution(const TensorProduct& product, const Graph& g, const X& x, const Y& harmonics, const R& lengths,
                 const RadialTable<T>& table, const Tensor<std::int32_t, 1>& kind = {}) {
    static_assert(R::rank == 1, "weft: convolution: lengths are [E]");
    const auto& plan = product.plan();
    detail::require_convolution(*plan, g, x, harmonics);
    if (lengths.extent(0) != g.num_edges())
        throw error("convolution", "lengths is {}: must be [{}]", weft::detail::shape_text(lengths.shape()),
                    g.num_edges());
    if (table.weight_numel() != plan->weight_numel)
        throw error("convolution", "the table has {} weights: the product needs {}", table.weight_numel(),
                    plan->weight_numel);
    return apply_operation(detail::TableConvolution<T>{plan, g, table.data(), kind}, x, harmonics, lengths);
}

/// The equivariant convolution: for each destination of the graph the sum over its edges of
/// product(x of the source, harmonics, weights), in one pass. x [N_src, dim1] and the result [N_dst, dim3] are features
/// in the layout mul_ir, harmonics [E, dim2], weights [E, weight_numel()]; edges in the order in which they were given.
/// No message is stored, nor its gradient: that of x is added up in rows of x's width, of the sources of each of at
/// most 16 parts of the edges. Weights [weight_numel()] are those of all edges. All paths of the product must be of
/// mode uvu with weights, the terms of the second input of multiplicity 1 (see ConvolutionTensorProduct). Gradients of
/// any order by all operands. Errors: another product; extents that do not fit.
template <Expression X, Expression Y, Expression W>
auto convolution(const TensorProduct& product, const Graph& g, const X& x, const Y& harmonics, const W& weights) {
    const auto& plan = product.plan();
    detail::require_convolution(*plan, g, x, harmonics);
    if constexpr (W::rank == 1) {
        using T = typename W::value_type;
        return convolution(product, g, x, harmonics, Tensor<T, 2>::ones({g.num_edges(), 1}), unsqueeze(weights, 0));
    } else {
        detail::require_matrix("weights", weights, g.num_edges(), plan->weight_numel);
        return apply_operation(detail::Convolution{plan, g}, x, harmonics, weights);
    }
}

} // namespace weft::inline WEFT_ABI::so3
