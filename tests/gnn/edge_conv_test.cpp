// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/edge_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

gnn::Aggregation aggregation_of(const std::string& name) {
    if (name == "max") return gnn::Aggregation::max;
    if (name == "mean") return gnn::Aggregation::mean;
    REQUIRE(name == "add");
    return gnn::Aggregation::add;
}

template <class T>
void run(GoldenCase& golden) {
    (void)golden.option<std::string>("mlp", "");
    gnn::EdgeConv<T, Perceptron<T>> conv(golden_perceptron<T>(golden),
                                         {.aggr = aggregation_of(golden.option<std::string>("aggr", "max"))});
    load_parameters<T>(golden, conv);
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x");
    compare_output(golden, Tensor<T, 2>(conv(g, x->value())), Var<T, 2>(conv(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_parameter_gradients(golden, conv);
}

struct Edges {
    std::string name;
    gnn::Aggregation aggr = gnn::Aggregation::max;
    weft::index in_dst = -1;
    weft::index in = 3, out = 5, edge_width = 0;
    bool positive_edges = false;

    template <class T>
    auto make() const {
        return gnn::EdgeConv<T, Perceptron<T>>(
            Perceptron<T>(nn::Linear<T>(2 * in, 4), nn::ReLU{}, nn::Linear<T>(4, out)), {.aggr = aggr});
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X& x_dst, const X&) const {
        return in_dst < 0 ? X(module(g, x)) : X(module.bipartite(g, x, x_dst));
    }
};

const std::vector<Edges> layers{
    {"maximum"},
    {"sum", gnn::Aggregation::add},
    {"mean", gnn::Aggregation::mean},
    {"sum, bipartite", gnn::Aggregation::add, 3},
};

} // namespace

TEST_CASE("EdgeConv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "edge_conv", run<double>); }
TEST_CASE("EdgeConv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "edge_conv", run<float>); }

TEST_CASE("EdgeConv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const Edges& layer) { check_gradients(layer); });
}
TEST_CASE("EdgeConv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const Edges& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("EdgeConv: threads, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const Edges& layer) {
        check_empty(layer);
        if (layer.in_dst < 0) check_threads(layer);
    });
}

TEST_CASE("EdgeConv: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    using Conv = gnn::EdgeConv<float, nn::Sequential<nn::Linear<float>>>;
    REQUIRE_THROWS_WITH(Conv(nn::Sequential(nn::Linear<float>(5, 2))), ContainsSubstring("nn takes 5 features"));
    const Conv conv(nn::Sequential(nn::Linear<float>(6, 2)));
    REQUIRE_THROWS_WITH(conv(g, Tensor<float, 2>::zeros({3, 2})), ContainsSubstring("x is [3, 2]"));
}
