// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/transpose_block.hpp>
#include <weft/graph/graph.hpp>
#include <weft/so3/edge_rows.hpp>
#include <weft/so3/row_ranges.hpp>

#include <cmath>
#include <vector>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// radial [E, K] and harmonics [E, (lmax + 1)^2] to sums over the edges of each destination.
struct DensityProjection {
    static constexpr auto name = "density_projection";
    Graph graph;
    Tensor<std::int32_t, 1> kind;
    index kinds;
    EdgeRows radial_rows;
    int lmax;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& radial, const Tensor<T, 2>& harmonics) const {
        const Csr& csr = graph.in();
        const index functions = radial.extent(1), dim = components() * kinds * functions;
        auto y = Tensor<T, 2>::empty({graph.num_dst(), dim});
        T* const to = y.mutable_data();
        for_each_range(bounds(csr), cost(functions), [&](index, index begin, index end) {
            Rows<T> rows(*this, functions);
            for (index node = begin; node < end; ++node) {
                for (index z = 0; z < kinds; ++z) {
                    rows.edges.clear();
                    for (index at = csr.row_ptr.data()[node]; at < csr.row_ptr.data()[node + 1]; ++at)
                        if (const index e = csr.eid.data()[at]; kind.data()[e] == z)
                            rows.edges.push_back(
                                {radial.data() + radial_rows(e) * functions, harmonics.data() + e * components()});
                    add_products(rows, rows.sums + z * rows.packed);
                }
                turn(rows.sums, to + node * dim, functions, rows, false);
            }
        });
        return y;
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& radial,
                  const Tensor<T, 2>& harmonics) const {
        const Csr& csr = graph.in();
        const index functions = radial.extent(1), dim = components() * kinds * functions;
        auto dr = Tensor<T, 2>::empty({graph.num_edges(), functions}), dh = Tensor<T, 2>::empty(harmonics.shape());
        T *const to_radial = dr.mutable_data(), *const to_harmonics = dh.mutable_data();
        for_each_range(bounds(csr), 2 * cost(functions), [&](index, index begin, index end) {
            Rows<T> rows(*this, functions);
            for (index node = begin; node < end; ++node) {
                if (csr.row_ptr.data()[node] == csr.row_ptr.data()[node + 1]) continue;
                turn(dy.data() + node * dim, rows.sums, functions, rows, true);
                for (index at = csr.row_ptr.data()[node]; at < csr.row_ptr.data()[node + 1]; ++at) {
                    const index e = csr.eid.data()[at];
                    contract(rows, radial.data() + radial_rows(e) * functions, harmonics.data() + e * components(),
                             rows.sums + kind.data()[e] * rows.packed, to_harmonics + e * components());
                    std::copy_n(rows.gradient, functions, to_radial + e * functions);
                }
            }
        });
        if (sink.template wants<0>()) sink.template add<0>(radial_rows.sum(dr, radial.extent(0)));
        if (sink.template wants<1>()) sink.template add<1>(dh);
    }

private:
    index components() const { return index{lmax + 1} * (lmax + 1); }
    double cost(index functions) const {
        return 0.05 * static_cast<double>(graph.num_edges() * functions * components());
    }
    static weft::detail::PoolVector<index> bounds(const Csr& csr) {
        return weft::detail::balanced_rows(csr.row_ptr, 64);
    }

    /// Memory of one thread: the sums of a node [component, kind, function], functions filled up to whole packets.
    /// Packets at the end of a row of radial functions hold what lies behind it, which goes to such places only.
    template <class T>
    struct Rows {
        struct Edge {
            const T *radial, *harmonics;
        };

        Rows(const DensityProjection& operation, index functions)
            : packed((functions + lanes<T> - 1) / lanes<T> * lanes<T>), row(operation.kinds * packed),
              components(operation.components()), memory(components * row + packed + components * lanes<T> + 64) {
            sums = memory.take(components * row);
            gradient = memory.take(packed);
            dots = memory.take(components * lanes<T>);
            std::fill_n(sums, components * row, T{});
        }

        index packed, row, components;
        weft::detail::Scratch<T> memory;
        T *sums, *gradient, *dots;
        weft::detail::PoolVector<Edge> edges;
    };

    /// sums [component, .] = the sums over edges of harmonics [component] radial, a tile of them at a time in
    /// registers.
    template <class T>
    static void add_products(const Rows<T>& rows, T* sums) {
        index j = 0;
        for (; j + 4 <= rows.components; j += 4) add_components<4>(rows, j, sums);
        for (; j < rows.components; ++j) add_components<1>(rows, j, sums);
    }
    template <int J, class T>
    static void add_components(const Rows<T>& rows, index j, T* sums) {
        index k = 0;
        for (; k + 4 * lanes<T> <= rows.packed; k += 4 * lanes<T>) add_tile<J, 4>(rows, j, k, sums);
        for (; k < rows.packed; k += lanes<T>) add_tile<J, 1>(rows, j, k, sums);
    }
    template <int J, int U, class T>
    static WEFT_NOINLINE void add_tile(const Rows<T>& rows, index j0, index k, T* sums) {
        Packet<T> sum[J][U];
        for (auto& row : sum)
            for (Packet<T>& s : row) s = splat(T{});
        for (const auto& e : rows.edges) {
            Packet<T> r[U];
#pragma GCC unroll 4
            for (int u = 0; u < U; ++u) r[u] = load_packet(e.radial + k + u * lanes<T>);
#pragma GCC unroll 4
            for (int j = 0; j < J; ++j) {
                const Packet<T> y = splat(e.harmonics[j0 + j]);
#pragma GCC unroll 4
                for (int u = 0; u < U; ++u) sum[j][u] = multiply_add(r[u], y, sum[j][u]);
            }
        }
#pragma GCC unroll 4
        for (int j = 0; j < J; ++j)
#pragma GCC unroll 4
            for (int u = 0; u < U; ++u) store_packet(sums + (j0 + j) * rows.row + k + u * lanes<T>, sum[j][u]);
    }

    /// The gradients of an edge's radial functions and harmonics.
    template <class T>
    static void contract(const Rows<T>& rows, const T* radial, const T* harmonics, const T* gradient,
                         T* harmonics_gradient) {
        index k = 0;
        for (; k + 4 * lanes<T> <= rows.packed; k += 4 * lanes<T>)
            contract_packets<4>(rows, radial, harmonics, gradient, k);
        for (; k < rows.packed; k += lanes<T>) contract_packets<1>(rows, radial, harmonics, gradient, k);
        weft::detail::sum_rows(rows.dots, rows.components, harmonics_gradient);
    }
    template <int U, class T>
    static WEFT_NOINLINE void contract_packets(const Rows<T>& rows, const T* radial, const T* harmonics,
                                               const T* gradient, index k) {
        Packet<T> r[U], sum[U];
#pragma GCC unroll 4
        for (int u = 0; u < U; ++u) {
            r[u] = load_packet(radial + k + u * lanes<T>);
            sum[u] = splat(T{});
        }
        for (index j = 0; j < rows.components; ++j) {
            const Packet<T> y = splat(harmonics[j]);
            T* const to = rows.dots + j * lanes<T>;
            Packet<T> dot = k == 0 ? splat(T{}) : load_packet(to);
            const T* const from = gradient + j * rows.row + k;
#pragma GCC unroll 4
            for (int u = 0; u < U; ++u) {
                const Packet<T> g = load_packet(from + u * lanes<T>);
                sum[u] = multiply_add(g, y, sum[u]);
                dot = multiply_add(g, r[u], dot);
            }
            store_packet(to, dot);
        }
#pragma GCC unroll 4
        for (int u = 0; u < U; ++u) store_packet(rows.gradient + k + u * lanes<T>, sum[u]);
    }
    /// Between the sums of a node and its row of the result, where the components of a function are next to each other.
    template <class T>
    void turn(const T* from, T* to, index functions, const Rows<T>& rows, bool back) const {
        for (int l = 0; l <= lmax; ++l) {
            const index first = index{l} * l, d = 2 * l + 1;
            for (index z = 0; z < kinds; ++z) {
                const index lying = first * rows.row + z * rows.packed,
                            standing = kinds * functions * first + z * functions * d;
                if (back)
                    weft::detail::transpose_block(from + standing, d, functions, d, to + lying, rows.row);
                else
                    weft::detail::transpose_block(from + lying, rows.row, d, functions, to + standing, d);
            }
        }
    }
};

} // namespace detail

/// The densities around the nodes of a graph, projected on functions: for each destination, kind z of edge and radial
/// function k the sums over its edges of that kind of radial[e, k] harmonics[e]. radial [E, K], or [rows, K] with the
/// row [E] of each edge where edges share rows, harmonics [E, (lmax + 1)^2], kind [E] from 0 to below `kinds`, to
/// features [N_dst, kinds K (lmax + 1)^2] in the layout mul_ir of the irreps (kinds K) x (0e + 1o + 2e + ...), copies
/// by kind, then function: the one-particle basis of the atomic cluster expansion (Drautz, Physical Review B 99,
/// 014104, 2019). With networks for radial functions, a linear map of it is a convolution of scalars that depend on the
/// kind of the sender only, at a fraction of the cost. Gradients of any order by both. O(E K (lmax + 1)^2). Errors:
/// extents that do not fit; a kind out of range.
template <Expression R, Expression Y>
auto density_projection(const Graph& g, const Tensor<std::int32_t, 1>& kind, index kinds, const R& radial,
                        const Y& harmonics, const Tensor<std::int32_t, 1>& row = {}) {
    static_assert(R::rank == 2 && Y::rank == 2, "weft: density_projection: radial is [E, K], harmonics [E, dim]");
    constexpr const char* name = "density_projection";
    const index edges = g.num_edges(), dim = harmonics.extent(1);
    const int lmax = static_cast<int>(std::lround(std::sqrt(static_cast<double>(dim)))) - 1;
    if (lmax < 0 || index{lmax + 1} * (lmax + 1) != dim)
        throw error(name, "harmonics are {}: must be those of the degrees 0 to lmax",
                    weft::detail::shape_text(harmonics.shape()));
    const detail::EdgeRows rows(row);
    rows.require(name, edges, radial.extent(0));
    if (harmonics.extent(0) != edges || kind.size() != edges)
        throw error(name, "{} edges, but harmonics {}, kinds {}: must have a row for each", edges,
                    weft::detail::shape_text(harmonics.shape()), weft::detail::shape_text(kind.shape()));
    for (const std::int32_t z : kind.values())
        if (z < 0 || z >= kinds) throw error(name, "a kind is {}: must be from 0 to below {}", z, kinds);
    return apply_operation(detail::DensityProjection{g, kind, kinds, rows, lmax}, radial, harmonics);
}

} // namespace weft::inline WEFT_ABI::so3
