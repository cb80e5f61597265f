// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"

#include <weft/gnn/gcn_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
void run_gcn(GoldenCase& golden) {
    const Graph g = golden_graph(golden);
    gnn::GCNConv<T> conv(golden.shape("p.lin.weight")[1], golden.shape("p.lin.weight")[0],
                         {.improved = golden.option("improved", false),
                          .add_self_loops = golden.option("add_self_loops", golden.option("normalize", true)),
                          .normalize = golden.option("normalize", true),
                          .bias = golden.option("bias", true)});
    load_parameters<T>(golden, conv);
    const auto x = golden_input<T, 2>(golden, "x");
    const auto w = golden_input<T, 1>(golden, "edge_weight");
    if (w)
        compare_output(golden, Tensor<T, 2>(conv(g, x->value(), w->value())), Var<T, 2>(conv(g, *x, *w)));
    else
        compare_output(golden, Tensor<T, 2>(conv(g, x->value())), Var<T, 2>(conv(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "edge_weight", w);
    compare_parameter_gradients(golden, conv);
}

} // namespace

TEST_CASE("gcn_conv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "gcn", run_gcn<double>); }
TEST_CASE("gcn_conv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "gcn", run_gcn<float>); }

TEST_CASE("gcn_conv: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    REQUIRE_THROWS_WITH((gnn::GCNConv<float>(2, 2, {.add_self_loops = true, .normalize = false})),
                        ContainsSubstring("add_self_loops needs normalize"));
    gnn::GCNConv<float> conv(4, 2);
    REQUIRE_THROWS_WITH(conv(g, zeros<float>({3, 5})), ContainsSubstring("x is [3, 5]"));
    REQUIRE_THROWS_WITH(conv(g, zeros<float>({4, 4})),
                        ContainsSubstring("x is [4, 4]") && ContainsSubstring("3 source nodes"));
    REQUIRE_THROWS_WITH(conv(g, zeros<float>({3, 4}), zeros<float>({3})),
                        ContainsSubstring("edge_weight is [3]") && ContainsSubstring("2 edges"));
    REQUIRE_THROWS_WITH(conv(g, zeros<float>({3, 4}), full<float>({2}, -2.0f)), ContainsSubstring("negative"));
    gnn::GCNConv<float> plain(4, 2, {.add_self_loops = false, .normalize = false});
    REQUIRE_THROWS_WITH(plain(g, zeros<float>({3, 4}), zeros<float>({1})),
                        ContainsSubstring("GCNConv: edge_weight is [1]") && ContainsSubstring("2 edges"));
    const Graph bipartite = Graph::from_edges({{0, 1}}, 3, 2);
    REQUIRE_THROWS_WITH(conv(bipartite, zeros<float>({3, 4})), ContainsSubstring("3 source and 2 destination nodes"));
    REQUIRE_THROWS_WITH((gnn::GCNConv<float>(-1, 2)), ContainsSubstring("-1 features in"));
}
