// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_leaf_kernel.hpp>
#include <weft/graph/edge_order.hpp>

/// Sums of complex numbers over edges. Complex rows are [2, F], the real parts and then the imaginary ones, so that
/// a real matrix multiplies both in one product; one complex number per edge is [E, 2].
namespace weft::inline WEFT_ABI {

namespace detail {

/// y[row] = sum over the slots of the row of w x[col], with w conjugated if asked for: the real and the imaginary part
/// of a source are read once.
template <class T>
Tensor<T, 3> complex_rows(const Csr& csr, const Tensor<T, 3>& x, const Tensor<T, 2>& w, bool conjugate) {
    using P = Packet<T>;
    const index rows = csr.row_ptr.size() - 1, edges = csr.col.size(), width = x.extent(2);
    auto y = Tensor<T, 3>::empty({rows, 2, width});
    T* const to = y.mutable_data();
    const T *const from = x.data(), *const weight = w.data(), sign = T(conjugate ? -1 : 1);
    const std::int32_t *const ptr = csr.row_ptr.data(), *const col = csr.col.data(), *const eid = csr.eid.data();
    const auto block = [&]<index B>(std::integral_constant<index, B>, index row, index f) {
        P re[B], im[B];
        index at[B]; // packets behind the row's end repeat its last one
#pragma GCC unroll 4
        for (index b = 0; b < B; ++b) {
            re[b] = im[b] = splat(T(0));
            at[b] = std::min(f + b * lanes<T>, (width - 1) / lanes<T> * lanes<T>);
        }
        for (index e = ptr[row]; e < ptr[row + 1]; ++e) {
            const T* const ahead = from + 2 * width * col[std::min(e + prefetch_distance, edges - 1)];
            const T* const in = from + 2 * width * col[e];
            const P wr = splat(weight[2 * eid[e]]), wi = splat(T(sign * weight[2 * eid[e] + 1])), minus_wi = P(0) - wi;
#pragma GCC unroll 4
            for (index b = 0; b < B; ++b) {
                fetch_ahead(ahead + at[b]);
                fetch_ahead(ahead + width + at[b]);
                const P a = load_packet(in + at[b]), c = load_packet(in + width + at[b]);
                re[b] = multiply_add(wr, a, multiply_add(minus_wi, c, re[b]));
                im[b] = multiply_add(wr, c, multiply_add(wi, a, im[b]));
            }
        }
#pragma GCC unroll 4
        for (index b = 0; b < B; ++b) {
            if (f + b * lanes<T> >= width) break;
            store_features(to + 2 * row * width, re[b], at[b], width);
            store_features(to + (2 * row + 1) * width, im[b], at[b], width);
        }
    };
    const auto chunks = csr.chunks();
    const double cost = static_cast<double>(edges) * (3 + 0.6 * static_cast<double>(width));
    for_each_chunk(static_cast<index>(chunks.size()) - 1, cost, [&](index chunk) {
        const index begin = chunks[static_cast<std::size_t>(chunk)], end = chunks[static_cast<std::size_t>(chunk) + 1];
        for (index f = 0; f < width;) {
            const index packets = width - f > 2 * lanes<T> ? 4 : width - f > lanes<T> ? 2 : 1;
            for (index row = begin; row < end; ++row)
                if (packets == 4)
                    block(std::integral_constant<index, 4>{}, row, f);
                else if (packets == 2)
                    block(std::integral_constant<index, 2>{}, row, f);
                else
                    block(std::integral_constant<index, 1>{}, row, f);
            f += packets * lanes<T>;
        }
    });
    return y;
}

struct ComplexSumIn {
    static constexpr auto name = "complex_sum_in";
    Graph graph;

    template <class T>
    Tensor<T, 3> forward(const Tensor<T, 3>& x, const Tensor<T, 2>& w) const {
        return complex_rows(graph.in(), x, w, false);
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 3>& dy, const Tensor<T, 3>&, Sink& sink, const Tensor<T, 3>& x,
                  const Tensor<T, 2>& w) const {
        if (sink.template wants<0>()) sink.template add<0>(complex_rows(graph.out(), dy, w, true));
        if (sink.template wants<1>()) sink.template add<1>(edge_gradient(dy, x));
    }

private:
    /// [E, 2] dy conj(x), summed over the features.
    template <class T>
    Tensor<T, 2> edge_gradient(const Tensor<T, 3>& dy, const Tensor<T, 3>& x) const {
        using P = Packet<T>;
        const Csr& csr = graph.in();
        const index width = x.extent(2);
        auto gradient = Tensor<T, 2>::empty({graph.num_edges(), 2});
        T* const to = gradient.mutable_data();
        const auto chunks = csr.chunks();
        const double cost = static_cast<double>(graph.num_edges()) * (5 + 0.6 * static_cast<double>(width));
        for_each_chunk(static_cast<index>(chunks.size()) - 1, cost, [&](index chunk) {
            for (index row = chunks[static_cast<std::size_t>(chunk)], end = chunks[static_cast<std::size_t>(chunk) + 1];
                 row < end; ++row)
                for (index e = csr.row_ptr.data()[row]; e < csr.row_ptr.data()[row + 1]; ++e) {
                    const T *const d = dy.data() + 2 * width * row, *const a = x.data() + 2 * width * csr.col.data()[e];
                    P re = splat(T(0)), im = splat(T(0));
                    for (index f = 0; f < width; f += lanes<T>) {
                        const P dr = load_packet(d + f), di = load_packet(d + width + f);
                        const P ar = load_packet(a + f), ai = load_packet(a + width + f);
                        re = re + first_lanes<T>(dr * ar + di * ai, width - f);
                        im = im + first_lanes<T>(di * ar - dr * ai, width - f);
                    }
                    to[2 * csr.eid.data()[e]] = sum_lanes<T>(re);
                    to[2 * csr.eid.data()[e] + 1] = sum_lanes<T>(im);
                }
        });
        return gradient;
    }
};

} // namespace detail

/// Sum over the edges that enter each destination of the complex products w[e] x[source of e]: x [N_src, 2, F],
/// w [E, 2], result [N_dst, 2, F], 0 where no edge enters. O(E F). Each row is written by one thread in edge order.
/// Errors: x or w do not fit the graph.
template <Expression X, Expression W>
requires(X::rank == 3 && W::rank == 2) auto complex_sum_in(const Graph& g, const X& x, const W& w) {
    if (x.shape()[0] != g.num_src() || x.shape()[1] != 2)
        throw error("complex_sum_in", "x is {}: it must be [{}, 2, features], real and imaginary parts of {} sources",
                    detail::shape_text(x.shape()), g.num_src(), g.num_src());
    if (w.shape()[0] != g.num_edges() || w.shape()[1] != 2)
        throw error("complex_sum_in", "w is {}: it must be [{}, 2], a complex number for each of {} edges",
                    detail::shape_text(w.shape()), g.num_edges(), g.num_edges());
    return apply_operation(detail::ComplexSumIn{g}, x, w);
}

} // namespace weft::inline WEFT_ABI
