// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_reduction.hpp>

#include <cstdint>

namespace weft::inline WEFT_ABI::detail {

/// Rows of one sweep: by destination (`by_src` false), or by source with the edges' slots in destination order.
struct EdgeRows {
    const std::int32_t* row_ptr = nullptr;
    const std::int32_t* col = nullptr;
    const std::int32_t* edge = nullptr;    // null: edges are numbered in this order
    const std::int32_t* slot = nullptr;    // null: this is the destination order
    const std::int32_t* dst_ptr = nullptr; // row_ptr of the destination order
    index edges = 0;
};

/// The tables of one edge expression at run time.
template <class T>
struct EdgeTables {
    static constexpr int max_leaves = 16;
    const T* pointers[max_leaves] = {};
    T* gradients[max_leaves] = {};
    T constants[max_leaves] = {};
    unsigned first = 0;
    RowExtents extents;
    /// Of a stage: rows of source nodes that the expression around it reads next, where these come from memory.
    const char* next_rows = nullptr;
    index next_row_bytes = 0;
};

template <class T, bool BySrc, bool Edges, bool Slots>
WEFT_ALWAYS_INLINE EdgeAt<T> edge_at(const EdgeRows& rows, const EdgeTables<T>& tables, index row, index p, index f,
                                     const HeadRange& block) {
    EdgeNumbers id{};
    const index col = rows.col[p];
    id.src = BySrc ? row : col;
    id.dst = BySrc ? col : row;
    if constexpr (Edges) id.edge = rows.edge ? rows.edge[p] : p;
    if constexpr (Slots) id.slot = BySrc ? rows.slot[p] : p;
    return {id, f, tables.extents.width, tables.extents.heads, block};
}

/// The heads of `packets` packets of features from f on.
template <class T>
HeadRange head_range(const RowExtents& extents, index f, index packets) {
    const index last = std::max<index>(extents.width - 1, 0);
    const index first = std::min(f, last) / extents.channels;
    return {first, std::min(f + packets * lanes<T> - 1, last) / extents.channels - first + 1};
}

template <class T>
HeadLanes<T> head_lanes(const RowExtents& extents, index f, const HeadRange& block) {
    const index last = std::max<index>(extents.width - 1, 0);
    index head = std::min(f, last) / extents.channels, end = (head + 1) * extents.channels; // of the features of `head`
    int lane[16] = {};
    for (index i = 0; i < lanes<T>; ++i) {
        if (f + i == end && f + i <= last) {
            ++head;
            end += extents.channels;
        }
        lane[i] = static_cast<int>(std::min(head - block.first, lanes<T> - 1));
    }
    return {make_lane_index<T>(lane), std::clamp<index>(extents.width - f, 1, lanes<T>)};
}

/// Fetches the rows of a later edge where edges are not numbered in the order of the sweep.
template <class K, int B, class T>
WEFT_ALWAYS_INLINE void prefetch_edge(const T* const* p, const EdgeRows& rows, index e, const RowExtents& extents,
                                      index f) {
    if constexpr (EdgeVisitor<K>::reads_edges)
        if (rows.edge)
            EdgeVisitor<K>::template prefetch_row<Row::edge, B>(
                p, rows.edge[std::min(e + prefetch_distance, rows.edges - 1)], extents, f);
}

// The kernels copy the tables they are given: what packets are stored to could be these.

/// out[row, k, f ... f + B packets] = result k of the reduction of the messages of the row's edges; `kept`, if wanted,
/// gets what the backward needs besides.
template <class K, int Leaves, int Constants, class Reduction, int B, Fetch From, class T>
WEFT_NOINLINE void edge_reduce_kernel(const EdgeRows& given_rows, const EdgeTables<T>& given_tables, index row_begin,
                                      index row_end, index f0, T* out, T* kept) {
    const EdgeRows rows = given_rows;
    const EdgeTables<T> tables = given_tables;
    const T* p[Leaves + 1];
    Packet<T> c[Constants + 1];
    for (int k = 0; k < Leaves; ++k) p[k] = tables.pointers[k];
    for (int k = 0; k < Constants; ++k) c[k] = splat(tables.constants[k]);
    const index width = tables.extents.width;
    const HeadRange block = head_range<T>(tables.extents, f0, B);
    HeadLanes<T> head[B];
    index feature[B]; // packets behind the row's end repeat its last one
    for (int b = 0; b < B; ++b) {
        feature[b] = std::min(f0 + b * lanes<T>, (width - 1) / lanes<T> * lanes<T>);
        head[b] = head_lanes<T>(tables.extents, feature[b], block);
    }
    const index last_edge = rows.edges - 1;
    for (index row = row_begin; row < row_end; ++row) {
        typename Reduction::template State<Packet<T>> state[B];
        const index begin = rows.row_ptr[row], end = rows.row_ptr[row + 1];
        for (index e = begin; e < end; ++e) {
            const index ahead = rows.col[std::min(e + prefetch_distance, last_edge)];
            EdgeAt<T> at = edge_at<T, false, EdgeVisitor<K>::reads_edges, EdgeVisitor<K>::reads_slots>(
                rows, tables, row, e, f0, block);
            prefetch_edge<K, B>(p, rows, e, tables.extents, f0);
            Packet<T> within{};
            if constexpr (Reduction::counts) within = splat(static_cast<T>(static_cast<double>(e - begin)));
#pragma GCC unroll 4
            for (int b = 0; b < B; ++b) {
                at.f = feature[b];
                EdgeVisitor<K>::template prefetch<Row::src, From>(p, ahead, width, at.f);
                state[b].take(K::template at<T>(p, c, at, head[b]), within);
            }
        }
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) {
            const index f = f0 + b * lanes<T>;
            if (f >= width) break;
            constexpr int results = Reduction::results, keeps = Reduction::keeps;
            Packet<T> result[results];
            state[b].finish(end - begin, result);
            for (int k = 0; k < results; ++k) store_features(out + (row * results + k) * width, result[k], f, width);
            if constexpr (keeps > 0)
                if (kept)
                    for (int k = 0; k < keeps; ++k)
                        store_features(kept + (row * keeps + k) * width, state[b].kept[k], f, width);
        }
    }
}

/// out[slot, f...] = the messages themselves; `by_edge`: at the edge's own number instead.
template <class K, int Leaves, int Constants, class T>
WEFT_NOINLINE void edge_map_kernel(const EdgeRows& given_rows, const EdgeTables<T>& given_tables, index row_begin,
                                   index row_end, bool by_edge, T* out) {
    const EdgeRows rows = given_rows;
    const EdgeTables<T> tables = given_tables;
    const T* p[Leaves + 1];
    Packet<T> c[Constants + 1];
    for (int k = 0; k < Leaves; ++k) p[k] = tables.pointers[k];
    for (int k = 0; k < Constants; ++k) c[k] = splat(tables.constants[k]);
    const index width = tables.extents.width;
    const index last_edge = rows.edges - 1;
    const std::int32_t* const place = by_edge ? rows.edge : nullptr;
    for (index f = 0; f < width; f += lanes<T>) {
        const HeadRange block = head_range<T>(tables.extents, f, 1);
        const ShortHeadLanes<T> head{head_lanes<T>(tables.extents, f, block)};
        const index next_row_bytes = f == 0 ? tables.next_row_bytes : 0;
        for (index row = row_begin; row < row_end; ++row)
            for (index e = rows.row_ptr[row], end = rows.row_ptr[row + 1]; e < end; ++e) {
                const index ahead = rows.col[std::min(e + prefetch_distance, last_edge)];
                EdgeVisitor<K>::template prefetch<Row::src>(p, ahead, width, f);
                for (index byte = 0; byte < next_row_bytes; byte += 64)
                    fetch_ahead<Fetch::from_memory>(tables.next_rows + ahead * next_row_bytes + byte);
                const EdgeAt<T> at = edge_at<T, false, EdgeVisitor<K>::reads_edges, EdgeVisitor<K>::reads_slots>(
                    rows, tables, row, e, f, block);
                T* const to = out + (place ? place[e] : e) * width;
                store_features(to, K::template at<T>(p, c, at, head), f, width);
            }
    }
}

/// Rows as the sums over their last axis have them: a row [F] is one head of F channels, not F heads.
inline RowExtents summed_row(RowExtents row) {
    if (row.rank == 1) {
        row.heads = 1;
        row.channels = row.width;
    }
    return row;
}

/// out[slot, head] = sum over the channels of the head, of those of the messages' features that lie in f0 ... f0 + B
/// packets; the first block of a head stores, others add.
template <class K, int Leaves, int Constants, int B, class T>
WEFT_NOINLINE void edge_row_sum_kernel(const EdgeRows& given_rows, const EdgeTables<T>& given_tables, index row_begin,
                                       index row_end, index f0, T* out, T*) {
    const EdgeRows rows = given_rows;
    const EdgeTables<T> tables = given_tables;
    const T* p[Leaves + 1];
    Packet<T> c[Constants + 1];
    for (int k = 0; k < Leaves; ++k) p[k] = tables.pointers[k];
    for (int k = 0; k < Constants; ++k) c[k] = splat(tables.constants[k]);
    const RowExtents row_of_sums = summed_row(tables.extents);
    const HeadSums<T> sums(row_of_sums);
    const index width = tables.extents.width, heads = row_of_sums.heads, channels = row_of_sums.channels;
    // Heads that end where packets do (or with the row) gather in a register.
    const bool whole_packets = sums.exchanges < 0 && (heads == 1 || channels % lanes<T> == 0);
    const bool through_memory = sums.exchanges < 0 && !whole_packets;
    const HeadRange block = head_range<T>(tables.extents, f0, B);
    HeadLanes<T> head[B];
    index feature[B], rest[B];
    for (int b = 0; b < B; ++b) { // packets behind the row's end repeat its last one
        feature[b] = std::min(f0 + b * lanes<T>, (width - 1) / lanes<T> * lanes<T>);
        rest[b] = width - (f0 + b * lanes<T>);
        head[b] = head_lanes<T>(tables.extents, feature[b], block);
    }
    const index last_edge = rows.edges - 1;
    const index next_row_bytes = f0 == 0 ? tables.next_row_bytes : 0;
    for (index row = row_begin; row < row_end; ++row)
        for (index e = rows.row_ptr[row], end = rows.row_ptr[row + 1]; e < end; ++e) {
            const index ahead = rows.col[std::min(e + prefetch_distance, last_edge)];
            EdgeAt<T> at = edge_at<T, false, EdgeVisitor<K>::reads_edges, EdgeVisitor<K>::reads_slots>(
                rows, tables, row, e, f0, block);
            prefetch_edge<K, B>(p, rows, e, tables.extents, f0);
            for (index byte = 0; byte < next_row_bytes; byte += 64)
                fetch_ahead<Fetch::from_memory>(tables.next_rows + ahead * next_row_bytes + byte);
            T* const to = out + e * heads;
            if (through_memory && f0 == 0) std::fill_n(to, heads, T{});
            Packet<T> a[B];
#pragma GCC unroll 4
            for (int b = 0; b < B; ++b) {
                at.f = feature[b];
                EdgeVisitor<K>::template prefetch<Row::src>(p, ahead, width, at.f);
                a[b] = K::template at<T>(p, c, at, head[b]);
            }
            if (!whole_packets) {
                add_heads<B, T>(to, a, f0, sums);
                continue;
            }
            Packet<T> sum(0);
#pragma GCC unroll 4
            for (int b = 0; b < B; ++b) {
                if (rest[b] <= 0) break;
                sum = sum + (rest[b] < lanes<T> ? first_lanes<T>(a[b], rest[b]) : a[b]);
                const index last = feature[b] + lanes<T>;
                if (b + 1 < B && rest[b] > lanes<T> && last % channels != 0) continue;
                const index h = feature[b] / channels;
                to[h] = h * channels >= f0 ? sum_lanes<T>(sum) : to[h] + sum_lanes<T>(sum);
                sum = Packet<T>(0);
            }
        }
}

/// Gradients of the leaves that `Owner` (a Sweep) owns. `Adjoint` says what the adjoint of a message is.
template <class K, int Leaves, int Constants, class Owner, class Adjoint, int B, class T>
WEFT_NOINLINE void edge_backward_kernel(const EdgeRows& given_rows, const EdgeTables<T>& given_tables,
                                        const EdgeAdjoint<T>& adjoint, index row_begin, index row_end, index f0) {
    const EdgeRows rows = given_rows;
    const EdgeTables<T> tables = given_tables;
    constexpr bool by_src = Owner::own == Row::src;
    struct Gradients {
        using sweep [[maybe_unused]] = Owner;
        Packet<T> row[Leaves + 1];
        Packet<T>* edge;
        T* const* pointer;
        unsigned first;
        const HeadSums<T>* heads;
    };
    const HeadSums<T> head_sums(tables.extents);
    T* pointer[Leaves + 1];
    Packet<T> edge[Leaves + 1];
    for (int k = 0; k < Leaves; ++k) {
        pointer[k] = tables.gradients[k];
        edge[k] = Packet<T>(0);
    }
    const T* p[Leaves + 1];
    Packet<T> c[Constants + 1];
    Gradients g[B];
    for (int k = 0; k < Leaves; ++k) p[k] = tables.pointers[k];
    for (int k = 0; k < Constants; ++k) c[k] = splat(tables.constants[k]);
    const index width = tables.extents.width;
    const HeadRange block = head_range<T>(tables.extents, f0, B);
    HeadLanes<T> head[B];
    for (int b = 0; b < B; ++b) {
        head[b] = head_lanes<T>(tables.extents, f0 + b * lanes<T>, block);
        g[b].pointer = pointer;
        g[b].edge = edge;
        g[b].first = tables.first;
        g[b].heads = &head_sums;
    }
    const EdgeAdjoint<T> dy = adjoint;
    const index last_edge = rows.edges - 1;
    for (index row = row_begin; row < row_end; ++row) {
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b)
            for (int k = 0; k < Leaves; ++k) g[b].row[k] = Packet<T>(0);
        for (index e = rows.row_ptr[row], end = rows.row_ptr[row + 1]; e < end; ++e) {
            const index ahead = rows.col[std::min(e + prefetch_distance, last_edge)];
            constexpr bool edges = EdgeVisitor<K>::reads_edges || Adjoint::row == Row::edge;
            constexpr bool slots = EdgeVisitor<K>::reads_slots || Adjoint::row == Row::stage || Adjoint::counts;
            EdgeAt<T> at = edge_at<T, by_src, edges, slots>(rows, tables, row, e, f0, block);
            prefetch_edge<K, B>(p, rows, e, tables.extents, f0);
            if constexpr (by_src && (EdgeVisitor<K>::reads_slots || Adjoint::row == Row::stage)) {
                const index far_slot = rows.slot[std::min(e + prefetch_distance, last_edge)];
                EdgeVisitor<K>::template prefetch_row<Row::stage, B>(p, far_slot, tables.extents, f0);
                if constexpr (Adjoint::row == Row::stage) Adjoint::prefetch(dy, far_slot, tables.extents, f0);
            }
            Packet<T> within{};
            if constexpr (Adjoint::counts)
                within = splat(static_cast<T>(static_cast<double>(at.id.slot - rows.dst_ptr[at.id.dst])));
#pragma GCC unroll 4
            for (int b = 0; b < B; ++b) {
                at.f = f0 + b * lanes<T>;
                EdgeVisitor<K>::template prefetch<by_src ? Row::dst : Row::src>(p, ahead, width, at.f);
                if constexpr (by_src && Adjoint::row == Row::dst) Adjoint::prefetch(dy, ahead, tables.extents, at.f);
                const auto values = K::template forward<T>(p, c, at, head[b]);
                const Packet<T> adj = Adjoint::template load<T>(dy, at, head[b], within, values.y);
                K::template backward<T>(values, adj, g[b], at, head[b]);
            }
            at.f = f0;
            EdgeVisitor<K>::template finish_edge<T>(g, at);
        }
        EdgeAt<T> at{};
        at.id.src = at.id.dst = row;
        at.width = width;
        at.heads = tables.extents.heads;
        at.block = block;
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) {
            at.f = f0 + b * lanes<T>;
            EdgeVisitor<K>::template finish_row<T>(g[b], at);
        }
    }
}

} // namespace weft::inline WEFT_ABI::detail
