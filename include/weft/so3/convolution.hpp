// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>
#include <weft/so3/convolution_kernel.hpp>
#include <weft/so3/convolution_plan.hpp>
#include <weft/so3/named_products.hpp>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// The edges of one node, a block at a time: the harmonics side by side in lanes, the matrices of all paths made of
/// them, and the weights filled up to whole packets.
template <class T>
class EdgeBlock {
public:
    index edges = 0;
    const T* matrices = nullptr;

    EdgeBlock(const ConvolutionPlan& plan, const ConvolutionWay& way)
        : plan_(plan), way_(way), filled_(plan.filled_weights != plan.weight_numel),
          memory_((plan.dim_harmonics + plan.matrix_entries) * edge_block +
                  (filled_ ? (plan.filled_weights + 16) * edge_block : 0) + 64) {
        harmonics_ = memory_.take(plan.dim_harmonics * edge_block);
        matrices = matrices_ = memory_.take(plan.matrix_entries * edge_block);
        if (filled_) weights_ = memory_.take(plan.filled_weights * edge_block);
    }

    /// The edges eid[0 ... n), n <= edge_block.
    void load(const std::int32_t* eid, index n, const T* harmonics, const T* weights) {
        edges = n;
        const index dim = plan_.dim_harmonics, numel = plan_.weight_numel;
        for (index e = 0; e < n; ++e) {
            const T* const row = harmonics + eid[e] * dim;
            for (index j = 0; j < dim; ++j) harmonics_[j * edge_block + e] = row[j];
            w_[e] = weights + eid[e] * numel;
        }
        // What lies behind the last edge is read with it, and its results are not.
        const index up_to = (n + lanes<T> - 1) / lanes<T> * lanes<T>;
        for (index j = 0; j < dim; ++j)
            for (index e = n; e < up_to; ++e) harmonics_[j * edge_block + e] = T{};
        for (const ConvolutionPath& path : way_.paths) contract(path, up_to);
        if (!filled_) return;
        for (index e = 0; e < n; ++e) {
            T* const to = weights_ + e * plan_.filled_weights;
            for (const ConvolutionPath& path : way_.paths) {
                T* const end = std::copy_n(w_[e] + path.weight, path.mul, to + path.filled_weight);
                std::fill(end, to + path.filled_weight + (path.mul + lanes<T> - 1) / lanes<T> * lanes<T>, T{});
            }
            w_[e] = to;
        }
    }
    const T* const* weights() const { return w_; }

private:
    WEFT_NOINLINE void contract(const ConvolutionPath& path, index up_to) {
        T* const matrix = matrices_ + path.matrix * edge_block;
        std::fill_n(matrix, path.entries() * edge_block, T{});
        for (const auto& term : path.terms) {
            const Packet<T> value = splat(T(static_cast<typename weft::detail::DualScalar<T>::type>(term.value)));
            T* const to = matrix + term.entry * edge_block;
            const T* const from = harmonics_ + term.j * edge_block;
            for (index e = 0; e < up_to; e += lanes<T>)
                store_packet(to + e, multiply_add(value, load_packet(from + e), load_packet(to + e)));
        }
    }

    const ConvolutionPlan& plan_;
    const ConvolutionWay& way_;
    bool filled_;
    weft::detail::Scratch<T> memory_;
    T *harmonics_, *matrices_, *weights_ = nullptr;
    const T* w_[edge_block] = {};
};

/// x [N_src, dim1], harmonics [E, dim2], weights [E, numel], to the sums [N_dst, dim3] of the products over the edges.
struct Convolution {
    static constexpr auto name = "convolution";
    std::shared_ptr<const TensorProductPlan> product;
    Graph graph;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, 2>& harmonics, const Tensor<T, 2>& weights) const {
        const auto shared = ConvolutionPlan::of<T>(*product);
        const ConvolutionPlan& plan = *shared;
        return sweep(plan, plan.forward, graph.in(), graph.num_src(), graph.num_dst(), x, harmonics, weights);
    }

    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x,
                  const Tensor<T, 2>& harmonics, const Tensor<T, 2>& weights) const {
        const auto shared = ConvolutionPlan::of<T>(*product);
        const ConvolutionPlan& plan = *shared;
        if (sink.template wants<0>())
            sink.template add<0>(
                sweep(plan, plan.reverse, graph.out(), graph.num_dst(), graph.num_src(), dy, harmonics, weights));
        if (!sink.template wants<1>() && !sink.template wants<2>()) return;
        auto dh = Tensor<T, 2>::empty(harmonics.shape()), dw = Tensor<T, 2>::empty(weights.shape());
        edge_gradients(plan, dy, x, harmonics, weights, dh.mutable_data(), dw.mutable_data());
        if (sink.template wants<1>()) sink.template add<1>(dh);
        if (sink.template wants<2>()) sink.template add<2>(dw);
    }

private:
    /// All rows of x in planes.
    template <class T>
    static Storage planes_of(const PlanarLayout& layout, const Tensor<T, 2>& x) {
        const index n = x.extent(0), dim = layout.dim(), grain = 64;
        Storage memory = Storage::allocate(static_cast<std::size_t>(layout.row() * n + 16) * sizeof(T));
        T* const to = reinterpret_cast<T*>(memory.data());
        weft::detail::for_each_chunk((n + grain - 1) / grain, static_cast<double>(x.size()), [&](index chunk) {
            for (index node = chunk * grain; node < std::min(n, (chunk + 1) * grain); ++node)
                layout.pack(x.data() + node * dim, to, n, node);
        });
        return memory;
    }
    /// Calls f(begin, end) for ranges of rows of the csr with about the same number of edges.
    template <class F>
    static void for_each_rows(const ConvolutionPlan& plan, const Csr& csr, F&& f) {
        const auto chunks = csr.chunks();
        weft::detail::for_each_chunk(static_cast<index>(chunks.size()) - 1,
                                     plan.cost * static_cast<double>(csr.col.size()), [&](index chunk) {
                                         const auto at = static_cast<std::size_t>(chunk);
                                         f(chunks[at], chunks[at + 1]);
                                     });
    }

    /// For each row of the csr the sum over its edges of M x of the other end; M and the weights those of the edge.
    template <class T>
    static Tensor<T, 2> sweep(const ConvolutionPlan& plan, const ConvolutionWay& way, const Csr& csr, index from_nodes,
                              index to_nodes, const Tensor<T, 2>& x, const Tensor<T, 2>& harmonics,
                              const Tensor<T, 2>& weights) {
        const Storage planes = planes_of(way.in, x);
        const T* const from = reinterpret_cast<const T*>(planes.data());
        auto y = Tensor<T, 2>::empty({to_nodes, way.out.dim()});
        T* const to = y.mutable_data();
        const std::int32_t* const ptr = csr.row_ptr.data();
        for_each_rows(plan, csr, [&](index begin, index end) {
            EdgeBlock<T> block(plan, way);
            weft::detail::Scratch<T> sums(way.out.row() + 16);
            const T* rows[edge_block];
            for (index node = begin; node < end; ++node) {
                std::fill_n(sums.data(), way.out.row(), T{});
                for (index first = ptr[node]; first < ptr[node + 1]; first += edge_block) {
                    const index edges = std::min<index>(edge_block, ptr[node + 1] - first);
                    block.load(csr.eid.data() + first, edges, harmonics.data(), weights.data());
                    for (index p = 0; p < way.in.planes(); ++p) {
                        for (index e = 0; e < edges; ++e)
                            rows[e] = from + way.in.at(p, from_nodes, csr.col.data()[first + e]);
                        for (const ConvolutionStep& s : way.steps[static_cast<std::size_t>(p)])
                            convolve<T>({edges, rows, block.weights(), s.x, s.weights, s.width,
                                         block.matrices + s.matrix * edge_block, sums.data() + s.sums},
                                        s.l_in, s.l_out, s.diagonal);
                    }
                }
                way.out.unpack(sums.data(), to + node * way.out.dim());
            }
        });
        return y;
    }

    template <class T>
    void edge_gradients(const ConvolutionPlan& plan, const Tensor<T, 2>& dy, const Tensor<T, 2>& x,
                        const Tensor<T, 2>& harmonics, const Tensor<T, 2>& weights, T* dh, T* dw) const {
        const ConvolutionWay& way = plan.forward;
        const Csr& csr = graph.in();
        const Storage planes = planes_of(way.in, x);
        const T* const from = reinterpret_cast<const T*>(planes.data());
        const std::int32_t* const ptr = csr.row_ptr.data();
        const index dim = plan.dim_harmonics;
        const bool filled = plan.filled_weights != plan.weight_numel;
        for_each_rows(plan, csr, [&](index begin, index end) {
            EdgeBlock<T> block(plan, way);
            weft::detail::Scratch<T> memory(way.out.row() + plan.filled_weights + plan.matrix_entries * lanes<T> + 64);
            T* const gradient = memory.take(way.out.row());
            T* const weight_gradient = memory.take(plan.filled_weights);
            T* const matrix_gradient = memory.take(plan.matrix_entries * lanes<T>);
            for (index node = begin; node < end; ++node) {
                if (ptr[node] == ptr[node + 1]) continue;
                way.out.pack(dy.data() + node * way.out.dim(), gradient, 1, 0);
                for (index first = ptr[node]; first < ptr[node + 1]; first += edge_block) {
                    const index edges = std::min<index>(edge_block, ptr[node + 1] - first);
                    const std::int32_t* const eid = csr.eid.data() + first;
                    block.load(eid, edges, harmonics.data(), weights.data());
                    for (index e = 0; e < edges; ++e) {
                        T* const to = dw + eid[e] * plan.weight_numel;
                        T* const to_filled = filled ? weight_gradient : to;
                        for (index p = 0; p < way.in.planes(); ++p) {
                            const T* const x_row = from + way.in.at(p, graph.num_src(), csr.col.data()[first + e]);
                            for (const ConvolutionStep& s : way.steps[static_cast<std::size_t>(p)])
                                differentiate<T>({x_row + s.x, gradient + s.sums, block.weights()[e] + s.weights,
                                                  s.width, block.matrices + s.matrix * edge_block + e,
                                                  to_filled + s.weights, matrix_gradient + s.matrix * lanes<T>, p == 0},
                                                 s.l_in, s.l_out, s.diagonal);
                        }
                        if (filled)
                            for (const ConvolutionPath& path : way.paths)
                                std::copy_n(weight_gradient + path.filled_weight, path.mul, to + path.weight);
                        plan.harmonics_gradient(matrix_gradient, dh + eid[e] * dim);
                    }
                }
            }
        });
    }
};

} // namespace detail

/// The equivariant convolution: for each destination of the graph the sum over its edges of
/// product(x of the source, harmonics, weights), in one pass. x [N_src, dim1] and the result [N_dst, dim3] are features
/// in the layout mul_ir, harmonics [E, dim2], weights [E, weight_numel()]; edges in the order in which they were given.
/// Nothing of the size of the edges is stored. All paths of the product must be of mode uvu with weights, the terms of
/// the second input of multiplicity 1 (see ConvolutionTensorProduct). Gradients of any order by all operands. Errors:
/// another product; extents that do not fit.
template <Expression X, Expression Y, Expression W>
auto convolution(const TensorProduct& product, const Graph& g, const X& x, const Y& harmonics, const W& weights) {
    const auto& plan = product.plan();
    for (const Instruction& i : plan->instructions)
        if (i.mode != ProductMode::uvu || !i.has_weight || plan->in2[i.in2].mul != 1)
            throw error("convolution",
                        "a path {} x {} -> {} in mode {}{}: must be uvu with weights and multiplicity 1 of the second",
                        detail::irreps_text(plan->in1[i.in1]), detail::irreps_text(plan->in2[i.in2]),
                        detail::irreps_text(plan->out[i.out]), detail::mode_name(i.mode),
                        i.has_weight ? "" : " without weights");
    const auto check = [](const char* what, const auto& t, index rows, index columns) {
        if (t.shape() != Extents<2>{rows, columns})
            throw error("convolution", "{} is {}: must be [{}, {}]", what, weft::detail::shape_text(t.shape()), rows,
                        columns);
    };
    static_assert(X::rank == 2 && Y::rank == 2 && W::rank == 2,
                  "weft: convolution: x is [N, dim], harmonics [E, dim], weights [E, numel]");
    check("x", x, g.num_src(), plan->in1.dim());
    check("harmonics", harmonics, g.num_edges(), plan->in2.dim());
    check("weights", weights, g.num_edges(), plan->weight_numel);
    return apply_operation(detail::Convolution{plan, g}, x, harmonics, weights);
}

} // namespace weft::inline WEFT_ABI::so3
