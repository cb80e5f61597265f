// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/batch.hpp>
#include <weft/graph/edge_softmax.hpp>
#include <weft/graph/subgraph.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/module.hpp>

#include <numeric>

namespace weft::inline WEFT_ABI::gnn {

/// What turns the projection of a node's features into its score.
enum class Nonlinearity { tanh, sigmoid, relu, linear };

/// Options of `TopKPooling`.
struct TopKOptions {
    /// Below 1: the part of the nodes of each graph that stays, rounded up; else their number, whole. Graphs that have
    /// fewer nodes keep them all.
    double ratio = 0.5;
    /// Instead of a ratio: nodes stay whose score is above this, and the best of each graph.
    std::optional<double> min_score = std::nullopt;
    double multiplier = 1; ///< of the scaled features
    Nonlinearity nonlinearity = Nonlinearity::tanh;
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Nodes chosen by score, graph by graph.
template <class S>
struct Selection {
    Tensor<std::int32_t, 1> perm; ///< the number that each chosen node had
    S score;                      ///< [chosen]
};

/// Scores every node by the projection of its features on p, f(<x, p> / |p|), and chooses the best of each graph, in
/// descending order; of equal scores the first. With min_score the score is the softmax over the nodes of the graph of
/// <x, p>, and those above it are chosen in ascending order. Parameter `weight` [1, F], p.
template <class T>
struct SelectTopK {
    Parameter<T, 2> weight;
    TopKOptions options;

    SelectTopK() = default;
    /// Errors: a negative number of channels; ratio is not positive.
    explicit SelectTopK(index in_channels, const TopKOptions& o = {}) : options(o) {
        if (in_channels < 0) throw error("TopKPooling", "in_channels is {}: must not be negative", in_channels);
        if (!(o.ratio > 0)) throw error("TopKPooling", "ratio is {}: must be positive", o.ratio);
        weight.set_value(Tensor<T, 2>::zeros({1, in_channels}));
        const double bound = 1 / std::sqrt(std::max(static_cast<double>(in_channels), 1.0));
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        nn::uniform(weight, o.generator ? *o.generator : unseeded, -bound, bound);
        options.generator = nullptr;
    }

    /// x [N, F]; `members`: the edge from each node to its graph.
    template <Expression X>
    auto operator()(const Graph& members, const X& x) const {
        const auto score = scores(members, x);
        const auto perm = options.min_score ? above(members, score.data()) : best(members, score.data());
        return Selection<decltype(gather(score, perm))>{perm, gather(score, perm)};
    }

    void visit(auto&& v) { v("weight", weight); }

private:
    template <class X>
    auto scores(const Graph& members, const X& x) const {
        const auto projection = sum<1>(x * weight);
        using Score = decltype(eval(tanh(projection)));
        if (options.min_score) return Score(softmax_in(members, src(projection)));
        const auto length = norm(detail::recorded_with<X>(weight)); // a Parameter on its own is a constant
        switch (options.nonlinearity) {
        case Nonlinearity::sigmoid:
            return Score(sigmoid(projection / length));
        case Nonlinearity::relu:
            return Score(relu(projection / length));
        case Nonlinearity::linear:
            return Score(projection / length);
        case Nonlinearity::tanh:
            break;
        }
        return Score(tanh(projection / length));
    }

    Tensor<std::int32_t, 1> best(const Graph& members, const T* score) const {
        // NaN is behind all numbers.
        const auto better = [score](std::int32_t a, std::int32_t b) {
            return score[b] != score[b] ? score[a] == score[a] : score[a] > score[b];
        };
        const std::int32_t* const ptr = members.in().row_ptr.data();
        std::vector<std::int32_t> chosen, nodes;
        for (index g = 0; g < members.num_dst(); ++g) {
            nodes.resize(static_cast<std::size_t>(ptr[g + 1] - ptr[g]));
            std::iota(nodes.begin(), nodes.end(), ptr[g]);
            std::stable_sort(nodes.begin(), nodes.end(), better);
            chosen.insert(chosen.end(), nodes.begin(), nodes.begin() + kept_of(ptr[g + 1] - ptr[g]));
        }
        return Tensor<std::int32_t, 1>::from(chosen);
    }
    index kept_of(index nodes) const {
        const auto count = static_cast<double>(nodes);
        return static_cast<index>(options.ratio < 1 ? std::ceil(options.ratio * count)
                                                    : std::floor(std::min(options.ratio, count)));
    }

    Tensor<std::int32_t, 1> above(const Graph& members, const T* score) const {
        const std::int32_t* const ptr = members.in().row_ptr.data();
        std::vector<std::int32_t> chosen;
        for (index g = 0; g < members.num_dst(); ++g) {
            if (ptr[g] == ptr[g + 1]) continue;
            const T best_score = *std::max_element(score + ptr[g], score + ptr[g + 1]);
            const T bound = std::min(T(best_score - T(1e-7)), T(*options.min_score));
            for (std::int32_t node = ptr[g]; node < ptr[g + 1]; ++node)
                if (score[node] > bound) chosen.push_back(node);
        }
        return Tensor<std::int32_t, 1>::from(chosen);
    }
};

/// Smaller graphs, and what belongs to their nodes and edges.
template <class X, class S, class A>
struct Pooled {
    X x; ///< [chosen, F]
    Graph graph;
    Graph members;                ///< the edge from each node to its graph
    A edge_attr;                  ///< of the edges that stay
    Tensor<std::int32_t, 1> perm; ///< the number that each node had
    S score;                      ///< [chosen]

    /// [chosen] the graph of each node
    const Tensor<std::int32_t, 1>& batch() const noexcept { return members.destinations(); }
};

/// Keeps the nodes of each graph that score best, SelectTopK, and the edges between them, in their old order; features
/// are multiplied by scores, so that gradients reach p. Gao & Ji, Graph U-Nets (arXiv 1905.05178); Knyazev et al.,
/// Understanding Attention and Generalization in GNNs (arXiv 1905.02850). Parameter `select.weight` [1, F].
/// O(N F + N log N + E).
template <class T>
struct TopKPooling {
    SelectTopK<T> select;

    TopKPooling() = default;
    /// Errors: a negative number of channels; ratio is not positive.
    explicit TopKPooling(index in_channels, const TopKOptions& options = {}) : select(in_channels, options) {}

    /// x [N, F]; `members`: the edge from each node to its graph, `batch.members()` or graph_members(batch, count).
    /// Errors: the graph is not square; members or x do not fit.
    template <Expression X>
    auto operator()(const Graph& g, const Graph& members, const X& x) const {
        return (*this)(g, members, x, Tensor<T, 1>::zeros({g.num_edges()}));
    }
    /// The same with features of the edges, edge_attr [E, ...].
    template <Expression X, Expression A>
    auto operator()(const Graph& g, const Graph& members, const X& expression, const A& edge_attr) const {
        if (members.num_src() != g.num_nodes())
            throw error("TopKPooling", "members has {} nodes, the graph {}: they must be equal", members.num_src(),
                        g.num_nodes());
        weft::detail::check_edge_rows("TopKPooling", g, edge_attr, "edge_attr");
        const auto x =
            detail::checked_features("TopKPooling", "x", expression, g.num_nodes(), "nodes", select.weight.extent(1));
        const auto [perm, score] = select(members, x);
        const auto smaller = subgraph(g, perm);
        auto scaled = eval(gather(x, perm) * unsqueeze(score, 1) * T(select.options.multiplier));
        auto attributes = gather(edge_attr, smaller.edges);
        return Pooled<decltype(scaled), std::remove_cvref_t<decltype(score)>, decltype(attributes)>{
            scaled,     smaller.graph, graph_members(gather(members.destinations(), perm), members.num_dst()),
            attributes, perm,          score};
    }

    void visit(auto&& v) { v("select", select); }
};

} // namespace weft::inline WEFT_ABI::gnn
