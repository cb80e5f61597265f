// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_leaf.hpp>

#include <cstdint>

namespace weft::inline WEFT_ABI::detail {

/// How many edges ahead rows are fetched.
inline constexpr index prefetch_distance = 32;

/// Rows that lie in some cache are fetched into the first level, those that come from memory into the second. Measured:
/// from memory into the first, which has places for few misses, takes 1.4 times as long on Zen 4, no less on Zen 5;
/// from a cache into the second takes 1.6 times as long on Zen 5.
enum class Fetch : char { from_cache, from_memory };

template <Fetch From = Fetch::from_cache, class T>
WEFT_ALWAYS_INLINE void fetch_ahead(const T* p) {
    __builtin_prefetch(p, 0, From == Fetch::from_cache ? 3 : 2);
}

/// How a leaf's row meets the message's row [H, C] (or [F]): all of it, one value per head, or one number.
enum class Spread : char { full, head, scalar };

/// Elements of one row of a leaf, of the message, and of a head.
struct RowExtents {
    index width = 1;    // of the message: H * C
    index heads = 1;    // H
    index channels = 1; // C
    int rank = 0;
};

/// The edge at hand. `slot`: its position in destination order.
struct EdgeNumbers {
    index src, dst, edge, slot;
};

/// Heads of some features: the first, and how many.
struct HeadRange {
    index first = 0, count = 1;
};

/// For one packet of features: the heads of its lanes, counted from the first of the block of packets it belongs to.
template <class T>
struct HeadLanes {
    LaneIndexOf<T> lane;
    HeadRange heads; // of the packet itself
    index features;  // lanes within the row
};

/// The same in a kernel that takes edges one by one, whose rows may be shorter than a packet.
template <class T>
struct ShortHeadLanes : HeadLanes<T> {};

template <class T>
struct EdgeAt {
    EdgeNumbers id;
    index f; // first feature of the packet
    index width, heads;
    index stage_base; // slot of the first row of stage values
    HeadRange block;  // heads of all packets of the block
};

template <Row R, class T>
WEFT_ALWAYS_INLINE index row_of(const EdgeAt<T>& at) {
    if constexpr (R == Row::src)
        return at.id.src;
    else if constexpr (R == Row::dst)
        return at.id.dst;
    else if constexpr (R == Row::edge)
        return at.id.edge;
    else if constexpr (R == Row::stage)
        return at.id.slot - at.stage_base;
    else
        return 0;
}

template <Row R, Spread S, class T, class Lanes>
WEFT_ALWAYS_INLINE Packet<T> load_row(const T* rows, const EdgeAt<T>& at, const Lanes& head) {
    // Rows of stages are short: a whole packet would touch the next cache line.
    if constexpr (S == Spread::full && std::same_as<Lanes, ShortHeadLanes<T>>)
        return load_short(rows + row_of<R>(at) * at.width + at.f, head.features);
    else if constexpr (S == Spread::full && R == Row::stage)
        return load_first(rows + row_of<R>(at) * at.width + at.f, head.features);
    else if constexpr (S == Spread::full)
        return load_packet(rows + row_of<R>(at) * at.width + at.f);
    else if constexpr (S == Spread::head)
        return permute<T>(load_first(rows + row_of<R>(at) * at.heads + at.block.first, at.block.count), head.lane);
    else
        return splat(rows[row_of<R>(at)]);
}

/// Sums of the lanes of each head, for adjoints of values per head. Where packets hold whole heads of 2^k channels, by
/// k lane exchanges; else through memory.
template <class T>
struct HeadSums {
    RowExtents extents;
    int exchanges = -1; // k, or -1
    LaneIndexOf<T> exchange[4]{};
    LaneIndexOf<T> gather{}; // the first lane of each head to the front

    explicit HeadSums(const RowExtents& row) : extents(row) {
        const index c = row.channels;
        if (c < 1 || c > lanes<T> || (c & (c - 1)) != 0) return;
        exchanges = 0;
        int lane[16] = {};
        for (index step = 1; step < c; step *= 2) {
            for (int i = 0; i < static_cast<int>(lanes<T>); ++i) lane[i] = i ^ static_cast<int>(step);
            exchange[exchanges++] = make_lane_index<T>(lane);
        }
        for (int i = 0; i < static_cast<int>(lanes<T>); ++i)
            lane[i] = std::min(i * static_cast<int>(c), static_cast<int>(lanes<T>) - 1);
        gather = make_lane_index<T>(lane);
    }
};

/// Adds the lanes of `a`, features f... of a row [H, C], to the values per head at `to`. By exchanges each head's value
/// comes whole, so the first one is stored; else `to` begins with zeros.
template <class T>
WEFT_ALWAYS_INLINE void add_heads(T* to, Packet<T> a, index f, const HeadSums<T>& sums, const HeadLanes<T>& head) {
    if (sums.exchanges >= 0) {
        for (int k = 0; k < sums.exchanges; ++k) a = a + permute<T>(a, sums.exchange[k]);
        store_first(to + head.heads.first, permute<T>(a, sums.gather), head.heads.count);
        return;
    }
    const index channels = sums.extents.channels;
    const index n = std::min(lanes<T>, sums.extents.width - f);
    alignas(64) T lane[static_cast<std::size_t>(lanes<T>)];
    store_packet(lane, a);
    for (index i = 0, h = f / channels; i < n; ++h) {
        const index end = std::min(n, (h + 1) * channels - f);
        T sum = lane[i];
        for (++i; i < end; ++i) sum = sum + lane[i];
        to[h] = to[h] + sum;
    }
}

/// Which gradients one sweep over the edges computes: those of the rows' own nodes, and, in one of the two sweeps,
/// those of edges, stages and constants.
template <Row Own, bool Rest>
struct Sweep {
    static constexpr bool owns(Row r) { return r == Own || (Rest && r != Row::src && r != Row::dst); }
    static constexpr Row own = Own;
};

/// A leaf of an edge expression; the protocol is that of LeafKernel. Gradients of the row's own node (and of constants)
/// gather in registers over the edges of the row, others go to memory edge by edge.
template <int I, Row R, Spread S, bool Gradient>
struct EdgeLeafKernel {
    static constexpr bool gradient = Gradient;
    template <class T>
    struct Values {
        Packet<T> y;
    };
    template <class T, class Lanes>
    static WEFT_ALWAYS_INLINE Packet<T> at(const T* const* p, const Packet<T>*, const EdgeAt<T>& at,
                                           const Lanes& head) {
        return load_row<R, S>(p[I], at, head);
    }
    template <class T>
    static WEFT_ALWAYS_INLINE Values<T> forward(const T* const* p, const Packet<T>*, const EdgeAt<T>& at,
                                                const HeadLanes<T>& head) {
        return {load_row<R, S>(p[I], at, head)};
    }
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void backward(const Values<T>&, const Packet<T>& adj, G& g, const EdgeAt<T>& at,
                                            const HeadLanes<T>& head) {
        using Owner = typename G::sweep;
        if constexpr (Owner::owns(R)) {
            if constexpr (R == Owner::own || R == Row::all) {
                g.row[I] = g.row[I] + adj;
            } else if constexpr (S == Spread::scalar) {
                g.edge[I] = g.edge[I] + first_lanes<T>(adj, at.width - at.f);
            } else {
                T* const to = g.pointer[I];
                if constexpr (S == Spread::full) {
                    T* const row = to + row_of<R>(at) * at.width + at.f;
                    const Packet<T> sum = g.first >> I & 1u ? adj : load_packet(row) + adj;
                    if (at.f + lanes<T> <= at.width)
                        store_packet(row, sum);
                    else
                        store_first(row, sum, at.width - at.f);
                } else {
                    add_heads<T>(to + row_of<R>(at) * at.heads, adj, at.f, *g.heads, head);
                }
            }
        }
    }
    /// Adds the gradient of an edge's number, gathered over its features.
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_edge(G& g, const EdgeAt<T>& at) {
        using Owner = typename G::sweep;
        if constexpr (Gradient && S == Spread::scalar && Owner::owns(R) && R != Owner::own && R != Row::all) {
            T* const to = g.pointer[I] + row_of<R>(at);
            *to = *to + sum_lanes<T>(g.edge[I]);
            g.edge[I] = Packet<T>(0);
        }
    }
    /// Adds the gradient gathered over the edges of one row, at the row's end.
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_row(G& g, const EdgeAt<T>& at, const HeadLanes<T>& head) {
        using Owner = typename G::sweep;
        if constexpr (Gradient && (R == Owner::own || (R == Row::all && Owner::owns(R)))) {
            T* const to = g.pointer[I];
            if constexpr (S == Spread::full) {
                T* const row = to + row_of<R>(at) * at.width + at.f;
                const Packet<T> sum = g.first >> I & 1u ? g.row[I] : load_packet(row) + g.row[I];
                if (at.f + lanes<T> <= at.width)
                    store_packet(row, sum);
                else
                    store_first(row, sum, at.width - at.f);
            } else if constexpr (S == Spread::head) {
                add_heads<T>(to + row_of<R>(at) * at.heads, g.row[I], at.f, *g.heads, head);
            } else {
                T* const number = to + row_of<R>(at);
                *number = *number + sum_lanes<T>(first_lanes<T>(g.row[I], at.width - at.f));
            }
        }
    }
    template <Row Far, Fetch From = Fetch::from_cache, class T>
    static WEFT_ALWAYS_INLINE void prefetch(const T* const* p, index far_row, index width, index f) {
        if constexpr (R == Far && S == Spread::full) fetch_ahead<From>(p[I] + far_row * width + f);
    }
    /// Rows of edges and stages lie anywhere unless the sweep takes them in their order.
    template <Row Far, class T>
    static WEFT_ALWAYS_INLINE void prefetch_row(const T* const* p, index far_row, const RowExtents& extents, index f) {
        if constexpr (R == Far)
            fetch_ahead(p[I] + (S == Spread::full   ? far_row * extents.width + f
                                : S == Spread::head ? far_row * extents.heads
                                                    : far_row));
    }
};

/// Leaves of edge expressions whose message row has rank R.
template <int MessageRank>
struct EdgeLeaves {
    template <class E>
    static constexpr Row row() {
        if constexpr (requires { E::row; })
            return E::row;
        else
            return Row::all;
    }
    template <class E>
    static constexpr Spread spread() {
        static_assert(MessageRank <= 2, "weft: rows of an edge expression have at most two axes, [heads, channels]");
        return E::rank == MessageRank ? Spread::full : E::rank == 0 ? Spread::scalar : Spread::head;
    }
    template <class E, int I, bool Gradient>
    using leaf = EdgeLeafKernel<I, row<E>(), spread<E>(), Gradient>;
};

// Calls on every leaf of a kernel type.
template <class K>
struct EdgeVisitor {
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_edge(G&, const EdgeAt<T>&) {}
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_row(G&, const EdgeAt<T>&, const HeadLanes<T>&) {}
    template <Row Far, Fetch From = Fetch::from_cache, class T>
    static WEFT_ALWAYS_INLINE void prefetch(const T* const*, index, index, index) {}
    template <Row Far, class T>
    static WEFT_ALWAYS_INLINE void prefetch_row(const T* const*, index, const RowExtents&, index) {}
    static constexpr bool reads_edges = false;
    static constexpr bool reads_slots = false;
};
template <int I, Row R, Spread S, bool Gradient>
struct EdgeVisitor<EdgeLeafKernel<I, R, S, Gradient>> {
    using K = EdgeLeafKernel<I, R, S, Gradient>;
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_edge(G& g, const EdgeAt<T>& at) {
        K::template finish_edge<T>(g, at);
    }
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_row(G& g, const EdgeAt<T>& at, const HeadLanes<T>& head) {
        K::template finish_row<T>(g, at, head);
    }
    template <Row Far, Fetch From = Fetch::from_cache, class T>
    static WEFT_ALWAYS_INLINE void prefetch(const T* const* p, index far_row, index width, index f) {
        K::template prefetch<Far, From>(p, far_row, width, f);
    }
    template <Row Far, class T>
    static WEFT_ALWAYS_INLINE void prefetch_row(const T* const* p, index far_row, const RowExtents& extents, index f) {
        K::template prefetch_row<Far>(p, far_row, extents, f);
    }
    static constexpr bool reads_edges = R == Row::edge;
    static constexpr bool reads_slots = R == Row::stage;
};
template <class Op, class... A>
struct EdgeVisitor<ApplyKernel<Op, A...>> {
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_edge(G& g, const EdgeAt<T>& at) {
        (EdgeVisitor<A>::template finish_edge<T>(g, at), ...);
    }
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_row(G& g, const EdgeAt<T>& at, const HeadLanes<T>& head) {
        (EdgeVisitor<A>::template finish_row<T>(g, at, head), ...);
    }
    template <Row Far, Fetch From = Fetch::from_cache, class T>
    static WEFT_ALWAYS_INLINE void prefetch(const T* const* p, index far_row, index width, index f) {
        (EdgeVisitor<A>::template prefetch<Far, From>(p, far_row, width, f), ...);
    }
    template <Row Far, class T>
    static WEFT_ALWAYS_INLINE void prefetch_row(const T* const* p, index far_row, const RowExtents& extents, index f) {
        (EdgeVisitor<A>::template prefetch_row<Far>(p, far_row, extents, f), ...);
    }
    static constexpr bool reads_edges = (EdgeVisitor<A>::reads_edges || ...);
    static constexpr bool reads_slots = (EdgeVisitor<A>::reads_slots || ...);
};

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
    index stage_base = 0;
    /// Of a stage: rows of source nodes that the expression around it reads next, where these come from memory.
    const char* next_rows = nullptr;
    index next_row_bytes = 0;
};

/// Where the adjoint of a message comes from.
template <class T>
struct EdgeAdjoint {
    const T* rows = nullptr;
    const T* selected = nullptr; // max and min: per element, the edge within the row that was taken
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
    return {id, f, tables.extents.width, tables.extents.heads, tables.stage_base, block};
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
    int lane[16] = {};
    const index last = std::max<index>(extents.width - 1, 0);
    for (index i = 0; i < lanes<T>; ++i)
        lane[i] = static_cast<int>(std::min(std::min(f + i, last) / extents.channels - block.first, lanes<T> - 1));
    return {make_lane_index<T>(lane), head_range<T>(extents, f, 1), std::clamp<index>(extents.width - f, 1, lanes<T>)};
}

/// Fetches the rows of a later edge where edges are not numbered in the order of the sweep.
template <class K, class T>
WEFT_ALWAYS_INLINE void prefetch_edge(const T* const* p, const EdgeRows& rows, index e, const RowExtents& extents,
                                      index f) {
    if constexpr (EdgeVisitor<K>::reads_edges)
        if (rows.edge)
            EdgeVisitor<K>::template prefetch_row<Row::edge>(
                p, rows.edge[std::min(e + prefetch_distance, rows.edges - 1)], extents, f);
}

// Reductions over the edges of a row: `step` takes the message of the edge number `within` of the row.
struct SumEdges {
    static constexpr bool selects = false;
    template <class P>
    static WEFT_ALWAYS_INLINE P initial() {
        return P(0);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE void step(P& acc, P&, const P& message, const P&) {
        acc = acc + message;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P finish(const P& acc, index) {
        return acc;
    }
};
struct MeanEdges : SumEdges {
    static constexpr auto name = "mean_in";
    template <class P>
    static WEFT_ALWAYS_INLINE P finish(const P& acc, index count) {
        return count > 1 ? acc / P(static_cast<float>(count)) : acc;
    }
};
template <bool Max>
struct SelectEdges {
    static constexpr bool selects = true;
    template <class P>
    static WEFT_ALWAYS_INLINE P initial() {
        return P(0);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE void step(P& acc, P& taken, const P& message, const P& within) {
        // The first edge is taken whatever it is; NaN is taken and kept. (xsimd 8's != is false for NaN on AVX.)
        const auto better = (Max ? message > acc : message < acc) | !(message == message) | (taken < P(0));
        const auto take = better & (acc == acc);
        acc = select(take, message, acc);
        taken = select(take, within, taken);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P finish(const P& acc, index) {
        return acc;
    }
};

template <class T>
WEFT_ALWAYS_INLINE void store_features(T* row, const Packet<T>& a, index f, index width) {
    if (f + lanes<T> <= width)
        store_packet(row + f, a);
    else
        store_first(row + f, a, width - f);
}

// The kernels copy the tables they are given: what packets are stored to could be these.

/// out[row, f ... f + B packets] = reduction of the messages of the row's edges; `selected` gets the edge taken.
template <class K, int Leaves, int Constants, class Reduction, int B, Fetch From, class T>
WEFT_NOINLINE void edge_reduce_kernel(const EdgeRows& given_rows, const EdgeTables<T>& given_tables, index row_begin,
                                      index row_end, index f0, T* out, T* selected) {
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
        Packet<T> acc[B], taken[B];
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) {
            acc[b] = Reduction::template initial<Packet<T>>();
            if constexpr (Reduction::selects) taken[b] = Packet<T>(-1);
        }
        const index begin = rows.row_ptr[row], end = rows.row_ptr[row + 1];
        for (index e = begin; e < end; ++e) {
            const index ahead = rows.col[std::min(e + prefetch_distance, last_edge)];
            EdgeAt<T> at = edge_at<T, false, EdgeVisitor<K>::reads_edges, EdgeVisitor<K>::reads_slots>(
                rows, tables, row, e, f0, block);
            prefetch_edge<K>(p, rows, e, tables.extents, f0);
            Packet<T> within{};
            if constexpr (Reduction::selects) within = splat(static_cast<T>(static_cast<double>(e - begin)));
#pragma GCC unroll 4
            for (int b = 0; b < B; ++b) {
                at.f = feature[b];
                EdgeVisitor<K>::template prefetch<Row::src, From>(p, ahead, width, at.f);
                Reduction::step(acc[b], taken[b], K::template at<T>(p, c, at, head[b]), within);
            }
        }
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) {
            const index f = f0 + b * lanes<T>;
            if (f >= width) break;
            store_features(out + row * width, Reduction::finish(acc[b], end - begin), f, width);
            if constexpr (Reduction::selects)
                if (selected) store_features(selected + row * width, taken[b], f, width);
        }
    }
}

/// out[slot - base, f...] = the messages themselves; `by_edge`: at the edge's own number instead.
template <class K, int Leaves, int Constants, class T>
WEFT_NOINLINE void edge_map_kernel(const EdgeRows& given_rows, const EdgeTables<T>& given_tables, index row_begin,
                                   index row_end, index base, bool by_edge, T* out) {
    const EdgeRows rows = given_rows;
    const EdgeTables<T> tables = given_tables;
    const T* p[Leaves + 1];
    Packet<T> c[Constants + 1];
    for (int k = 0; k < Leaves; ++k) p[k] = tables.pointers[k];
    for (int k = 0; k < Constants; ++k) c[k] = splat(tables.constants[k]);
    const index width = tables.extents.width;
    const index last_edge = rows.edges - 1;
    for (index f = 0; f < width; f += lanes<T>) {
        const HeadRange block = head_range<T>(tables.extents, f, 1);
        const ShortHeadLanes<T> head{head_lanes<T>(tables.extents, f, block)};
        const index next_row_bytes = f == 0 ? tables.next_row_bytes : 0;
        for (index row = row_begin; row < row_end; ++row)
            for (index e = rows.row_ptr[row]; e < rows.row_ptr[row + 1]; ++e) {
                const index ahead = rows.col[std::min(e + prefetch_distance, last_edge)];
                EdgeVisitor<K>::template prefetch<Row::src>(p, ahead, width, f);
                for (index byte = 0; byte < next_row_bytes; byte += 64)
                    fetch_ahead<Fetch::from_memory>(tables.next_rows + ahead * next_row_bytes + byte);
                const EdgeAt<T> at = edge_at<T, false, EdgeVisitor<K>::reads_edges, EdgeVisitor<K>::reads_slots>(
                    rows, tables, row, e, f, block);
                const index to = by_edge ? (rows.edge ? rows.edge[e] : e) : e - base;
                store_features(out + to * width, K::template at<T>(p, c, at, head), f, width);
            }
    }
}

/// Gradients of the leaves that `Owner` (a Sweep) owns. The adjoint of a message is a row of `adjoint`: of its
/// destination, its edge, or its stage's slot as AdjointRow says, spread over the message's row as AdjointSpread says.
template <class K, int Leaves, int Constants, class Owner, Row AdjointRow, Spread AdjointSpread, bool Selects, int B,
          class T>
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
    const T* const dy = adjoint.rows;
    const T* const selected = adjoint.selected;
    const index last_edge = rows.edges - 1;
    for (index row = row_begin; row < row_end; ++row) {
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b)
            for (int k = 0; k < Leaves; ++k) g[b].row[k] = Packet<T>(0);
        for (index e = rows.row_ptr[row], end = rows.row_ptr[row + 1]; e < end; ++e) {
            const index ahead = rows.col[std::min(e + prefetch_distance, last_edge)];
            constexpr bool edges = EdgeVisitor<K>::reads_edges || AdjointRow == Row::edge;
            constexpr bool slots = EdgeVisitor<K>::reads_slots || AdjointRow == Row::stage || Selects;
            EdgeAt<T> at = edge_at<T, by_src, edges, slots>(rows, tables, row, e, f0, block);
            prefetch_edge<K>(p, rows, e, tables.extents, f0);
            if constexpr (by_src && (EdgeVisitor<K>::reads_slots || AdjointRow == Row::stage)) {
                const index far_slot = rows.slot[std::min(e + prefetch_distance, last_edge)];
                EdgeVisitor<K>::template prefetch_row<Row::stage>(p, far_slot, tables.extents, f0);
                if constexpr (AdjointRow == Row::stage)
                    fetch_ahead(dy + far_slot * (AdjointSpread == Spread::full   ? width
                                                 : AdjointSpread == Spread::head ? tables.extents.heads
                                                                                 : 1));
            }
            Packet<T> within{};
            if constexpr (Selects)
                within = splat(static_cast<T>(static_cast<double>(at.id.slot - rows.dst_ptr[at.id.dst])));
#pragma GCC unroll 4
            for (int b = 0; b < B; ++b) {
                at.f = f0 + b * lanes<T>;
                EdgeVisitor<K>::template prefetch<by_src ? Row::dst : Row::src>(p, ahead, width, at.f);
                if constexpr (by_src && AdjointRow == Row::dst) fetch_ahead(dy + ahead * width + at.f);
                Packet<T> adj = load_row<AdjointRow, AdjointSpread>(dy, at, head[b]);
                if constexpr (Selects)
                    adj = select(load_row<Row::dst, Spread::full>(selected, at, head[b]) == within, adj, Packet<T>(0));
                K::template backward<T>(K::template forward<T>(p, c, at, head[b]), adj, g[b], at, head[b]);
            }
            EdgeVisitor<K>::template finish_edge<T>(g[0], at);
        }
        EdgeAt<T> at{};
        at.id.src = at.id.dst = row;
        at.width = width;
        at.heads = tables.extents.heads;
        at.block = block;
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) {
            at.f = f0 + b * lanes<T>;
            EdgeVisitor<K>::template finish_row<T>(g[b], at, head[b]);
        }
    }
}

} // namespace weft::inline WEFT_ABI::detail
