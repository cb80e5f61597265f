// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/subtract.hpp>
#include <weft/gnn/aggregation.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/gnn/per_edge.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `EdgeConv`.
struct EdgeConvOptions {
    Aggregation aggr = Aggregation::max;
};

/// y_i = aggr over j of nn([x_i, x_j - x_i]): Wang et al., Dynamic Graph CNN for Learning on Point Clouds (arXiv
/// 1801.07829). `nn` is an nn::Sequential that begins with a Linear of 2 in features, which is computed per node
/// instead of per edge: (A - B) x_i + b and B x_j. Parameters `nn.0.weight`, .... O(N in hidden + E cost of the rest).
template <class T, class NN>
struct EdgeConv {
    NN nn;
    EdgeConvOptions options;

    EdgeConv() = default;
    /// Errors: the first Linear takes an odd number of features.
    explicit EdgeConv(NN network, const EdgeConvOptions& o = {}) : nn(std::move(network)), options(o) {
        if (first().in_features() % 2 != 0)
            throw error("EdgeConv", "nn takes {} features: it must be twice those of a node", first().in_features());
    }

    /// x [N, in] to [N, out]. Errors: the graph is not square; x does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        const auto h = detail::checked_features("EdgeConv", "x", x, g.num_nodes(), "nodes", in_features());
        return convolve(g, h, h);
    }
    /// x_src [N_src, in], x_dst [N_dst, in] to [N_dst, out].
    template <Expression S, Expression D>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst) const {
        const auto features = [&](const char* argument, const auto& x, index count, const char* of) {
            return detail::checked_features<S, D>("EdgeConv", argument, x, count, of, in_features());
        };
        return convolve(g, features("x_src", x_src, g.num_src(), "source nodes"),
                        features("x_dst", x_dst, g.num_dst(), "destination nodes"));
    }

    void visit(auto&& v) { v("nn", nn); }

private:
    const nn::Linear<T>& first() const { return std::get<0>(nn.modules); }
    index in_features() const { return first().in_features() / 2; }

    template <class S, class D>
    auto convolve(const Graph& g, const S& x_src, const D& x_dst) const {
        const index in = in_features();
        const auto own = transpose(slice(first().weight, 1, 0, in));
        const auto difference = transpose(slice(first().weight, 1, in, 2 * in));
        const auto q = matmul(x_src, difference);
        const auto p = first().add_bias(matmul(x_dst, own) - matmul(x_dst, difference));
        return aggregate(g, per_edge(nn.rest(), dst(p) + src(q)), options.aggr);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
