// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "graph/random_graph.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/graph/batch.hpp>
#include <weft/graph/transforms.hpp>

using namespace weft_test;
using weft::Graph, weft::GraphBatch, weft::Tensor, weft::unbatch, weft::unbatch_edges, weft::concat_rows;

namespace {

using Indices = Tensor<std::int32_t, 1>;

std::vector<Graph> sample_graphs() {
    return {Graph(),
            Graph::from_edges({{0, 1}, {1, 1}}, 3),
            Graph::from_edges({}, 2),
            Graph(),
            random_graph(13, 35),
            Graph::from_edges({{0, 0}}, 1),
            Graph()};
}

void require_same(const std::vector<Graph>& a, const std::vector<Graph>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        REQUIRE(a[i].num_nodes() == b[i].num_nodes());
        REQUIRE(edge_list(a[i]) == edge_list(b[i]));
    }
}

} // namespace

TEST_CASE("a batch has the nodes and edges of its graphs in order, and empty graphs keep their place") {
    const auto graphs = sample_graphs();
    const auto b = weft::batch(graphs);
    REQUIRE(b.num_graphs() == 7);
    REQUIRE(same_bits(b.ptr(), Indices::from({0, 0, 3, 5, 5, 18, 19, 19})));
    REQUIRE(b.graph().num_nodes() == 19);
    REQUIRE(b.graph().num_edges() == 38);
    weft::index edge = 0;
    const Indices edge_batch = b.edge_batch();
    for (std::size_t i = 0; i < graphs.size(); ++i) {
        const auto first = b.ptr()(static_cast<weft::index>(i));
        for (const auto& [from, to] : edge_list(graphs[i])) {
            REQUIRE(b.graph().sources()(edge) == from + first);
            REQUIRE(b.graph().destinations()(edge) == to + first);
            REQUIRE(edge_batch(edge) == static_cast<std::int32_t>(i));
            ++edge;
        }
        for (auto v = first; v < b.ptr()(static_cast<weft::index>(i) + 1); ++v)
            REQUIRE(b.batch()(v) == static_cast<std::int32_t>(i));
    }
    REQUIRE(b.members().num_src() == 19);
    REQUIRE(b.members().num_dst() == 7);
    REQUIRE(same_bits(b.members().in_degree(), Indices::from({0, 3, 2, 0, 13, 1, 0})));
}

TEST_CASE("unbatching is the inverse of batching") {
    const auto graphs = sample_graphs();
    require_same(unbatch(weft::batch(graphs)), graphs);
    require_same(unbatch(weft::batch({})), {});
    require_same(unbatch(weft::batch({Graph(), Graph()})), {Graph(), Graph()});
    REQUIRE(GraphBatch().num_graphs() == 0);
    REQUIRE(same_bits(GraphBatch().ptr(), Indices::from({0})));

    std::vector<Tensor<float, 2>> x, w;
    for (std::size_t i = 0; i < graphs.size(); ++i) {
        x.push_back(numbers<float, 2>({graphs[i].num_nodes(), 4}, static_cast<unsigned>(i) + 1));
        w.push_back(numbers<float, 2>({graphs[i].num_edges(), 2}, static_cast<unsigned>(i) + 9));
    }
    const auto b = weft::batch(graphs);
    const auto x_parts = unbatch(b, concat_rows(x));
    const auto w_parts = unbatch_edges(b, concat_rows(w));
    REQUIRE(x_parts.size() == graphs.size());
    REQUIRE(w_parts.size() == graphs.size());
    for (std::size_t i = 0; i < graphs.size(); ++i) {
        REQUIRE(same_bits(Tensor<float, 2>(x_parts[i]), x[i]));
        REQUIRE(same_bits(Tensor<float, 2>(w_parts[i]), w[i]));
    }
}

TEST_CASE("a batch is made of a graph and the graph of each node, with edges in any order") {
    const auto g = Graph::from_edges({{3, 4}, {0, 1}, {4, 3}, {1, 0}, {0, 0}, {5, 5}}, 6);
    const GraphBatch b(g, Tensor<std::int64_t, 1>::from({0, 0, 2, 2, 2, 4}), 6);
    REQUIRE(same_bits(b.ptr(), Indices::from({0, 2, 2, 5, 5, 6, 6})));
    REQUIRE(same_bits(b.edge_batch(), Indices::from({2, 0, 2, 0, 0, 4})));
    const std::vector<Graph> parts{Graph::from_edges({{0, 1}, {1, 0}, {0, 0}}, 2),
                                   Graph(),
                                   Graph::from_edges({{1, 2}, {2, 1}}, 3),
                                   Graph(),
                                   Graph::from_edges({{0, 0}}, 1),
                                   Graph()};
    require_same(unbatch(b), parts);
    const auto w = unbatch_edges(b, Tensor<double, 1>::from({0, 1, 2, 3, 4, 5}));
    REQUIRE(same_bits(w[0], Tensor<double, 1>::from({1, 3, 4})));
    REQUIRE(same_bits(w[2], Tensor<double, 1>::from({0, 2})));
    REQUIRE(w[1].size() == 0);
}

TEST_CASE("normalising a batch is normalising its graphs") {
    const auto graphs = sample_graphs();
    const auto b = weft::batch(graphs);
    const auto [plain, scale, self] = weft::gcn_norm<double>(b.graph());
    const auto scales = unbatch(b, scale), selves = unbatch(b, self);
    for (std::size_t i = 0; i < graphs.size(); ++i) {
        const auto own = weft::gcn_norm<double>(graphs[i]);
        REQUIRE(same_bits(Tensor<double, 1>(scales[i]), own.scale));
        REQUIRE(same_bits(Tensor<double, 1>(selves[i]), own.self));
    }
}

TEST_CASE("gradients flow through the parts of a batch") {
    const auto b = weft::batch({Graph::from_edges({{0, 1}, {1, 1}}, 3), Graph(), Graph::from_edges({{1, 0}}, 2)});
    weft::expect_grad(
        [&](const auto& x) {
            const auto parts = unbatch(b, x);
            return concat(0, 2.0 * parts[0], parts[1], parts[2] * parts[2]);
        },
        numbers<double, 2>({5, 3}));
    weft::expect_grad(
        [&](const auto& w) {
            const auto parts = unbatch_edges(b, w);
            return concat(0, exp(parts[0]), 3.0 * parts[2]);
        },
        numbers<double, 1>({3}));
}

TEST_CASE("errors of batches name what does not fit") {
    const auto g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    const auto make = [&](std::vector<std::int32_t> batch, weft::index count) {
        return error_of([&] { GraphBatch(g, Indices::from(batch), count); });
    };
    REQUIRE(make({0, 1, 0}, 2) == "weft: batch: node 1 is in graph 1, node 2 in graph 0: batch must be sorted");
    REQUIRE(make({0, 0, 1}, 2) == "weft: batch: edge 1 goes from graph 0 to graph 1: edges must stay within a graph");
    REQUIRE(make({0, 0}, 1) == "weft: batch: batch is [2], the graph has 3 nodes: there must be one number for each");
    REQUIRE_THAT(make({0, 0, 2}, 2), ContainsSubstring("batch: index 2 at position 2 is out of range"));
    REQUIRE_THAT(make({-1, 0, 0}, 2), ContainsSubstring("batch: index -1 at position 0"));
    REQUIRE_THAT(make({0, 0, 0}, -1), ContainsSubstring("count is -1"));
    REQUIRE_THAT(error_of([&] {
                     (void)weft::batch({g, Graph::from_edges({}, 2, 3)});
                 }),
                 ContainsSubstring("2 source and 3 destination nodes"));
    const auto b = weft::batch({g, g});
    REQUIRE(error_of([&] {
                (void)unbatch(b, Tensor<float, 2>::zeros({5, 2}));
            }) == "weft: unbatch: x is [5, 2], the batch has 6 nodes: there must be one row for each");
    REQUIRE_THAT(error_of([&] { (void)unbatch_edges(b, Tensor<float, 1>::zeros({5})); }),
                 ContainsSubstring("unbatch_edges: w is [5], the graph has 4 edges"));
    REQUIRE(error_of([&] {
                (void)concat_rows(std::vector{Tensor<float, 2>::zeros({2, 3}), Tensor<float, 2>::zeros({2, 4})});
            }) == "weft: concat_rows: part 0 is [2, 3], part 1 is [2, 4]: they must be equal but for axis 0");
    REQUIRE(concat_rows(std::vector<Tensor<float, 2>>{}).size() == 0);
}
