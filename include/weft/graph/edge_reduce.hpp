// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_program.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// A reduction (or, without one, the messages per edge) of the edge expression E as an operation on its operands.
template <class E, class Reduction>
struct EdgeOperation {
    using T = compute_type<E>;
    using Sweeps = EdgeSweeps<E>;
    static constexpr bool per_edge = std::same_as<Reduction, NoReduction>;
    static constexpr int programs = 1 + EdgeFacts<E>::programs;
    static_assert(programs <= StageEvaluator<T>::max_programs,
                  "weft: an edge expression has at most 7 stages (softmax_in, dot): land a part of it first");
    static constexpr bool selects = [] {
        if constexpr (per_edge)
            return false;
        else
            return Reduction::selects;
    }();
    using Y = Tensor<T, 1 + E::rank>;
    static constexpr auto name = [] {
        if constexpr (per_edge)
            return "edges";
        else
            return Reduction::name;
    }();

    Graph graph;
    EdgePlan<T, programs> plan;
    Extents<1 + E::rank> shape;
    Y selected = {};

    EdgeOperation(const Graph& g, const E& e) : graph(g) {
        int value = 0, count = 0;
        describe_program<Sweeps, Reduction, per_edge ? Row::edge : Row::dst, Spread::full>(e, plan.data(), value,
                                                                                           count);
        shape[0] = per_edge ? g.num_edges() : g.num_dst();
        std::copy(e.shape().begin(), e.shape().end(), shape.begin() + 1);
    }

    template <class... V>
    Y forward(const V&... values) const {
        return run(nullptr, values...);
    }
    template <class... V>
    Y forward_recorded(const V&... values) {
        if constexpr (selects) {
            selected = Y::empty(shape);
            return run(selected.mutable_data(), values...);
        } else {
            return run(nullptr, values...);
        }
    }

    template <class Sink, class... V>
    void backward(const Y& dy, const Y&, Sink& sink, const V&... values) const {
        const EdgePlan<T, programs> connected = connect(values...);
        Y scaled = dy;
        if constexpr (std::same_as<Reduction, MeanEdges>) {
            const index width = connected[0].tables.extents.width;
            const auto* const row_ptr = graph.in().row_ptr.data();
            T* row = scaled.mutable_data();
            for (index i = 0; i < graph.num_dst(); ++i, row += width)
                if (const index degree = row_ptr[i + 1] - row_ptr[i]; degree > 1)
                    for (index f = 0; f < width; ++f) row[f] = row[f] / T(static_cast<float>(degree));
        }
        std::tuple<V...> gradients;
        EdgeGradient<T> targets[sizeof...(V) + 1];
        prepare(gradients, targets, connected, std::index_sequence_for<V...>{}, values...);
        edge_backward<T>(graph, connected, {scaled.data(), selects ? selected.data() : nullptr}, Sweeps::dst,
                         Sweeps::src, targets);
        deliver(gradients, sink, std::index_sequence_for<V...>{});
    }

private:
    template <class... V>
    EdgePlan<T, programs> connect(const V&... values) const {
        const T* const pointers[] = {values.data()..., nullptr};
        const index rows[] = {values.extent(0)..., 0};
        EdgePlan<T, programs> connected = plan;
        for (auto& program : connected)
            for (int l = 0; l < program.leaves; ++l)
                if (const auto& leaf = program.leaf[l]; leaf.value >= 0) {
                    program.tables.pointers[l] = pointers[leaf.value];
                    check(leaf.row, rows[leaf.value]);
                }
        return connected;
    }
    void check(Row row, index rows) const {
        const auto require = [&](index wanted, const char* leaf, const char* what) {
            if (rows != wanted)
                throw error(name, "{} has {} rows, the graph has {} {}: they must be equal", leaf, rows, wanted, what);
        };
        if (row == Row::src) require(graph.num_src(), "src(x)", "source nodes");
        if (row == Row::dst) require(graph.num_dst(), "dst(x)", "destination nodes");
        if (row == Row::edge) require(graph.num_edges(), "edge(w)", "edges");
    }
    template <class... V>
    Y run(T* taken, const V&... values) const {
        const EdgePlan<T, programs> connected = connect(values...);
        Y out = Y::empty(shape);
        edge_forward<T>(graph, connected, out.mutable_data(), taken, per_edge);
        return out;
    }
    template <class Gradients, std::size_t... K, class... V>
    static void prepare(Gradients& gradients, EdgeGradient<T>* targets, const EdgePlan<T, programs>& connected,
                        std::index_sequence<K...>, const V&... values) {
        bool zero[sizeof...(V) + 1] = {};
        bool wanted[sizeof...(V) + 1] = {};
        for (const auto& program : connected)
            for (int l = 0; l < program.leaves; ++l)
                if (const auto& leaf = program.leaf[l]; leaf.value >= 0) {
                    wanted[leaf.value] = leaf.differentiable;
                    zero[leaf.value] = leaf.spread != Spread::full || leaf.row == Row::all;
                }
        (
            [&] {
                if (!wanted[K]) return;
                auto& g = std::get<K>(gradients);
                g = zero[K] ? V::zeros(values.shape()) : V::empty(values.shape());
                targets[K] = {g.mutable_data(), g.size()};
            }(),
            ...);
    }
    template <class Gradients, class Sink, std::size_t... K>
    static void deliver(Gradients& gradients, Sink& sink, std::index_sequence<K...>) {
        (
            [&] {
                if (sink.template wants<K>()) sink.template add<K>(std::get<K>(gradients));
            }(),
            ...);
    }
};

template <class Reduction, class E>
auto reduce_edges(const Graph& g, const E& e) {
    const EdgeOperation<E, Reduction> operation(g, e);
    return std::apply([&](const auto&... operands) { return apply_operation(operation, operands...); },
                      edge_operands(e));
}

struct SumIn : SumEdges {
    static constexpr auto name = "sum_in";
};
struct MaxIn : SelectEdges<true> {
    static constexpr auto name = "max_in";
};
struct MinIn : SelectEdges<false> {
    static constexpr auto name = "min_in";
};

} // namespace detail

template <class E>
concept EdgeExpression = Expression<E> && detail::is_edge_expression<E>;

/// Sum over the edges that enter each destination: [N_dst, ...]; 0 where there are none. O(E * row). Each row is
/// written by one thread in edge order, so the result does not depend on their number.
template <EdgeExpression E>
auto sum_in(const Graph& g, const E& e) {
    return detail::reduce_edges<detail::SumIn>(g, e);
}
/// Mean over the edges that enter each destination; 0 where there are none.
template <EdgeExpression E>
auto mean_in(const Graph& g, const E& e) {
    return detail::reduce_edges<detail::MeanEdges>(g, e);
}
/// Maximum over the edges that enter each destination; 0 where there are none. The gradient goes to the first of equal
/// edges, in the order in which they were given.
template <EdgeExpression E>
auto max_in(const Graph& g, const E& e) {
    return detail::reduce_edges<detail::MaxIn>(g, e);
}
template <EdgeExpression E>
auto min_in(const Graph& g, const E& e) {
    return detail::reduce_edges<detail::MinIn>(g, e);
}
/// The value per edge [E, ...], in the order in which the edges were given.
template <EdgeExpression E>
auto edges(const Graph& g, const E& e) {
    return detail::reduce_edges<detail::NoReduction>(g, e);
}

namespace detail {

template <class E, class... A>
auto mirrored_node(const A&... operands) {
    return Node<typename E::operation, A...>(operands...);
}

/// The same expression on the reversed graph: sources and destinations exchanged.
template <class E>
auto mirrored(const E& e) {
    if constexpr (is_node<E>) {
        if constexpr (E::arity == 1)
            return mirrored_node<E>(mirrored(e.template operand<0>()));
        else if constexpr (E::arity == 2)
            return mirrored_node<E>(mirrored(e.template operand<0>()), mirrored(e.template operand<1>()));
        else
            return mirrored_node<E>(mirrored(e.template operand<0>()), mirrored(e.template operand<1>()),
                                    mirrored(e.template operand<2>()));
    } else if constexpr (is_stage<E>) {
        using Inner = decltype(mirrored(e.inner()));
        return EdgeStage<typename E::operation::mirror, Inner>(mirrored(e.inner()));
    } else if constexpr (requires { e.rows(); }) {
        constexpr Row row = E::row == Row::src ? Row::dst : E::row == Row::dst ? Row::src : E::row;
        return EdgeLeaf<row, std::remove_cvref_t<decltype(e.rows())>>(e.rows());
    } else {
        return e;
    }
}

} // namespace detail

/// Sum over the edges that leave each source: [N_src, ...]. All `_out` reductions mirror those over incoming edges.
template <EdgeExpression E>
auto sum_out(const Graph& g, const E& e) {
    return sum_in(g.reverse(), detail::mirrored(e));
}
template <EdgeExpression E>
auto mean_out(const Graph& g, const E& e) {
    return mean_in(g.reverse(), detail::mirrored(e));
}
template <EdgeExpression E>
auto max_out(const Graph& g, const E& e) {
    return max_in(g.reverse(), detail::mirrored(e));
}
template <EdgeExpression E>
auto min_out(const Graph& g, const E& e) {
    return min_in(g.reverse(), detail::mirrored(e));
}

} // namespace weft::inline WEFT_ABI
