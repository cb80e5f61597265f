// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>
#include <weft/so3/convolution_kernel.hpp>
#include <weft/so3/convolution_plan.hpp>
#include <weft/so3/row_ranges.hpp>
#include <weft/so3/source_sums.hpp>

#include <optional>

/// Equivariant convolutions and their gradients, by the nodes that edges reach.
namespace weft::inline WEFT_ABI::so3::detail {

/// The edges of one node, a block at a time: the harmonics side by side in lanes, and the matrices of all paths made of
/// them.
template <class T>
class EdgeBlock {
public:
    explicit EdgeBlock(const ConvolutionPlan& plan)
        : plan_(plan), memory_((plan.dim_harmonics + plan.matrix_entries) * matrix_step + 32) {
        harmonics_ = memory_.take(plan.dim_harmonics * matrix_step);
        matrices_ = memory_.take(plan.matrix_entries * matrix_step);
        std::fill_n(matrices_, plan.matrix_entries * matrix_step, T{}); // some entries have no terms
    }

    /// The edges eid[0 ... n), n <= edge_block.
    void load(const std::int32_t* eid, index n, const T* harmonics) {
        const index dim = plan_.dim_harmonics, up_to = (n + lanes<T> - 1) / lanes<T> * lanes<T>;
        for (index e = 0; e < n;) { // edges that lie one behind the other at once
            const index first = e++;
            while (e < n && eid[e] == eid[e - 1] + 1) ++e;
            weft::detail::transpose_block(harmonics + eid[first] * dim, dim, e - first, dim, harmonics_ + first,
                                          matrix_step);
        }
        // What lies behind the last edge is read with it, and its results are not.
        if (n < up_to)
            for (index j = 0; j < dim; ++j) std::fill_n(harmonics_ + j * matrix_step + n, up_to - n, T{});
        for (const ConvolutionPath& path : plan_.paths) contract(path, up_to);
    }
    const T* matrices() const { return matrices_; }

private:
    WEFT_NOINLINE void contract(const ConvolutionPath& path, index up_to) {
        index e = 0;
        for (; e + 4 * lanes<T> <= up_to; e += 4 * lanes<T>) contract_packets<4>(path, e);
        for (; e < up_to; e += lanes<T>) contract_packets<1>(path, e);
    }
    template <int U>
    WEFT_ALWAYS_INLINE void contract_packets(const ConvolutionPath& path, index e) {
        using Scalar = typename weft::detail::DualScalar<T>::type;
        const auto *term = path.terms.data(), *const end = term + path.terms.size();
        while (term != end) {
            T* const to = matrices_ + (path.matrix + term->entry) * matrix_step + e;
            Packet<T> sum[U];
            for (int u = 0; u < U; ++u) sum[u] = splat(T{});
            const int entry = term->entry;
            do {
                const Packet<T> value = splat(T(static_cast<Scalar>(term->value)));
                const T* const from = harmonics_ + term->j * matrix_step + e;
#pragma GCC unroll 4
                for (int u = 0; u < U; ++u) sum[u] = multiply_add(value, load_packet(from + u * lanes<T>), sum[u]);
                ++term;
            } while (term != end && term->entry == entry);
#pragma GCC unroll 4
            for (int u = 0; u < U; ++u) store_packet(to + u * lanes<T>, sum[u]);
        }
    }

    const ConvolutionPlan& plan_;
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
/// For each row of the csr the sum over its edges of w M x of the other end; M and the weights are those of the edge.
template <class T, class Weights>
Tensor<T, 2> convolve_rows(const ConvolutionPlan& plan, const Csr& csr, const Tensor<T, 2>& x,
                           const Tensor<T, 2>& harmonics, Weights& weights) {
    const index from_nodes = x.extent(0), to_nodes = csr.row_ptr.size() - 1;
    const Storage planes = planes_of(plan.in, x);
    const T* const from = reinterpret_cast<const T*>(planes.data());
    auto y = Tensor<T, 2>::empty({to_nodes, plan.out.dim()});
    T* const to = y.mutable_data();
    const std::int32_t* const ptr = csr.row_ptr.data();
    for_each_range(weft::detail::balanced_rows(csr.row_ptr, edge_block),
                   plan.cost * static_cast<double>(csr.col.size()), [&](index chunk, index begin, index end) {
                       EdgeBlock<T> block(plan);
                       typename Weights::Block weight_block(weights, chunk);
                       weft::detail::Scratch<T> sums(plan.out.row() + 16);
                       const T *rows[edge_block], *weight_rows[edge_block];
                       for (index node = begin; node < end; ++node) {
                           std::fill_n(sums.data(), plan.out.row(), T{});
                           for (index first = ptr[node]; first < ptr[node + 1]; first += edge_block) {
                               const index edges = std::min<index>(edge_block, ptr[node + 1] - first);
                               block.load(csr.eid.data() + first, edges, harmonics.data());
                               weight_block.load(csr.eid.data() + first, edges, weight_rows);
                               const T* ahead = weight_block.ahead(edges);
                               for (index p = 0; p < plan.in.planes(); ++p) {
                                   for (index e = 0; e < edges; ++e)
                                       rows[e] = from + plan.in.at(p, from_nodes, csr.col.data()[first + e]);
                                   for (const ConvolutionPath& path : plan.paths) {
                                       if (static_cast<std::size_t>(p) >= path.steps.size()) continue;
                                       const ConvolutionStep& s = path.steps[static_cast<std::size_t>(p)];
                                       convolve<T>({edges, rows, weight_rows, s.x, s.weights, s.width,
                                                    block.matrices() + path.matrix * matrix_step, sums.data() + s.sums,
                                                    ahead},
                                                   path.l_in, path.l_out, path.diagonal);
                                       ahead += s.width * edges;
                                   }
                               }
                           }
                           plan.out.unpack(sums.data(), to + node * plan.out.dim());
                       }
                   });
    return y;
}

/// Ranges of rows for the gradients: few, as each has sums of its own for what many edges share.
inline weft::detail::PoolVector<index> gradient_chunks(const Csr& csr) {
    return weft::detail::balanced_rows(csr.row_ptr, edge_block, 16);
}
/// The gradients of x, which are returned (or, unless `wants_x`, nothing is), of the harmonics, stored in `dh`, and of
/// the weights, given to their blocks; the weights have the `chunks`.
template <class T, class Weights>
Tensor<T, 2> differentiate_rows(const ConvolutionPlan& plan, const Csr& csr, std::span<const index> chunks,
                                bool wants_x, const Tensor<T, 2>& dy, const Tensor<T, 2>& x,
                                const Tensor<T, 2>& harmonics, Weights& weights, T* dh) {
    const Storage planes = planes_of(plan.in, x);
    const T* const from = reinterpret_cast<const T*>(planes.data());
    const std::int32_t *const ptr = csr.row_ptr.data(), *const col = csr.col.data();
    const index dim = plan.dim_harmonics, of_matrix = plan.largest_matrix * edge_group * lanes<T>,
                of_harmonics = edge_group * dim * lanes<T>;
    SourceSums<T> dx(plan.in, csr, chunks, x.extent(0));
    for_each_range(chunks, plan.cost * static_cast<double>(csr.col.size()), [&](index chunk, index begin, index end) {
        EdgeBlock<T> block(plan);
        typename Weights::Block weight_block(weights, chunk);
        std::optional<typename SourceSums<T>::Part> sums;
        if (wants_x) sums.emplace(dx, chunk);
        weft::detail::Scratch<T> memory(plan.out.row() + of_matrix + of_harmonics + plan.in.row() + 128);
        T *const gradient = memory.take(plan.out.row()), *const matrix_gradient = memory.take(of_matrix),
                 *const harmonics_sums = memory.take(of_harmonics), *const unwanted = memory.take(plan.in.row());
        std::fill_n(matrix_gradient, of_matrix, T{}); // a last group may have fewer edges
        std::fill_n(unwanted, plan.in.row(), T{});
        const T* weight_rows[edge_block];
        weft::detail::PoolVector<const T*> x_rows(static_cast<std::size_t>(edge_group * plan.in.planes()));
        weft::detail::PoolVector<T*> dx_rows(x_rows.size());
        for (index node = begin; node < end; ++node) {
            if (ptr[node] == ptr[node + 1]) continue;
            plan.out.pack(dy.data() + node * plan.out.dim(), gradient, 1, 0);
            for (index first = ptr[node]; first < ptr[node + 1]; first += edge_block) {
                const index edges = std::min<index>(edge_block, ptr[node + 1] - first);
                const std::int32_t* const eid = csr.eid.data() + first;
                block.load(eid, edges, harmonics.data());
                weight_block.load(eid, edges, weight_rows);
                for (index e = 0; e < edges; e += edge_group) {
                    const index few = std::min(edge_group, edges - e);
                    T* dw[edge_group];
                    for (index i = 0; i < few; ++i) {
                        const index source = col[first + e + i];
                        dw[i] = weight_block.gradient(e + i);
                        for (index p = 0; p < plan.in.planes(); ++p) {
                            const auto at = static_cast<std::size_t>(edge_group * p + i);
                            x_rows[at] = from + plan.in.at(p, x.extent(0), source);
                            dx_rows[at] = sums ? sums->row(p, source) : unwanted + plan.in.at(p, 1, 0);
                        }
                    }
                    std::fill_n(harmonics_sums, of_harmonics, T{});
                    for (const ConvolutionPath& path : plan.paths) {
                        differentiate<T>({path.steps, few, x_rows.data(), weight_rows + e, dx_rows.data(), dw, gradient,
                                          block.matrices() + path.matrix * matrix_step + e, matrix_gradient},
                                         path.l_in, path.l_out, path.diagonal);
                        path.add_harmonics_gradient(matrix_gradient, harmonics_sums, dim);
                    }
                    for (index i = 0; i < few; ++i) {
                        weft::detail::sum_rows(harmonics_sums + i * dim * lanes<T>, dim, dh + eid[e + i] * dim);
                        weight_block.finish(e + i);
                    }
                }
                weight_block.finish_block(edges);
            }
        }
    });
    return wants_x ? dx.sum() : Tensor<T, 2>();
}

} // namespace weft::inline WEFT_ABI::so3::detail
