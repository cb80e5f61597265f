// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/gnn/relation_sum.hpp>
#include <weft/linalg/affine.hpp>
#include <weft/nn/init.hpp>

#include <optional>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `RGCNConv`.
struct RGCNOptions {
    index num_bases = 0;  ///< relations' matrices are sums of so many; 0: each its own
    index num_blocks = 0; ///< matrices are block-diagonal with so many blocks; 0: full
    Aggregation aggr = Aggregation::mean;
    bool root_weight = true; ///< the node's own features too
    bool bias = true;
    index in_channels_dst = -1;     ///< features of destinations in a bipartite graph; -1: as sources
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Relational graph convolution, y_i = sum over relations r of (aggr of x_j over the edges of r that enter i) W_r +
/// x_i root + b: Schlichtkrull et al. (arXiv 1703.06103). Parameters `weight` [R, in, out], with num_bases [B, in, out]
/// and `comp` [R, B], with num_blocks [R, B, in / B, out / B]; `root` [in, out], `bias`. Features are aggregated per
/// destination and relation first, of which there are P <= E pairs: O(E in + P in out).
template <class T>
struct RGCNConv {
    Parameter<T, 3> weight;
    Parameter<T, 4> blocks; // `weight` with num_blocks
    std::optional<Parameter<T, 2>> comp, root;
    std::optional<Parameter<T, 1>> bias;
    index num_relations = 0, in_channels = 0;
    RGCNOptions options;

    RGCNConv() = default;
    /// Errors: num_relations < 1; bases and blocks at once; in or out is no multiple of num_blocks.
    RGCNConv(index in, index out, index relations, const RGCNOptions& o = {})
        : num_relations(relations), in_channels(in), options(o) {
        if (relations < 1) throw error("RGCNConv", "num_relations is {}: must be at least 1", relations);
        if (o.num_bases < 0 || o.num_blocks < 0 || (o.num_bases > 0 && o.num_blocks > 0))
            throw error("RGCNConv", "num_bases is {}, num_blocks is {}: at most one of them can be used, and positive",
                        o.num_bases, o.num_blocks);
        if (o.num_blocks > 0 && (in % o.num_blocks != 0 || out % o.num_blocks != 0))
            throw error("RGCNConv", "num_blocks is {}: it must divide in_channels, {}, and out_channels, {}",
                        o.num_blocks, in, out);
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        Generator& generator = o.generator ? *o.generator : unseeded;
        const auto fill = [&](auto& parameter, const auto& shape) {
            parameter.set_value(Tensor<T, std::remove_cvref_t<decltype(parameter)>::rank>::empty(shape));
            nn::glorot_uniform(parameter, generator);
        };
        if (o.num_blocks > 0)
            fill(blocks, Extents<4>{relations, o.num_blocks, in / o.num_blocks, out / o.num_blocks});
        else
            fill(weight, Extents<3>{o.num_bases > 0 ? o.num_bases : relations, in, out});
        if (o.num_bases > 0) fill(comp.emplace(), Extents<2>{relations, o.num_bases});
        if (o.root_weight) fill(root.emplace(), Extents<2>{o.in_channels_dst < 0 ? in : o.in_channels_dst, out});
        if (o.bias) bias.emplace(Tensor<T, 1>::zeros({out}));
        options.generator = nullptr;
    }

    /// x [N, in], edge_type [E] to [N, out]. Errors: the graph is not square; x or edge_type does not fit.
    template <Expression X>
    auto operator()(const Graph& g, const X& x, const Tensor<std::int32_t, 1>& edge_type) const {
        const auto h = detail::checked_features("RGCNConv", "x", x, g.num_nodes(), "nodes", in_channels);
        return convolve(g, h, h, edge_type);
    }
    /// x_src [N_src, in], x_dst [N_dst, in_dst], edge_type [E] to [N_dst, out].
    template <Expression S, Expression D>
    auto bipartite(const Graph& g, const S& x_src, const D& x_dst, const Tensor<std::int32_t, 1>& edge_type) const {
        return convolve(
            g, detail::checked_features<D>("RGCNConv", "x_src", x_src, g.num_src(), "source nodes", in_channels),
            detail::checked_features<S>("RGCNConv", "x_dst", x_dst, g.num_dst(), "destination nodes",
                                        root ? root->extent(0) : x_dst.extent(1)),
            edge_type);
    }

    void visit(auto&& v) {
        if (options.num_blocks > 0)
            v("weight", blocks);
        else
            v("weight", weight);
        v("comp", comp);
        v("root", root);
        v("bias", bias);
    }

private:
    template <class S, class D>
    auto convolve(const Graph& g, const S& x_src, const D& x_dst, const Tensor<std::int32_t, 1>& edge_type) const {
        const auto y = relations(g, edge_type, x_src);
        using Y = std::remove_const_t<decltype(y)>;
        if (root && bias) return Y(y + affine(x_dst, transpose(*root), *bias));
        if (root) return Y(y + matmul(x_dst, *root));
        return bias ? Y(y + *bias) : y;
    }
    template <class H>
    auto relations(const Graph& g, const Tensor<std::int32_t, 1>& edge_type, const H& h) const {
        using Y = decltype(relation_sum(g, edge_type, h, weight));
        if (options.num_blocks > 0) {
            const index count = options.num_blocks, width = in_channels / count;
            Y y;
            for (index b = 0; b < count; ++b) {
                const Y block = relation_sum(g, edge_type, eval(slice(h, 1, b * width, (b + 1) * width)),
                                             select_index(blocks, 1, b), options.aggr);
                y = b == 0 ? block : Y(concat(1, y, block));
            }
            return y;
        }
        if (!comp) return relation_sum(g, edge_type, h, weight, options.aggr);
        const auto bases = reshape(detail::recorded_with<H>(weight),
                                   Extents<2>{weight.extent(0), weight.extent(1) * weight.extent(2)});
        const auto matrices =
            reshape(matmul(*comp, bases), Extents<3>{num_relations, weight.extent(1), weight.extent(2)});
        return relation_sum(g, edge_type, h, matrices, options.aggr);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
