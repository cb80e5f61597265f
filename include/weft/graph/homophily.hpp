// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/coalesce.hpp>

#include <algorithm>
#include <array>
#include <cmath>

/// How much the edges of a graph and their directions say about classes of nodes. Classes are [N]; a negative one is
/// not known, and pairs with such a node do not count.
namespace weft::inline WEFT_ABI {

/// The share of the edges between different nodes, duplicates taken once, that also go the other way; 0 without any.
/// O(N + E). Errors: the graph is not square.
template <class = void>
double reciprocity(const Graph& g) {
    g.num_nodes();
    const Graph once = coalesce(remove_self_loops(g));
    if (once.num_edges() == 0) return 0;
    // Each pair that goes both ways is one edge less.
    const index both = 2 * once.num_edges() - to_undirected(once).num_edges();
    return static_cast<double>(both) / static_cast<double>(once.num_edges());
}

namespace detail {

template <class C>
void check_classes(const char* operation, const Graph& g, const Tensor<C, 1>& classes) {
    if (classes.size() != g.num_nodes())
        throw error(operation, "classes is {}: it must be [{}], one for each node", shape_text(classes.shape()),
                    g.num_nodes());
}

} // namespace detail

/// The share of edges between nodes of the same class, loops and duplicates included; NaN where no edge counts. Errors:
/// the graph is not square; classes are not [N].
template <std::integral C>
double edge_homophily(const Graph& g, const Tensor<C, 1>& classes) {
    detail::check_classes("edge_homophily", g, classes);
    index equal = 0, all = 0;
    for (index e = 0; e < g.num_edges(); ++e) {
        const C a = classes.data()[g.sources().data()[e]], b = classes.data()[g.destinations().data()[e]];
        if (a < 0 || b < 0) continue;
        ++all;
        equal += a == b;
    }
    return static_cast<double>(equal) / static_cast<double>(all);
}

/// A way from u to v along at most two edges, with the adjacency matrix A.
struct PatternHomophily {
    const char* pattern;    ///< the matrix whose entry (u, v) counts such ways: "A", "A^T", "A A", ...
    double homophily = 0;   ///< the share of them that joins equal classes, u != v; NaN where there is none
    double correlation = 0; ///< over all pairs u != v, of there being such a way and the classes being equal
};

/// What the directions of edges say about classes.
struct DirectedHomophily {
    std::array<PatternHomophily, 6> patterns; ///< A, A^T, A A, A^T A^T, A A^T, A^T A
    /// The largest minus the smallest squared correlation among the four patterns of two edges: 0 where directions make
    /// no difference. It orders data sets; its size has no meaning of its own.
    double score = 0;
};

namespace detail {

/// Ways from u along the edges of `first`, and then of `second` if there is one, both by the node they start at.
template <class C>
PatternHomophily pattern_homophily(const char* name, const Csr& first, const Csr* second, const Tensor<C, 1>& classes,
                                   double pairs, double equal_pairs) {
    const index nodes = classes.size();
    const C* const y = classes.data();
    struct Sums {
        index ways = 0, equal_ways = 0, joined = 0, equal_joined = 0;
    };
    const auto chunks = first.chunks();
    std::vector<Sums> counts(chunks.size() - 1);
    const double cost = static_cast<double>(first.col.size() + nodes) * (second ? 20 : 2);
    for_each_chunk(static_cast<index>(counts.size()), cost, [&](index chunk) {
        Sums sum;
        std::vector<index> ways(static_cast<std::size_t>(nodes), 0);
        std::vector<std::int32_t> reached;
        const auto add = [&](std::int32_t v) {
            if (ways[static_cast<std::size_t>(v)]++ == 0) reached.push_back(v);
        };
        for (index u = chunks[static_cast<std::size_t>(chunk)]; u < chunks[static_cast<std::size_t>(chunk) + 1]; ++u) {
            for (index e = first.row_ptr.data()[u]; y[u] >= 0 && e < first.row_ptr.data()[u + 1]; ++e) {
                const std::int32_t w = first.col.data()[e];
                if (!second) add(w);
                for (index f = second ? second->row_ptr.data()[w] : 0; second && f < second->row_ptr.data()[w + 1]; ++f)
                    add(second->col.data()[f]);
            }
            for (const std::int32_t v : reached) {
                const index count = std::exchange(ways[static_cast<std::size_t>(v)], 0);
                if (v == u || y[v] < 0) continue;
                sum.ways += count;
                ++sum.joined;
                if (y[v] != y[u]) continue;
                sum.equal_ways += count;
                ++sum.equal_joined;
            }
            reached.clear();
        }
        counts[static_cast<std::size_t>(chunk)] = sum;
    });
    Sums all;
    for (const Sums& c : counts)
        all = {all.ways + c.ways, all.equal_ways + c.equal_ways, all.joined + c.joined,
               all.equal_joined + c.equal_joined};
    const auto joined = static_cast<double>(all.joined);
    const double spread = std::sqrt(joined * (pairs - joined)) * std::sqrt(equal_pairs * (pairs - equal_pairs));
    const double covariance = pairs * static_cast<double>(all.equal_joined) - joined * equal_pairs;
    return {name, static_cast<double>(all.equal_ways) / static_cast<double>(all.ways),
            spread > 0 ? covariance / spread : 0};
}

} // namespace detail

/// See DirectedHomophily; the idea is that of Sun et al., Breaking the Entanglement of Homophily and Heterophily in
/// Semi-supervised Node Classification (AMUD, arXiv 2312.04111). Pairs are not stored. O(N + ways of two edges).
/// Errors: the graph is not square; classes are not [N].
template <std::integral C>
DirectedHomophily directed_homophily(const Graph& g, const Tensor<C, 1>& classes) {
    detail::check_classes("directed_homophily", g, classes);
    std::vector<C> known;
    for (const C c : classes.values())
        if (c >= 0) known.push_back(c);
    std::sort(known.begin(), known.end());
    const auto ordered_pairs = [](double n) { return n * (n - 1); };
    double equal_pairs = 0;
    for (auto run = known.begin(); run != known.end();) {
        const auto end = std::upper_bound(run, known.end(), *run);
        equal_pairs += ordered_pairs(static_cast<double>(end - run));
        run = end;
    }
    const double pairs = ordered_pairs(static_cast<double>(known.size()));
    const auto pattern = [&](const char* name, const Csr& first, const Csr* second) {
        return detail::pattern_homophily(name, first, second, classes, pairs, equal_pairs);
    };
    const Csr &out = g.out(), &in = g.in();
    DirectedHomophily h{{pattern("A", out, nullptr), pattern("A^T", in, nullptr), pattern("A A", out, &out),
                         pattern("A^T A^T", in, &in), pattern("A A^T", out, &in), pattern("A^T A", in, &out)},
                        0};
    double low = 1, high = 0;
    for (std::size_t p = 2; p < h.patterns.size(); ++p) {
        const double square = h.patterns[p].correlation * h.patterns[p].correlation;
        low = std::min(low, square);
        high = std::max(high, square);
    }
    h.score = high - low;
    return h;
}

} // namespace weft::inline WEFT_ABI
