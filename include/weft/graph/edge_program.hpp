// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_kernel.hpp>
#include <weft/graph/graph.hpp>

#include <array>

namespace weft::inline WEFT_ABI {

/// A value per edge that is computed from all edges of a destination (softmax_in) or from a row (sum over channels):
/// inside an expression it is evaluated for a tile of destinations at a time, into scratch.
template <class Operation, class Inner>
class EdgeStage : public detail::ExpressionBase {
public:
    using value_type = typename Inner::value_type;
    using operation = Operation;
    static constexpr int rank = Operation::rank(Inner::rank);
    static constexpr bool edge_expression = true;
    static constexpr bool recorded = detail::Structure<Inner>::recorded;
    static constexpr bool differentiable = detail::Structure<Inner>::differentiable;
    static constexpr detail::Row row = detail::Row::stage;

    explicit EdgeStage(Inner inner) : inner_(std::move(inner)) {
        std::copy_n(inner_.shape().begin(), rank, extents_.begin());
    }
    const Extents<rank>& shape() const noexcept { return extents_; }
    const Inner& inner() const noexcept { return inner_; }

private:
    Inner inner_;
    Extents<rank> extents_{};
};

namespace detail {

/// What a stage does with the values of the inner expression, `in` [edges of the tile, row], for rows of edges.
template <class T>
struct StageFunctions {
    bool in_place; // `out` is `in`
    index (*width)(const RowExtents&);
    void (*forward)(const EdgeRows&, index row_begin, index row_end, index base, const RowExtents&, const T* in,
                    T* out);
    /// From the values and their adjoints (in place) to the adjoints of the inner values, spread over the row.
    void (*backward)(const EdgeRows&, index row_begin, index row_end, index base, index width, const T* values, T* adj);
};

template <class T>
using EdgeReduceFunction = void (*)(const EdgeRows&, const EdgeTables<T>&, index, index, index, T*, T*);
template <class T>
using EdgeMapFunction = void (*)(const EdgeRows&, const EdgeTables<T>&, index, index, index, bool, T*);
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
    const StageFunctions<T>* stage = nullptr;
    const EdgeFunctions<T>* functions = nullptr;
};

/// An edge expression with its stages: program 0 is the outer one, a stage comes after the program that reads it.
template <class T, int Programs>
using EdgePlan = std::array<EdgeProgram<T>, static_cast<std::size_t>(Programs)>;

template <class E>
inline constexpr bool is_stage = false;
template <class Operation, class Inner>
inline constexpr bool is_stage<EdgeStage<Operation, Inner>> = true;

/// Facts about an edge expression and all its stages.
template <class E>
struct EdgeFacts {
    static constexpr int programs = 0;
    static constexpr bool src = [] {
        if constexpr (requires { E::row; })
            return E::row == Row::src && Structure<E>::differentiable;
        else
            return false;
    }();
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
};
template <class Operation, class Inner>
struct EdgeFacts<EdgeStage<Operation, Inner>> {
    static constexpr int programs = 1 + EdgeFacts<Inner>::programs;
    static constexpr bool src = EdgeFacts<Inner>::src;
    static constexpr bool dst = EdgeFacts<Inner>::dst || Structure<Inner>::differentiable;
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
template <class Operation, class Inner>
struct EdgeOperands<EdgeStage<Operation, Inner>> : EdgeOperands<Inner> {};

/// Takes down a plan and its operands, in the order of EdgeOperands.
template <class T>
struct PlanWriter {
    EdgeProgram<T>* programs;
    const void** operands;
    int count = 0; // of programs
    int value = 0; // of operands
};

/// No reduction: the messages themselves.
struct NoReduction {
    static constexpr auto name = "edges";
    static constexpr bool selects = false;
};

/// Fills the leaves of a program, and appends the programs of its stages.
template <class Sweeps, int MessageRank, class T, class E>
void describe_leaves(const E& e, EdgeProgram<T>& program, int& leaf, int& constants, PlanWriter<T>& writer);

/// The kernels of expression E: one table for all its uses.
template <class T, class E, class Sweeps, class Reduction, Row AdjointRow, Spread AdjointSpread>
struct EdgeKernels {
    using S = Structure<E>;
    static_assert(
        S::leaves <= EdgeTables<T>::max_leaves && S::constants <= EdgeTables<T>::max_leaves,
        "weft: an edge expression has at most 16 leaves: land a part of it first, const auto h = eval(part);");
    // Several packets at a time share the reading of the edge; where a message is work, that is not worth compiling.
    static constexpr int packets = S::cost < 0.5 ? 4 : 1;

    template <int B, Fetch From = Fetch::from_cache>
    static constexpr EdgeReduceFunction<T> reduce() {
        using K = typename S::template kernel<EdgeLeaves<E::rank>, 0, 0, false>;
        if constexpr (std::same_as<Reduction, NoReduction>)
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
    template <bool Sweeping, class Owner, int B>
    static constexpr EdgeBackwardFunction<T> backward() {
        if constexpr (Sweeping && S::differentiable) {
            using K = typename S::template kernel<EdgeLeaves<E::rank>, 0, 0, true>;
            return &edge_backward_kernel<K, S::leaves, S::constants, Owner, AdjointRow, AdjointSpread,
                                         Reduction::selects, B, T>;
        } else {
            return nullptr;
        }
    }

    using Dst = Sweep<Row::dst, Sweeps::rest_with_dst>;
    using Src = Sweep<Row::src, !Sweeps::rest_with_dst>;
    static constexpr EdgeFunctions<T> table{
        packets,
        {reduce<packets>(), reduce<1>()},
        reduce<packets, packets == 1 ? Fetch::from_cache : Fetch::from_memory>(),
        map(),
        {backward<Sweeps::dst, Dst, packets>(), backward<Sweeps::dst, Dst, 1>()},
        {backward<EdgeFacts<E>::src, Src, packets>(), backward<EdgeFacts<E>::src, Src, 1>()}};
};

/// Appends the program of expression E.
template <class Sweeps, class Reduction, Row AdjointRow, Spread AdjointSpread, class T, class E>
void describe_program(const E& e, PlanWriter<T>& writer) {
    constexpr int rank = E::rank;
    EdgeProgram<T>& program = writer.programs[writer.count++];
    program.leaves = Structure<E>::leaves;
    program.functions = &EdgeKernels<T, E, Sweeps, Reduction, AdjointRow, AdjointSpread>::table;
    RowExtents& extents = program.tables.extents;
    extents.rank = rank;
    extents.heads = rank >= 1 ? e.shape()[0] : 1;
    extents.channels = 1;
    for (int a = 1; a < rank; ++a) extents.channels *= e.shape()[static_cast<std::size_t>(a)];
    extents.width = extents.heads * extents.channels;
    int leaf = 0, constants = 0;
    describe_leaves<Sweeps, rank>(e, program, leaf, constants, writer);
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
            using Operation = typename E::operation;
            static_assert(
                requires { Operation::template functions<T>(); },
                "weft: softmax_out goes with reductions over the edges of a source (sum_out, ...), softmax_in "
                "with those of a destination (sum_in, ...)");
            described.program = writer.count;
            writer.programs[writer.count].stage = Operation::template functions<T>();
            using Inner = std::remove_cvref_t<decltype(e.inner())>;
            describe_program<Sweeps, NoReduction, Row::stage, Operation::template adjoint_spread<Inner::rank>()>(
                e.inner(), writer);
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

inline EdgeRows rows_by_dst(const Graph& g) {
    const auto& in = g.in();
    EdgeRows rows;
    rows.row_ptr = in.row_ptr.data();
    rows.col = in.col.data();
    rows.edge = in.eid_is_identity ? nullptr : in.eid.data();
    rows.dst_ptr = rows.row_ptr;
    rows.edges = g.num_edges();
    return rows;
}
inline EdgeRows rows_by_src(const Graph& g) {
    const auto& out = g.out();
    EdgeRows rows;
    rows.row_ptr = out.row_ptr.data();
    rows.col = out.col.data();
    rows.edge = out.eid.data();
    rows.slot = out.slot.data();
    rows.dst_ptr = g.in().row_ptr.data();
    rows.edges = g.num_edges();
    return rows;
}

/// Calls f(kernel number, first feature) for the blocks of a row: four packets while `least` or more remain, unless
/// they have more heads than a packet has lanes.
template <class T, class F>
void for_each_feature_block(const EdgeProgram<T>& program, index least, F&& f) {
    const RowExtents& row = program.tables.extents;
    for (index at = 0; at < row.width;) {
        const index packets = (row.width - at + lanes<T> - 1) / lanes<T>;
        const bool four = program.functions->packets == 4 && packets >= least &&
                          (row.rank < 2 || head_range<T>(row, at, 4).count <= lanes<T>);
        f(four ? 0 : 1, at);
        at += (four ? 4 : 1) * lanes<T>;
    }
}

/// Tiles of destinations whose stage values stay in the cache. A destination with more edges is a tile of its own.
inline constexpr index tile_elements = 8192;

/// Bytes of the rows of a tile that stay in the second-level cache from the stage that fetches them until they are
/// used.
inline constexpr index next_rows_capacity = 512 * 1024;

/// Rows of all nodes are taken to lie in some cache up to this many bytes.
inline constexpr index cached_bytes = 16 * 1024 * 1024;
template <class T>
bool from_memory(const Graph& g, const EdgeProgram<T>& program) {
    return g.num_src() * program.tables.extents.width * static_cast<index>(sizeof(T)) > cached_bytes;
}

inline index tile_end(const EdgeRows& rows, index begin, index end, index max_edges) {
    index row = begin + 1;
    while (row < end && rows.row_ptr[row + 1] - rows.row_ptr[begin] <= max_edges) ++row;
    return row;
}

/// Evaluates the stages of a copied plan on tiles of destinations. Values go to scratch, or, for a backward sweep, to
/// arrays over all edges.
template <class T>
class StageEvaluator {
public:
    static constexpr int max_programs = 8;

    /// `from_memory`: what the outer program reads of the source nodes does not lie in a cache.
    StageEvaluator(EdgeProgram<T>* programs, int count, bool from_memory) : programs_(programs), count_(count) {
        for (int s = 1; s < count; ++s) widest_ = std::max(widest_, programs[s].tables.extents.width);
        if (!from_memory) return;
        const EdgeProgram<T>& outer = programs[0];
        for (int l = 0; l < outer.leaves; ++l)
            if (outer.leaf[l].row == Row::src && outer.leaf[l].spread == Spread::full) {
                next_rows_ = reinterpret_cast<const char*>(outer.tables.pointers[l]);
                next_row_bytes_ = outer.tables.extents.width * static_cast<index>(sizeof(T));
            }
    }
    index tile_edges() const { return count_ > 1 ? std::max<index>(tile_elements / widest_, 1) : 0; }

    /// `values[s]`: memory of all edges for stage s, or null for scratch.
    void run(const EdgeRows& rows, index row_begin, index row_end, T* const* values) {
        const index base = rows.row_ptr[row_begin], edges = rows.row_ptr[row_end] - base;
        EdgeTables<T>& first = programs_[count_ - 1].tables;
        first.next_rows = next_rows_;
        first.next_row_bytes = edges * next_row_bytes_ <= next_rows_capacity ? next_row_bytes_ : 0;
        for (int s = count_ - 1; s >= 1; --s) { // inner stages come behind the programs that read them
            EdgeProgram<T>& program = programs_[s];
            const index width = program.stage->width(program.tables.extents);
            T* out = values ? values[s] + base * width : reserve(out_[s], edges * width);
            T* const in = program.stage->in_place ? out : reserve(in_[s], edges * program.tables.extents.width);
            connect(program, values ? 0 : base);
            program.functions->map(rows, program.tables, row_begin, row_end, base, false, in);
            program.stage->forward(rows, row_begin, row_end, base, program.tables.extents, in, out);
            result_[s] = values ? values[s] : out;
        }
        connect(programs_[0], values ? 0 : base);
    }

private:
    void connect(EdgeProgram<T>& program, index base) {
        for (int l = 0; l < program.leaves; ++l)
            if (program.leaf[l].program >= 0) program.tables.pointers[l] = result_[program.leaf[l].program];
        program.tables.stage_base = base;
    }
    static T* reserve(Storage& storage, index n) {
        const auto bytes = static_cast<std::size_t>(n) * sizeof(T);
        if (storage.bytes() < bytes) storage = Storage::allocate(bytes + bytes / 2);
        return reinterpret_cast<T*>(storage.data());
    }

    EdgeProgram<T>* programs_;
    int count_;
    index widest_ = 1;
    const char* next_rows_ = nullptr;
    index next_row_bytes_ = 0;
    Storage in_[max_programs], out_[max_programs];
    const T* result_[max_programs] = {};
};

template <class T>
double edge_time(const EdgeRows& rows, index width) {
    return static_cast<double>(rows.edges) * (3.0 + 0.25 * static_cast<double>(width));
}

/// out [N_dst, width] (or per edge when `by_edge`) of an expression whose operands are in place.
template <class T, std::size_t N>
void edge_forward(const Graph& g, const std::array<EdgeProgram<T>, N>& plan, T* out, T* selected, bool by_edge) {
    const EdgeRows rows = rows_by_dst(g);
    const auto chunks = g.in().chunks();
    const index width = plan[0].tables.extents.width;
    const bool far = from_memory(g, plan[0]);
    for_each_chunk(static_cast<index>(chunks.size()) - 1, edge_time<T>(rows, width), [&](index chunk) {
        std::array<EdgeProgram<T>, N> programs = plan;
        StageEvaluator<T> stages(programs.data(), static_cast<int>(N), far);
        const index end = chunks[static_cast<std::size_t>(chunk) + 1];
        for (index begin = chunks[static_cast<std::size_t>(chunk)]; begin < end;) {
            const index stop = N > 1 ? tile_end(rows, begin, end, stages.tile_edges()) : end;
            if constexpr (N > 1) stages.run(rows, begin, stop, nullptr);
            if (by_edge)
                programs[0].functions->map(rows, programs[0].tables, begin, stop, 0, true, out);
            else
                for_each_feature_block(programs[0], 3, [&](int kind, index f) {
                    const auto& functions = *programs[0].functions;
                    const auto reduce = kind == 0 && far ? functions.reduce_from_memory : functions.reduce[kind];
                    reduce(rows, programs[0].tables, begin, stop, f, out, selected);
                });
            begin = stop;
        }
    });
}

template <class T>
struct EdgeGradient {
    T* data = nullptr; // null: not wanted
    index size = 0;
};

/// Gradients of all operands. `dy`: adjoint of the result, already divided by the degree for means; the gradients of
/// operands that are spread or constant begin as zeros, all others are stored.
template <class T, std::size_t N>
void edge_backward(const Graph& g, const std::array<EdgeProgram<T>, N>& plan, const EdgeAdjoint<T>& dy, bool dst_sweep,
                   bool src_sweep, const EdgeGradient<T>* gradients) {
    // Values and adjoints of stages, for all edges; and a place for gradients nobody wants.
    Storage value_memory[N], adjoint_memory[N];
    T* values[N] = {};
    T* adjoints[N] = {};
    const EdgeRows by_dst = rows_by_dst(g);
    for (std::size_t s = 1; s < N; ++s) {
        const auto bytes =
            static_cast<std::size_t>(by_dst.edges * plan[s].stage->width(plan[s].tables.extents)) * sizeof(T);
        value_memory[s] = Storage::allocate(bytes);
        adjoint_memory[s] = Storage::allocate(bytes);
        values[s] = reinterpret_cast<T*>(value_memory[s].data());
        adjoints[s] = reinterpret_cast<T*>(adjoint_memory[s].data());
    }
    index constant_size = 0; // gradients of constant rows: one partial per chunk
    index constant_at[64] = {};
    for (std::size_t s = 0; s < N; ++s)
        for (int l = 0; l < plan[s].leaves; ++l)
            if (const auto& leaf = plan[s].leaf[l]; leaf.row == Row::all && leaf.value >= 0 && leaf.differentiable) {
                constant_at[leaf.value] = constant_size;
                constant_size += Scratch<T>::rounded(gradients[leaf.value].size + lanes<T>);
            }

    const auto sweep = [&](const EdgeRows& rows, const auto& chunks, bool by_src) {
        const index chunk_count = static_cast<index>(chunks.size()) - 1;
        const bool constants_here = constant_size > 0 && (by_src ? !dst_sweep : true);
        const Storage partials =
            Storage::allocate(static_cast<std::size_t>(constants_here ? chunk_count * constant_size : 0) * sizeof(T));
        T* const partial = reinterpret_cast<T*>(partials.data());
        if (constants_here) std::fill_n(partial, chunk_count * constant_size, T{});
        for_each_chunk(chunk_count, 3 * edge_time<T>(rows, plan[0].tables.extents.width), [&](index chunk) {
            std::array<EdgeProgram<T>, N> programs = plan;
            StageEvaluator<T> stages(programs.data(), static_cast<int>(N), from_memory(g, plan[0]));
            for (std::size_t s = 0; s < N; ++s)
                for (int l = 0; l < programs[s].leaves; ++l) {
                    const auto& leaf = programs[s].leaf[l];
                    EdgeTables<T>& tables = programs[s].tables;
                    tables.gradients[l] = leaf.program >= 0 ? adjoints[leaf.program]
                                          : leaf.row == Row::all
                                              ? partial + chunk * constant_size + constant_at[leaf.value]
                                              : gradients[leaf.value].data;
                    if (leaf.spread == Spread::full && leaf.row != Row::all) tables.first |= 1u << l;
                    if (leaf.program >= 0) tables.pointers[l] = values[leaf.program];
                }
            const auto run = [&](std::size_t s, index begin, index stop) {
                const EdgeFunctions<T>& functions = *programs[s].functions;
                const auto& kernels = by_src ? functions.backward_src : functions.backward_dst;
                if (!kernels[0]) return;
                const EdgeAdjoint<T> adjoint = s == 0 ? dy : EdgeAdjoint<T>{adjoints[s], nullptr};
                for_each_feature_block(programs[s], 4, [&](int kind, index f) {
                    kernels[kind](rows, programs[s].tables, adjoint, begin, stop, f);
                });
            };
            const index end = chunks[static_cast<std::size_t>(chunk) + 1];
            for (index begin = chunks[static_cast<std::size_t>(chunk)]; begin < end;) {
                const bool tiled = N > 1 && !by_src;
                const index stop = tiled ? tile_end(rows, begin, end, stages.tile_edges()) : end;
                const index base = rows.row_ptr[begin], edges = rows.row_ptr[stop] - base;
                if (tiled) {
                    stages.run(rows, begin, stop, values);
                    for (std::size_t s = 1; s < N; ++s) {
                        const index width = plan[s].stage->width(plan[s].tables.extents);
                        std::fill_n(adjoints[s] + base * width, edges * width, T{});
                    }
                }
                run(0, begin, stop);
                for (std::size_t s = 1; s < N; ++s) {
                    if (tiled) {
                        const index width = plan[s].stage->width(plan[s].tables.extents);
                        if (plan[s].stage->backward)
                            plan[s].stage->backward(rows, begin, stop, base, width, values[s] + base * width,
                                                    adjoints[s] + base * width);
                    }
                    run(s, begin, stop);
                }
                begin = stop;
            }
        });
        if (!constants_here) return;
        for (index step = 1; step < chunk_count; step *= 2)
            for (index c = 0; c + step < chunk_count; c += 2 * step)
                combine_run<SumOf>(partial + c * constant_size, partial + (c + step) * constant_size, constant_size);
        for (std::size_t s = 0; s < N; ++s)
            for (int l = 0; l < plan[s].leaves; ++l)
                if (const auto& leaf = plan[s].leaf[l];
                    leaf.row == Row::all && leaf.value >= 0 && leaf.differentiable && gradients[leaf.value].data)
                    std::copy_n(partial + constant_at[leaf.value], gradients[leaf.value].size,
                                gradients[leaf.value].data);
    };
    if (dst_sweep) sweep(by_dst, g.in().chunks(), false);
    if (src_sweep) sweep(rows_by_src(g), g.out().chunks(), true);
}

} // namespace detail
} // namespace weft::inline WEFT_ABI
