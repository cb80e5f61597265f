// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/gnn/aggregation.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_softmax.hpp>
#include <weft/nn/activation.hpp>
#include <weft/nn/module.hpp>

/// Readouts: one row for each graph of a batch, made of the rows of its nodes; 0 for a graph without nodes. `members`
/// are the edges from each node to its graph, `batch.members()` or graph_members(batch, count).
namespace weft::inline WEFT_ABI::gnn {

/// The sum, mean, maximum or minimum of the rows of x [N, F] of each graph: [graphs, F]. O(N F). Errors: x has not one
/// row for each node.
template <Expression X>
auto readout(const Graph& members, const X& x, Aggregation how) {
    return aggregate(members,
                     src(detail::checked_features("readout", "x", x, members.num_src(), "nodes", x.shape()[1])), how);
}

/// A sum weighed by attention: softmax over the nodes of a graph of gate_nn(x), times nn(x). Li et al., Gated Graph
/// Sequence Neural Networks (arXiv 1511.05493). The gate has one column, one for each of nn's, or one for each of as
/// many heads, neighbouring columns of the same number. Modules `gate_nn` and `nn`.
template <class Gate, class NN = weft::nn::Identity>
struct AttentionalAggregation {
    Gate gate_nn;
    NN nn;

    AttentionalAggregation() = default;
    /// Of two modules from rows to rows, whose parameters become its own.
    explicit AttentionalAggregation(Gate gate, NN network = {}) : gate_nn(std::move(gate)), nn(std::move(network)) {}

    /// x [N, F] to [graphs, C]. Errors: x has not one row for each node; the columns of gate_nn do not divide those of
    /// nn.
    template <Expression X>
    auto operator()(const Graph& members, const X& expression) const {
        const auto x = detail::checked_features("AttentionalAggregation", "x", expression, members.num_src(), "nodes",
                                                expression.shape()[1]);
        const auto gate = contiguous(gate_nn(x));
        const auto value = contiguous(nn(x));
        const index heads = gate.extent(1), channels = value.extent(1);
        if (heads < 1 || channels % heads != 0)
            throw error("AttentionalAggregation",
                        "gate_nn gives {}, nn gives {}: the columns of the gate must divide "
                        "the channels",
                        weft::detail::shape_text(gate.shape()), weft::detail::shape_text(value.shape()));
        const auto in_heads = reshape(value, Extents<3>{x.extent(0), heads, channels / heads});
        return reshape(sum_in(members, softmax_in(src(gate)) * src(in_heads)), Extents<2>{members.num_dst(), channels});
    }

    void visit(auto&& v) {
        v("gate_nn", gate_nn);
        v("nn", nn);
    }
};

/// Options of `SoftmaxAggregation`.
struct SoftmaxAggregationOptions {
    double t = 1;       ///< large: the maximum; 0: the mean
    bool learn = false; ///< t is a parameter
    index channels = 1; ///< of t: 1, or one for each of x
};

/// A sum weighed by the softmax over the nodes of a graph of t x, per channel: Li et al., DeeperGCN (arXiv
/// 2006.07739). Parameter with learn: `t` [channels].
template <class T>
struct SoftmaxAggregation {
    std::optional<Parameter<T, 1>> t;
    Tensor<T, 1> constant;

    /// With default options.
    SoftmaxAggregation() : SoftmaxAggregation(SoftmaxAggregationOptions{}) {}
    /// Errors: channels < 1.
    explicit SoftmaxAggregation(const SoftmaxAggregationOptions& o) {
        if (o.channels < 1) throw error("SoftmaxAggregation", "channels is {}: must be at least 1", o.channels);
        constant = Tensor<T, 1>::full({o.channels}, T(o.t));
        if (o.learn) t.emplace(constant);
    }

    /// x [N, F] to [graphs, F]. Errors: x has not one row for each node, or not as many channels as t.
    template <Expression X>
    auto operator()(const Graph& members, const X& expression) const {
        const index channels = constant.size();
        const auto x = detail::checked_features("SoftmaxAggregation", "x", expression, members.num_src(), "nodes",
                                                channels == 1 ? expression.shape()[1] : channels);
        const auto score = t ? eval(x * *t) : eval(x * constant);
        return sum_in(members, softmax_in(src(score)) * src(x));
    }

    void visit(auto&& v) { v("t", t); }
};

} // namespace weft::inline WEFT_ABI::gnn
