// SPDX-License-Identifier: MIT
#include "attention_layer.hpp"

#include <weft/gnn/transformer_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

using Layer = AttentionLayer<gnn::TransformerConv, gnn::TransformerOptions>;

const std::vector<Layer> layers{
    {"one head", {}},
    {"three heads", {.heads = 3}},
    {"mean of heads", {.heads = 2, .concat = false}},
    {"gate", {.heads = 2, .beta = true}},
    {"gate, mean of heads", {.heads = 2, .concat = false, .beta = true}},
    {"no skip, no bias", {.heads = 2, .bias = false, .root_weight = false}},
    {"edges", {.heads = 2}, 3},
    {"bipartite", {.heads = 2}, 0, 4},
    {"bipartite, edges, gate", {.heads = 2, .beta = true}, 3, 2},
};

} // namespace

TEST_CASE("transformer_conv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const Layer& layer) { check_gradients(layer); });
}
TEST_CASE("transformer_conv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const Layer& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("transformer_conv: threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const Layer& layer) {
        check_threads(layer);
        check_widths(layer);
        check_empty(layer);
    });
}
