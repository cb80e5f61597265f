// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "golden.hpp"
#include "graph/random_graph.hpp"

#include <weft/gnn/laplacian_encoding.hpp>
#include <weft/gnn/random_walk_encoding.hpp>

using namespace weft_test;
using weft::Generator, weft::Graph, weft::matmul, weft::Tensor;
using namespace weft::gnn;
using Matrix = Tensor<double, 2>;
using Vector = Tensor<double, 1>;

namespace {

double distance(const Matrix& a, const Matrix& b) {
    REQUIRE(a.shape() == b.shape());
    double largest = 0;
    for (weft::index i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.data()[i] - b.data()[i]));
    return largest;
}

// For each column, the sum of v v^T over the eigenvectors whose eigenvalue is the column's: [N, N] each, one below the
// other. It does not depend on the basis.
Matrix projectors(const Vector& values, const Matrix& vectors) {
    std::vector<Matrix> all;
    for (weft::index j = 0; j < values.size(); ++j) {
        Vector same = weft::where(abs(values - values(j)) < 1e-6, Vector::ones({values.size()}), 0.0);
        all.push_back(matmul(Matrix(vectors * same), transpose(vectors)));
    }
    return concat(0, all);
}

const SpectralOptions by_lanczos{.dense_nodes = 0, .lanczos = {.tolerance = 1e-11}};

// A grid whose nodes are numbered in some order, with weights that make all eigenvalues different.
struct Grid {
    Graph graph;
    Vector weight;
};
Grid grid(weft::index rows, weft::index columns) {
    std::vector<std::pair<weft::index, weft::index>> edges;
    const auto node = [&](weft::index r, weft::index c) { return (r * columns + c) * 7 % (rows * columns); };
    for (weft::index r = 0; r < rows; ++r)
        for (weft::index c = 0; c < columns; ++c) {
            if (r + 1 < rows) edges.emplace_back(node(r, c), node(r + 1, c));
            if (c + 1 < columns) edges.emplace_back(node(r, c), node(r, c + 1));
        }
    const auto one_way = Graph::from_edges(edges, rows * columns);
    const auto both = to_undirected(one_way, Vector(abs(numbers<double, 1>({one_way.num_edges()})) + 0.5));
    return {both.graph, both.weight};
}

} // namespace

TEMPLATE_TEST_CASE("Laplacian eigenvectors and random walk encodings agree with the reference", "[gnn][golden]", double,
                   float) {
    using T = TestType;
    with_golden_case("gnn-core", "positional", "", [](GoldenCase& golden) {
        const Graph g(golden.get<std::int32_t, 2>("edge_index"), golden.number<weft::index>("num_nodes"));
        const auto n = g.num_nodes();
        auto dense = Tensor<T, 2>::zeros({n, n});
        const auto l = weft::laplacian<T>(g, weft::Laplacian::symmetric);
        for (weft::index e = 0; e < l.graph.num_edges(); ++e)
            dense(l.graph.sources()(e), l.graph.destinations()(e)) += l.weight(e);
        golden.compare("laplacian_sym", dense);

        const auto ones = Tensor<T, 1>::ones({g.num_edges()});
        const auto values = golden.get<double, 1>("eigenvalues");
        const auto expected = projectors(values, golden.get<double, 2>("eigenvectors"));
        for (const auto& options : {SpectralOptions{}, by_lanczos}) {
            const auto found = laplacian_eigenvectors(g, ones, n, options);
            golden.compare("eigenvalues", found.values);
            REQUIRE(distance(projectors(values, found.vectors), expected) < 1e-10);
            // The encoding is the rest of them behind the first.
            const auto encoding = laplacian_encoding<T>(g, n - 1, options);
            REQUIRE(same_bits(encoding, Tensor<T, 2>(slice(found.vectors, 1, 1))));
        }

        const auto steps = golden.shape("rwpe")[1];
        REQUIRE(nlohmann::json::parse(golden.metadata().at("all")).at("walk_length") == steps);
        golden.compare("rwpe", random_walk_encoding<T>(g, steps));
        golden.compare("rwpe", random_walk_encoding(g, ones, steps));
    });
}

TEST_CASE("Lanczos finds the eigenvectors that the dense solver does", "[gnn]") {
    const auto [g, w] = grid(29, 17);
    for (const weft::index count : {1, 3, 12}) {
        const auto dense = laplacian_eigenvectors(g, w, count);
        const auto found = laplacian_eigenvectors(g, w, count, by_lanczos);
        REQUIRE(distance(Matrix(unsqueeze(dense.values, 0)), Matrix(unsqueeze(found.values, 0))) < 1e-12);
        REQUIRE(distance(dense.vectors, found.vectors) < 1e-7); // with the same signs
        if (count > 1) REQUIRE(dense.values(1) - dense.values(0) > 1e-4);
    }
    // A cycle has pairs of equal eigenvalues, and three of them have each six times.
    std::vector<std::pair<weft::index, weft::index>> edges;
    for (weft::index i = 0; i < 600; ++i) {
        const weft::index next = i % 200 == 199 ? i - 199 : i + 1;
        edges.emplace_back(i, next);
        edges.emplace_back(next, i);
    }
    const auto cycles = Graph::from_edges(edges, 600);
    const auto found = laplacian_eigenvectors(cycles, Vector::ones({1200}), 9, by_lanczos);
    for (weft::index i = 0; i < 9; ++i)
        REQUIRE(found.values(i) == Approx(i < 3 ? 0 : 1 - std::cos(2 * std::acos(-1.0) / 200)).margin(1e-11));
}

TEST_CASE("Laplacian encodings of small graphs have columns of zeros, and positive largest entries", "[gnn]") {
    REQUIRE(laplacian_encoding(Graph(), 3).shape() == weft::Extents<2>{0, 3});
    REQUIRE(same_bits(laplacian_encoding(Graph::from_edges({}, 1), 2), Tensor<float, 2>::zeros({1, 2})));
    const auto pair = Graph::from_edges({{0, 1}, {1, 0}}, 2);
    const auto x = laplacian_encoding<double>(pair, 3);
    REQUIRE(distance(x, Matrix::from({{std::sqrt(0.5), 0, 0}, {-std::sqrt(0.5), 0, 0}})) < 1e-15);
    const auto [g, w] = grid(5, 7);
    const auto y = laplacian_encoding(g, w, 6);
    for (weft::index j = 0; j < 6; ++j) {
        double least = 0, most = 0;
        for (weft::index i = 0; i < 35; ++i) least = std::min(least, y(i, j)), most = std::max(most, y(i, j));
        REQUIRE(most > -least * (1 - 1e-5));
    }
    // A duplicate counts as a larger weight, a loop not at all.
    const auto twice = Graph(concat(1, g.edge_index(), g.edge_index(), Tensor<std::int32_t, 2>::from({{3}, {3}})), 35);
    const Vector half = w * 0.5;
    REQUIRE(distance(laplacian_encoding(twice, concat(0, half, half, Vector::ones({1})), 6), y) < 1e-10);

    Generator generator{3};
    const auto ones = Tensor<float, 2>::ones({4, 1000});
    const auto flipped = random_signs(ones, generator);
    weft::index positive = 0;
    for (weft::index j = 0; j < 1000; ++j) {
        REQUIRE(std::abs(flipped(0, j)) == 1);
        for (weft::index i = 1; i < 4; ++i) REQUIRE(flipped(i, j) == flipped(0, j));
        positive += flipped(0, j) > 0;
    }
    REQUIRE((positive > 430 && positive < 570));
    REQUIRE_FALSE(same_bits(flipped, random_signs(ones, generator)));
}

TEST_CASE("random walk encodings are diagonals of powers", "[gnn]") {
    for (const Graph& g : {Graph(), Graph::from_edges({}, 3), Graph::from_edges({{0, 0}, {0, 1}, {0, 1}}, 2),
                           random_graph(13, 35), random_graph(150, 500, 2)}) {
        CAPTURE(g);
        const auto n = g.num_nodes();
        const Vector w = abs(numbers<double, 1>({g.num_edges()}));
        const auto powers = [&](const Graph& h) {
            auto p = Matrix::zeros({n, n});
            for (weft::index e = 0; e < h.num_edges(); ++e) p(h.sources()(e), h.destinations()(e)) += w(e);
            for (weft::index i = 0; i < n; ++i) {
                double total = 0;
                for (weft::index j = 0; j < n; ++j) total += p(i, j);
                for (weft::index j = 0; j < n; ++j) p(i, j) = total > 0 ? p(i, j) / total : 0;
            }
            auto result = Matrix::empty({n, 5});
            Matrix power = p;
            for (weft::index k = 0; k < 5; ++k, power = matmul(power, p))
                for (weft::index i = 0; i < n; ++i) result(i, k) = power(i, i);
            return result;
        };
        REQUIRE(distance(random_walk_encoding(g, w, 5), powers(g)) < 1e-14);
        REQUIRE(distance(directed_random_walk_encoding(g, w, 5), concat(1, powers(g), powers(g.reverse()))) < 1e-14);
        REQUIRE(random_walk_encoding(g, w, 0).shape() == weft::Extents<2>{n, 0});
    }
    const Graph cycle = Graph::from_edges({{0, 1}, {1, 2}, {2, 0}}, 3);
    REQUIRE(same_bits(directed_random_walk_encoding(cycle, 3),
                      Tensor<float, 2>::from({{0, 0, 1, 0, 0, 1}, {0, 0, 1, 0, 0, 1}, {0, 0, 1, 0, 0, 1}})));
}

TEST_CASE("landing probabilities are entries of powers", "[gnn]") {
    using Indices = Tensor<std::int32_t, 1>;
    const Graph g = random_graph(200, 900, 2);
    const Vector w = abs(numbers<double, 1>({900}));
    auto p = Matrix::zeros({200, 200});
    const auto transition = directed_norm(g, w, weft::DirectedNorm::row);
    for (weft::index e = 0; e < 900; ++e) p(g.sources()(e), g.destinations()(e)) += transition(e);
    const Matrix third = matmul(matmul(p, p), p);
    // Pairs in no order, some twice.
    auto from = Indices::empty({500}), to = from;
    for (std::int32_t i = 0; i < 500; ++i) from(i) = i * 37 % 190, to(i) = i * i % 200;
    from(7) = from(8), to(7) = to(8);
    const auto found = landing_probabilities(g, w, from, to, 3);
    for (std::int32_t i = 0; i < 500; ++i) {
        REQUIRE(found(i, 0) == Approx(p(from(i), to(i))).margin(1e-15));
        REQUIRE(found(i, 2) == Approx(third(from(i), to(i))).margin(1e-15));
    }
    REQUIRE(landing_probabilities(g, w, Indices(), Indices(), 3).shape() == weft::Extents<2>{0, 3});
    REQUIRE(error_of([&] { (void)landing_probabilities(g, w, from, Indices(), 1); }) ==
            "weft: landing_probabilities: sources is [500], destinations is [0]: there must be one of each for every "
            "pair");
    REQUIRE_THAT(error_of([&] { (void)landing_probabilities(g, w, Indices::from({200}), Indices::from({0}), 1); }),
                 ContainsSubstring("landing_probabilities: index 200"));
}

TEST_CASE("encodings are the same on any number of threads", "[gnn]") {
    const Graph g = random_graph(700, 7000);
    require_thread_independent([&] { return random_walk_encoding(g, 4); });
    const Graph both = to_undirected(g);
    require_thread_independent(
        [&] { return laplacian_encoding(both, 4, {.dense_nodes = 0, .lanczos = {.tolerance = 1e-3}}); });
    const Grid small = grid(20, 15);
    require_thread_independent([&] { return laplacian_encoding(small.graph, small.weight, 60); });
}

TEST_CASE("errors of positional encodings name the argument", "[gnn]") {
    const auto g = Graph::from_edges({{0, 1}, {1, 0}, {1, 2}, {2, 1}}, 4);
    const auto one_way = Graph::from_edges({{0, 1}, {1, 0}, {1, 2}}, 4);
    const auto w = Vector::from({1, 1, 2, 2.5});
    const std::string both = "are not the same in both directions: see to_undirected";
    REQUIRE_THAT(error_of([&] { (void)laplacian_encoding(one_way, 2); }),
                 ContainsSubstring("laplacian_eigenvectors: the edges between nodes 1 and 2 " + both));
    REQUIRE_THAT(error_of([&] { (void)laplacian_encoding(g, w, 2); }),
                 ContainsSubstring("between nodes 1 and 2 " + both));
    REQUIRE_THAT(error_of([&] { (void)laplacian_encoding(g, -1); }), ContainsSubstring("laplacian_encoding: k is -1"));
    REQUIRE(error_of([&] { (void)laplacian_eigenvectors(g, Vector::ones({4}), 5); }) ==
            "weft: laplacian_eigenvectors: count is 5: it must be from 0 to 4 nodes");
    REQUIRE_THAT(error_of([&] { (void)laplacian_encoding(g, Vector::ones({3}), 2); }), ContainsSubstring("w is [3]"));
    REQUIRE_THAT(error_of([&] {
                     (void)laplacian_encoding(g, Vector::from({-1, -1, 1, 1}), 2);
                 }),
                 ContainsSubstring("degrees must not be negative"));
    REQUIRE_THAT(error_of([&] { (void)random_walk_encoding(g, -1); }),
                 ContainsSubstring("landing_probabilities: steps is -1"));
    REQUIRE_THAT(error_of([&] { (void)random_walk_encoding(g, Vector::ones({3}), 2); }), ContainsSubstring("w is [3]"));
    REQUIRE_THAT(error_of([&] {
                     (void)random_walk_encoding(Graph::from_edges({{0, 1}}, 3, 2), 1);
                 }),
                 ContainsSubstring("3 source and 2 destination nodes"));
}
