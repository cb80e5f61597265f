// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_program.hpp>

#include <cstdint>

namespace weft::inline WEFT_ABI::detail {

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

/// The address of row 0 when the rows from `first` on lie at `rows`, which may be the only ones there.
template <class T>
T* row_zero(T* rows, index first, index width) {
    return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(rows) -
                                static_cast<std::uintptr_t>(first * width) * sizeof(T));
}

/// Rows per edge of all edges, where a sweep leaves them for the next one; elsewhere null.
template <class T>
struct KeptRows {
    T* values = nullptr;          // of a stage
    T* message_adjoint = nullptr; // of what a stage takes
};

/// Runs the stages of a copied plan, by destination, on tiles in one chunk.
template <class T>
class StageRunner {
public:
    static constexpr int max_programs = 8;

    /// `from_memory`: what the outer program reads of the source nodes does not lie in a cache. `kept`, of the
    /// backward, has an entry per program.
    StageRunner(EdgeProgram<T>* programs, int count, bool from_memory, const KeptRows<T>* kept)
        : programs_(programs), count_(count), kept_(kept) {
        for (int s = 1; s < count; ++s) {
            // Rows whose sum is taken are not stored, only read again in the backward.
            const index read = programs[s].tables.extents.width;
            const bool stored = programs[s].message_adjoint != MessageAdjoint::spread;
            widest_ = std::max({widest_, stored ? read : read / 4, programs[s].stage_width});
            work_[s] = programs[s].stage->work(kept != nullptr);
        }
        if (!from_memory) return;
        const EdgeProgram<T>& outer = programs[0];
        for (int l = 0; l < outer.leaves; ++l)
            if (outer.leaf[l].row == Row::src && outer.leaf[l].spread == Spread::full) {
                next_rows_ = reinterpret_cast<const char*>(outer.tables.pointers[l]);
                next_row_bytes_ = outer.tables.extents.width * static_cast<index>(sizeof(T));
            }
    }
    index tile_edges() const { return count_ > 1 ? std::max<index>(tile_elements / widest_, 1) : 0; }

    /// Computes the values of the stages, and points their readers there.
    void forward(const EdgeRows& rows, index row_begin, index row_end) {
        EdgeTables<T>& first = programs_[count_ - 1].tables;
        for (int s = count_ - 1; s >= 1; --s) { // inner stages come behind the programs that read them
            EdgeProgram<T>& program = programs_[s];
            const EdgeTile tile = tile_of(program, rows, row_begin, row_end);
            const index edges = tile.edges(), base = tile.first_edge(), width = tile.message.width;
            if (s == count_ - 1) {
                first.next_rows = next_rows_;
                first.next_row_bytes = edges * next_row_bytes_ <= next_rows_capacity ? next_row_bytes_ : 0;
            }
            const int place = programs_[program.reader].takes_sums ? program.reader : s;
            T* const values =
                rows_of(kept_ ? kept_[place].values : nullptr, values_[place], edges, base, program.stage_width);
            T* const value_row_zero = row_zero(values, base, program.stage_width);
            value_row_zero_[s] = value_row_zero;
            tile_values_[s] = values;
            connect(program);
            const EdgeFunctions<T>& functions = *program.functions;
            if (functions.row_sum[0]) {
                for_each_feature_block(program, 3, [&](int kind, index f) {
                    functions.row_sum[kind](rows, program.tables, row_begin, row_end, f, value_row_zero, nullptr);
                });
                continue;
            }
            T* const messages = in_place(program) ? values : scratch(messages_[s], edges * width);
            if (!program.takes_sums)
                functions.map(rows, program.tables, row_begin, row_end, false, row_zero(messages, base, width));
            work_[s]->forward(tile, messages, values);
        }
        connect(programs_[0]);
    }

    /// Makes room for the adjoints of the stages, and points the gradients of their readers there.
    void begin_backward(const EdgeRows& rows, index row_begin, index row_end) {
        for (int s = 1; s < count_; ++s) {
            EdgeProgram<T>& program = programs_[s];
            const EdgeTile tile = tile_of(program, rows, row_begin, row_end);
            const index edges = tile.edges(), base = tile.first_edge(), width = program.stage_width;
            if (programs_[program.reader].takes_sums) {
                adjoints_[s] = adjoints_[program.reader];
                continue;
            }
            T* const kept = kept_[program.takes_sums ? s + 1 : s].message_adjoint;
            const bool apart = program.message_adjoint == MessageAdjoint::apart;
            T* const adjoint = rows_of(apart ? nullptr : kept, adjoint_[s], edges, base, width);
            T* const message_adjoint =
                apart ? rows_of(kept, message_adjoint_[s], edges, base, tile.message.width) : adjoint;
            std::fill_n(adjoint, edges * width, T{});
            adjoints_[s] = {adjoint, message_adjoint};
            point_gradients(s, row_zero(adjoint, base, width));
        }
    }
    /// From the adjoint of the values of stage s to that of the messages, of which it returns row 0.
    const T* backward(int s, const EdgeRows& rows, index row_begin, index row_end) {
        const EdgeProgram<T>& program = programs_[s];
        const EdgeTile tile = tile_of(program, rows, row_begin, row_end);
        const auto [adjoint, message_adjoint] = adjoints_[s];
        work_[s]->backward(tile, tile_values_[s], adjoint, message_adjoint);
        const bool spread = program.message_adjoint == MessageAdjoint::spread;
        return row_zero(message_adjoint, tile.first_edge(), spread ? program.stage_width : tile.message.width);
    }
    void add_parameter_gradient(int s, T* gradient) const { work_[s]->add_parameter_gradient(gradient); }

private:
    static bool in_place(const EdgeProgram<T>& program) { return program.message_adjoint == MessageAdjoint::in_place; }
    static EdgeTile tile_of(const EdgeProgram<T>& program, const EdgeRows& rows, index row_begin, index row_end) {
        return {rows, row_begin, row_end, program.tables.extents};
    }
    void connect(EdgeProgram<T>& program) {
        for (int l = 0; l < program.leaves; ++l)
            if (const int stage = program.leaf[l].program; stage >= 0)
                program.tables.pointers[l] = value_row_zero_[stage];
    }
    void point_gradients(int stage, T* row) {
        EdgeProgram<T>& reader = programs_[programs_[stage].reader];
        for (int l = 0; l < reader.leaves; ++l)
            if (reader.leaf[l].program == stage) reader.tables.gradients[l] = row;
    }
    /// The tile's rows: in `kept`, which has those of all edges, or else in scratch.
    static T* rows_of(T* kept, Storage& memory, index edges, index base, index width) {
        return kept ? kept + base * width : scratch(memory, edges * width);
    }
    static T* scratch(Storage& memory, index n) {
        const auto bytes = static_cast<std::size_t>(n) * sizeof(T);
        if (memory.bytes() < bytes) memory = Storage::allocate(bytes + bytes / 2);
        return reinterpret_cast<T*>(memory.data());
    }

    EdgeProgram<T>* programs_;
    int count_;
    const KeptRows<T>* kept_;
    index widest_ = 1;
    const char* next_rows_ = nullptr;
    index next_row_bytes_ = 0;
    std::unique_ptr<StageWork<T>> work_[max_programs];
    Storage messages_[max_programs], values_[max_programs], adjoint_[max_programs], message_adjoint_[max_programs];
    const T *value_row_zero_[max_programs] = {}, *tile_values_[max_programs] = {};
    struct {
        T *adjoint, *message_adjoint;
    } adjoints_[max_programs] = {};
};

template <class T>
double edge_time(const EdgeRows& rows, index width) {
    return static_cast<double>(rows.edges) * (3.0 + 0.25 * static_cast<double>(width));
}

/// out [N_dst, results, width] (or [E, width] when `by_edge`) of an expression whose operands are in place.
template <class T, std::size_t N>
void edge_forward(const Graph& g, const std::array<EdgeProgram<T>, N>& plan, T* out, T* kept, bool by_edge) {
    const EdgeRows rows = rows_by_dst(g);
    const auto chunks = g.in().chunks();
    const index width = plan[0].tables.extents.width;
    if (width == 0) return;
    const bool far = from_memory(g, plan[0]);
    for_each_chunk(static_cast<index>(chunks.size()) - 1, edge_time<T>(rows, width), [&](index chunk) {
        std::array<EdgeProgram<T>, N> programs = plan;
        StageRunner<T> stages(programs.data(), static_cast<int>(N), far, nullptr);
        const index end = chunks[static_cast<std::size_t>(chunk) + 1];
        for (index begin = chunks[static_cast<std::size_t>(chunk)]; begin < end;) {
            const index stop = N > 1 ? tile_end(rows, begin, end, stages.tile_edges()) : end;
            if constexpr (N > 1) stages.forward(rows, begin, stop);
            if (by_edge)
                programs[0].functions->map(rows, programs[0].tables, begin, stop, true, out);
            else
                for_each_feature_block(programs[0], 3, [&](int kind, index f) {
                    const auto& functions = *programs[0].functions;
                    const auto reduce = kind == 0 && far ? functions.reduce_from_memory : functions.reduce[kind];
                    reduce(rows, programs[0].tables, begin, stop, f, out, kept);
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

/// The gradients of operands that belong to no row: one partial sum per chunk.
template <class T, std::size_t N>
class ConstantGradients {
public:
    ConstantGradients(const std::array<EdgeProgram<T>, N>& plan, const EdgeGradient<T>* gradients)
        : gradients_(gradients) {
        for (const auto& program : plan)
            program.for_each_operand([&](const auto& leaf) {
                if (leaf.row != Row::all || !leaf.differentiable) return;
                offset_[leaf.value] = size_;
                size_ += Scratch<T>::rounded(gradients[leaf.value].size + lanes<T>);
                values_[count_++] = leaf.value;
            });
    }
    bool empty() const { return size_ == 0; }
    void begin(index chunks) {
        chunks_ = chunks;
        memory_ = Storage::allocate(static_cast<std::size_t>(chunks * size_) * sizeof(T));
        std::fill_n(partial(), chunks * size_, T{});
    }
    T* of(index chunk, int value) { return partial() + chunk * size_ + offset_[value]; }
    void finish() {
        for (index step = 1; step < chunks_; step *= 2)
            for (index c = 0; c + step < chunks_; c += 2 * step)
                combine_run<SumOf>(partial() + c * size_, partial() + (c + step) * size_, size_);
        for (int k = 0; k < count_; ++k)
            if (const EdgeGradient<T>& to = gradients_[values_[k]]; to.data)
                std::copy_n(of(0, values_[k]), to.size, to.data);
    }

private:
    T* partial() { return reinterpret_cast<T*>(memory_.data()); }

    const EdgeGradient<T>* gradients_;
    Storage memory_;
    index size_ = 0, chunks_ = 0, offset_[64] = {};
    int count_ = 0, values_[64] = {};
};

/// Gradients of all operands. `dy`: as the reduction's Adjoint has it; the gradients of operands that are spread or
/// constant begin as zeros, all others are stored.
template <class T, std::size_t N>
void edge_backward(const Graph& g, const std::array<EdgeProgram<T>, N>& plan, const EdgeAdjoint<T>& dy, bool dst_sweep,
                   bool src_sweep, const EdgeGradient<T>* gradients) {
    if (plan[0].tables.extents.width == 0) {
        for (const auto& program : plan)
            program.for_each_operand([&](const auto& leaf) {
                if (const EdgeGradient<T>& to = gradients[leaf.value]; to.data) std::fill_n(to.data, to.size, T{});
            });
        return;
    }
    // What the sweep by destination leaves for that by source: of a stage whose reader has source rows the values, of
    // one that has them itself the adjoints of its messages.
    Storage memory[2 * N];
    KeptRows<T> kept[N];
    const auto keep = [&](Storage& storage, index width) {
        storage = Storage::allocate(static_cast<std::size_t>(g.num_edges() * width) * sizeof(T));
        return reinterpret_cast<T*>(storage.data());
    };
    if (src_sweep)
        for (std::size_t s = 1; s < N; ++s) {
            const EdgeProgram<T>& program = plan[s];
            const bool spread = program.message_adjoint == MessageAdjoint::spread;
            if (plan[static_cast<std::size_t>(program.reader)].functions->backward_src[0])
                kept[s].values = keep(memory[2 * s], program.stage_width);
            if (program.functions->backward_src[0])
                kept[s].message_adjoint =
                    keep(memory[2 * s + 1], spread ? program.stage_width : program.tables.extents.width);
        }
    ConstantGradients<T, N> constants(plan, gradients);

    const auto sweep = [&](const EdgeRows& rows, const auto& chunks, bool by_src) {
        const index chunk_count = static_cast<index>(chunks.size()) - 1;
        const bool constants_here = !constants.empty() && by_src != dst_sweep;
        if (constants_here) constants.begin(chunk_count);
        for_each_chunk(chunk_count, 3 * edge_time<T>(rows, plan[0].tables.extents.width), [&](index chunk) {
            std::array<EdgeProgram<T>, N> programs = plan;
            for (auto& program : programs)
                for (int l = 0; l < program.leaves; ++l) {
                    const auto& leaf = program.leaf[l];
                    EdgeTables<T>& tables = program.tables;
                    if (leaf.spread == Spread::full && leaf.row != Row::all) tables.first |= 1u << l;
                    if (leaf.program >= 0)
                        tables.pointers[l] = kept[leaf.program].values;
                    else if (leaf.row != Row::all)
                        tables.gradients[l] = gradients[leaf.value].data;
                    else if (constants_here && leaf.differentiable)
                        tables.gradients[l] = constants.of(chunk, leaf.value);
                }
            const auto run = [&](std::size_t s, const EdgeAdjoint<T>& adjoint, index begin, index stop) {
                const EdgeFunctions<T>& functions = *programs[s].functions;
                const auto& kernels = by_src ? functions.backward_src : functions.backward_dst;
                if (!kernels[0]) return;
                for_each_feature_block(programs[s], 4, [&](int kind, index f) {
                    kernels[kind](rows, programs[s].tables, adjoint, begin, stop, f);
                });
            };
            const index begin = chunks[static_cast<std::size_t>(chunk)],
                        end = chunks[static_cast<std::size_t>(chunk) + 1];
            if (N == 1 || by_src) {
                run(0, dy, begin, end);
                for (std::size_t s = 1; s < N; ++s) run(s, {kept[s].message_adjoint, nullptr}, begin, end);
                return;
            }
            StageRunner<T> stages(programs.data(), static_cast<int>(N), from_memory(g, plan[0]), kept);
            for (index row = begin; row < end;) {
                const index stop = tile_end(rows, row, end, stages.tile_edges());
                stages.forward(rows, row, stop);
                stages.begin_backward(rows, row, stop);
                run(0, dy, row, stop);
                for (std::size_t s = 1; s < N; ++s) {
                    const EdgeAdjoint<T> adjoint{stages.backward(static_cast<int>(s), rows, row, stop), nullptr};
                    if (!programs[s].takes_sums) run(s, adjoint, row, stop);
                }
                row = stop;
            }
            for (std::size_t s = 1; s < N; ++s)
                if (const auto& leaf = programs[s].parameters; leaf.value >= 0 && leaf.differentiable)
                    stages.add_parameter_gradient(static_cast<int>(s), constants.of(chunk, leaf.value));
        });
        if (constants_here) constants.finish();
    };
    if (dst_sweep) sweep(rows_by_dst(g), g.in().chunks(), false);
    if (src_sweep) sweep(rows_by_src(g), g.out().chunks(), true);
}

} // namespace weft::inline WEFT_ABI::detail
