// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_stage.hpp>
#include <weft/graph/graph.hpp>

#include <array>

namespace weft::inline WEFT_ABI::detail {

template <class T>
using EdgeReduceFunction = void (*)(const EdgeRows&, const EdgeTables<T>&, index, index, index, T*, T*);
template <class T>
using EdgeMapFunction = void (*)(const EdgeRows&, const EdgeTables<T>&, index, index, bool, T*);
template <class T>
using EdgeBackwardFunction = void (*)(const EdgeRows&, const EdgeTables<T>&, const EdgeAdjoint<T>&, index, index,
                                      index);

/// The kernels of one expression over edges.
template <class T>
struct EdgeFunctions {
    int packets; // of features at a time, of the first of each two kernels; the second has one
    EdgeReduceFunction<T> reduce[2];
    EdgeReduceFunction<T> reduce_from_memory; // as the first
    EdgeMapFunction<T> map;
    EdgeReduceFunction<T> row_sum[2];
    EdgeBackwardFunction<T> backward_dst[2];
    EdgeBackwardFunction<T> backward_src[2];
};

/// One expression over edges: the outer one, or that of a stage.
template <class T>
struct EdgeProgram {
    struct Leaf {
        int value = -1;   // position among all operands
        int program = -1; // or the stage's program
        Row row = Row::all;
        Spread spread = Spread::full;
        bool differentiable = false;
    };
    EdgeTables<T> tables;
    Leaf leaf[EdgeTables<T>::max_leaves];
    int leaves = 0;
    const EdgeFunctions<T>* functions = nullptr;
    // Of a stage:
    const StageKind<T>* stage = nullptr;
    MessageAdjoint message_adjoint = MessageAdjoint::in_place;
    index stage_width = 0;   // elements of its row per edge
    int reader = 0;          // the program that reads it
    bool takes_sums = false; // its messages are the row sums of the next program, which it takes in place
    Leaf parameters;         // whose value is -1 where it has none

    /// Calls f(leaf) for all leaves that are operands.
    template <class F>
    void for_each_operand(F&& f) const {
        for (int l = 0; l < leaves; ++l)
            if (leaf[l].value >= 0) f(leaf[l]);
        if (parameters.value >= 0) f(parameters);
    }
};

/// An edge expression with its stages: program 0 is the outer one, a stage comes after the program that reads it.
template <class T, int Programs>
using EdgePlan = std::array<EdgeProgram<T>, static_cast<std::size_t>(Programs)>;

/// Facts about an edge expression and all its stages; `own_src`: without its stages.
template <class E>
struct EdgeFacts {
    static constexpr int programs = 0;
    static constexpr bool src = [] {
        if constexpr (requires { E::row; })
            return E::row == Row::src && Structure<E>::differentiable;
        else
            return false;
    }();
    static constexpr bool own_src = src;
    static constexpr bool dst = [] {
        if constexpr (requires { E::row; })
            return E::row == Row::dst && Structure<E>::differentiable;
        else
            return false;
    }();
};
template <class Op, class... A>
struct EdgeFacts<Node<Op, A...>> {
    static constexpr int programs = (EdgeFacts<A>::programs + ...);
    static constexpr bool src = (EdgeFacts<A>::src || ...), dst = (EdgeFacts<A>::dst || ...);
    static constexpr bool own_src = (EdgeFacts<A>::own_src || ...);
};
template <class Operation, class Inner>
struct EdgeFacts<EdgeStage<Operation, Inner>> {
    static constexpr int programs = 1 + EdgeFacts<Inner>::programs;
    static constexpr bool src = EdgeFacts<Inner>::src, own_src = false;
    // Stages are computed, and what they were computed from gets its adjoint, by destination.
    static constexpr bool dst = true;
};

template <class... A>
struct TypeList {
    static constexpr std::size_t size = sizeof...(A);
};
template <class... L>
struct Joined;
template <class... A>
struct Joined<TypeList<A...>> {
    using type = TypeList<A...>;
};
template <class... A, class... B, class... L>
struct Joined<TypeList<A...>, TypeList<B...>, L...> : Joined<TypeList<A..., B...>, L...> {};

/// The types of the operands of an edge expression, left to right, those of stages in their place.
template <class E>
struct EdgeOperands {
    using type = TypeList<E>;
};
template <class T>
struct EdgeOperands<Constant<T>> {
    using type = TypeList<>;
};
template <Row R, class X>
struct EdgeOperands<EdgeLeaf<R, X>> {
    using type = TypeList<X>;
};
template <class Op, class... A>
struct EdgeOperands<Node<Op, A...>> : Joined<typename EdgeOperands<A>::type...> {};
template <class Operation>
struct StageParameters {
    using type = TypeList<>;
};
template <class Operation>
requires requires { typename Operation::parameters_type; }
struct StageParameters<Operation> {
    using type = TypeList<typename Operation::parameters_type>;
};
template <class Operation, class Inner>
struct EdgeOperands<EdgeStage<Operation, Inner>>
    : Joined<typename StageParameters<Operation>::type, typename EdgeOperands<Inner>::type> {};

/// Takes down a plan, its stages and its operands, these in the order of EdgeOperands.
template <class T>
struct PlanWriter {
    EdgeProgram<T>* programs;
    std::shared_ptr<const StageKind<T>>* stages;
    const void** operands;
    int count = 0; // of programs
    int value = 0; // of operands
};

/// No reduction: the messages themselves.
struct NoReduction {
    static constexpr auto name = "edges";
    static constexpr int results = 1, keeps = 0;
};

/// The sums over the last axis of the messages.
struct RowSums : NoReduction {};

/// Fills the leaves of a program, and appends the programs of its stages.
template <class Sweeps, int MessageRank, class T, class E>
void describe_leaves(const E& e, EdgeProgram<T>& program, int& leaf, int& constants, PlanWriter<T>& writer);

/// The kernels of expression E: one table for all its uses.
template <class T, class E, class Sweeps, class Reduction, class Adjoint>
struct EdgeKernels {
    using S = Structure<E>;
    static_assert(
        S::leaves <= EdgeTables<T>::max_leaves && S::constants <= EdgeTables<T>::max_leaves,
        "weft: an edge expression has at most 16 leaves: land a part of it first, const auto h = eval(part);");
    // Several packets at a time share the reading of the edge; where a message is work, that is not worth compiling.
    static constexpr int packets = S::cost < 0.5 && Reduction::results == 1 ? 4 : 1;

    template <int B, Fetch From = Fetch::from_cache>
    static constexpr EdgeReduceFunction<T> reduce() {
        using K = typename S::template kernel<EdgeLeaves<E::rank>, 0, 0, false>;
        if constexpr (std::derived_from<Reduction, NoReduction>)
            return nullptr;
        else
            return &edge_reduce_kernel<K, S::leaves, S::constants, Reduction, B, From, T>;
    }
    static constexpr EdgeMapFunction<T> map() {
        using K = typename S::template kernel<EdgeLeaves<E::rank>, 0, 0, false>;
        if constexpr (std::same_as<Reduction, NoReduction>)
            return &edge_map_kernel<K, S::leaves, S::constants, T>;
        else
            return nullptr;
    }
    template <int B>
    static constexpr EdgeReduceFunction<T> row_sum() {
        using K = typename S::template kernel<EdgeLeaves<E::rank>, 0, 0, false>;
        if constexpr (std::same_as<Reduction, RowSums>)
            return &edge_row_sum_kernel<K, S::leaves, S::constants, B, T>;
        else
            return nullptr;
    }
    template <bool Sweeping, class Owner, int B>
    static constexpr EdgeBackwardFunction<T> backward() {
        if constexpr (Sweeping && S::differentiable) {
            using K = typename S::template kernel<EdgeLeaves<E::rank>, 0, 0, true>;
            return &edge_backward_kernel<K, S::leaves, S::constants, Owner, Adjoint, B, T>;
        } else {
            return nullptr;
        }
    }

    using Dst = Sweep<Row::dst, Sweeps::rest_with_dst>;
    using Src = Sweep<Row::src, !Sweeps::rest_with_dst>;
    static constexpr EdgeFunctions<T> table{packets,
                                            {reduce<packets>(), reduce<1>()},
                                            reduce<packets, packets == 1 ? Fetch::from_cache : Fetch::from_memory>(),
                                            map(),
                                            {row_sum<packets>(), row_sum<1>()},
                                            {backward<Sweeps::dst, Dst, packets>(), backward<Sweeps::dst, Dst, 1>()},
                                            {backward < EdgeFacts<E>::own_src || !Sweeps::rest_with_dst, Src,
                                             packets > (),
                                             backward<EdgeFacts<E>::own_src || !Sweeps::rest_with_dst, Src, 1>()}};
};

/// Appends the program of expression E.
template <class Sweeps, class Reduction, class Adjoint, class T, class E>
void describe_program(const E& e, PlanWriter<T>& writer) {
    constexpr int rank = E::rank;
    EdgeProgram<T>& program = writer.programs[writer.count++];
    program.leaves = Structure<E>::leaves;
    program.functions = &EdgeKernels<T, E, Sweeps, Reduction, Adjoint>::table;
    RowExtents& extents = program.tables.extents;
    extents.rank = rank;
    extents.heads = rank >= 1 ? e.shape()[0] : 1;
    extents.channels = 1;
    for (int a = 1; a < rank; ++a) extents.channels *= e.shape()[static_cast<std::size_t>(a)];
    extents.width = extents.heads * extents.channels;
    int leaf = 0, constants = 0;
    describe_leaves<Sweeps, rank>(e, program, leaf, constants, writer);
    if constexpr (is_stage<E>)
        program.takes_sums = program.stage && program.message_adjoint == MessageAdjoint::in_place &&
                             E::operation_type::message_adjoint == MessageAdjoint::spread;
}

template <class Sweeps, int MessageRank, class T, class E>
void describe_leaves(const E& e, EdgeProgram<T>& program, int& leaf, int& constants, PlanWriter<T>& writer) {
    if constexpr (is_node<E>) {
        describe_leaves<Sweeps, MessageRank>(e.template operand<0>(), program, leaf, constants, writer);
        if constexpr (E::arity > 1)
            describe_leaves<Sweeps, MessageRank>(e.template operand<1>(), program, leaf, constants, writer);
        if constexpr (E::arity > 2)
            describe_leaves<Sweeps, MessageRank>(e.template operand<2>(), program, leaf, constants, writer);
    } else if constexpr (is_constant<E>) {
        program.tables.constants[constants++] = static_cast<T>(e.value);
    } else {
        static_assert(std::same_as<typename E::value_type, T>,
                      "weft: all operands of an edge expression have the same element type: use cast<T>(x)");
        auto& described = program.leaf[leaf++];
        described.row = EdgeLeaves<MessageRank>::template row<E>();
        described.spread = EdgeLeaves<MessageRank>::template spread<E>();
        described.differentiable = Structure<E>::differentiable;
        if constexpr (is_stage<E>) {
            using Operation = typename E::operation_type;
            static_assert(
                requires { e.operation().template kind<T>(); },
                "weft: softmax_out goes with reductions over the edges of a source (sum_out, ...), softmax_in "
                "with those of a destination (sum_in, ...)");
            const int number = described.program = writer.count;
            EdgeProgram<T>& stage = writer.programs[number];
            writer.stages[number] = e.operation().template kind<T>();
            stage.stage = writer.stages[number].get();
            stage.message_adjoint = Operation::message_adjoint;
            stage.stage_width = product(e.shape());
            stage.reader = static_cast<int>(&program - writer.programs);
            if constexpr (requires { typename Operation::parameters_type; }) {
                stage.parameters.value = writer.value;
                stage.parameters.differentiable = Structure<typename Operation::parameters_type>::differentiable;
                writer.operands[writer.value++] = &e.operation().parameters();
            }
            using Inner = std::remove_cvref_t<decltype(e.inner())>;
            using Messages =
                std::conditional_t<Operation::message_adjoint == MessageAdjoint::spread, RowSums, NoReduction>;
            describe_program<Sweeps, Messages,
                             RowAdjoint<Row::stage, Operation::template adjoint_spread<Inner::rank>()>>(e.inner(),
                                                                                                        writer);
        } else {
            described.value = writer.value;
            if constexpr (requires { e.rows(); })
                writer.operands[writer.value++] = &e.rows();
            else
                writer.operands[writer.value++] = &e;
        }
    }
}

/// Which sweeps the backward of E takes, and which of them owns what belongs to no node.
template <class E>
struct EdgeSweeps {
    static constexpr bool rest_with_dst = EdgeFacts<E>::dst || !EdgeFacts<E>::src;
    static constexpr bool dst = rest_with_dst;
    static constexpr bool src = EdgeFacts<E>::src;
};

} // namespace weft::inline WEFT_ABI::detail
