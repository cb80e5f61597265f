// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_sweep.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// A reduction (or, without one, the messages per edge) of an edge expression to a tensor of rank R, as an operation on
/// its operands. The expression itself is in the kernels of the plan only: what is here is compiled once
/// for all expressions of the same form.
template <class T>
using AdjointRows = Tensor<T, 1> (*)(const Graph&, index width, const T* dy, const T* y, const T* kept);

template <class T, int R, int Programs>
struct EdgeOperation {
    using Y = Tensor<T, R>;
    static_assert(Programs <= StageRunner<T>::max_programs,
                  "weft: an edge expression has at most 7 stages (softmax_in, dot): land a part of it first");

    const char* name;
    Graph graph;
    EdgePlan<T, Programs> plan{};
    std::array<std::shared_ptr<const StageKind<T>>, Programs> stages = {};
    Extents<R> shape{};
    bool per_edge = false, sweep_dst = false, sweep_src = false; // the latter of the backward
    index keeps = 0;                                             // of the reduction
    AdjointRows<T> adjoint_rows = nullptr;
    Tensor<T, 1> kept = {};

    EdgeOperation(const char* operation, const Graph& g) : name(operation), graph(g) {}

    template <class... V>
    Y forward(const V&... values) const {
        return run(nullptr, connect(values...));
    }
    template <class... V>
    Y forward_recorded(const V&... values) {
        if (keeps > 0) kept = Tensor<T, 1>::empty({graph.num_dst() * keeps * width()});
        return run(keeps > 0 ? kept.mutable_data() : nullptr, connect(values...));
    }

    template <class Sink, class... V>
    void backward(const Y& dy, const Y& y, Sink& sink, const V&... values) const {
        std::tuple<V...> gradients;
        EdgeGradient<T> targets[sizeof...(V) + 1];
        const auto connected = connect(values...);
        prepare(gradients, targets, connected, std::index_sequence_for<V...>{}, values...);
        sweep(dy, y, connected, targets);
        deliver(gradients, sink, std::index_sequence_for<V...>{});
    }

private:
    using Plan = EdgePlan<T, Programs>;

    index width() const { return plan[0].tables.extents.width; }

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
    WEFT_NOINLINE Y run(T* keep, const Plan& connected) const {
        Y out = Y::empty(shape);
        edge_forward<T>(graph, connected, out.mutable_data(), keep, per_edge);
        return out;
    }
    WEFT_NOINLINE void sweep(const Y& dy, const Y& y, const Plan& connected, const EdgeGradient<T>* targets) const {
        Tensor<T, 1> rows;
        if (adjoint_rows) rows = adjoint_rows(graph, width(), dy.data(), y.data(), kept.data());
        edge_backward<T>(graph, connected, {adjoint_rows ? rows.data() : dy.data(), kept.data()}, sweep_dst, sweep_src,
                         targets);
    }
    template <class Gradients, std::size_t... K, class... V>
    static void prepare(Gradients& gradients, EdgeGradient<T>* targets, const Plan& connected,
                        std::index_sequence<K...>, const V&... values) {
        bool zero[sizeof...(V) + 1] = {};
        bool wanted[sizeof...(V) + 1] = {};
        for (const auto& program : connected)
            program.for_each_operand([&](const auto& leaf) {
                wanted[leaf.value] = leaf.differentiable;
                zero[leaf.value] = leaf.spread != Spread::full || leaf.row == Row::all;
            });
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
    constexpr bool several = Reduction::results > 1;
    EdgeOperation<T, 1 + several + E::rank, 1 + EdgeFacts<E>::programs> operation(Reduction::name, g);
    operation.per_edge = per_edge;
    operation.keeps = Reduction::keeps;
    if constexpr (requires { &Reduction::template adjoint_rows<T>; })
        operation.adjoint_rows = &Reduction::template adjoint_rows<T>;
    operation.sweep_dst = Sweeps::dst;
    operation.sweep_src = Sweeps::src;
    operation.shape[0] = per_edge ? g.num_edges() : g.num_dst();
    if constexpr (several) operation.shape[1] = Reduction::results;
    std::copy(e.shape().begin(), e.shape().end(), operation.shape.begin() + 1 + several);
    const void* operands[Operands::size + 1];
    PlanWriter<T> writer{operation.plan.data(), operation.stages.data(), operands};
    if constexpr (per_edge)
        describe_program<Sweeps, Reduction, RowAdjoint<Row::edge, Spread::full>>(e, writer);
    else
        describe_program<Sweeps, Reduction, typename Reduction::Adjoint>(e, writer);
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

/// An expression with `src`, `dst` or `edge` in it: it has a value for each edge, and a reduction over edges ends it.
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
/// Minimum over the edges that enter each destination; otherwise as max_in.
template <EdgeExpression E>
auto min_in(const Graph& g, const E& e) {
    return detail::reduce_edges<detail::MinIn>(g, e);
}
/// Mean, (biased) variance, minimum and maximum over the edges that enter each destination, [N_dst, 4, ...], in one
/// sweep; 0 where there are none. The variance is that of the differences to the first message: float does not cancel.
/// Gradients of minimum and maximum as in max_in.
template <EdgeExpression E>
auto statistics_in(const Graph& g, const E& e) {
    return detail::reduce_edges<detail::StatisticsEdges>(g, e);
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
            return EdgeStage<typename E::operation_type::mirror, Inner>((*this)(e.inner()), e.operation().mirrored());
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
/// Mean over the edges that leave each source; otherwise as mean_in.
template <EdgeExpression E>
auto mean_out(const Graph& g, const E& e) {
    return mean_in(g.reverse(), detail::mirrored(e));
}
/// Maximum over the edges that leave each source; otherwise as max_in.
template <EdgeExpression E>
auto max_out(const Graph& g, const E& e) {
    return max_in(g.reverse(), detail::mirrored(e));
}
/// Minimum over the edges that leave each source; otherwise as min_in.
template <EdgeExpression E>
auto min_out(const Graph& g, const E& e) {
    return min_in(g.reverse(), detail::mirrored(e));
}

} // namespace weft::inline WEFT_ABI
