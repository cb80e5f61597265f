// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/format_scalar.hpp>
#include <weft/graph/self_loops.hpp>

/// Normalised adjacency and Laplacian matrices as graphs with weights. Gradients flow through given weights; what
/// depends on the graph alone is kept with it.
namespace weft::inline WEFT_ABI {

/// Which Laplacian of the adjacency matrix A with the row sums D.
enum class Laplacian {
    unnormalized, ///< D - A
    symmetric,    ///< I - D^-1/2 A D^-1/2
    random_walk,  ///< I - D^-1 A
};

namespace detail {

/// degree^-1/2; 0 where the degree is 0. Errors: a negative degree.
template <class D>
auto inverse_sqrt_degree(const char* operation, const D& degree) {
    using T = typename D::value_type;
    const T* const values = degree.data();
    for (index i = 0; i < degree.size(); ++i)
        if (values[i] < T(0))
            throw error(operation, "the weights of node {} add up to {}: degrees must not be negative", i, values[i]);
    // The inner selection keeps the slope of nodes without weight finite.
    return eval(where(degree > T(0), rsqrt(where(degree > T(0), degree, T(1))), T(0)));
}

} // namespace detail

/// The entries of the Laplacian matrix of a square graph with edge weights w [E]: an edge from r to c is the entry
/// (r, c) of A. Loops are left out; duplicates add up. The edges come first, then the diagonal of nodes 0, ..., N - 1.
/// A node whose edges weigh 0 has zeros for its powers of D: its diagonal is 0 unnormalised and 1 otherwise.
/// Errors: the graph is not square; w is not [E]; a negative degree with Laplacian::symmetric.
template <Expression W>
requires(W::rank == 1) auto laplacian(const Graph& g, const W& w, Laplacian kind = Laplacian::unnormalized) {
    using T = typename W::value_type;
    const index nodes = g.num_nodes();
    detail::check_edge_rows("laplacian", g, w);
    const auto loopless = remove_self_loops(g, w);
    const Graph& plain = loopless.graph;
    const auto& weight = loopless.weight;
    const auto& rows = plain.sources();
    const auto degree = scatter(weight, rows, nodes);
    const auto ones = Tensor<T, 1>::ones({nodes});
    const auto entries = [&] {
        switch (kind) {
        case Laplacian::symmetric: {
            const auto scale = detail::inverse_sqrt_degree("laplacian", degree);
            return concat(0, -(weight * gather(scale, rows) * gather(scale, plain.destinations())), ones);
        }
        case Laplacian::random_walk: {
            const auto scale = eval(where(degree != T(0), T(1) / where(degree != T(0), degree, T(1)), T(0)));
            return concat(0, -(weight * gather(scale, rows)), ones);
        }
        default:
            return concat(0, -weight, degree);
        }
    }();
    return WeightedGraph{add_self_loops(plain), entries};
}
/// The same with every edge of weight 1; kept with the graph.
template <class T = float>
WeightedGraph<Tensor<T, 1>> laplacian(const Graph& g, Laplacian kind = Laplacian::unnormalized) {
    struct Key {
        Laplacian kind;
        bool operator==(const Key&) const = default;
    };
    auto weight = g.cached(Key{kind}, [&] { return laplacian(g, Tensor<T, 1>::ones({g.num_edges()}), kind).weight; });
    return {add_self_loops(remove_self_loops(g)), std::move(weight)};
}

/// Options of `gcn_norm`.
struct GcnNormOptions {
    /// Loops that are added weigh 2 instead of 1.
    bool improved = false;
    bool add_self_loops = true;
    bool operator==(const GcnNormOptions&) const = default;
};

/// The normalisation of graph convolutions (Kipf & Welling, arXiv 1609.02907) of a square graph with edge weights
/// w [E]: first add_remaining_self_loops; then an edge from j to i weighs w / sqrt(d_j d_i), where d_i is the sum of
/// the weights that enter i, and 0 where d is 0. Errors: the graph is not square; w is not [E]; a negative degree.
template <Expression W>
requires(W::rank == 1) auto gcn_norm(const Graph& g, const W& w, const GcnNormOptions& options = {}) {
    using T = typename W::value_type;
    const index nodes = g.num_nodes();
    detail::check_edge_rows("gcn_norm", g, w);
    const auto normalized = [&](const Graph& h, const auto& weight) {
        const auto scale = detail::inverse_sqrt_degree("gcn_norm", scatter(weight, h.destinations(), nodes));
        return WeightedGraph{h, eval(gather(scale, h.sources()) * weight * gather(scale, h.destinations()))};
    };
    if (!options.add_self_loops) return normalized(g, eval(w));
    const auto looped = add_remaining_self_loops(g, w, options.improved ? T(2) : T(1));
    return normalized(looped.graph, looped.weight);
}

/// gcn_norm of a graph whose edges weigh 1, without a weight per edge: the product of the normalised adjacency matrix
/// and x [N, F] is `scale * sum_in(graph, src(scale * x)) + self * x`, `scale` and `self` as columns.
template <class T>
struct GcnScale {
    Graph graph;        ///< without the loops that are in `self`
    Tensor<T, 1> scale; ///< [N] 1 / sqrt(degree), 0 where the degree is 0
    Tensor<T, 1> self;  ///< [N] the weight of each node's loop, divided by its degree
};

/// See GcnScale; kept with the graph. Errors: the graph is not square.
template <class T = float>
GcnScale<T> gcn_norm(const Graph& g, const GcnNormOptions& options = {}) {
    const index nodes = g.num_nodes();
    const Graph plain = options.add_self_loops ? remove_self_loops(g) : g;
    struct Key {
        GcnNormOptions options;
        bool operator==(const Key&) const = default;
    };
    const auto [scale, self] = g.cached(Key{options}, [&] {
        auto loop = Tensor<T, 1>::full({nodes}, T(options.add_self_loops ? (options.improved ? 2 : 1) : 0));
        if (options.add_self_loops && g.has_self_loops())
            for (index e = 0; e < g.num_edges(); ++e)
                if (const auto i = g.sources().data()[e]; i == g.destinations().data()[e]) loop(i) = T(1);
        const auto root = detail::inverse_sqrt_degree("gcn_norm", Tensor<T, 1>(plain.template in_degree<T>() + loop));
        return std::pair(root, Tensor<T, 1>(root * loop * root));
    });
    return {plain, scale, self};
}

} // namespace weft::inline WEFT_ABI
