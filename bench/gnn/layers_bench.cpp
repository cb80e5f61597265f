// SPDX-License-Identifier: MIT
// Layers on a random graph from 64 channels to 64, called as in the peers of bench/peers; `..._gathered` are the same
// with a row in memory for every edge.
#include "gathered_layers.hpp"
#include "graphs.hpp"

#include <weft/core/ops.hpp>
#include <weft/gnn/edge_conv.hpp>
#include <weft/gnn/gat_conv.hpp>
#include <weft/gnn/gatv2_conv.hpp>
#include <weft/gnn/gcn_conv.hpp>
#include <weft/gnn/gin_conv.hpp>
#include <weft/gnn/hgt_conv.hpp>
#include <weft/gnn/pna_conv.hpp>
#include <weft/gnn/rgcn_conv.hpp>
#include <weft/gnn/sage_conv.hpp>
#include <weft/gnn/sir_conv.hpp>
#include <weft/gnn/transformer_conv.hpp>
#include <weft/grad/backward.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::GraphSize, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

constexpr GraphSize size{20'000, 200'000, 64};

/// A layer with constant values of the edges.
template <class Layer, class Values>
struct WithEdges {
    Layer layer;
    Values values;
    auto operator()(const Graph& g, const auto& x) const { return layer(g, x, values); }
    void visit(auto&& v) { v("layer", layer); }
};
template <class Layer, class Values>
WithEdges(Layer, Values) -> WithEdges<Layer, Values>;

/// HGTConv on the nodes in two types, the first half and the second, and the edges in four relations.
struct Hetero {
    gnn::HGTConv<float> layer;
    HeteroGraph hetero;

    Hetero() {
        const auto half = static_cast<std::int32_t>(size.nodes / 2);
        const auto ends = weft_bench::random_edges(size.nodes, size.edges);
        std::vector<std::pair<weft::index, weft::index>> edges[4];
        for (weft::index e = 0; e < size.edges; ++e)
            edges[(ends(0, e) >= half) * 2 + (ends(1, e) >= half)].emplace_back(ends(0, e) % half, ends(1, e) % half);
        std::vector<std::pair<EdgeType, Graph>> relations;
        for (int r = 0; r < 4; ++r)
            relations.emplace_back(EdgeType{r < 2 ? "a" : "b", "to", r % 2 == 0 ? "a" : "b"},
                                   Graph::from_edges(edges[r], half, half));
        hetero = HeteroGraph({{"a", half}, {"b", half}}, relations);
        layer = gnn::HGTConv<float>({{"a", size.channels}, {"b", size.channels}}, size.channels, hetero.edge_types(),
                                    {.heads = 8});
    }
    auto operator()(const Graph&, const auto& x) const {
        const auto part = [&](weft::index begin, weft::index end) { return eval(slice(x, 0, begin, end)); };
        using X = decltype(part(0, 0));
        const auto y = layer(
            hetero, std::map<std::string, X>{{"a", part(0, size.nodes / 2)}, {"b", part(size.nodes / 2, size.nodes)}});
        return concat(0, y.at("a"), y.at("b"));
    }
    void visit(auto&& v) { v("layer", layer); }
};

Tensor<std::int32_t, 1> edge_kinds() {
    auto kinds = Tensor<std::int32_t, 1>::empty({size.edges});
    for (weft::index e = 0; e < size.edges; ++e)
        kinds(e) = static_cast<std::int32_t>(
            weft_bench::splitmix64(static_cast<std::uint64_t>(e) + (std::uint64_t{1} << 50)) % 8);
    return kinds;
}

/// The entries `name` and `name_backward`; the latter is the layer and the gradients of x and of all parameters.
/// `bytes` and `operations` are those of the edges, `products` the number of dense layers, each of which reads and
/// writes a row per node. With the gradients there are three times as many operations.
template <class Layer>
void add(const std::string& name, const std::string& shape, const Layer& layer, double bytes, double backward_bytes,
         int products, double operations) {
    const double dense = products * 8.0 * static_cast<double>(size.nodes * size.channels);
    const double all = operations + products * 2.0 * static_cast<double>(size.nodes * size.channels * size.channels);
    benchmark::RegisterBenchmark((name + "/" + shape).c_str(), [=](benchmark::State& state) {
        const Graph graph = weft_bench::random_graph(size.nodes, size.edges);
        const auto x = uniform<2>({size.nodes, size.channels}, 1);
        repeat(state, Bytes{bytes + dense}, Operations{all}, [&] { benchmark::DoNotOptimize(layer(graph, x).data()); });
    })->UseRealTime();
    benchmark::RegisterBenchmark((name + "_backward/" + shape).c_str(), [=](benchmark::State& state) {
        const Graph graph = weft_bench::random_graph(size.nodes, size.edges);
        const auto x = uniform<2>({size.nodes, size.channels}, 1), dy = uniform<2>({size.nodes, size.channels}, 99);
        Layer trained = layer;
        repeat(state, Bytes{bytes + backward_bytes + 3 * dense}, Operations{3 * all}, [&] {
            const Var<float, 2> leaf{x};
            backward(trained(graph, leaf), dy);
            benchmark::DoNotOptimize(leaf.grad().data());
            nn::for_each_parameter(trained, [](std::string_view, auto parameter) { parameter.clear_grad(); });
        });
    })->UseRealTime();
}

} // namespace

int main(int argc, char** argv) {
    const auto n = static_cast<double>(size.nodes), f = static_cast<double>(size.channels);
    const double sum = weft_bench::edge_sum_bytes(size);
    const weft::index channels = size.channels;
    const std::string edges = std::to_string(size.nodes) + "x" + std::to_string(size.edges);
    using gnn::Aggregation;

    // A number for each edge and channel, and for each edge and head; a dense layer.
    const double each = static_cast<double>(size.edges) * f, score = static_cast<double>(size.edges) * 8;
    const double dense = 2 * n * f * f;
    const double heads = weft_bench::attention_bytes(size, 8);
    const double heads_backward = weft_bench::attention_backward_bytes(size, 8);
    const auto perceptron = [&](weft::index in) {
        return nn::Sequential(nn::Linear<float>(in, channels), nn::ReLU{}, nn::Linear<float>(channels, channels));
    };
    using Perceptron = decltype(perceptron(0));

    const gnn::GATConv<float> gat(channels, 8, {.heads = 8});
    add("gat", edges + "/8x8", gat, heads, heads_backward, 1, 2 * each + 7 * score);
    add("gat_gathered", edges + "/8x8", weft_bench::GatheredGat{gat}, heads, heads_backward, 1, 2 * each + 7 * score);
    add("gatv2", edges + "/8x8", gnn::GATv2Conv<float>(channels, 8, {.heads = 8}), heads, heads_backward, 2,
        7 * each + 5 * score);
    add("transformer", edges + "/8x8", gnn::TransformerConv<float>(channels, 8, {.heads = 8}), heads, heads_backward, 4,
        4 * each + 5 * score);
    add("hgt", edges + "/8x8", Hetero(), heads, heads_backward, 8, 4 * each + 5 * score);
    add("gcn", size.text(), gnn::GCNConv<float>(channels, channels), sum, sum, 1, 2 * each);
    add("sir", size.text(), gnn::SIRConv<float>(channels, channels, channels), sum, 2 * sum, 3, 3 * each);
    const gnn::SAGEConv<float> sage_mean(channels, channels);
    add("sage_mean", size.text(), sage_mean, sum, sum, 2, each);
    add("sage_mean_gathered", size.text(), weft_bench::GatheredSage{sage_mean, Reduce::mean}, sum, sum, 2, each);
    // Which edge was the largest is kept.
    const gnn::SAGEConv<float> sage_max(channels, channels, {.aggr = Aggregation::max});
    add("sage_max", size.text(), sage_max, sum + 4 * n * f, sum + 4 * n * f, 2, each);
    add("sage_max_gathered", size.text(), weft_bench::GatheredSage{sage_max, Reduce::max}, sum + 4 * n * f,
        sum + 4 * n * f, 2, each);
    const auto edge_rows = 4 * static_cast<double>(size.edges) * f;
    const gnn::GINEConv<float, Perceptron> gine(perceptron(channels));
    const auto edge_attr = uniform<2>({size.edges, channels}, 2);
    add("gine", size.text(), WithEdges{gine, edge_attr}, sum + edge_rows, sum + edge_rows, 2, 3 * each);
    add("gine_gathered", size.text(), WithEdges{weft_bench::GatheredGine<Perceptron>{gine}, edge_attr}, sum + edge_rows,
        sum + edge_rows, 2, 3 * each);
    const gnn::EdgeConv<float, Perceptron> edge_conv(perceptron(2 * channels));
    add("edge_conv", size.text(), edge_conv, sum, sum + 3 * edge_rows, 3, 3 * each + 2 * each * f);
    add("edge_conv_gathered", size.text(), weft_bench::GatheredEdgeConv<Perceptron>{edge_conv}, sum,
        sum + 3 * edge_rows, 3, 3 * each + 2 * each * f);
    auto histogram = Tensor<weft::index, 1>::zeros({64});
    const auto degrees = weft_bench::random_graph(size.nodes, size.edges).in_degree();
    for (const auto degree : degrees.values()) ++histogram(degree);
    add("pna", size.text(), gnn::PNAConv<float>(channels, channels, histogram), sum + 20 * n * f, 8 * sum, 6,
        6 * each + 10 * dense); // twelve aggregates go into one dense layer
    add("rgcn", size.text(), WithEdges{gnn::RGCNConv<float>(channels, channels, 8), edge_kinds()}, sum, 3 * sum, 2,
        each + 7 * dense); // eight relations
    return weft_bench::run(argc, argv);
}
