// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "graph/random_graph.hpp"

#include <weft/gnn/svd_encoding.hpp>

using namespace weft_test;
using weft::Graph, weft::matmul, weft::Tensor, weft::transpose;
using namespace weft::gnn;
using Matrix = Tensor<double, 2>;
using Vector = Tensor<double, 1>;

namespace {

double distance(const Matrix& a, const Matrix& b) {
    REQUIRE(a.shape() == b.shape());
    double m = 0;
    for (weft::index i = 0; i < a.size(); ++i) m = std::max(m, std::abs(a.data()[i] - b.data()[i]));
    return m;
}
Matrix normalised(const Graph& g, const Vector& w) {
    auto a = Matrix::zeros({g.num_src(), g.num_dst()});
    for (weft::index e = 0; e < g.num_edges(); ++e) a(g.sources()(e), g.destinations()(e)) += w(e);
    const Vector out = weft::sum<1>(a), in = weft::sum<0>(a);
    for (weft::index i = 0; i < g.num_src(); ++i)
        for (weft::index j = 0; j < g.num_dst(); ++j)
            if (a(i, j) != 0) a(i, j) /= std::sqrt(out(i) * in(j));
    return a;
}
const SpectralOptions by_lanczos{.dense_nodes = 0, .lanczos = {.tolerance = 1e-11}};

} // namespace

TEST_CASE("SVD encodings are the singular vectors of the normalised adjacency matrix", "[gnn]") {
    for (const Graph& g : {Graph::from_edges({{0, 1}, {0, 1}, {1, 2}, {2, 2}}, 4), random_graph(13, 35),
                           random_bipartite_graph(80, 110, 900), random_bipartite_graph(150, 60, 900)}) {
        CAPTURE(g);
        const Vector w = abs(numbers<double, 1>({g.num_edges()})) + 0.5;
        const Matrix a = normalised(g, w);
        const auto reference = weft::svd(a);
        for (const auto& options : {SpectralOptions{}, by_lanczos}) {
            const auto found = svd_encoding(g, w, 5, options);
            REQUIRE(found.out.shape() == weft::Extents<2>{g.num_src(), 5});
            REQUIRE(found.in.shape() == weft::Extents<2>{g.num_dst(), 5});
            REQUIRE(distance(matmul(a, found.in), Matrix(found.out * found.values)) < 1e-9);
            REQUIRE(distance(matmul(transpose(a), found.out), Matrix(found.in * found.values)) < 1e-9);
            for (weft::index j = 0; j < 5; ++j) {
                const double expected = j < reference.s.size() ? reference.s(j) : 0;
                REQUIRE(found.values(j) == Approx(expected).margin(1e-10));
                REQUIRE(found.values(j) <= 1 + 1e-12);
                for (const auto& side : {found.out, found.in}) {
                    const double length = sum(square(weft::select_index(side, 1, j))).item();
                    REQUIRE(length == Approx(expected < 1e-6 ? 0 : 1).margin(1e-9));
                }
                double least = 0, most = 0;
                for (const Vector column = weft::select_index(found.out, 1, j); const double v : column.values())
                    least = std::min(least, v), most = std::max(most, v);
                REQUIRE(most >= -least * (1 - 1e-5));
            }
        }
    }
    const auto none = svd_encoding(Graph::from_edges({}, 3), 2);
    REQUIRE(same_bits(none.out, Tensor<float, 2>::zeros({3, 2})));
    REQUIRE(same_bits(none.values, Tensor<float, 1>::zeros({2})));
    REQUIRE(svd_encoding(Graph(), 2).in.shape() == weft::Extents<2>{0, 2});
}

TEST_CASE("SVD encodings tell sources from destinations", "[gnn]") {
    const Graph g = random_graph(60, 400, 3);
    const auto forward = svd_encoding<double>(g, 3), back = svd_encoding<double>(g.reverse(), 3);
    // Of the graph turned round, the sides are exchanged, up to common signs.
    REQUIRE(distance(abs(forward.out), abs(back.in)) < 1e-10);
    REQUIRE(distance(abs(forward.in), abs(back.out)) < 1e-10);
    REQUIRE(distance(abs(forward.in), abs(forward.out)) > 1e-2);
}

TEST_CASE("SVD encodings are the same on any number of threads, and name the argument in errors", "[gnn]") {
    const Graph g = random_graph(600, 9000);
    require_thread_independent(
        [&] { return svd_encoding(g, 3, {.dense_nodes = 0, .lanczos = {.tolerance = 1e-4}}).out; });
    require_thread_independent([&] { return svd_encoding(random_graph(200, 900), 60).out; });
    REQUIRE_THAT(error_of([&] { (void)svd_encoding(g, -1); }), ContainsSubstring("svd_encoding: k is -1"));
    REQUIRE_THAT(error_of([&] { (void)svd_encoding(g, Vector::ones({3}), 2); }), ContainsSubstring("w is [3]"));
}
