// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"
#include "../golden.hpp"
#include "random_graph.hpp"

#include <weft/core/random.hpp>
#include <weft/core/reduce.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/graph/complex_sum.hpp>
#include <weft/graph/magnetic_laplacian.hpp>
#include <weft/linalg/eigh.hpp>

using namespace weft;
using namespace weft_test;

namespace {

struct Dense {
    Tensor<double, 2> real, imag;
};

template <class L>
Dense dense(const L& laplacian) {
    const weft::index n = laplacian.graph.num_nodes();
    Dense d{Tensor<double, 2>::zeros({n, n}), Tensor<double, 2>::zeros({n, n})};
    for (weft::index e = 0; e < laplacian.graph.num_edges(); ++e) {
        const auto u = laplacian.graph.sources()(e), v = laplacian.graph.destinations()(e);
        REQUIRE((u != v && d.real(u, v) == 0 && d.imag(u, v) == 0));
        d.real(u, v) = double(laplacian.entries(e, 0));
        d.imag(u, v) = double(laplacian.entries(e, 1));
    }
    for (weft::index i = 0; i < n; ++i) d.real(i, i) = double(laplacian.diagonal(i));
    return d;
}
double distance(const Tensor<double, 2>& a, const Tensor<double, 2>& b) { return norm(a - b).item(); }
Tensor<double, 1> positive(weft::index n, unsigned seed = 1) { return abs(numbers<double, 1>({n}, seed)) + 0.25; }

template <class T>
void run(GoldenCase& golden) {
    const double q = golden.option("q", 0.25);
    const bool symmetric = golden.option<std::string>("normalization", "") == "sym";
    const Graph g(golden.shared<std::int32_t, 2>("edge_index"), golden.shape("real")[0]);
    const auto d = dense(magnetic_laplacian(g, golden.shared<T, 1>("edge_weight"), q,
                                            symmetric ? Laplacian::symmetric : Laplacian::unnormalized));
    golden.compare("real", Tensor<T, 2>(d.real));
    golden.compare("imag", Tensor<T, 2>(d.imag));
    golden.compare("eigenvalues", Tensor<T, 1>(eigh_hermitian(d.real, d.imag).values));
}
bool is_laplacian(const GoldenCase& golden) { return golden.name().starts_with("lap"); }

} // namespace

TEST_CASE("magnetic_laplacian: golden, double", "[graph][golden]") {
    for_each_golden_case("directed-graphs", "magnet", run<double>, is_laplacian);
}
TEST_CASE("magnetic_laplacian: golden, float", "[graph][golden]") {
    for_each_golden_case("directed-graphs", "magnet", run<float>, is_laplacian);
}

TEST_CASE("magnetic_laplacian: Hermitian, positive, and reversed edges conjugate it", "[graph]") {
    for (const unsigned seed : {1u, 2u, 3u})
        for (const double q : {0.0, 0.07, 0.25, 0.5})
            for (const Laplacian kind : {Laplacian::unnormalized, Laplacian::symmetric}) {
                const Graph g = random_graph(18, 50, seed);
                const auto w = positive(50, seed);
                const auto d = dense(magnetic_laplacian(g, w, q, kind));
                REQUIRE(distance(d.real, Tensor<double, 2>(transpose(d.real))) == 0);
                REQUIRE(distance(d.imag, Tensor<double, 2>(-transpose(d.imag))) == 0);
                const auto values = eigh_hermitian(d.real, d.imag).values;
                REQUIRE(values(0) >= -1e-12);
                if (kind == Laplacian::symmetric) REQUIRE(values(17) <= 2 + 1e-12);
                const auto back = dense(magnetic_laplacian(g.reverse(), w, q, kind));
                REQUIRE(distance(back.real, d.real) < 1e-13);
                REQUIRE(distance(back.imag, Tensor<double, 2>(-d.imag)) < 1e-13);
                REQUIRE(norm(eigh_hermitian(back.real, back.imag).values - values).item() < 1e-12);
            }
}

TEST_CASE("magnetic_laplacian: without charge it is the Laplacian of the undirected graph", "[graph]") {
    const Graph g = random_graph(15, 40);
    const auto w = positive(40);
    const auto both = to_undirected(g, Tensor<double, 1>(w * 0.5));
    for (const Laplacian kind : {Laplacian::unnormalized, Laplacian::symmetric}) {
        const auto d = dense(magnetic_laplacian(g, w, 0.0, kind));
        REQUIRE(sum(abs(d.imag)).item() == 0);
        const auto plain = laplacian(both.graph, both.weight, kind);
        auto expected = Tensor<double, 2>::zeros({15, 15});
        for (weft::index e = 0; e < plain.graph.num_edges(); ++e)
            expected(plain.graph.sources()(e), plain.graph.destinations()(e)) += plain.weight(e);
        REQUIRE(distance(d.real, expected) < 1e-13);
    }
}

TEST_CASE("magnetic_laplacian: a cycle of n nodes has the eigenvalue 0 with q = 1 / n", "[graph]") {
    for (const weft::index n : {3, 5, 8}) {
        std::vector<std::pair<weft::index, weft::index>> cycle;
        for (weft::index i = 0; i < n; ++i) cycle.emplace_back(i, (i + 1) % n);
        const auto smallest = [&](double q) {
            const auto d = dense(magnetic_laplacian<double>(Graph::from_edges(cycle, n), q));
            return eigh_hermitian(d.real, d.imag).values(0);
        };
        REQUIRE(std::abs(smallest(1.0 / double(n))) < 1e-12);
        REQUIRE(smallest(0.5 / double(n)) > 1e-3);
    }
}

TEST_CASE("magnetic_laplacian: gradients of weights and charge", "[graph]") {
    const Graph g = random_graph(9, 24);
    for (const Laplacian kind : {Laplacian::unnormalized, Laplacian::symmetric})
        expect_grad(
            [&](const auto& w, const auto& q) {
                const auto l = magnetic_laplacian(g, w, q, kind);
                return concat(0, flatten(l.entries), l.diagonal);
            },
            positive(24), Tensor<double, 1>::full({1}, 0.2));
}

TEST_CASE("magnetic_laplacian: errors and empty graphs", "[graph]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    for (const double q : {-0.01, 0.51, std::nan("")})
        REQUIRE_THROWS_WITH(magnetic_laplacian<double>(g, q), ContainsSubstring("must be in [0, 1/2]"));
    const auto weights = [](double a, double b) { return Tensor<double, 1>::from({a, b}); };
    REQUIRE_THROWS_WITH(magnetic_laplacian(g, weights(1, -2), 0.1), ContainsSubstring("degrees must not be negative"));
    REQUIRE_THROWS_WITH(magnetic_laplacian(g, weights(std::nan(""), 1), 0.1),
                        ContainsSubstring("the weight of edge 0 is not a number"));
    REQUIRE_THROWS_WITH(magnetic_laplacian(g, Tensor<double, 1>::ones({3}), 0.1), ContainsSubstring("w"));
    REQUIRE_THROWS_WITH(magnetic_laplacian<double>(g, 0.1, Laplacian::random_walk), ContainsSubstring("symmetric"));
    REQUIRE_THROWS_WITH(magnetic_laplacian<double>(Graph::from_edges({}, 2, 3), 0.1), ContainsSubstring("num_nodes"));
    REQUIRE_THROWS_WITH(eigh_hermitian(Tensor<double, 2>::ones({2, 2}), Tensor<double, 2>::ones({3, 3})),
                        ContainsSubstring("imag is [3, 3]"));
    REQUIRE(magnetic_laplacian<double>(Graph(), 0.1).diagonal.size() == 0);
    const auto alone = magnetic_laplacian<double>(Graph::from_edges({{1, 1}}, 2), 0.1);
    REQUIRE((alone.graph.num_edges() == 0 && alone.diagonal(0) == 1 && alone.diagonal(1) == 1));
}

TEST_CASE("complex_sum_in: value, gradients, threads", "[graph]") {
    const Graph g = random_bipartite_graph(9, 7, 30);
    for (const weft::index f : {0, 1, 3, 8, 17, 40, 70}) {
        const auto x = numbers<double, 3>({9, 2, f}, 1);
        const auto w = numbers<double, 2>({30, 2}, 2);
        const Tensor<double, 3> y = complex_sum_in(g, x, w);
        auto expected = Tensor<double, 3>::zeros({7, 2, f});
        for (weft::index e = 0; e < 30; ++e)
            for (weft::index k = 0; k < f; ++k) {
                const auto u = g.sources()(e), v = g.destinations()(e);
                expected(v, 0, k) += w(e, 0) * x(u, 0, k) - w(e, 1) * x(u, 1, k);
                expected(v, 1, k) += w(e, 0) * x(u, 1, k) + w(e, 1) * x(u, 0, k);
            }
        REQUIRE(sum(abs(y - expected)).item() < 1e-12);
        if (f < 20) expect_grad([&](const auto& a, const auto& b) { return complex_sum_in(g, a, b); }, x, w);
    }
    const Graph large = random_graph(3000, 40000);
    const auto x = cast<float>(numbers<double, 3>({3000, 2, 20}, 1));
    const auto w = cast<float>(numbers<double, 2>({40000, 2}, 2));
    require_thread_independent([&] {
        const Var<float, 3> a(x);
        const Var<float, 2> b(w);
        const Var<float, 3> y = complex_sum_in(large, a, b);
        backward(y, x);
        return Tensor<float, 1>(concat(0, flatten(y.value()), flatten(a.grad()), flatten(b.grad())));
    });
    REQUIRE_THROWS_WITH(complex_sum_in(large, x, Tensor<float, 2>::ones({4, 2})), ContainsSubstring("w is [4, 2]"));
    REQUIRE_THROWS_WITH(complex_sum_in(g, x, w), ContainsSubstring("x is [3000, 2, 20]"));
}
