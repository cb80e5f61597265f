// SPDX-License-Identifier: MIT
#include "layer_properties.hpp"

#include <weft/gnn/transformer_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

struct TransformerLayer {
    std::string name;
    gnn::TransformerOptions options;
    weft::index edge_width = 0, in_dst = -1, in = 3, out = 2;
    static constexpr bool positive_edges = false;

    template <class T>
    gnn::TransformerConv<T> make() const {
        gnn::TransformerOptions o = options;
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

const std::vector<TransformerLayer> layers{
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
    for_each_layer(layers, [](const TransformerLayer& layer) { check_gradients(layer); });
}
TEST_CASE("transformer_conv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const TransformerLayer& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("transformer_conv: threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const TransformerLayer& layer) {
        check_threads(layer);
        check_widths(layer);
        check_empty(layer);
    });
}
