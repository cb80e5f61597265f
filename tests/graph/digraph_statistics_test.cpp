// SPDX-License-Identifier: MIT
// Properties of directed graphs: strong components, topological order, PageRank, reciprocity, homophily, block models.
#include "../core/tensor_checks.hpp"
#include "random_graph.hpp"

#include <weft/graph/block_model.hpp>
#include <weft/graph/bow_tie.hpp>
#include <weft/graph/degree_histogram.hpp>
#include <weft/graph/homophily.hpp>
#include <weft/graph/page_rank.hpp>
#include <weft/graph/strong_components.hpp>
#include <weft/graph/topological_order.hpp>

#include <Eigen/LU>

using namespace weft;
using namespace weft_test;

namespace {

using Pairs = std::vector<std::pair<weft::index, weft::index>>;
using Matrix = Eigen::MatrixXd;

Matrix adjacency(const Graph& g) {
    Matrix a = Matrix::Zero(g.num_nodes(), g.num_nodes());
    for (const auto& [u, v] : edge_list(g)) a(u, v) += 1;
    return a;
}
/// Whether v can be reached from u along edges, or is u.
std::vector<std::vector<bool>> reachable(const Graph& g) {
    const auto n = static_cast<std::size_t>(g.num_nodes());
    std::vector<std::vector<bool>> r(n, std::vector<bool>(n, false));
    for (std::size_t i = 0; i < n; ++i) r[i][i] = true;
    for (const auto& [u, v] : edge_list(g)) r[static_cast<std::size_t>(u)][static_cast<std::size_t>(v)] = true;
    for (std::size_t k = 0; k < n; ++k)
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j)
                if (r[i][k] && r[k][j]) r[i][j] = true;
    return r;
}
/// Edges from lower to higher numbers, with the numbers shuffled.
Graph random_acyclic(weft::index nodes, weft::index edges, unsigned seed) {
    Generator generator{seed};
    const auto name = permutation(generator, nodes);
    Pairs list;
    for (const auto& [u, v] : edge_list(random_graph(nodes, edges, seed)))
        if (u != v)
            list.emplace_back(name[static_cast<std::size_t>(std::min(u, v))],
                              name[static_cast<std::size_t>(std::max(u, v))]);
    return Graph::from_edges(list, nodes);
}

} // namespace

TEST_CASE("strong_components: those of brute-force reachability", "[graph]") {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        const weft::index n = 1 + seed * 39 / 30;
        const Graph g = random_graph(n, n + seed % 7, seed);
        const auto parts = strong_components(g);
        const auto reach = reachable(g);
        std::vector<bool> used(static_cast<std::size_t>(parts.count), false);
        for (weft::index i = 0; i < n; ++i) {
            REQUIRE((parts.component(i) >= 0 && parts.component(i) < parts.count));
            used[static_cast<std::size_t>(parts.component(i))] = true;
            for (weft::index j = 0; j < n; ++j) {
                const auto a = static_cast<std::size_t>(i), b = static_cast<std::size_t>(j);
                REQUIRE((parts.component(i) == parts.component(j)) == (reach[a][b] && reach[b][a]));
            }
        }
        REQUIRE(std::all_of(used.begin(), used.end(), [](bool u) { return u; }));
        for (const auto& [u, v] : edge_list(g)) REQUIRE(parts.component(u) >= parts.component(v));
        REQUIRE(topological_order(condensation(g)).cycle.empty());
    }
    REQUIRE(strong_components(Graph()).count == 0);
}

TEST_CASE("strong_components: a long path needs no stack", "[graph]") {
    constexpr weft::index n = 300000;
    const auto from = arange<std::int32_t>(n - 1);
    const Graph path(from, Tensor<std::int32_t, 1>(from + 1), n, n);
    REQUIRE(strong_components(path).count == n);
    REQUIRE(topological_order(path).level(n - 1) == n - 1);
}

TEST_CASE("bow_tie: what leads to the largest component and what it leads to", "[graph]") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        const weft::index n = 1 + seed * 39 / 20;
        const Graph g = random_graph(n, n + seed % 9, seed);
        const auto tie = bow_tie(g);
        const auto reach = reachable(g);
        const auto size_of = [&](std::size_t u) {
            weft::index size = 0;
            for (std::size_t v = 0; v < reach.size(); ++v) size += reach[u][v] && reach[v][u];
            return size;
        };
        bool found = false; // for one of the largest components, all four numbers
        for (std::size_t core = 0; core < reach.size() && !found; ++core) {
            BowTie expected;
            for (std::size_t v = 0; v < reach.size(); ++v) {
                REQUIRE(size_of(v) <= tie.core);
                const bool to = reach[v][core], from = reach[core][v];
                ++(to && from ? expected.core : to ? expected.in : from ? expected.out : expected.other);
            }
            found = tie.core == expected.core && tie.in == expected.in && tie.out == expected.out &&
                    tie.other == expected.other;
        }
        REQUIRE(found);
    }
    REQUIRE(bow_tie(Graph()).core == 0);
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}, {2, 1}, {2, 3}, {3, 4}}, 6);
    const auto tie = bow_tie(g);
    REQUIRE((tie.core == 2 && tie.in == 1 && tie.out == 2 && tie.other == 1));
    REQUIRE(degree_histogram(g.in_degree()) == std::vector<weft::index>{2, 3, 1});
    REQUIRE(degree_histogram(Graph().in_degree()).empty());
    REQUIRE_THROWS_WITH(degree_histogram(Tensor<std::int32_t, 1>::from({1, -1})), ContainsSubstring("-1"));
    REQUIRE_THROWS_WITH(bow_tie(Graph::from_edges({}, 2, 3)), ContainsSubstring("num_nodes"));
}

TEST_CASE("topological_order: every edge leads forwards, levels are longest paths", "[graph]") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        const weft::index n = 2 + seed;
        const Graph g = random_acyclic(n, 2 * n, seed);
        const auto sorted = topological_order(g);
        REQUIRE(sorted.cycle.empty());
        std::vector<weft::index> place(static_cast<std::size_t>(n), -1);
        for (weft::index p = 0; p < n; ++p) place[static_cast<std::size_t>(sorted.order(p))] = p;
        REQUIRE(std::none_of(place.begin(), place.end(), [](weft::index p) { return p < 0; }));
        std::vector<weft::index> longest(static_cast<std::size_t>(n), 0);
        for (weft::index round = 0; round < n; ++round)
            for (const auto& [u, v] : edge_list(g))
                longest[static_cast<std::size_t>(v)] =
                    std::max(longest[static_cast<std::size_t>(v)], longest[static_cast<std::size_t>(u)] + 1);
        for (const auto& [u, v] : edge_list(g))
            REQUIRE(place[static_cast<std::size_t>(u)] < place[static_cast<std::size_t>(v)]);
        for (weft::index i = 0; i < n; ++i) REQUIRE(sorted.level(i) == longest[static_cast<std::size_t>(i)]);
    }
    REQUIRE(topological_order(Graph()).cycle.empty());
}

TEST_CASE("topological_order: otherwise there is a cycle", "[graph]") {
    int cyclic = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        const Graph g = random_graph(15, 25, seed);
        const auto edges = edge_list(g);
        const auto sorted = topological_order(g);
        const auto reach = reachable(g);
        const bool has_cycle = std::any_of(edges.begin(), edges.end(), [&](const auto& e) {
            return reach[static_cast<std::size_t>(e.second)][static_cast<std::size_t>(e.first)];
        });
        REQUIRE(sorted.cycle.empty() == !has_cycle);
        cyclic += has_cycle;
        if (has_cycle) REQUIRE((sorted.order.size() == 0 && sorted.level.size() == 0));
        for (std::size_t k = 0; k < sorted.cycle.size(); ++k) {
            const Pairs::value_type step{sorted.cycle[k], sorted.cycle[(k + 1) % sorted.cycle.size()]};
            REQUIRE(std::count(edges.begin(), edges.end(), step) > 0);
        }
    }
    REQUIRE(cyclic > 0);
    REQUIRE(topological_order(Graph::from_edges({{0, 1}, {1, 1}}, 2)).cycle == std::vector<std::int32_t>{1});
}

TEST_CASE("page_rank: solves its equation", "[graph]") {
    for (const double damping : {0.0, 0.5, 0.85, 0.95}) {
        const Graph g = random_graph(25, 70, 4);
        const Tensor<double, 1> w = abs(numbers<double, 1>({70}, 2)) + 0.1;
        const auto rank = page_rank(g, w, {.damping = damping});
        Matrix step = Matrix::Zero(25, 25);
        for (weft::index e = 0; e < 70; ++e) step(g.sources()(e), g.destinations()(e)) += w(e);
        for (Eigen::Index i = 0; i < 25; ++i) {
            if (step.row(i).sum() > 0)
                step.row(i) /= step.row(i).sum();
            else
                step.row(i).setConstant(1.0 / 25);
        }
        const Eigen::VectorXd expected = (Matrix::Identity(25, 25) - damping * step.transpose())
                                             .partialPivLu()
                                             .solve(Eigen::VectorXd::Constant(25, (1 - damping) / 25));
        for (weft::index i = 0; i < 25; ++i) REQUIRE(std::abs(rank(i) - expected(i)) < 1e-11);
    }
    const Graph g = random_graph(9, 20);
    REQUIRE(same_bits(page_rank(g), page_rank(g, Tensor<double, 1>::ones({20}))));
    REQUIRE(page_rank(Graph()).size() == 0);
    REQUIRE(page_rank(Graph::from_edges({}, 2))(1) == 0.5);
    require_thread_independent([] { return page_rank(random_graph(3000, 40000)); });
}

TEST_CASE("reciprocity: edges that go both ways", "[graph]") {
    REQUIRE(reciprocity(Graph::from_edges({{0, 1}, {1, 0}, {1, 2}, {1, 2}, {2, 2}}, 3)) == Approx(2.0 / 3));
    REQUIRE(reciprocity(to_undirected(random_graph(20, 50))) == 1);
    REQUIRE(reciprocity(Graph::from_edges({{0, 0}}, 2)) == 0);
    REQUIRE(reciprocity(Graph()) == 0);
}

TEST_CASE("homophily: edges, and patterns of two edges, by dense matrices", "[graph]") {
    for (unsigned seed = 1; seed <= 6; ++seed) {
        const weft::index n = 18;
        const Graph g = random_graph(n, 40, seed);
        auto classes = Tensor<std::int32_t, 1>::empty({n});
        for (weft::index i = 0; i < n; ++i) classes(i) = static_cast<std::int32_t>((i + seed) % 4) - (seed % 2 == 0);
        const Matrix a = adjacency(g), t = a.transpose();
        const std::vector<std::pair<std::string, Matrix>> patterns{
            {"A", a}, {"A^T", t}, {"A A", a * a}, {"A^T A^T", t * t}, {"A A^T", a * t}, {"A^T A", t * a}};
        const auto found = directed_homophily(g, classes);
        double low = 1, high = 0;
        for (std::size_t k = 0; k < patterns.size(); ++k) {
            INFO(patterns[k].first << ", seed " << seed);
            double ways = 0, equal = 0, pairs = 0, sx = 0, sy = 0, sxy = 0;
            for (weft::index u = 0; u < n; ++u)
                for (weft::index v = 0; v < n; ++v) {
                    if (u == v || classes(u) < 0 || classes(v) < 0) continue;
                    const double p = patterns[k].second(u, v), same = classes(u) == classes(v);
                    ways += p;
                    equal += p * same;
                    ++pairs;
                    sx += p > 0;
                    sy += same;
                    sxy += (p > 0) * same;
                }
            const double mx = sx / pairs, my = sy / pairs;
            const double r = (sxy / pairs - mx * my) / std::sqrt(mx * (1 - mx) * my * (1 - my));
            REQUIRE(found.patterns[k].pattern == patterns[k].first);
            REQUIRE(found.patterns[k].homophily == Approx(equal / ways).epsilon(1e-12));
            REQUIRE(found.patterns[k].correlation == Approx(r).epsilon(1e-10));
            if (k >= 2) {
                low = std::min(low, r * r);
                high = std::max(high, r * r);
            }
        }
        REQUIRE(found.score == Approx(high - low).epsilon(1e-10));
    }
    const auto classes = Tensor<std::int32_t, 1>::from({0, 0, 1, -1});
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}, {2, 3}, {2, 2}}, 4);
    REQUIRE(edge_homophily(g, classes) == Approx(2.0 / 3));
    REQUIRE(std::isnan(edge_homophily(Graph(), Tensor<std::int32_t, 1>())));
    REQUIRE(directed_homophily(Graph(), Tensor<std::int32_t, 1>()).score == 0);
}

TEST_CASE("homophily: the score is 0 without directions and high for a cyclic block model", "[graph]") {
    Generator generator{7};
    auto classes = Tensor<std::int32_t, 1>::empty({300});
    for (weft::index i = 0; i < 300; ++i) classes(i) = static_cast<std::int32_t>(i % 3);
    const Graph g = block_model(generator, classes, cyclic_block_probabilities(3, 0.1, 0.01, 0.055));
    const double directed = directed_homophily(g, classes).score;
    REQUIRE(directed > 0.005);
    REQUIRE(directed_homophily(to_undirected(g), classes).score < 1e-15);
}

TEST_CASE("block_model: as many edges as the probabilities say, without loops", "[graph]") {
    Generator generator{3};
    auto classes = Tensor<std::int32_t, 1>::empty({600});
    for (weft::index i = 0; i < 600; ++i) classes(i) = static_cast<std::int32_t>(i % 3);
    const auto p = cyclic_block_probabilities(3, 0.04, 0.004, 0.022);
    const Graph g = block_model(generator, classes, p);
    REQUIRE(!g.has_self_loops());
    REQUIRE(coalesce(g).num_edges() == g.num_edges());
    auto count = Tensor<double, 2>::zeros({3, 3});
    for (const auto& [u, v] : edge_list(g)) count(classes(u), classes(v)) += 1;
    for (weft::index a = 0; a < 3; ++a)
        for (weft::index b = 0; b < 3; ++b) {
            const double pairs = 200.0 * (a == b ? 199 : 200), mean = pairs * p(a, b);
            REQUIRE(std::abs(count(a, b) - mean) < 5 * std::sqrt(mean * (1 - p(a, b))));
        }
    Generator again{3};
    REQUIRE(same_bits(block_model(again, classes, p).edge_index(), g.edge_index()));
    REQUIRE(block_model(generator, Tensor<std::int32_t, 1>(), p).num_nodes() == 0);
    REQUIRE(block_model(generator, classes, Tensor<double, 2>::zeros({3, 3})).num_edges() == 0);
}

TEST_CASE("digraph statistics: errors name the argument", "[graph]") {
    const Graph bipartite = Graph::from_edges({{0, 1}}, 3, 2), g = Graph::from_edges({{0, 1}}, 2);
    REQUIRE_THROWS_WITH(strong_components(bipartite), ContainsSubstring("num_nodes"));
    REQUIRE_THROWS_WITH(topological_order(bipartite), ContainsSubstring("num_nodes"));
    REQUIRE_THROWS_WITH(reciprocity(bipartite), ContainsSubstring("num_nodes"));
    REQUIRE_THROWS_WITH(page_rank(bipartite), ContainsSubstring("num_nodes"));
    REQUIRE_THROWS_WITH(page_rank(g, {.damping = 1}), ContainsSubstring("damping is 1"));
    REQUIRE_THROWS_WITH(page_rank(g, {.max_iterations = 1}), ContainsSubstring("no convergence"));
    REQUIRE_THROWS_WITH(page_rank(g, Tensor<double, 1>::from({-1.0})), ContainsSubstring("the weight of edge 0 is -1"));
    REQUIRE_THROWS_WITH(page_rank(g, Tensor<double, 1>::from({std::nan("")})), ContainsSubstring("not a number"));
    REQUIRE_THROWS_WITH(edge_homophily(g, Tensor<std::int32_t, 1>::zeros({3})), ContainsSubstring("classes is [3]"));
    REQUIRE_THROWS_WITH(directed_homophily(g, Tensor<std::int32_t, 1>::zeros({3})),
                        ContainsSubstring("classes is [3]"));
    Generator generator{1};
    const auto classes = Tensor<std::int32_t, 1>::zeros({2});
    REQUIRE_THROWS_WITH(block_model(generator, classes, Tensor<double, 2>::zeros({1, 2})),
                        ContainsSubstring("p is [1, 2]"));
    REQUIRE_THROWS_WITH(block_model(generator, classes, Tensor<double, 2>::full({1, 1}, 1.5)),
                        ContainsSubstring("1.5"));
    REQUIRE_THROWS_WITH(block_model(generator, classes, Tensor<double, 2>::zeros({0, 0})),
                        ContainsSubstring("the class of node 0 is 0"));
    REQUIRE_THROWS_WITH(cyclic_block_probabilities(2, 0.1, 0.1, 0.1), ContainsSubstring("2 classes"));
}
