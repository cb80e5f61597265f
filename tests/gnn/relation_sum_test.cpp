// SPDX-License-Identifier: MIT
#include "../graph/random_graph.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/relation_sum.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/linalg/segment_matmul.hpp>

using namespace weft;
using namespace weft_test;

namespace {

constexpr auto every_aggregation = {gnn::Aggregation::add, gnn::Aggregation::mean, gnn::Aggregation::max,
                                    gnn::Aggregation::min};

// The last relation of 4 has no edge.
Tensor<std::int32_t, 1> kinds(weft::index edges) {
    auto kinds = Tensor<std::int32_t, 1>::empty({edges});
    for (weft::index e = 0; e < edges; ++e) kinds(e) = static_cast<std::int32_t>(e * 7 % 3);
    return kinds;
}

// The same by its definition: each relation's aggregates times its matrix, then the sum of a destination's groups.
auto by_parts(const Graph& g, const Tensor<std::int32_t, 1>& type, const auto& x, const auto& w,
              gnn::Aggregation aggr) {
    const RelationGroups groups = relation_groups(g, type, 4);
    return sum_in(groups.owners, src(segment_matmul(gnn::aggregate(groups.members, src(x), aggr), groups.ptr, w)));
}

} // namespace

TEST_CASE("relation_sum: aggregates, products and a sum, over all tiles", "[gnn]") {
    for (const weft::index nodes : {1, 511, 512, 513, 1600})
        for (const auto aggr : every_aggregation)
            for (const weft::index in : {6, 8, 45}) {
                INFO(nodes << " nodes, aggregation " << static_cast<int>(aggr) << ", " << in << " channels");
                const Graph g = random_bipartite_graph(nodes, 2 * nodes, 5 * nodes);
                const auto type = kinds(5 * nodes);
                const auto x = numbers<double, 2>({nodes, in}, 1);
                const auto w = numbers<double, 3>({4, in, 5}, 2);
                const auto dy = numbers<double, 2>({2 * nodes, 5}, 3);
                const Var<double, 2> x1(x), x2(x);
                const Var<double, 3> w1(w), w2(w);
                const auto y1 = gnn::relation_sum(g, type, x1, w1, aggr);
                const auto y2 = by_parts(g, type, x2, w2, aggr);
                require_near("out", y1.value(), y2.value(), 1e-12);
                require_near("out of tensors", Tensor<double, 2>(gnn::relation_sum(g, type, x, w, aggr)), y2.value(),
                             1e-12);
                backward(y1, dy);
                backward(y2, dy);
                require_near("x", x1.grad(), x2.grad(), 1e-12);
                require_near("w", w1.grad(), w2.grad(), 1e-12);
            }
}

TEST_CASE("relation_sum: no edges, no nodes", "[gnn]") {
    for (const weft::index nodes : {0, 3})
        for (const auto aggr : every_aggregation) {
            const Graph g = Graph::from_edges({}, nodes, 2 * nodes);
            const Var<double, 2> x(numbers<double, 2>({nodes, 4}, 1));
            const Var<double, 3> w(numbers<double, 3>({4, 4, 5}, 2));
            const auto y = gnn::relation_sum(g, kinds(0), x, w, aggr);
            REQUIRE(y.shape() == Extents<2>{2 * nodes, 5});
            backward(y, Tensor<double, 2>::ones(y.shape()));
            require_near("out", y.value(), Tensor<double, 2>::zeros({2 * nodes, 5}), 0);
            require_near("x", x.grad(), Tensor<double, 2>::zeros({nodes, 4}), 0);
            require_near("w", w.grad(), Tensor<double, 3>::zeros({4, 4, 5}), 0);
        }
}

TEST_CASE("relation_sum: gradients to second order", "[gnn]") {
    const Graph g = random_graph(5, 12);
    for (const auto aggr : every_aggregation)
        expect_grad<2>([&](const auto& x, const auto& w) { return gnn::relation_sum(g, kinds(12), x, w, aggr); },
                       numbers<double, 2>({5, 3}, 1), numbers<double, 3>({4, 3, 2}, 2));
}

TEST_CASE("relation_sum: the same bits on any number of threads", "[gnn]") {
    const Graph g = random_graph(9000, 40000);
    const auto type = kinds(40000);
    const auto x = numbers<float, 2>({9000, 16}, 1), dy = numbers<float, 2>({9000, 16}, 3);
    const auto w = numbers<float, 3>({4, 16, 16}, 2);
    require_thread_independent([&] {
        const Var<float, 2> rows(x);
        const Var<float, 3> matrices(w);
        const auto y = gnn::relation_sum(g, type, rows, matrices, gnn::Aggregation::mean);
        backward(y, dy);
        return Tensor<float, 2>(concat(0, y.value(), rows.grad(), reshape(matrices.grad(), Extents<2>{4 * 16, 16})));
    });
}

TEST_CASE("relation_sum: errors say what does not fit", "[gnn]") {
    const Graph g = random_graph(5, 12);
    const auto w = Tensor<float, 3>::zeros({4, 3, 2});
    const auto sum = [&](weft::index rows, weft::index in, weft::index edges) {
        return gnn::relation_sum(g, kinds(edges), Tensor<float, 2>::zeros({rows, in}), w);
    };
    REQUIRE(sum(5, 3, 12).shape() == Extents<2>{5, 2});
    REQUIRE_THROWS_WITH(sum(6, 3, 12), ContainsSubstring("they must be [5, in]"));
    REQUIRE_THROWS_WITH(sum(5, 4, 12), ContainsSubstring("w is [4, 3, 2]"));
    REQUIRE_THROWS_WITH(sum(5, 3, 11), ContainsSubstring("edge_type has 11 rows"));
    REQUIRE_THROWS_WITH(
        gnn::relation_sum(g, kinds(12), Tensor<float, 2>::zeros({5, 3}), Tensor<float, 3>::zeros({2, 3, 2})),
        ContainsSubstring("below 2"));
}
