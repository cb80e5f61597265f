// SPDX-License-Identifier: MIT
// Where one input is a Var, all parameters are trained, also those that meet inputs which are Tensors.
#include "../core/tensor_checks.hpp"
#include "../graph/random_graph.hpp"

#include <weft/core/reduce.hpp>
#include <weft/gnn/cheb_conv.hpp>
#include <weft/gnn/dagnn.hpp>
#include <weft/gnn/digcn_conv.hpp>
#include <weft/gnn/dir_gnn_conv.hpp>
#include <weft/gnn/edge_conv.hpp>
#include <weft/gnn/gat_conv.hpp>
#include <weft/gnn/gated_graph_conv.hpp>
#include <weft/gnn/gatv2_conv.hpp>
#include <weft/gnn/gcn_conv.hpp>
#include <weft/gnn/gin_conv.hpp>
#include <weft/gnn/graph_conv.hpp>
#include <weft/gnn/hypergraph_conv.hpp>
#include <weft/gnn/magnet_conv.hpp>
#include <weft/gnn/pna_conv.hpp>
#include <weft/gnn/sage_conv.hpp>
#include <weft/gnn/sg_conv.hpp>
#include <weft/gnn/sir_conv.hpp>
#include <weft/gnn/transformer_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

void require_trained(const char* layer, auto& module, const Var<double, 2>& y) {
    INFO(layer);
    backward(Var(sum(y * numbers<double, 2>(y.shape(), 7))));
    nn::for_each_parameter(module, [&](std::string_view name, const auto& parameter) {
        INFO(name);
        REQUIRE(parameter.has_grad());
        // A bias of all keys alike changes no softmax.
        if (name != "lin_key.bias") REQUIRE(max(abs(parameter.grad())).item() > 1e-6);
    });
}

} // namespace

TEST_CASE("constant inputs: parameters of edge features are trained", "[gnn]") {
    const Graph g = random_graph(12, 40, 3);
    const Var<double, 2> x(numbers<double, 2>({12, 4}, 1));
    const auto e = numbers<double, 2>({40, 3}, 2);
    gnn::GATConv<double> gat(4, 3, {.heads = 2, .edge_dim = 3});
    require_trained("GATConv", gat, gat(g, x, e));
    gnn::GATv2Conv<double> gatv2(4, 3, {.heads = 2, .edge_dim = 3});
    require_trained("GATv2Conv", gatv2, gatv2(g, x, e));
    gnn::TransformerConv<double> transformer(4, 3, {.heads = 2, .edge_dim = 3});
    require_trained("TransformerConv", transformer, transformer(g, x, e));
    gnn::GINEConv<double, nn::Linear<double>> gine(nn::Linear<double>(4, 2), {.edge_dim = 3, .in_channels = 4});
    require_trained("GINEConv", gine, gine(g, x, e));
}

TEST_CASE("constant inputs: parameters of the other node set are trained", "[gnn]") {
    const Graph g = random_bipartite_graph(12, 9, 40, 3);
    const auto s = numbers<double, 2>({12, 4}, 1), d = numbers<double, 2>({9, 4}, 2);
    const Var<double, 2> from(s), to(d);
    const auto check = [&](const char* name, auto layer) {
        require_trained(name, layer, layer.bipartite(g, from, d));
        nn::clear_grad(layer);
        require_trained(name, layer, layer.bipartite(g, s, to));
    };
    check("GATConv", gnn::GATConv<double>(4, 3, {.heads = 2, .add_self_loops = false, .in_channels_dst = 4}));
    check("GATv2Conv", gnn::GATv2Conv<double>(4, 3, {.heads = 2, .add_self_loops = false, .in_channels_dst = 4}));
    check("TransformerConv", gnn::TransformerConv<double>(4, 3, {.heads = 2, .in_channels_dst = 4}));
    check("GraphConv", gnn::GraphConv<double>(4, 3, {.in_channels_dst = 4}));
    check("EdgeConv",
          gnn::EdgeConv<double, nn::Sequential<nn::Linear<double>>>(nn::Sequential(nn::Linear<double>(8, 3))));
    gnn::SAGEConv<double> sage(4, 3, {.in_channels_dst = 4});
    require_trained("SAGEConv", sage, sage(g, from, d));
    nn::clear_grad(sage);
    require_trained("SAGEConv", sage, sage(g, s, to));
}

TEST_CASE("constant inputs: parameters are trained where only the weights of edges are Vars", "[gnn]") {
    const Graph g = random_graph(12, 40, 3);
    const auto x = numbers<double, 2>({12, 4}, 1);
    const Var<double, 1> weight(numbers<double, 1>({40}, 2) + 2.0);
    const auto check = [&](const char* name, auto layer) { require_trained(name, layer, layer(g, x, weight)); };
    check("GatedGraphConv", gnn::GatedGraphConv<double>(5, 2));
    check("GCNConv", gnn::GCNConv<double>(4, 3));
    check("GCNConv", gnn::GCNConv<double>(4, 5));
    check("GCNConv", gnn::GCNConv<double>(4, 3, {.add_self_loops = false, .normalize = false}));
    check("SGConv", gnn::SGConv<double>(4, 3, {.K = 0}));
    check("SGConv", gnn::SGConv<double>(4, 5));
    check("ChebConv", gnn::ChebConv<double>(4, 3, 2));
    check("GraphConv", gnn::GraphConv<double>(4, 3));
    check("AdaptivePropagation", gnn::AdaptivePropagation<double>(4, 0));
    check("DirGCNConv", gnn::DirGCNConv<double>(4, 3));
    check("DirGNNConv", gnn::DirGNNConv<double, gnn::GraphConv<double>>(4, 3, gnn::GraphConvOptions{}));
    check("DiGCNConv", gnn::DiGCNConv<double>(4, 3));
    gnn::GraphConv<double> graph(4, 3);
    require_trained("GraphConv", graph, graph.bipartite(g, x, x, weight));
    gnn::HypergraphConv<double> hypergraph(4, 3);
    const Graph incidence = random_bipartite_graph(12, 40, 60, 3);
    require_trained("HypergraphConv", hypergraph, hypergraph(incidence, x, weight));
    gnn::MagNetConv<double> magnet(4, 3, 2, {.q = 0.1, .trainable_q = true});
    const auto complex = stack(1, x, x);
    require_trained("MagNetConv", magnet, reshape(magnet(g, complex, weight), Extents<2>{12, 6}));
}

TEST_CASE("constant inputs: parameters are trained where only the features of edges are Vars", "[gnn]") {
    const Graph g = random_graph(12, 40, 3);
    const auto x = numbers<double, 2>({12, 4}, 1);
    const Var<double, 2> e(numbers<double, 2>({40, 3}, 2));
    const auto check = [&](const char* name, auto layer) {
        require_trained(name, layer, layer(g, x, e));
        if constexpr (requires { layer.bipartite(g, x, x, e); }) {
            nn::clear_grad(layer);
            require_trained(name, layer, layer.bipartite(g, x, x, e));
        }
    };
    check("GATv2Conv", gnn::GATv2Conv<double>(4, 3, {.heads = 2, .edge_dim = 3}));
    check("TransformerConv", gnn::TransformerConv<double>(4, 3, {.heads = 2, .edge_dim = 3}));
    check("GINEConv",
          gnn::GINEConv<double, nn::Linear<double>>(nn::Linear<double>(4, 2), {.edge_dim = 3, .in_channels = 4}));
    check("SIRConv", gnn::SIRConv<double>(4, 5, 3, {}, {.edge_dim = 3}));
    const auto degrees = Tensor<weft::index, 1>::full({8}, 1);
    check("PNAConv", gnn::PNAConv<double>(4, 3, degrees, {.edge_dim = 3}));
    gnn::GATConv<double> gat(4, 3, {.heads = 2, .edge_dim = 3});
    require_trained("GATConv", gat, gat(g, x, e));
}
