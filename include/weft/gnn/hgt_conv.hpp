// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/ops.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_softmax.hpp>
#include <weft/graph/hetero_graph.hpp>
#include <weft/graph/row_sum.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// Options of `HGTConv`.
struct HGTOptions {
    index heads = 1;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// A linear layer per node type. Parameters `lins.<type>.weight`, `lins.<type>.bias`.
template <class T>
struct HeteroLinear {
    std::map<std::string, nn::Linear<T>> lins;
    void visit(auto&& v) { v("lins", lins); }
};

/// Heterogeneous graph transformer: Hu et al. (arXiv 2003.01332). With D = out / heads, [k, q, v] = kqv_lin x per node
/// type, and per relation r and head h the matrices K and V [D, D] and the number p: an edge of r from j to i scores
/// <q_i, k_j K> p / sqrt(D); one softmax over the edges of all relations that enter i weighs the sum o_i of v_j V. The
/// result is out_lin gelu(o), and where x is as wide, g times that plus (1 - g) x with g = sigmoid(skip). Parameters
/// `kqv_lin.lins.<type>` [3 out, in], `out_lin.lins.<type>`, `k_rel.weight` and `v_rel.weight` [heads R, D, D] with
/// index h R + r, `skip.<type>` [1], `p_rel.<edge type>` [1, heads]. K and V are multiplied into the projections, so
/// each relation costs two matrix products of its source nodes, and its edges nothing more than attention.
template <class T>
struct HGTConv {
    /// The matrices of one relation, per head.
    struct Relations {
        Parameter<T, 3> weight;
        void visit(auto&& v) { v("weight", weight); }
    };
    HeteroLinear<T> kqv_lin, out_lin;
    Relations k_rel, v_rel;
    std::map<std::string, Parameter<T, 1>> skip;
    std::map<std::string, Parameter<T, 2>> p_rel;
    std::vector<EdgeType> edge_types;
    index out_channels = 0;
    HGTOptions options;

    HGTConv() = default;
    /// `in`: features per node of each type. Errors: heads does not divide out; an edge type of unknown node types.
    HGTConv(const std::map<std::string, index>& in, index out, std::vector<EdgeType> types, const HGTOptions& o = {})
        : edge_types(std::move(types)), out_channels(out), options(o) {
        if (o.heads < 1 || out % o.heads != 0)
            throw error("HGTConv", "heads is {}: it must divide out_channels, {}", o.heads, out);
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        Generator& generator = o.generator ? *o.generator : unseeded;
        for (const auto& [type, channels] : in) {
            const nn::LinearOptions linear{.generator = &generator};
            kqv_lin.lins.emplace(type, nn::Linear<T>(channels, 3 * out, linear));
            out_lin.lins.emplace(type, nn::Linear<T>(out, out, linear));
            skip.emplace(type, Tensor<T, 1>::ones({1}));
        }
        const index width = out / o.heads, count = o.heads * static_cast<index>(edge_types.size());
        for (Relations* rel : {&k_rel, &v_rel}) {
            rel->weight.set_value(Tensor<T, 3>::empty({count, width, width}));
            nn::glorot_uniform(rel->weight, generator);
        }
        for (const EdgeType& type : edge_types) {
            if (!in.contains(type.src) || !in.contains(type.dst))
                throw error("HGTConv", "{} connects a node type without a number of features", type.name());
            p_rel.emplace(type.name(), Tensor<T, 2>::ones({1, o.heads}));
        }
        options.generator = nullptr;
    }

    /// x: [N of the type, in of the type] of each node type, to [N of the type, out] of each that is the destination of
    /// a relation. A node without edges has o = 0. Errors: a relation this layer does not have; features are missing or
    /// do not fit.
    template <class X>
    auto operator()(const HeteroGraph& g, const std::map<std::string, X>& x) const {
        using Y = decltype(attend(g, x, std::string()));
        std::map<std::string, Y> results;
        for (const std::string& type : g.node_types())
            if (!g.into(type).relations.empty()) results.emplace(type, attend(g, x, type));
        return results;
    }

    void visit(auto&& v) {
        v("kqv_lin", kqv_lin);
        v("out_lin", out_lin);
        v("k_rel", k_rel);
        v("v_rel", v_rel);
        v("skip", skip);
        v("p_rel", p_rel);
    }

private:
    enum Part : index { keys, queries, values };

    index width() const { return out_channels / options.heads; }

    template <class X>
    auto features(const HeteroGraph& g, const std::map<std::string, X>& x, const std::string& type) const {
        const auto found = x.find(type);
        const auto linear = kqv_lin.lins.find(type);
        if (found == x.end() || linear == kqv_lin.lins.end())
            throw error("HGTConv", "x has no features of node type {}, or this layer was made without", type);
        return detail::checked_features("HGTConv", type.c_str(), found->second, g.num_nodes(type), "nodes",
                                        linear->second.in_features());
    }

    template <class X>
    auto attend(const HeteroGraph& g, const std::map<std::string, X>& x, const std::string& type) const {
        const auto own = features(g, x, type);
        const JoinedRelations joined = g.into(type);
        const auto q = heads_of(projected(own, part<X>(type, queries)));
        std::vector<std::remove_cvref_t<decltype(q)>> k, v;
        for (const std::size_t r : joined.relations) {
            const EdgeType& edges = g.edge_types()[r];
            const auto from = features(g, x, edges.src);
            const auto scale =
                recorded<X>(p_rel_of(edges)) * T(1 / std::sqrt(static_cast<double>(std::max<index>(width(), 1))));
            k.push_back(heads_of(projected(from, through<X>(k_rel, edges, keys, transpose(scale)))));
            v.push_back(heads_of(projected(from, through<X>(v_rel, edges, values, Tensor<T, 2>::ones({1, 1})))));
        }
        const auto score = row_dot(dst(q), src(concat(0, k)));
        const auto o = sum_in(joined.graph, softmax_in(score) * src(concat(0, v)));
        auto y = out_lin.lins.at(type)(gelu(reshape(o, Extents<2>{own.extent(0), out_channels})));
        if (own.extent(1) != out_channels) return y;
        const auto gate = eval(sigmoid(recorded<X>(skip.at(type))));
        return eval(gate * y + (T(1) - gate) * own);
    }

    template <class X, class P>
    static auto recorded(const P& parameter) {
        return detail::recorded_with<X>(parameter);
    }
    const Parameter<T, 2>& p_rel_of(const EdgeType& type) const {
        const auto found = p_rel.find(type.name());
        if (found == p_rel.end()) throw error("HGTConv", "this layer was made without the edge type {}", type.name());
        return found->second;
    }

    /// Weight [out, in] and bias [out, 1] of the keys, queries or values of a node type.
    template <class X>
    auto part(const std::string& type, Part which) const {
        const nn::Linear<T>& linear = kqv_lin.lins.at(type);
        const index begin = which * out_channels, end = begin + out_channels;
        return std::pair(eval(slice(recorded<X>(linear.weight), 0, begin, end)),
                         eval(unsqueeze(slice(recorded<X>(*linear.bias), 0, begin, end), 1)));
    }
    /// The same with the matrices of a relation behind them: weight_h -> matrix_h^T weight_h scale_h per head.
    template <class X, class S>
    auto through(const Relations& rel, const EdgeType& type, Part which, const S& scale) const {
        const auto relations = static_cast<index>(edge_types.size());
        const auto r = std::find(edge_types.begin(), edge_types.end(), type) - edge_types.begin();
        const auto all = reshape(recorded<X>(rel.weight), Extents<4>{options.heads, relations, width(), width()});
        const auto matrices = eval(transpose(select_index(all, 1, r)) * unsqueeze(scale, 2));
        const auto times = [&](const auto& m) {
            const auto by_head = reshape(m, Extents<3>{options.heads, width(), m.extent(1)});
            return eval(reshape(matmul(matrices, by_head), m.shape()));
        };
        const auto [weight, bias] = part<X>(type.src, which);
        return std::pair(times(weight), times(bias));
    }
    template <class X, class P>
    static auto projected(const X& x, const P& weight_and_bias) {
        const auto& [weight, bias] = weight_and_bias;
        return eval(matmul(x, transpose(weight)) + squeeze(bias, 1));
    }
    template <class Y>
    auto heads_of(const Y& y) const {
        return reshape(y, Extents<3>{y.extent(0), options.heads, width()});
    }
};

} // namespace weft::inline WEFT_ABI::gnn
