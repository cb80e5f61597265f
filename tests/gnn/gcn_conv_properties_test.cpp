// SPDX-License-Identifier: MIT
#include "layer_properties.hpp"

#include <weft/gnn/gcn_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

struct GCN {
    std::string name;
    gnn::GCNOptions options;
    weft::index edge_width = 0, in = 3, out = 5; // the graph comes first where in < out
    weft::index in_dst = -1;
    bool positive_edges = edge_width > 0;

    template <class T>
    gnn::GCNConv<T> make() const {
        return {in, out, options};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X& edges) const {
        if (edge_width > 0) return module(g, x, reshape(edges, Extents<1>{edges.size()}));
        return module(g, x);
    }
};

const std::vector<GCN> layers{
    {"plain", {}},
    {"weighted", {}, 1},
    {"improved", {.improved = true}},
    {"improved, weighted, to fewer channels", {.improved = true}, 1, 4, 2},
    {"no loops added", {.add_self_loops = false}},
    {"no loops added, weighted", {.add_self_loops = false}, 1},
    {"not normalised", {.add_self_loops = false, .normalize = false}},
    {"not normalised, weighted, to fewer channels", {.add_self_loops = false, .normalize = false}, 1, 4, 2},
    {"no bias, to fewer channels", {.bias = false}, 0, 4, 2},
};

} // namespace

TEST_CASE("gcn_conv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const GCN& layer) { check_gradients(layer); });
}
TEST_CASE("gcn_conv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const GCN& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("gcn_conv: threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const GCN& layer) {
        check_threads(layer);
        check_widths(layer);
        check_empty(layer);
    });
}

TEST_CASE("gcn_conv: without normalisation an edge twice is an edge of weight 2", "[gnn]") {
    const auto twice = Graph::from_edges({{0, 1}, {2, 1}, {0, 1}, {1, 0}}, 4);
    const auto once = Graph::from_edges({{0, 1}, {2, 1}, {1, 0}}, 4);
    for (const GCN& layer : {GCN{"", {.add_self_loops = false, .normalize = false}}, layers[7]}) {
        auto in = layer_inputs(layer, twice), weighted = in;
        if (layer.edge_width) in.edges = Tensor<double, 2>::ones({4, 1});
        weighted.graph = once;
        weighted.edges = Tensor<double, 2>::from({{2}, {1}, {1}});
        GCN other = layer;
        other.edge_width = 1;
        const auto dy = layer_adjoint(layer, in);
        const auto a = run_layer(layer, in, dy), b = run_layer(other, weighted, dy);
        require_near("out", a.out, b.out, 1e-14);
        require_near("gradient of x", a.x, b.x, 1e-14);
        require_near("gradient of parameters", a.parameters, b.parameters, 1e-14);
    }
}
