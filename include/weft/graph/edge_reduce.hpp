// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_program.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// A reduction (or, without one, the messages per edge) of an edge expression with message rows of rank R as an
/// operation on its operands. The expression itself is in the kernels of the plan only: what is here is compiled once
/// for all expressions of the same form.
template <class T, int R, int Programs>
struct EdgeOperation {
    using Y = Tensor<T, 1 + R>;
    static_assert(Programs <= StageEvaluator<T>::max_programs,
                  "weft: an edge expression has at most 7 stages (softmax_in, dot): land a part of it first");

    const char* name;
    Graph graph;
    EdgePlan<T, Programs> plan{};
    Extents<1 + R> shape{};
    bool per_edge = false, mean = false, selects = false; // what the reduction is
    bool sweep_dst = false, sweep_src = false;            // of the backward
    Y selected = {};

    EdgeOperation(const char* operation, const Graph& g) : name(operation), graph(g) {}

    template <class... V>
    Y forward(const V&... values) const {
        return run(nullptr, connect(values...));
    }
    template <class... V>
    Y forward_recorded(const V&... values) {
        if (selects) selected = Y::empty(shape);
        return run(selects ? selected.mutable_data() : nullptr, connect(values...));
    }

    template <class Sink, class... V>
    void backward(const Y& dy, const Y&, Sink& sink, const V&... values) const {
        std::tuple<V...> gradients;
        EdgeGradient<T> targets[sizeof...(V) + 1];
        const auto connected = connect(values...);
        prepare(gradients, targets, connected, std::index_sequence_for<V...>{}, values...);
        sweep(dy, connected, targets);
        deliver(gradients, sink, std::index_sequence_for<V...>{});
    }

private:
    using Plan = EdgePlan<T, Programs>;

    template <class... V>
    Plan connect(const V&... values) const {
        const T* const pointers[] = {values.data()..., nullptr};
        const index rows[] = {values.extent(0)..., 0};
        return connect(pointers, rows);
    }
    WEFT_NOINLINE Plan connect(const T* const* pointers, const index* rows) const {
        Plan connected = plan;
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
    WEFT_NOINLINE Y run(T* taken, const Plan& connected) const {
        Y out = Y::empty(shape);
        edge_forward<T>(graph, connected, out.mutable_data(), taken, per_edge);
        return out;
    }
    WEFT_NOINLINE void sweep(const Y& dy, const Plan& connected, const EdgeGradient<T>* targets) const {
        Y scaled = dy;
        if (mean) {
            const index width = connected[0].tables.extents.width;
            const auto* const row_ptr = graph.in().row_ptr.data();
            T* row = scaled.mutable_data();
            for (index i = 0; i < graph.num_dst(); ++i, row += width)
                if (const index degree = row_ptr[i + 1] - row_ptr[i]; degree > 1)
                    for (index f = 0; f < width; ++f) row[f] = row[f] / T(static_cast<float>(degree));
        }
        edge_backward<T>(graph, connected, {scaled.data(), selects ? selected.data() : nullptr}, sweep_dst, sweep_src,
                         targets);
    }
    template <class Gradients, std::size_t... K, class... V>
    static void prepare(Gradients& gradients, EdgeGradient<T>* targets, const Plan& connected,
                        std::index_sequence<K...>, const V&... values) {
        bool zero[sizeof...(V) + 1] = {};
        bool wanted[sizeof...(V) + 1] = {};
        for (const auto& program : connected)
            for (int l = 0; l < program.leaves; ++l)
                if (const auto& leaf = program.leaf[l]; leaf.value >= 0) {
                    wanted[leaf.value] = leaf.differentiable;
                    zero[leaf.value] = leaf.spread != Spread::full || leaf.row == Row::all;
                }
        (prepare_one(std::get<K>(gradients), targets[K], wanted[K], zero[K], values), ...);
    }
    template <class V>
    WEFT_NOINLINE static void prepare_one(V& gradient, EdgeGradient<T>& target, bool wanted, bool zero,
                                          const V& value) {
        if (!wanted) return;
        gradient = zero ? V::zeros(value.shape()) : V::empty(value.shape());
        target = {gradient.mutable_data(), gradient.size()};
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

/// Applies an operation to the operands that `pointers` names.
template <class Operation, class... V>
WEFT_NOINLINE auto apply_to(const Operation& operation, const void* const* pointers, TypeList<V...>) {
    return [&]<std::size_t... K>(std::index_sequence<K...>) {
        return apply_operation(operation, *static_cast<const V*>(pointers[K])...);
    }
    (std::index_sequence_for<V...>{});
}

template <class Reduction, class E>
auto reduce_edges(const Graph& g, const E& e) {
    using T = compute_type<E>;
    using Sweeps = EdgeSweeps<E>;
    using Operands = typename EdgeOperands<E>::type;
    constexpr bool per_edge = std::same_as<Reduction, NoReduction>;
    EdgeOperation<T, E::rank, 1 + EdgeFacts<E>::programs> operation(Reduction::name, g);
    operation.per_edge = per_edge;
    operation.mean = std::same_as<Reduction, MeanEdges>;
    operation.selects = Reduction::selects;
    operation.sweep_dst = Sweeps::dst;
    operation.sweep_src = Sweeps::src;
    operation.shape[0] = per_edge ? g.num_edges() : g.num_dst();
    std::copy(e.shape().begin(), e.shape().end(), operation.shape.begin() + 1);
    const void* operands[Operands::size + 1];
    PlanWriter<T> writer{operation.plan.data(), operands};
    describe_program<Sweeps, Reduction, per_edge ? Row::edge : Row::dst, Spread::full>(e, writer);
    return apply_to(operation, operands, Operands{});
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

/// The same expression on the reversed graph: sources and destinations exchanged.
struct Mirror {
    template <class E>
    auto operator()(const E& e) const {
        if constexpr (is_node<E>) {
            if constexpr (E::arity == 1)
                return node<E>(e.template operand<0>());
            else if constexpr (E::arity == 2)
                return node<E>(e.template operand<0>(), e.template operand<1>());
            else
                return node<E>(e.template operand<0>(), e.template operand<1>(), e.template operand<2>());
        } else if constexpr (is_stage<E>) {
            using Inner = decltype((*this)(e.inner()));
            return EdgeStage<typename E::operation::mirror, Inner>((*this)(e.inner()));
        } else if constexpr (requires { e.rows(); }) {
            constexpr Row row = E::row == Row::src ? Row::dst : E::row == Row::dst ? Row::src : E::row;
            return EdgeLeaf<row, std::remove_cvref_t<decltype(e.rows())>>(e.rows());
        } else {
            return e;
        }
    }

private:
    template <class E, class... A>
    auto node(const A&... operands) const {
        return Node<typename E::operation, decltype((*this)(operands))...>(*this, operands...);
    }
};
template <class E>
auto mirrored(const E& e) {
    return Mirror{}(e);
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
