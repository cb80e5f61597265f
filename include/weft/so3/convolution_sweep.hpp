// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>
#include <weft/so3/convolution_kernel.hpp>
#include <weft/so3/convolution_plan.hpp>

/// The ways of equivariant convolutions through the graph: forward and, for the gradient of x, backward along the
/// edges; and for the gradients of harmonics and weights edge by edge.
namespace weft::inline WEFT_ABI::so3::detail {

/// The edges of one node, a block at a time: the harmonics side by side in lanes, and the matrices of all paths made of
/// them.
template <class T>
class EdgeBlock {
public:
    EdgeBlock(const ConvolutionPlan& plan, const ConvolutionWay& way)
        : plan_(plan), way_(way), memory_((plan.dim_harmonics + plan.matrix_entries) * edge_block + 32) {
        harmonics_ = memory_.take(plan.dim_harmonics * edge_block);
        matrices_ = memory_.take(plan.matrix_entries * edge_block);
    }

    /// The edges eid[0 ... n), n <= edge_block.
    void load(const std::int32_t* eid, index n, const T* harmonics) {
        const index dim = plan_.dim_harmonics, up_to = (n + lanes<T> - 1) / lanes<T> * lanes<T>;
        for (index e = 0; e < n; ++e) {
            const T* const row = harmonics + eid[e] * dim;
            for (index j = 0; j < dim; ++j) harmonics_[j * edge_block + e] = row[j];
        }
        // What lies behind the last edge is read with it, and its results are not.
        for (index j = 0; j < dim; ++j)
            for (index e = n; e < up_to; ++e) harmonics_[j * edge_block + e] = T{};
        for (const ConvolutionPath& path : way_.paths) contract(path, up_to);
    }
    const T* matrices() const { return matrices_; }

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
    weft::detail::Scratch<T> memory_;
    T *harmonics_, *matrices_;
};

/// All rows of x in planes.
template <class T>
Storage planes_of(const PlanarLayout& layout, const Tensor<T, 2>& x) {
    const index n = x.extent(0), dim = layout.dim(), grain = 64;
    Storage memory = Storage::allocate(static_cast<std::size_t>(layout.row() * n + 16) * sizeof(T));
    T* const to = reinterpret_cast<T*>(memory.data());
    weft::detail::for_each_chunk((n + grain - 1) / grain, static_cast<double>(x.size()), [&](index chunk) {
        for (index node = chunk * grain; node < std::min(n, (chunk + 1) * grain); ++node)
            layout.pack(x.data() + node * dim, to, n, node);
    });
    return memory;
}
/// Bounds of ranges of rows of the csr with about the same number of edges, of which few are much work.
inline std::vector<index> convolution_chunks(const Csr& csr) {
    return weft::detail::balanced_rows(csr.row_ptr, edge_block);
}
/// Calls f(chunk, begin, end) for these ranges.
template <class F>
void for_each_rows(const ConvolutionPlan& plan, const Csr& csr, F&& f) {
    const auto chunks = convolution_chunks(csr);
    weft::detail::for_each_chunk(static_cast<index>(chunks.size()) - 1, plan.cost * static_cast<double>(csr.col.size()),
                                 [&](index chunk) {
                                     const auto at = static_cast<std::size_t>(chunk);
                                     f(chunk, chunks[at], chunks[at + 1]);
                                 });
}

/// For each row of the csr the sum over its edges of w M x of the other end; M and the weights are those of the edge.
template <class T, class Weights>
Tensor<T, 2> convolve_rows(const ConvolutionPlan& plan, const ConvolutionWay& way, const Csr& csr,
                           const Tensor<T, 2>& x, const Tensor<T, 2>& harmonics, Weights& weights) {
    const index from_nodes = x.extent(0), to_nodes = csr.row_ptr.size() - 1;
    const Storage planes = planes_of(way.in, x);
    const T* const from = reinterpret_cast<const T*>(planes.data());
    auto y = Tensor<T, 2>::empty({to_nodes, way.out.dim()});
    T* const to = y.mutable_data();
    const std::int32_t* const ptr = csr.row_ptr.data();
    for_each_rows(plan, csr, [&](index chunk, index begin, index end) {
        EdgeBlock<T> block(plan, way);
        typename Weights::Block weight_block(weights, chunk);
        weft::detail::Scratch<T> sums(way.out.row() + 16);
        const T *rows[edge_block], *weight_rows[edge_block];
        for (index node = begin; node < end; ++node) {
            std::fill_n(sums.data(), way.out.row(), T{});
            for (index first = ptr[node]; first < ptr[node + 1]; first += edge_block) {
                const index edges = std::min<index>(edge_block, ptr[node + 1] - first);
                block.load(csr.eid.data() + first, edges, harmonics.data());
                weight_block.load(csr.eid.data() + first, edges, weight_rows);
                for (index p = 0; p < way.in.planes(); ++p) {
                    for (index e = 0; e < edges; ++e)
                        rows[e] = from + way.in.at(p, from_nodes, csr.col.data()[first + e]);
                    for (const ConvolutionStep& s : way.steps[static_cast<std::size_t>(p)])
                        convolve<T>({edges, rows, weight_rows, s.x, s.weights, s.width,
                                     block.matrices() + s.matrix * edge_block, sums.data() + s.sums},
                                    s.l_in, s.l_out, s.diagonal);
                }
            }
            way.out.unpack(sums.data(), to + node * way.out.dim());
        }
    });
    return y;
}

/// The gradients of the harmonics, stored in `dh`, and of the weights, given to their blocks.
template <class T, class Weights>
void differentiate_edges(const ConvolutionPlan& plan, const Csr& csr, const Tensor<T, 2>& dy, const Tensor<T, 2>& x,
                         const Tensor<T, 2>& harmonics, Weights& weights, T* dh) {
    const ConvolutionWay& way = plan.forward;
    const Storage planes = planes_of(way.in, x);
    const T* const from = reinterpret_cast<const T*>(planes.data());
    const std::int32_t* const ptr = csr.row_ptr.data();
    const index dim = plan.dim_harmonics;
    for_each_rows(plan, csr, [&](index chunk, index begin, index end) {
        EdgeBlock<T> block(plan, way);
        typename Weights::Block weight_block(weights, chunk);
        weft::detail::Scratch<T> memory(way.out.row() + plan.matrix_entries * lanes<T> + 32);
        T* const gradient = memory.take(way.out.row());
        T* const matrix_gradient = memory.take(plan.matrix_entries * lanes<T>);
        const T* weight_rows[edge_block];
        for (index node = begin; node < end; ++node) {
            if (ptr[node] == ptr[node + 1]) continue;
            way.out.pack(dy.data() + node * way.out.dim(), gradient, 1, 0);
            for (index first = ptr[node]; first < ptr[node + 1]; first += edge_block) {
                const index edges = std::min<index>(edge_block, ptr[node + 1] - first);
                const std::int32_t* const eid = csr.eid.data() + first;
                block.load(eid, edges, harmonics.data());
                weight_block.load(eid, edges, weight_rows);
                for (index e = 0; e < edges; ++e) {
                    T* const dw = weight_block.gradient(e);
                    for (index p = 0; p < way.in.planes(); ++p) {
                        const T* const x_row = from + way.in.at(p, x.extent(0), csr.col.data()[first + e]);
                        for (const ConvolutionStep& s : way.steps[static_cast<std::size_t>(p)])
                            differentiate<T>({x_row + s.x, gradient + s.sums, weight_rows[e] + s.weights, s.width,
                                              block.matrices() + s.matrix * edge_block + e, dw + s.weights,
                                              matrix_gradient + s.matrix * lanes<T>, p == 0},
                                             s.l_in, s.l_out, s.diagonal);
                    }
                    weight_block.finish(e);
                    plan.harmonics_gradient(matrix_gradient, dh + eid[e] * dim);
                }
                weight_block.finish_block(edges);
            }
        }
    });
}

} // namespace weft::inline WEFT_ABI::so3::detail
