// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/ops.hpp>
#include <weft/gnn/edge_conv.hpp>
#include <weft/gnn/gat_conv.hpp>
#include <weft/gnn/gin_conv.hpp>
#include <weft/gnn/sage_conv.hpp>
#include <weft/graph/self_loops.hpp>

/// Layers with a row in memory for every edge: gather, compute, scatter. It is what frameworks without fused kernels
/// do, here without their overhead: what is left beside the layers themselves is what the fusion is worth. Each holds
/// the layer whose parameters it has.
namespace weft_bench {

using weft::gather, weft::scatter, weft::eval, weft::Graph, weft::Reduce;

struct GatheredSage {
    weft::gnn::SAGEConv<float> layer;
    Reduce reduce;

    auto operator()(const Graph& g, const auto& x) const {
        const auto neighbours = scatter(gather(x, g.sources()), g.destinations(), g.num_dst(), reduce);
        return eval(layer.lin_l(neighbours) + (*layer.lin_r)(x));
    }
    void visit(auto&& v) { v("layer", layer); }
};

/// Of layers with one node set and heads side by side.
struct GatheredGat {
    weft::gnn::GATConv<float> layer;

    auto operator()(const Graph& graph, const auto& x) const {
        const Graph g = add_self_loops(remove_self_loops(graph));
        const auto from = g.sources(), to = g.destinations();
        const weft::index nodes = g.num_nodes();
        const auto h = reshape((*layer.lin)(x), weft::Extents<3>{nodes, layer.options.heads, -1});
        const auto score = eval(leaky_relu(gather(eval(weft::sum<2>(h * layer.att_src)), from) +
                                               gather(eval(weft::sum<2>(h * layer.att_dst)), to),
                                           static_cast<float>(layer.options.negative_slope)));
        const auto maximum = scatter(weft::detail::detached(score), to, nodes, Reduce::max);
        const auto e = eval(exp(score - gather(maximum, to)));
        const auto alpha = eval(e / (gather(scatter(e, to, nodes), to) + 1e-16f));
        const auto sums = scatter(eval(gather(h, from) * unsqueeze(alpha, 2)), to, nodes);
        return eval(reshape(sums, weft::Extents<2>{nodes, -1}) + *layer.bias);
    }
    void visit(auto&& v) { v("layer", layer); }
};

template <class NN>
struct GatheredGine {
    weft::gnn::GINEConv<float, NN> layer;

    auto operator()(const Graph& g, const auto& x, const auto& edge_attr) const {
        const auto messages = eval(relu(gather(x, g.sources()) + edge_attr));
        return layer.nn(layer.own.plus(x, scatter(messages, g.destinations(), g.num_dst())));
    }
    void visit(auto&& v) { v("layer", layer); }
};

template <class NN>
struct GatheredEdgeConv {
    weft::gnn::EdgeConv<float, NN> layer;

    auto operator()(const Graph& g, const auto& x) const {
        const auto own = gather(x, g.destinations());
        const auto messages = layer.nn(concat(1, own, eval(gather(x, g.sources()) - own)));
        return scatter(messages, g.destinations(), g.num_dst(), Reduce::max);
    }
    void visit(auto&& v) { v("layer", layer); }
};

} // namespace weft_bench
