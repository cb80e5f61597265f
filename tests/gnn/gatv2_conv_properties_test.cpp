// SPDX-License-Identifier: MIT
#include "layer_properties.hpp"

#include <weft/gnn/gatv2_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

struct GATv2 {
    std::string name;
    gnn::GATv2Options options;
    weft::index edge_width = 0, in_dst = -1, in = 3, out = 2;
    static constexpr bool positive_edges = false;

    template <class T>
    gnn::GATv2Conv<T> make() const {
        gnn::GATv2Options o = options;
        o.edge_dim = edge_width;
        o.in_channels_dst = in_dst;
        return {in, out, o};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X& x_dst, const X& edges) const {
        if (in_dst < 0) return edge_width > 0 ? module(g, x, edges) : module(g, x);
        return edge_width > 0 ? module.bipartite(g, x, x_dst, edges) : module.bipartite(g, x, x_dst);
    }
};

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
