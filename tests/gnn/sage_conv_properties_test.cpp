// SPDX-License-Identifier: MIT
#include "layer_properties.hpp"

#include <weft/gnn/sage_conv.hpp>

using namespace weft;
using namespace weft_test;
using weft::gnn::Aggregation;

namespace {

struct SAGE {
    std::string name;
    gnn::SAGEOptions options;
    weft::index in = 3, out = 5, in_dst = -1; // sums and means come last where in > out
    static constexpr weft::index edge_width = 0;
    static constexpr bool positive_edges = false;

    template <class T>
    gnn::SAGEConv<T> make() const {
        gnn::SAGEOptions o = options;
        o.in_channels_dst = in_dst;
        return {in, out, o};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X& x_dst, const X&) const {
        return in_dst < 0 ? module(g, x) : module(g, x, x_dst);
    }
};

const std::vector<SAGE> layers{
    {"mean", {}},
    {"mean, to fewer channels", {}, 5, 2},
    {"max", {.aggr = Aggregation::max}},
    {"min", {.aggr = Aggregation::min}},
    {"add", {.aggr = Aggregation::add}},
    {"add, to fewer channels, no bias", {.aggr = Aggregation::add, .bias = false}, 5, 2},
    {"normalised", {.normalize = true}},
    {"normalised, isolated nodes zero", {.normalize = true, .root_weight = false, .bias = false}},
    {"no root weight", {.root_weight = false}},
    {"projected", {.project = true}},
    {"max, projected, normalised", {.aggr = Aggregation::max, .normalize = true, .project = true}, 5, 2},
    {"bipartite", {}, 3, 5, 2},
    {"bipartite, max, projected", {.aggr = Aggregation::max, .project = true}, 3, 2, 4},
    {"bipartite, add, no root weight", {.aggr = Aggregation::add, .root_weight = false}, 5, 2, 3},
};

} // namespace

TEST_CASE("sage_conv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const SAGE& layer) { check_gradients(layer); });
}
TEST_CASE("sage_conv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const SAGE& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("sage_conv: threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const SAGE& layer) {
        check_threads(layer);
        check_widths(layer);
        check_empty(layer);
    });
}
