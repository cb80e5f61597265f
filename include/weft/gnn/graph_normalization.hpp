// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/moments.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/nn/affine.hpp>

/// What normalisations over the nodes of a graph share.
namespace weft::inline WEFT_ABI::gnn::detail {

template <class M>
struct ColumnMoments {
    M mean, variance;
};

/// Mean and population variance of the columns of x [N, C], [1, C] each; 0 of no rows.
template <class X>
auto column_moments(const X& x) {
    const auto m = moments<0>(x);
    using M = decltype(eval(m.mean()));
    if (x.extent(0) == 0) {
        const M zeros = Tensor<typename X::value_type, 2>::zeros({1, x.extent(1)});
        return ColumnMoments<M>{zeros, zeros};
    }
    return ColumnMoments<M>{eval(m.mean()), eval(m.variance())};
}

/// The ways to call a normalisation per graph: (x - shift) scale + bias, where Layer::coefficients(mean, variance)
/// gives shift and scale, [graphs, C] or [graphs, 1], of the moments of the columns [graphs, C], Layer::affine has the
/// bias, and Layer::channels is C, or -1 where any number will do.
template <class Layer>
struct GraphNormalization {
    /// x [N, C], the nodes of one graph. Errors: another number of channels.
    template <Expression X>
    auto operator()(const X& x) const {
        return of_one_graph(checked(x, x.shape()[0]));
    }
    /// x [N, C], the nodes of a batch of graphs; `members`: the edge from each node to its graph, `batch.members()` or
    /// graph_members(batch, count). Errors: x does not fit.
    template <Expression X>
    auto operator()(const Graph& members, const X& expression) const {
        const auto x = checked(expression, members.num_src());
        if (members.num_dst() == 1) return of_one_graph(x); // whose nodes threads share
        const auto moments = statistics_in(members, src(x));
        const auto [shift, scale] = layer().coefficients(select_index(moments, 1, 0), select_index(moments, 1, 1));
        const Extents<2> shape{members.num_dst(), x.extent(1)};
        return layer().affine.shifted((src(x) - dst(broadcast_to(shift, shape))) * dst(broadcast_to(scale, shape)),
                                      [&](const auto& e) { return edges(members, e); });
    }

private:
    const Layer& layer() const { return static_cast<const Layer&>(*this); }
    template <class X>
    auto checked(const X& x, index nodes) const {
        return checked_features(Layer::name, "x", x, nodes, "nodes",
                                layer().channels < 0 ? x.shape()[1] : layer().channels);
    }
    template <class X>
    auto of_one_graph(const X& x) const {
        const auto [mean, variance] = column_moments(x);
        const auto [shift, scale] = layer().coefficients(mean, variance);
        return layer().affine.shifted((x - shift) * scale);
    }
};

} // namespace weft::inline WEFT_ABI::gnn::detail
