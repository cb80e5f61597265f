// SPDX-License-Identifier: MIT
#include "attention_golden.hpp"

#include <weft/gnn/gat_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
void run_gat(GoldenCase& golden) {
    const Graph g = golden_graph(golden);
    const bool bipartite = golden.has("x_src");
    gnn::GATOptions options{.heads = golden.option<weft::index>("heads", 1),
                            .concat = golden.option("concat", true),
                            .negative_slope = golden.option("negative_slope", 0.2),
                            .add_self_loops = golden.option("add_self_loops", true),
                            .edge_dim = golden.option<weft::index>("edge_dim", 0),
                            .bias = golden.option("bias", true)};
    if (const auto fill = golden.option<nlohmann::json>("fill_value", "mean"); fill != "mean")
        options.fill_value = fill.get<double>();
    if (bipartite) options.in_channels_dst = golden.shape("x_dst")[1];
    gnn::GATConv<T> conv(golden.shape(bipartite ? "x_src" : "x")[1], golden.shape("p.att_src")[2], options);
    compare_attention_layer<T>(golden, g, conv);
}

} // namespace

TEST_CASE("gat_conv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "gat", run_gat<double>); }
TEST_CASE("gat_conv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "gat", run_gat<float>); }

TEST_CASE("gat_conv: without attention vectors the mean over the closed neighbourhood", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {2, 1}, {2, 0}, {1, 2}}, 4);
    gnn::GATConv<double> conv(3, 2, {.heads = 2});
    conv.att_src.set_value(Tensor<double, 3>::zeros({1, 2, 2}));
    conv.att_dst.set_value(Tensor<double, 3>::zeros({1, 2, 2}));
    const auto x = Tensor<double, 2>::from({{1, 2, 3}, {4, -5, 6}, {7, 8, -9}, {1, 0, 1}});
    const Tensor<double, 2> h = (*conv.lin)(x);
    const Tensor<double, 2> mean = mean_in(add_self_loops(g), src(h));
    const Tensor<double, 2> out = conv(g, x);
    for (weft::index i = 0; i < out.size(); ++i) REQUIRE(out.data()[i] == Approx(mean.data()[i]).epsilon(1e-12));
}

TEST_CASE("gat_conv: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    gnn::GATConv<float> plain(4, 2, {.heads = 2}), with_edges(4, 2, {.heads = 2, .edge_dim = 3});
    const auto x = zeros<float>({3, 4});
    REQUIRE_THROWS_WITH(with_edges(g, x), ContainsSubstring("edge_attr is missing"));
    REQUIRE_THROWS_WITH(plain(g, x, zeros<float>({2, 3})), ContainsSubstring("no edge_dim"));
    REQUIRE_THROWS_WITH(with_edges(g, x, zeros<float>({5, 3})),
                        ContainsSubstring("edge_attr is [5, 3]: it must be [2, 3]"));
    REQUIRE_THROWS_WITH(plain(g, zeros<float>({3, 5})),
                        "weft: GATConv: x is [3, 5]: it must be [3, 4], 4 features for each of 3 nodes");
    REQUIRE_THROWS_WITH((gnn::GATConv<float>(4, 2, {.heads = 0})), ContainsSubstring("heads is 0"));
    REQUIRE_THROWS_WITH((gnn::GATConv<float>(4, 2, {.edge_dim = -1})), ContainsSubstring("edge_dim is -1"));
    REQUIRE_THROWS_WITH(with_edges(g, x, zeros<float>({2, 2})),
                        ContainsSubstring("edge_attr is [2, 2]: it must be [2, 3]"));
    REQUIRE_THROWS_WITH(plain(g, zeros<float>({2, 4})), ContainsSubstring("x is [2, 4]: it must be [3, 4]"));
    const Graph bipartite = Graph::from_edges({{0, 1}, {2, 0}}, 3, 2);
    gnn::GATConv<float> two_sets(4, 2, {.heads = 2, .in_channels_dst = 5});
    const auto x_dst = zeros<float>({2, 5});
    REQUIRE_NOTHROW(two_sets.bipartite(bipartite, x, x_dst));
    REQUIRE_THROWS_WITH(two_sets(g, x), ContainsSubstring("bipartite(graph, x_src, x_dst)"));
    REQUIRE_THROWS_WITH(plain.bipartite(bipartite, x, x_dst), ContainsSubstring("in_channels_dst"));
    REQUIRE_THROWS_WITH(two_sets.bipartite(bipartite, x, zeros<float>({2, 4})), ContainsSubstring("x_dst is [2, 4]"));
    REQUIRE_THROWS_WITH(two_sets.bipartite(bipartite, zeros<float>({3, 5}), x_dst),
                        ContainsSubstring("x_src is [3, 5]"));
    REQUIRE_THROWS_WITH(two_sets.bipartite(bipartite, x, zeros<float>({3, 5})),
                        ContainsSubstring("x_dst is [3, 5]") && ContainsSubstring("2 destination nodes"));
}
