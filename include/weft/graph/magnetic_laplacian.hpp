// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/graph/coalesce.hpp>
#include <weft/graph/directed_norm.hpp>

#include <numbers>

/// The magnetic Laplacian of a directed graph: Zhang et al., MagNet: A Neural Network for Directed Graphs (arXiv
/// 2102.11391).
namespace weft::inline WEFT_ABI {

/// A Hermitian matrix: complex entries of edges, none of which is a loop, and a real diagonal.
template <class W, class D>
struct MagneticLaplacian {
    Graph graph; ///< an edge from u to v is the entry (u, v); sorted by source, then destination, each pair once
    W entries;   ///< [E', 2] real and imaginary parts
    D diagonal;  ///< [N]
};

template <class W, class D>
MagneticLaplacian(Graph, W, D) -> MagneticLaplacian<W, D>;

/// L = D - H with H = S o exp(2 pi i q (A - A^T)), S = (A + A^T) / 2 and the row sums D of S, or
/// I - D^-1/2 H D^-1/2 with Laplacian::symmetric, of a square graph with edge weights w [E] whose adjacency matrix is
/// A: loops are left out, duplicates add up. The charge q [1] says how much directions count; q = 0 is the Laplacian
/// of S. Gradients flow through w and q. The row of a node without edges is that of D or I. O(N + E). Errors: the graph
/// is not square; w is not [E], or a weight not a number; q is not in [0, 1/2]; a row of S adds up to less than 0;
/// Laplacian::random_walk, which is not Hermitian.
template <Expression W, Expression Q>
requires(W::rank == 1 && Q::rank == 1) auto magnetic_laplacian(const Graph& g, const W& w, const Q& charge,
                                                               Laplacian kind = Laplacian::symmetric) {
    using T = typename W::value_type;
    constexpr auto name = "magnetic_laplacian";
    const index nodes = g.num_nodes();
    const auto q = eval(charge);
    if (q.size() != 1) throw error(name, "q is {}: it must be [1]", detail::shape_text(q.shape()));
    if (!(*q.data() >= T(0) && *q.data() <= T(0.5))) throw error(name, "q is {}: must be in [0, 1/2]", *q.data());
    if (kind == Laplacian::random_walk) throw error(name, "the kind must be unnormalized or symmetric");
    const auto plain = remove_self_loops(g, detail::checked_weights(name, g, w));
    struct Key {
        bool operator==(const Key&) const = default;
    };
    const auto pairs =
        plain.graph.cached(Key{}, [&] { return detail::coalesced(detail::both_directions(plain.graph)); });
    const index edges = plain.graph.num_edges(), entries = pairs.graph.num_edges();
    const auto a = scatter(plain.weight, slice(pairs.to, 0, 0, edges), entries);
    const auto b = scatter(plain.weight, slice(pairs.to, 0, edges), entries);
    const auto s = eval((a + b) * T(0.5));
    const auto angle = eval((a - b) * q * T(2 * std::numbers::pi));
    const auto &from = pairs.graph.sources(), &to = pairs.graph.destinations();
    const auto degree = scatter(s, from, nodes);
    const auto scale = detail::inverse_sqrt_degree(name, degree);
    using Diagonal = std::remove_const_t<decltype(degree)>;
    const bool symmetric = kind == Laplacian::symmetric;
    const auto size = symmetric ? eval(-s * (gather(scale, from) * gather(scale, to))) : eval(-s);
    return MagneticLaplacian{pairs.graph, stack(1, size * cos(angle), size * sin(angle)),
                             symmetric ? Diagonal(Tensor<T, 1>::ones({nodes})) : degree};
}
/// The same with a q that is not trained.
template <Expression W>
requires(W::rank == 1) auto magnetic_laplacian(const Graph& g, const W& w, double q,
                                               Laplacian kind = Laplacian::symmetric) {
    using T = typename W::value_type;
    return magnetic_laplacian(g, w, Tensor<T, 1>::full({1}, T(q)), kind);
}

/// The same of a graph whose edges weigh 1. Kept with the graph.
template <class T = float>
auto magnetic_laplacian(const Graph& g, double q, Laplacian kind = Laplacian::symmetric) {
    struct Key {
        double q;
        Laplacian kind;
        bool operator==(const Key&) const = default;
    };
    return g.cached(Key{q, kind}, [&] { return magnetic_laplacian(g, Tensor<T, 1>::ones({g.num_edges()}), q, kind); });
}

} // namespace weft::inline WEFT_ABI
