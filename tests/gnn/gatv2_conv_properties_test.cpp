// SPDX-License-Identifier: MIT
#include "attention_layer.hpp"

#include <weft/gnn/gatv2_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

using GATv2 = AttentionLayer<gnn::GATv2Conv, gnn::GATv2Options>;

const std::vector<GATv2> layers{
    {"one head", {}},
    {"three heads", {.heads = 3}},
    {"mean of heads", {.heads = 2, .concat = false}},
    {"steep", {.heads = 2, .negative_slope = 0.7}},
    {"no loops added", {.heads = 2, .add_self_loops = false}},
    {"shared weights, no bias", {.heads = 2, .bias = false, .share_weights = true}},
    {"edges", {.heads = 2}, 3},
    {"edges, loops filled with a number", {.heads = 2, .fill_value = 0.5}, 3},
    {"bipartite, no loops added", {.heads = 2, .add_self_loops = false}, 0, 4},
    {"bipartite, edges", {.heads = 2}, 3, 2},
};

} // namespace

TEST_CASE("gatv2_conv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const GATv2& layer) { check_gradients(layer); });
}
TEST_CASE("gatv2_conv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const GATv2& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("gatv2_conv: threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const GATv2& layer) {
        check_threads(layer);
        check_widths(layer);
        check_empty(layer);
    });
}
