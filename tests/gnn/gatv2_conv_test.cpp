// SPDX-License-Identifier: MIT
#include "attention_golden.hpp"

#include <weft/gnn/gatv2_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
void run_gatv2(GoldenCase& golden) {
    const bool bipartite = golden.has("x_src");
    (void)golden.option("bipartite", false); // as the tensors say
    gnn::GATv2Options options{.heads = golden.option<weft::index>("heads", 1),
                              .concat = golden.option("concat", true),
                              .negative_slope = golden.option("negative_slope", 0.2),
                              .add_self_loops = golden.option("add_self_loops", true),
                              .edge_dim = golden.option<weft::index>("edge_dim", 0),
                              .bias = golden.option("bias", true),
                              .share_weights = golden.option("share_weights", false)};
    if (const auto fill = golden.option<nlohmann::json>("fill_value", "mean"); fill != "mean")
        options.fill_value = fill.get<double>();
    if (bipartite) options.in_channels_dst = golden.shape("x_dst")[1];
    gnn::GATv2Conv<T> conv(golden.shape(bipartite ? "x_src" : "x")[1], golden.shape("p.att")[2], options);
    compare_attention_layer<T>(golden, golden_graph(golden), conv);
}

} // namespace

TEST_CASE("gatv2_conv: golden, double", "[gnn][golden]") {
    for_each_golden_case("gnn-core", "gatv2", run_gatv2<double>);
}
TEST_CASE("gatv2_conv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "gatv2", run_gatv2<float>); }

TEST_CASE("gatv2_conv: errors name the argument", "[gnn]") {
    using Conv = gnn::GATv2Conv<float>;
    REQUIRE_THROWS_WITH(Conv(3, 2, {.heads = 0}), ContainsSubstring("heads is 0"));
    REQUIRE_THROWS_WITH(Conv(3, 2, {.share_weights = true, .in_channels_dst = 4}), ContainsSubstring("share_weights"));
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    const auto x = Tensor<float, 2>::zeros({3, 3}), wide = Tensor<float, 2>::zeros({3, 5});
    REQUIRE_THROWS_WITH(Conv(3, 2)(g, wide), ContainsSubstring("x is [3, 5]"));
    REQUIRE_THROWS_WITH(Conv(3, 2, {.edge_dim = 2})(g, x), ContainsSubstring("edge_attr is missing"));
    REQUIRE_THROWS_WITH(Conv(3, 2)(g, x, Tensor<float, 2>::zeros({2, 1})), ContainsSubstring("no edge_dim"));
    REQUIRE_THROWS_WITH(Conv(3, 2, {.in_channels_dst = 4})(g, x), ContainsSubstring("bipartite"));
}
