// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/gnn/sir_conv.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `SIRConvBase`.
struct SIRConvBaseOptions {
    SIRAggregation aggr = SIRAggregation::sum;
};

namespace detail {

template <class F>
inline constexpr bool begins_with_linear = false;
template <class T, class... M>
inline constexpr bool begins_with_linear<nn::Sequential<nn::Linear<T>, M...>> = true;

/// [x_i, x_j] or [x_i, x_j, e_ij] as a message, an edge expression: a sum of rows with zeros where the others are.
template <class D, class S, class... E>
auto pair_rows(const D& x_dst, const S& x_src, const E&... edge_attr) {
    const index width = ((x_dst.extent(1) + x_src.extent(1)) + ... + edge_attr.extent(1));
    index begin = 0;
    const auto placed = [&](const auto& x) {
        using T = typename D::value_type;
        const index rows = x.extent(0), end = begin + x.extent(1);
        const auto row = concat(1, Tensor<T, 2>::zeros({rows, begin}), x, Tensor<T, 2>::zeros({rows, width - end}));
        begin = end;
        return row;
    };
    const auto to = placed(x_dst), from = placed(x_src);
    if constexpr (sizeof...(E) == 0)
        return dst(to) + src(from);
    else
        return dst(to) + src(from) + edge(placed(edge_attr...));
}

} // namespace detail

/// The general form of SIRConv, y_i = aggr_j g([x_i, x_j (, e_ij)]): Lim et al., Contextualized Messages Boost Graph
/// Representations (arXiv 2403.12529). `message_func` is g, any module from rows [in] to rows [out], or a callable
/// without state. A node without edges gets 0. The modules' parameters are `_message_func.…`, as in the paper's code.
/// O(E cost of g); where g is an nn::Sequential that begins with a Linear, that is computed per node instead of per
/// edge.
template <class F>
struct SIRConvBase {
    F message_func;
    SIRConvBaseOptions options;

    SIRConvBase() = default;
    /// Of the module or callable g, whose parameters become its own.
    explicit SIRConvBase(F g, const SIRConvBaseOptions& o = {}) : message_func(std::move(g)), options(o) {}

    /// x [N, in] to [N, out]; with features of the edges, edge_attr [E, edge_dim], which g takes last. Errors: the
    /// graph is not square; rows that do not fit; g takes another number of features.
    template <Expression X, Expression... E>
    auto operator()(const Graph& g, const X& x, const E&... edge_attr) const {
        const auto h = features<E...>("x", x, g.num_nodes(), "nodes");
        return convolve(g, h, h, features<X>("edge_attr", edge_attr, g.num_edges(), "edges")...);
    }
    /// x_src [N_src, in], x_dst [N_dst, in_dst] to [N_dst, out], maybe with edge_attr.
    template <Expression S, Expression D, Expression... E>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst, const E&... edge_attr) const {
        return convolve(g, features<S, E...>("x_dst", x_dst, g.num_dst(), "destination nodes"),
                        features<D, E...>("x_src", x_src, g.num_src(), "source nodes"),
                        features<S, D>("edge_attr", edge_attr, g.num_edges(), "edges")...);
    }

    void visit(auto&& v) {
        if constexpr (nn::Module<F>) v("_message_func", message_func);
    }

private:
    template <class... Others, class X>
    static auto features(const char* argument, const X& x, index count, const char* of) {
        return detail::checked_features<Others...>("SIRConvBase", argument, x, count, of, x.shape()[1]);
    }

    template <class D, class S, class... E>
    auto convolve(const Graph& g, const D& x_dst, const S& x_src, const E&... edge_attr) const {
        static_assert(sizeof...(E) <= 1, "weft: SIRConvBase: there is one tensor of edge features");
        const auto aggregate = [&](const auto& message, const auto& rest) {
            return detail::sir_aggregate(g, message, rest, nn::Identity{}, options.aggr);
        };
        if constexpr (detail::begins_with_linear<F>) {
            const auto& first = std::get<0>(message_func.modules);
            const index given = ((x_dst.extent(1) + x_src.extent(1)) + ... + edge_attr.extent(1));
            if (given != first.in_features())
                throw error("SIRConvBase",
                            "message_func takes {} features, it is given {}: {} of the destination, {} "
                            "of the source, {} of the edge",
                            first.in_features(), given, x_dst.extent(1), x_src.extent(1),
                            given - x_dst.extent(1) - x_src.extent(1));
            return aggregate(detail::pair_linear(first, x_dst, x_src, edge_attr...), message_func.rest());
        } else {
            return aggregate(detail::pair_rows(x_dst, x_src, edge_attr...), message_func);
        }
    }
};

} // namespace weft::inline WEFT_ABI::gnn
