// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/gnn/aggregation.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_order.hpp>
#include <weft/nn/gru_cell.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `GatedGraphConv`.
struct GatedGraphOptions {
    Aggregation aggr = Aggregation::add;
    bool bias = true;               ///< of the recurrent unit
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Gated graph sequence network: Li et al. (arXiv 1511.05493). h_0 is x, padded with zeros to C channels; in each of
/// L steps m_i = aggr_j w_ij h_j W_l and h <- GRU(m, h). Parameters `weight` [L, C, C], `rnn.weight_ih`,
/// `rnn.weight_hh` [3 C, C], `rnn.bias_ih`, `rnn.bias_hh` [3 C]. O(L (E C + N C^2)).
template <class T>
struct GatedGraphConv {
    Parameter<T, 3> weight;
    nn::GRUCell<T> rnn;
    Aggregation aggr = Aggregation::add;

    GatedGraphConv() = default;
    /// Errors: a negative number of channels; layers < 1.
    GatedGraphConv(index out_channels, index layers, const GatedGraphOptions& o = {}) : aggr(o.aggr) {
        if (layers < 1) throw error("GatedGraphConv", "layers is {}: must be at least 1", layers);
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        Generator& generator = o.generator ? *o.generator : unseeded;
        rnn = nn::GRUCell<T>(out_channels, out_channels, {.bias = o.bias, .generator = &generator});
        weight.set_value(Tensor<T, 3>::zeros({layers, out_channels, out_channels}));
        const double bound = 1 / std::sqrt(std::max(static_cast<double>(out_channels), 1.0));
        nn::uniform(weight, generator, -bound, bound);
    }

    /// x [N, F] to [N, C]. Errors: the graph is not square; x does not fit; F > C.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        return steps(g, x, [&](const auto& m) { return aggregate(g, src(m), aggr); });
    }
    /// The same with weights of the edges, edge_weight [E].
    template <Expression X, Expression W>
    auto operator()(const Graph& g, const X& x, const W& edge_weight) const {
        weft::detail::check_edge_rows("GatedGraphConv", g, edge_weight, "edge_weight");
        return steps(g, detail::recorded_with<W>(x),
                     [&](const auto& m) { return aggregate(g, src(m) * edge(edge_weight), aggr); });
    }

    void visit(auto&& v) {
        v("weight", weight);
        v("rnn", rnn);
    }

private:
    template <class X, class Gather>
    auto steps(const Graph& g, const X& expression, const Gather& gather_messages) const {
        const index channels = weight.extent(2), features = expression.shape()[1];
        if (features > channels)
            throw error("GatedGraphConv", "x is {}: it must not have more than {} features, the channels of the layer",
                        weft::detail::shape_text(expression.shape()), channels);
        const auto x = detail::checked_features("GatedGraphConv", "x", expression, g.num_nodes(), "nodes", features);
        const auto padded = concat(1, x, Tensor<T, 2>::zeros({x.extent(0), channels - features}));
        using H = decltype(rnn(gather_messages(matmul(padded, select_index(weight, 0, 0))), padded));
        H h(padded);
        for (index l = 0; l < weight.extent(0); ++l) h = rnn(gather_messages(matmul(h, select_index(weight, 0, l))), h);
        return h;
    }
};

} // namespace weft::inline WEFT_ABI::gnn
