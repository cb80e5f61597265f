// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math.hpp>
#include <weft/graph/normalize.hpp>

/// Normalised adjacency matrices A of directed graphs: an edge from u to v is the entry (u, v), duplicates add up.
/// D_out are the sums of rows, D_in those of columns.
namespace weft::inline WEFT_ABI {

/// Which normalised adjacency matrix.
enum class DirectedNorm {
    row,       ///< D_out^-1 A
    column,    ///< A D_in^-1
    symmetric, ///< D_out^-1/2 A D_in^-1/2, whose singular values are at most 1 when no weight is negative
};

namespace detail {

/// Weights of edges, landed. Errors: w is not [E]; a weight is not a number.
template <Expression W>
requires(W::rank == 1) auto checked_weights(const char* operation, const Graph& g, const W& w) {
    check_edge_rows(operation, g, w);
    const auto values = eval(w);
    const auto* const p = values.data();
    for (index e = 0; e < values.size(); ++e)
        if (!(p[e] == p[e])) throw error(operation, "the weight of edge {} is not a number", e);
    return values;
}

/// 1 / degree; 0 where the degree is 0.
template <class D>
auto inverse_degree(const D& degree) {
    using T = typename D::value_type;
    return eval(where(degree != T(0), T(1) / where(degree != T(0), degree, T(1)), T(0)));
}

} // namespace detail

/// The entries of the normalised matrix, [E], one for each edge of g, which has weights w [E]; the power of a degree 0
/// is 0. Gradients flow through w. Errors: w is not [E]; a weight is not a number; a negative degree with
/// DirectedNorm::symmetric.
template <Expression W>
requires(W::rank == 1) auto directed_norm(const Graph& g, const W& w, DirectedNorm kind = DirectedNorm::symmetric) {
    const auto weight = detail::checked_weights("directed_norm", g, w);
    const auto out = [&] { return scatter(weight, g.sources(), g.num_src()); };
    const auto in = [&] { return scatter(weight, g.destinations(), g.num_dst()); };
    switch (kind) {
    case DirectedNorm::row:
        return eval(weight * gather(detail::inverse_degree(out()), g.sources()));
    case DirectedNorm::column:
        return eval(weight * gather(detail::inverse_degree(in()), g.destinations()));
    default:
        return eval(gather(detail::inverse_sqrt_degree("directed_norm", out()), g.sources()) * weight *
                    gather(detail::inverse_sqrt_degree("directed_norm", in()), g.destinations()));
    }
}

/// DirectedNorm::symmetric of a graph whose edges weigh 1, without a weight per edge.
template <class T>
struct DirectedScale {
    Tensor<T, 1> out; ///< [num_src] 1 / sqrt(out-degree), 0 where that is 0
    Tensor<T, 1> in;  ///< [num_dst] 1 / sqrt(in-degree), 0 where that is 0
};

/// See DirectedScale; kept with the graph.
template <class T = float>
DirectedScale<T> directed_norm(const Graph& g) {
    struct Key {
        bool operator==(const Key&) const = default;
    };
    return g.cached(Key{}, [&] {
        return DirectedScale<T>{detail::inverse_sqrt_degree("directed_norm", g.out_degree<T>()),
                                detail::inverse_sqrt_degree("directed_norm", g.in_degree<T>())};
    });
}

} // namespace weft::inline WEFT_ABI
