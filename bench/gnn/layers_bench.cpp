// SPDX-License-Identifier: MIT
// Layers on a random graph, called as in the peers of bench/peers: GCNConv, SAGEConv and GATConv from 64 channels
// to 64.
#include "graphs.hpp"

#include <weft/core/ops.hpp>
#include <weft/gnn/gat_conv.hpp>
#include <weft/gnn/gcn_conv.hpp>
#include <weft/gnn/sage_conv.hpp>
#include <weft/grad/backward.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::GraphSize, weft_bench::repeat, weft_bench::uniform;

constexpr GraphSize size{20'000, 300'000, 64};

/// The entries `name` and `name_backward`; the latter is the layer and the gradients of x and of all parameters.
/// `bytes` are those of the edges, `products` the number of dense layers, each of which reads and writes a row per
/// node.
template <class Layer>
void add(const std::string& name, const std::string& shape, const Layer& layer, double bytes, double backward_bytes,
         int products) {
    const double dense = products * 8.0 * static_cast<double>(size.nodes * size.channels);
    benchmark::RegisterBenchmark((name + "/" + shape).c_str(), [=](benchmark::State& state) {
        const Graph graph = weft_bench::random_graph(size.nodes, size.edges);
        const auto x = uniform<2>({size.nodes, size.channels}, 1);
        repeat(state, Bytes{bytes + dense}, [&] { benchmark::DoNotOptimize(layer(graph, x).data()); });
    })->UseRealTime();
    benchmark::RegisterBenchmark((name + "_backward/" + shape).c_str(), [=](benchmark::State& state) {
        const Graph graph = weft_bench::random_graph(size.nodes, size.edges);
        const auto x = uniform<2>({size.nodes, size.channels}, 1), dy = uniform<2>({size.nodes, size.channels}, 99);
        Layer trained = layer;
        repeat(state, Bytes{bytes + backward_bytes + 3 * dense}, [&] {
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

    add("gat", edges + "/8x8", gnn::GATConv<float>(channels, 8, {.heads = 8}), weft_bench::attention_bytes(size, 8),
        weft_bench::attention_backward_bytes(size, 8), 1);
    add("gcn", size.text(), gnn::GCNConv<float>(channels, channels), sum, sum, 1);
    add("sage_mean", size.text(), gnn::SAGEConv<float>(channels, channels), sum, sum, 2);
    // Which edge was the largest is kept.
    add("sage_max", size.text(), gnn::SAGEConv<float>(channels, channels, {.aggr = Aggregation::max}), sum + 4 * n * f,
        sum + 4 * n * f, 2);
    return weft_bench::run(argc, argv);
}
