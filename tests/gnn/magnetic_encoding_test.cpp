// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "golden.hpp"
#include "graph/random_graph.hpp"

#include <weft/gnn/laplacian_encoding.hpp>
#include <weft/gnn/magnetic_encoding.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn.hpp>

#include <complex>

using namespace weft_test;
using weft::Generator, weft::Graph, weft::HermitianResult, weft::matmul, weft::Tensor, weft::transpose;
using namespace weft::gnn;
using Matrix = Tensor<double, 2>;
using Vector = Tensor<double, 1>;

namespace {

double largest(const Matrix& x) {
    double m = 0;
    for (const double v : x.values()) m = std::max(m, std::abs(v));
    return m;
}
double distance(const Matrix& a, const Matrix& b) {
    REQUIRE(a.shape() == b.shape());
    return largest(a - b);
}

const SpectralOptions by_lanczos{.dense_nodes = 0, .lanczos = {.tolerance = 1e-11}};

// V^H V = I and L V = V diag(values), and the phases are as they should be.
void require_eigenvectors(const Matrix& real, const Matrix& imag, const HermitianResult<double>& v, double tolerance) {
    const auto count = v.values.size();
    Matrix identity = matmul(transpose(v.real), v.real) + matmul(transpose(v.imag), v.imag);
    for (weft::index j = 0; j < count; ++j) identity(j, j) -= 1;
    REQUIRE(largest(identity) < 1e-9);
    REQUIRE(largest(matmul(transpose(v.real), v.imag) - matmul(transpose(v.imag), v.real)) < 1e-9);
    REQUIRE(largest(matmul(real, v.real) - matmul(imag, v.imag) - v.real * v.values) < tolerance);
    REQUIRE(largest(matmul(real, v.imag) + matmul(imag, v.real) - v.imag * v.values) < tolerance);
    for (weft::index j = 0; j < count; ++j) {
        double most = 0;
        for (weft::index i = 0; i < v.real.extent(0); ++i)
            most = std::max(most, std::hypot(v.real(i, j), v.imag(i, j)));
        weft::index i = 0;
        while (std::hypot(v.real(i, j), v.imag(i, j)) < most * (1 - 1e-5)) ++i;
        REQUIRE(v.real(i, j) > 0);
        REQUIRE(std::abs(v.imag(i, j)) < 1e-15);
    }
}

Graph directed_cycle(weft::index n) {
    std::vector<std::pair<weft::index, weft::index>> edges;
    for (weft::index i = 0; i < n; ++i) edges.emplace_back(i, (i + 1) % n);
    return Graph::from_edges(edges, n);
}

} // namespace

TEMPLATE_TEST_CASE("magnetic eigenvectors are those of the reference matrices", "[gnn][golden]", double, float) {
    using T = TestType;
    for_each_golden_case(
        "directed-graphs", "magnet",
        [](GoldenCase& golden) {
            const double q = golden.option("q", 0.25);
            golden.option<std::string>("normalization", "");
            const auto real = golden.get<double, 2>("real"), imag = golden.get<double, 2>("imag");
            const weft::index n = real.extent(0);
            const Graph g(golden.shared<std::int32_t, 2>("edge_index"), n);
            const auto w = golden.shared<T, 1>("edge_weight");
            const double tolerance = std::same_as<T, double> ? 1e-10 : 1e-6;
            for (const auto& options : {SpectralOptions{}, by_lanczos}) {
                const auto found = magnetic_eigenvectors(g, w, q, n, options);
                require_eigenvectors(real, imag, found, tolerance);
                golden.compare("eigenvalues", Tensor<T, 1>(found.values));
                const Matrix parts = concat(1, found.real, found.imag);
                REQUIRE(same_bits(magnetic_encoding(g, w, q, n, options), Tensor<T, 2>(parts)));
            }
        },
        [](const GoldenCase& golden) { return golden.name().starts_with("lap_sym"); });
}

TEST_CASE("magnetic eigenvectors without charge are those of the Laplacian", "[gnn]") {
    const Graph directed = random_graph(30, 150);
    const Vector w = abs(numbers<double, 1>({150})) + 0.25;
    const auto both = to_undirected(directed, w);
    for (const auto& options : {SpectralOptions{}, by_lanczos}) {
        const auto plain = laplacian_eigenvectors(both.graph, both.weight, 4, options);
        for (weft::index i = 0; i < 3; ++i) REQUIRE(plain.values(i + 1) - plain.values(i) > 1e-3); // comparable
        const auto found = magnetic_eigenvectors(directed, w, 0, 4, options);
        REQUIRE(distance(Matrix(unsqueeze(found.values, 0)), Matrix(unsqueeze(plain.values, 0))) < 1e-12);
        REQUIRE(distance(found.real, plain.vectors) < 1e-9);
        REQUIRE(largest(found.imag) < 1e-9);
        const Matrix encoding = magnetic_encoding(both.graph, both.weight, 0, 4, options);
        REQUIRE(distance(Matrix(slice(encoding, 1, 1, 4)), laplacian_encoding(both.graph, both.weight, 3, options)) <
                1e-9);
    }
}

TEST_CASE("a directed cycle with the charge of its length has an eigenvalue 0", "[gnn]") {
    for (const weft::index n : {3, 4, 7, 50}) {
        const auto ones = Vector::ones({n});
        const double q = 1 / double(n);
        REQUIRE(std::abs(magnetic_eigenvectors(directed_cycle(n), ones, q, 1).values(0)) < 1e-12);
        REQUIRE(magnetic_eigenvectors(directed_cycle(n), ones, q / 2, 1).values(0) > 1e-4);
        // Its vector turns by a full circle around the cycle.
        const auto v = magnetic_eigenvectors(directed_cycle(n), ones, q, 1);
        for (weft::index i = 0; i < n; ++i) {
            const double angle = 2 * std::acos(-1.0) * double(i) / double(n);
            REQUIRE(v.real(i, 0) == Approx(std::cos(angle) / std::sqrt(double(n))).margin(1e-10));
            REQUIRE(std::abs(v.imag(i, 0)) == Approx(std::abs(std::sin(angle)) / std::sqrt(double(n))).margin(1e-10));
        }
    }
    const auto long_cycle = magnetic_eigenvectors(directed_cycle(400), Vector::ones({400}), 1.0 / 400, 1, by_lanczos);
    REQUIRE(std::abs(long_cycle.values(0)) < 1e-12);
    // Two of them have each eigenvalue twice; the lowest three are not whole pairs.
    std::vector<std::pair<weft::index, weft::index>> edges;
    for (const auto& [a, b] : edge_list(directed_cycle(200))) {
        edges.emplace_back(a, b);
        edges.emplace_back(a + 200, b + 200);
    }
    const auto two = Graph::from_edges(edges, 400);
    const auto dense = magnetic_eigenvectors(two, Vector::ones({400}), 1.0 / 300, 3);
    const auto found = magnetic_eigenvectors(two, Vector::ones({400}), 1.0 / 300, 3, by_lanczos);
    REQUIRE(distance(Matrix(unsqueeze(found.values, 0)), Matrix(unsqueeze(dense.values, 0))) < 1e-11);
    const auto l = weft::magnetic_laplacian(two, Vector::ones({400}), 1.0 / 300);
    auto real = Matrix::zeros({400, 400}), imag = real;
    for (weft::index i = 0; i < 400; ++i) real(i, i) = 1;
    for (weft::index e = 0; e < l.graph.num_edges(); ++e) {
        real(l.graph.sources()(e), l.graph.destinations()(e)) = l.entries(e, 0);
        imag(l.graph.sources()(e), l.graph.destinations()(e)) = l.entries(e, 1);
    }
    require_eigenvectors(real, imag, found, 1e-9);
}

TEST_CASE("magnetic encodings show classes that only directions tell apart", "[gnn]") {
    // Edges lead from each class to the next one; with their directions forgotten, all pairs of nodes are alike.
    const std::int32_t nodes = 600;
    Generator generator{1};
    auto u = Tensor<float, 2>::empty({nodes, nodes});
    weft::fill_uniform(generator, u.mutable_data(), u.size());
    std::vector<std::pair<weft::index, weft::index>> edges;
    for (weft::index i = 0; i < nodes; ++i)
        for (weft::index j = 0; j < nodes; ++j) {
            const weft::index step = (j % 3 - i % 3 + 3) % 3;
            if (i != j && u(i, j) < (step == 0 ? 0.022f : step == 1 ? 0.04f : 0.004f)) edges.emplace_back(i, j);
        }
    const auto g = Graph::from_edges(edges, nodes);
    auto labels = Tensor<std::int32_t, 1>::empty({nodes});
    for (std::int32_t i = 0; i < nodes; ++i) labels(i) = i % 3;
    const Tensor<std::int32_t, 1> known = weft::arange<std::int32_t>(120), rest = weft::arange<std::int32_t>(480) + 120;
    const auto accuracy = [&](const Tensor<float, 2>& encoding) {
        const Tensor<float, 2> x = encoding * std::sqrt(float(nodes)); // entries of about 1
        weft::nn::Linear<float> classify{x.extent(1), 3, {.generator = &generator}};
        weft::nn::Adam optimizer{classify, {.lr = 0.05}};
        for (int step = 0; step < 200; ++step) {
            backward(weft::nn::cross_entropy(classify(weft::Var{x}), labels, known));
            optimizer.step();
        }
        return weft::nn::accuracy(Tensor<float, 2>(classify(x)), labels, rest);
    };
    REQUIRE(accuracy(magnetic_encoding(g, 0.25, 4)) > 0.95);
    REQUIRE(accuracy(laplacian_encoding(to_undirected(g), 4)) < 0.42);
}

TEST_CASE("magnetic encodings of small graphs have columns of zeros", "[gnn]") {
    REQUIRE(magnetic_encoding(Graph(), 0.1, 3).shape() == weft::Extents<2>{0, 6});
    REQUIRE(same_bits(magnetic_encoding(Graph::from_edges({}, 1), 0.1, 2), Tensor<float, 2>::from({{1, 0, 0, 0}})));
    REQUIRE(magnetic_encoding(random_graph(9, 20), 0.1, 0).shape() == weft::Extents<2>{9, 0});
}

TEST_CASE("magnetic encodings are the same on any number of threads", "[gnn]") {
    const Graph g = random_graph(600, 9000);
    require_thread_independent(
        [&] { return magnetic_encoding(g, 0.1, 4, {.dense_nodes = 0, .lanczos = {.tolerance = 1e-3}}); });
    require_thread_independent([&] { return magnetic_encoding(random_graph(150, 900), 0.1, 50); });
}

TEST_CASE("errors of magnetic encodings name the argument", "[gnn]") {
    const Graph g = random_graph(5, 9);
    REQUIRE(error_of([&] { (void)magnetic_eigenvectors(g, Vector::ones({9}), 0.1, 6); }) ==
            "weft: magnetic_eigenvectors: count is 6: it must be from 0 to 5 nodes");
    REQUIRE_THAT(error_of([&] { (void)magnetic_encoding(g, 0.1, -1); }), ContainsSubstring("magnetic_encoding: k is"));
    REQUIRE_THAT(error_of([&] { (void)magnetic_encoding(g, 0.6, 2); }), ContainsSubstring("q is 0.6"));
    REQUIRE_THAT(error_of([&] { (void)magnetic_encoding(g, Vector::ones({3}), 0.1, 2); }),
                 ContainsSubstring("w is [3]"));
}
