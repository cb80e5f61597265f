// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"

#include <weft/gnn/sage_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

gnn::Aggregation aggregation(const std::string& name) {
    if (name == "max") return gnn::Aggregation::max;
    if (name == "min") return gnn::Aggregation::min;
    if (name == "add" || name == "sum") return gnn::Aggregation::add;
    if (name != "mean") FAIL("there is no aggregation " << name);
    return gnn::Aggregation::mean;
}

template <class T>
void run_sage(GoldenCase& golden) {
    const Graph g = golden_graph(golden);
    gnn::SAGEOptions options{.aggr = aggregation(golden.option<std::string>("aggr", "mean")),
                             .normalize = golden.option("normalize", false),
                             .root_weight = golden.option("root_weight", true),
                             .project = golden.option("project", false),
                             .bias = golden.option("bias", true)};
    const bool bipartite = golden.has("x_src");
    if (bipartite) options.in_channels_dst = golden.shape("x_dst")[1];
    gnn::SAGEConv<T> conv(golden.shape("p.lin_l.weight")[1], golden.shape("p.lin_l.weight")[0], options);
    load_parameters<T>(golden, conv);
    const auto x = golden_input<T, 2>(golden, "x");
    const auto x_src = golden_input<T, 2>(golden, "x_src"), x_dst = golden_input<T, 2>(golden, "x_dst");
    if (bipartite)
        compare_output(golden, Tensor<T, 2>(conv(g, x_src->value(), x_dst->value())),
                       Var<T, 2>(conv(g, *x_src, *x_dst)));
    else
        compare_output(golden, Tensor<T, 2>(conv(g, x->value())), Var<T, 2>(conv(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "x_src", x_src);
    compare_input_gradient(golden, "x_dst", x_dst);
    compare_parameter_gradients(golden, conv);
}

} // namespace

TEST_CASE("sage_conv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "sage", run_sage<double>); }
TEST_CASE("sage_conv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "sage", run_sage<float>); }

TEST_CASE("sage_conv: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    gnn::SAGEConv<float> conv(4, 2);
    REQUIRE_THROWS_WITH(conv(g, zeros<float>({3, 5})), ContainsSubstring("SAGEConv: x is [3, 5]"));
    REQUIRE_THROWS_WITH(conv(g, zeros<float>({2, 4})), ContainsSubstring("x is [2, 4]"));
    const Graph bipartite = Graph::from_edges({{0, 1}, {2, 0}}, 3, 2);
    gnn::SAGEConv<float> two_sets(4, 2, {.project = true, .in_channels_dst = 5});
    const auto x = zeros<float>({3, 4});
    REQUIRE_NOTHROW(two_sets(bipartite, x, zeros<float>({2, 5})));
    REQUIRE_THROWS_WITH(two_sets(bipartite, zeros<float>({3, 3}), zeros<float>({2, 5})),
                        ContainsSubstring("x_src is [3, 3]"));
    REQUIRE_THROWS_WITH(two_sets(bipartite, x, zeros<float>({2, 4})), ContainsSubstring("x_dst is [2, 4]"));
    REQUIRE_THROWS_WITH(two_sets(bipartite, x, zeros<float>({3, 5})),
                        ContainsSubstring("x_dst") && ContainsSubstring("2 destination nodes"));
    // Not broadcast: one row for two destinations, nor two rows for one destination.
    REQUIRE_THROWS_WITH(two_sets(bipartite, x, zeros<float>({1, 5})), ContainsSubstring("x_dst"));
    REQUIRE_THROWS_WITH(two_sets(Graph::from_edges({{0, 0}}, 3, 1), x, zeros<float>({2, 5})),
                        ContainsSubstring("x_dst"));
    REQUIRE_THROWS_AS(conv(Graph::from_edges({{0, 0}}, 3, 1), x), Error);
    REQUIRE_THROWS_WITH(two_sets(bipartite, zeros<float>({2, 4}), zeros<float>({2, 5})),
                        ContainsSubstring("x_src is [2, 4]"));
}
