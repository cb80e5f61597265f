// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/rgcn_conv.hpp>
#include <weft/gnn/sage_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
void run(GoldenCase& golden) {
    (void)golden.option<std::string>("note", "");
    const auto aggr = golden.option<std::string>("aggr", "mean");
    REQUIRE((aggr == "mean" || aggr == "add"));
    gnn::RGCNConv<T> conv(golden.shape("x")[1], golden.shape("out")[1], golden.option<weft::index>("num_relations", 0),
                          {.num_bases = golden.option<weft::index>("num_bases", 0),
                           .num_blocks = golden.option<weft::index>("num_blocks", 0),
                           .aggr = aggr == "mean" ? gnn::Aggregation::mean : gnn::Aggregation::add,
                           .root_weight = golden.option("root_weight", true),
                           .bias = golden.option("bias", true)});
    load_parameters<T>(golden, conv);
    const Graph g = golden_graph(golden);
    const auto type = golden.get<std::int32_t, 1>("edge_type");
    const auto x = golden_input<T, 2>(golden, "x");
    compare_output(golden, Tensor<T, 2>(conv(g, x->value(), type)), Var<T, 2>(conv(g, *x, type)));
    compare_input_gradient(golden, "x", x);
    compare_parameter_gradients(golden, conv);
}

struct Relational {
    std::string name;
    weft::index bases = 0, blocks = 0;
    gnn::Aggregation aggr = gnn::Aggregation::mean;
    weft::index in_dst = -1;
    weft::index in = 4, out = 6, edge_width = 1; // the value of an edge says its relation
    bool positive_edges = true;

    template <class T>
    auto make() const {
        return gnn::RGCNConv<T>(in, out, 4,
                                {.num_bases = bases, .num_blocks = blocks, .aggr = aggr, .in_channels_dst = in_dst});
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X& x_dst, const X& edges) const {
        auto type = Tensor<std::int32_t, 1>::empty({g.num_edges()});
        for (weft::index e = 0; e < g.num_edges(); ++e)
            type(e) = static_cast<std::int32_t>(value_of(edges, e) * 2) % 3; // relation 3 has no edge
        return in_dst < 0 ? X(module(g, x, type)) : X(module.bipartite(g, x, x_dst, type));
    }
    template <class X>
    static double value_of(const X& edges, weft::index e) {
        if constexpr (requires { edges.data()[e].value; })
            return edges.data()[e].value;
        else if constexpr (requires { edges.value(); })
            return value_of(edges.value(), e);
        else
            return static_cast<double>(edges.data()[e]);
    }
};

const std::vector<Relational> layers{
    {"mean"}, {"sum", 0, 0, gnn::Aggregation::add}, {"bases", 2}, {"blocks", 0, 2}, {"bipartite", 0, 0, {}, 3},
};

} // namespace

TEST_CASE("RGCNConv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "rgcn", run<double>); }
TEST_CASE("RGCNConv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "rgcn", run<float>); }

TEST_CASE("RGCNConv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const Relational& layer) { check_gradients(layer); });
}
TEST_CASE("RGCNConv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const Relational& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("RGCNConv: threads, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const Relational& layer) {
        check_empty(layer);
        if (layer.in_dst < 0) check_threads(layer);
    });
}

TEST_CASE("RGCNConv: one relation is SAGEConv with a mean", "[gnn]") {
    const Graph g = random_graph(20, 60, 5);
    const auto x = numbers<double, 2>({20, 4}, 1);
    gnn::RGCNConv<double> one(4, 3, 1);
    gnn::SAGEConv<double> sage(4, 3);
    sage.lin_l.weight.set_value(transpose(select_index(one.weight.value(), 0, 0)));
    sage.lin_l.bias->set_value(one.bias->value());
    sage.lin_r->weight.set_value(transpose(one.root->value()));
    require_near("out", Tensor<double, 2>(one(g, x, Tensor<std::int32_t, 1>::zeros({60}))),
                 Tensor<double, 2>(sage(g, x)), 1e-12);
}

TEST_CASE("RGCNConv: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    const auto x = Tensor<float, 2>::zeros({3, 4});
    using Conv = gnn::RGCNConv<float>;
    using Types = Tensor<std::int32_t, 1>;
    REQUIRE_THROWS_WITH(Conv(4, 2, 0), ContainsSubstring("num_relations is 0"));
    REQUIRE_THROWS_WITH(Conv(4, 2, 2, {.num_bases = 1, .num_blocks = 2}), ContainsSubstring("at most one"));
    REQUIRE_THROWS_WITH(Conv(4, 3, 2, {.num_blocks = 2}), ContainsSubstring("num_blocks is 2"));
    REQUIRE_THROWS_WITH(Conv(4, 3, 2)(g, x, Types::zeros({3})), ContainsSubstring("edge_type has 3 rows"));
    REQUIRE_THROWS_WITH(Conv(4, 3, 2)(g, x, Types::from({0, 2})), ContainsSubstring("edge_type[1] is 2"));
    REQUIRE_THROWS_WITH(Conv(5, 3, 2)(g, x, Types::zeros({2})), ContainsSubstring("x is [3, 4]"));
}
