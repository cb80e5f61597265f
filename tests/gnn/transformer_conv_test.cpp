// SPDX-License-Identifier: MIT
#include "attention_golden.hpp"

#include <weft/gnn/transformer_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
void run_transformer(GoldenCase& golden) {
    gnn::TransformerOptions options{.heads = golden.option<weft::index>("heads", 1),
                                    .concat = golden.option("concat", true),
                                    .beta = golden.option("beta", false),
                                    .edge_dim = golden.option<weft::index>("edge_dim", 0),
                                    .bias = golden.option("bias", true),
                                    .root_weight = golden.option("root_weight", true)};
    const bool bipartite = golden.has("x_src");
    if (bipartite) options.in_channels_dst = golden.shape("x_dst")[1];
    gnn::TransformerConv<T> conv(golden.shape(bipartite ? "x_src" : "x")[1],
                                 golden.shape("p.lin_key.weight")[0] / options.heads, options);
    compare_attention_layer<T>(golden, golden_graph(golden), conv);
}

} // namespace

TEST_CASE("transformer_conv: golden, double", "[gnn][golden]") {
    for_each_golden_case("gnn-core", "transformer", run_transformer<double>);
}
TEST_CASE("transformer_conv: golden, float", "[gnn][golden]") {
    for_each_golden_case("gnn-core", "transformer", run_transformer<float>);
}

TEST_CASE("transformer_conv: errors name the argument", "[gnn]") {
    using Conv = gnn::TransformerConv<float>;
    REQUIRE_THROWS_WITH(Conv(3, 2, {.heads = -1}), ContainsSubstring("heads is -1"));
    REQUIRE_THROWS_WITH(Conv(3, 2, {.beta = true, .root_weight = false}), ContainsSubstring("root_weight"));
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    const auto x = Tensor<float, 2>::zeros({3, 3}), wide = Tensor<float, 2>::zeros({3, 5});
    REQUIRE_THROWS_WITH(Conv(3, 2)(g, wide), ContainsSubstring("x is [3, 5]"));
    REQUIRE_THROWS_WITH(Conv(3, 2, {.edge_dim = 2})(g, x), ContainsSubstring("edge_attr is missing"));
    REQUIRE_THROWS_WITH(Conv(3, 2)(g, x, Tensor<float, 2>::zeros({2, 1})), ContainsSubstring("no edge_dim"));
    REQUIRE_THROWS_WITH(Conv(3, 2, {.in_channels_dst = 4})(g, x), ContainsSubstring("bipartite"));
}
