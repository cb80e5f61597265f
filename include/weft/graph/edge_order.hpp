// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/graph/graph.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// Rows of values per edge, moved between the order of the edges and the order of their destinations.
struct EdgeOrder {
    static constexpr auto name = "edge_order";
    Graph graph;
    bool by_destination; // the order of the result

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x) const {
        return permuted(x, by_destination);
    }
    template <class T, int N, class Sink>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>&) const {
        if (sink.template wants<0>()) sink.template add<0>(permuted(dy, !by_destination));
    }

private:
    template <class T, int N>
    Tensor<T, N> permuted(const Tensor<T, N>& x, bool gather) const {
        const Csr& in = graph.in();
        if (in.eid_is_identity) return x;
        auto y = Tensor<T, N>::empty(x.shape());
        const index edges = x.extent(0), width = row_size(x.shape());
        const index grain = std::max<index>(1, (index{1} << 14) / std::max<index>(width, 1));
        const std::int32_t* const eid = in.eid.data();
        const T* const from = x.data();
        T* const to = y.mutable_data();
        for_each_chunk((edges + grain - 1) / grain, static_cast<double>(x.size()) * 0.3, [&](index chunk) {
            for (index p = chunk * grain, end = std::min(edges, p + grain); p < end; ++p) {
                const index a = (gather ? eid[p] : p) * width, b = (gather ? p : eid[p]) * width;
                std::copy_n(from + a, width, to + b);
            }
        });
        return y;
    }
};

/// Errors: w has not one row for each edge of g.
template <Expression W>
void check_edge_rows(const char* operation, const Graph& g, const W& w, const char* argument = "w") {
    static_assert(W::rank >= 1, "weft: values of edges have a row for each edge: [E] or [E, ...]");
    if (w.shape()[0] != g.num_edges())
        throw error(operation, "{} is {}, the graph has {} edges: there must be one row for each edge", argument,
                    shape_text(w.shape()), g.num_edges());
}

} // namespace detail

/// Values of edges w [E, ...] in the order of `g.in()`: row p of the result belongs to the edge of slot p. Errors: w
/// has not one row for each edge.
template <Expression W>
auto to_destination_order(const Graph& g, const W& w) {
    detail::check_edge_rows("to_destination_order", g, w);
    return apply_operation(detail::EdgeOrder{g, true}, w);
}

/// The inverse of to_destination_order: rows by slot of `g.in()` in the order in which the edges were given.
template <Expression W>
auto from_destination_order(const Graph& g, const W& w) {
    detail::check_edge_rows("from_destination_order", g, w);
    return apply_operation(detail::EdgeOrder{g, false}, w);
}

} // namespace weft::inline WEFT_ABI
