// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/coalesce.hpp>
#include <weft/graph/directed_norm.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/graph/two_hop.hpp>

/// Matrices of directed graphs that layers propagate with, made once before training: an edge from u to v is the entry
/// (u, v); duplicates add up. They are computed in double and carry no gradient. Errors of all: the graph is not
/// square; w is not [E]; a weight is negative or not finite.
namespace weft::inline WEFT_ABI {

/// By which degree of the node in between a proximity is divided.
enum class ProximityDivisor {
    code, ///< the one on the side of the edges, as in the authors' program: in-degree for Step::against first
    paper ///< the other one
};

namespace detail {

/// In double. Its functions are templates of that type so that who does not call them need not compile them.
template <std::same_as<double> Real>
using Operator = WeightedGraph<Tensor<Real, 1>>;

template <class T, Expression W>
requires(W::rank == 1) Tensor<double, 1> checked_operator_weights(const char* name, const Graph& g, const W& w) {
    static_assert(std::floating_point<T>, "weft: operators of directed graphs take weights of float or double");
    g.num_nodes();
    check_edge_rows(name, g, w);
    const Tensor<double, 1> weight = cast<double>(eval(w).tensor());
    for (index e = 0; e < weight.size(); ++e)
        if (!(weight.data()[e] >= 0 && weight.data()[e] < std::numeric_limits<double>::infinity()))
            throw error(name, "the weight of edge {} is {}: must be finite and not negative", e, weight.data()[e]);
    return weight;
}
template <class T>
WeightedGraph<Tensor<T, 1>> operator_as(const Operator<double>& m) {
    return {m.graph, Tensor<T, 1>(cast<T>(m.weight))};
}

/// P = D^-1 (A + I), coalesced.
template <class Real>
Operator<Real> lazy_walk(const Graph& g, const Tensor<Real, 1>& w) {
    const auto looped = add_self_loops(g, w);
    const auto sum = coalesce(looped.graph, looped.weight);
    return {sum.graph, directed_norm(sum.graph, sum.weight, DirectedNorm::row)};
}

inline void check_teleport(const char* name, double alpha) {
    if (!(alpha > 0 && alpha < 1)) throw error(name, "alpha is {}: must be between 0 and 1", alpha);
}

/// Left Perron vector of [[(1 - alpha) P, alpha], [1 / n, 0]], without its last element, of sum 1.
template <class Real>
Tensor<Real, 1> teleport_distribution(const char* name, const Operator<Real>& walk, double alpha) {
    const index nodes = walk.graph.num_nodes();
    if (nodes == 0) return Tensor<Real, 1>::zeros({0});
    const double n = static_cast<double>(nodes);
    auto x = Tensor<Real, 1>::full({nodes}, 1 / (n + 1));
    double outside = 1 / (n + 1);
    // Close to 0 and to 1, where the chain is nearly periodic, a step shrinks differences by a factor like 1 - alpha
    // or alpha: some 33 / (alpha (1 - alpha)) of them are needed.
    const index most = 200 + static_cast<index>(150 / (alpha * (1 - alpha)));
    for (index step = 0; step < most; ++step) {
        const Tensor<Real, 1> next = (1 - alpha) * sum_in(walk.graph, src(x) * edge(walk.weight)) + outside / n;
        const double leaves = alpha * sum(x).item();
        const double change = sum(abs(next - x)).item() + std::abs(leaves - outside);
        x = next;
        outside = leaves;
        if (change < 1e-14) return x / sum(x).item();
    }
    throw error(name, "the power iteration does not converge in {} steps", most);
}

/// (Pi^1/2 P Pi^-1/2 + Pi^-1/2 P^T Pi^1/2) / 2
template <class Real>
Operator<Real> symmetrized_walk(const char* name, const Graph& g, const Tensor<Real, 1>& w, double alpha) {
    check_teleport(name, alpha);
    const Operator<Real> walk = lazy_walk(g, w);
    const Tensor<Real, 1> root = sqrt(teleport_distribution(name, walk, alpha));
    return to_undirected(walk.graph, walk.weight * gather(root, walk.graph.sources()) * 0.5 /
                                         gather(root, walk.graph.destinations()));
}

} // namespace detail

/// The distribution [N] that a random walk with P = D^-1 (A + I) tends to which teleports: at each step it leaves with
/// probability alpha for one more state, and comes from there to a node at random. The left Perron vector of
/// [[(1 - alpha) P, alpha], [1 / n, 0]] without its last element, of sum 1, by power iteration until a step changes it
/// by less than 1e-14. Tong et al., Digraph Inception Convolutional Networks (NeurIPS 2020). Errors: also alpha is not
/// between 0 and 1.
template <Expression W>
auto stationary_distribution(const Graph& g, const W& w, double alpha = 0.1) {
    using T = typename W::value_type;
    constexpr auto name = "stationary_distribution";
    const auto weight = detail::checked_operator_weights<T>(name, g, w);
    detail::check_teleport(name, alpha);
    return Tensor<T, 1>(cast<T>(detail::teleport_distribution(name, detail::lazy_walk(g, weight), alpha)));
}

/// DiGCN's symmetric adjacency matrix of the first order: M = (Pi^1/2 P Pi^-1/2 + Pi^-1/2 P^T Pi^1/2) / 2 with Pi the
/// diagonal of stationary_distribution, then D^-1/2 M D^-1/2 with the row sums D of M. Errors: also alpha is not
/// between 0 and 1.
template <Expression W>
auto ppr_adjacency(const Graph& g, const W& w, double alpha = 0.1) {
    using T = typename W::value_type;
    constexpr auto name = "ppr_adjacency";
    const auto m = detail::symmetrized_walk(name, g, detail::checked_operator_weights<T>(name, g, w), alpha);
    return detail::operator_as<T>({m.graph, directed_norm(m.graph, m.weight)});
}

/// The Laplacian of Chung, I - (Pi^1/2 P Pi^-1/2 + Pi^-1/2 P^T Pi^1/2) / 2, with P = D^-1 (A + I) and
/// stationary_distribution, which teleports make positive. Errors: also alpha is not between 0 and 1.
template <Expression W>
auto chung_laplacian(const Graph& g, const W& w, double alpha = 0.1) {
    using T = typename W::value_type;
    constexpr auto name = "chung_laplacian";
    const auto m = detail::symmetrized_walk(name, g, detail::checked_operator_weights<T>(name, g, w), alpha);
    Tensor<double, 1> entries = -m.weight; // every node has a loop
    double* const to = entries.mutable_data();
    for (index e = 0; e < entries.size(); ++e)
        if (m.graph.sources().data()[e] == m.graph.destinations().data()[e]) to[e] += 1;
    return detail::operator_as<T>({m.graph, entries});
}

/// DiGCN's adjacency matrix of the second order: (P^T P + P P^T) / 2 where both are not 0, with P = D^-1 (A + I), then
/// divided by the square roots of its row sums. Two nodes are neighbours if the walks meet before and after them. Cost
/// as two_hop.
template <Expression W>
auto second_order_adjacency(const Graph& g, const W& w) {
    using T = typename W::value_type;
    const auto walk = detail::lazy_walk(g, detail::checked_operator_weights<T>("second_order_adjacency", g, w));
    const double* const p = walk.weight.data();
    const auto m = detail::matrix_of_rows(walk.graph, 3, [&](index u, auto& rows) {
        detail::add_two_hop_row(rows[1], walk.graph, p, Step::against, Step::along, nullptr, u);
        detail::add_two_hop_row(rows[2], walk.graph, p, Step::along, Step::against, nullptr, u);
        for (const index v : rows[1].columns())
            if (rows[1][v] != 0 && rows[2][v] != 0) rows[0].add(v, (rows[1][v] + rows[2][v]) / 2);
    });
    return detail::operator_as<T>({m.graph, directed_norm(m.graph, m.weight)});
}

/// DGCN's proximity of the second order (Tong et al., arXiv 2004.13970): A^T C^-1 A, of nodes that edges enter from the
/// same nodes, with Step::against first, or A C^-1 A^T, of nodes with edges to the same nodes, with Step::along. The
/// degrees C of the nodes in between, at least 1, are those that the divisor says. Cost as two_hop.
template <Expression W>
auto second_order_proximity(const Graph& g, const W& w, Step first, ProximityDivisor divisor = ProximityDivisor::code) {
    using T = typename W::value_type;
    const auto weight = detail::checked_operator_weights<T>("second_order_proximity", g, w);
    const bool in_degree = (first == Step::against) == (divisor == ProximityDivisor::code);
    const auto degree = scatter(weight, in_degree ? g.destinations() : g.sources(), g.num_nodes());
    const Tensor<double, 1> scale = 1.0 / maximum(degree, 1.0);
    const Step second = first == Step::along ? Step::against : Step::along;
    return detail::operator_as<T>(detail::matrix_of_rows(g, 1, [&](index u, auto& rows) {
        detail::add_two_hop_row(rows[0], g, weight.data(), first, second, scale.data(), u);
    }));
}

} // namespace weft::inline WEFT_ABI
