// SPDX-License-Identifier: MIT
#include "attention_layer.hpp"

#include <weft/gnn/gat_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

using GAT = AttentionLayer<gnn::GATConv, gnn::GATOptions>;

const std::vector<GAT> layers{
    {"one head", {}},
    {"three heads", {.heads = 3}},
    {"mean of heads", {.heads = 2, .concat = false}},
    {"steep", {.heads = 2, .negative_slope = 0.7}},
    {"no loops added", {.heads = 2, .add_self_loops = false}},
    {"no bias", {.heads = 2, .bias = false}},
    {"edges", {.heads = 2}, 3},
    {"edges, loops filled with a number", {.heads = 2, .fill_value = 0.5, .bias = false}, 3},
    {"edges, no loops added, mean of heads", {.heads = 3, .concat = false, .add_self_loops = false}, 1},
    {"bipartite", {.heads = 2}, 0, 4},
    {"bipartite, no loops added", {.heads = 2, .add_self_loops = false}, 0, 4},
    {"bipartite, edges", {.heads = 2}, 3, 2},
    {"bipartite, edges, no loops added", {.concat = false, .add_self_loops = false}, 2, 4},
};

} // namespace

TEST_CASE("gat_conv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const GAT& layer) { check_gradients(layer); });
}
TEST_CASE("gat_conv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const GAT& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("gat_conv: threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const GAT& layer) {
        check_threads(layer);
        check_widths(layer);
        check_empty(layer);
    });
}
