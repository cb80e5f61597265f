// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_leaf.hpp>

namespace weft::inline WEFT_ABI::detail {

/// How many edges ahead rows are fetched.
inline constexpr index prefetch_distance = 32;

/// Rows that lie in some cache are fetched into the first level, those that come from memory into the second. Measured:
/// from memory into the first, which has places for few misses, took 1.4 times as long on one processor, no less on Zen
/// 5; from a cache into the second took 1.6 times as long on Zen 5.
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
    index features; // lanes within the row
};

/// The same in a kernel that takes edges one by one, whose rows may be shorter than a packet.
template <class T>
struct ShortHeadLanes : HeadLanes<T> {};

template <class T>
struct EdgeAt {
    EdgeNumbers id;
    index f; // first feature of the packet
    index width, heads;
    HeadRange block; // heads of all packets of the block
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
        return at.id.slot;
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

template <class T>
WEFT_ALWAYS_INLINE void store_features(T* row, const std::type_identity_t<Packet<T>>& a, index f, index width) {
    if (f + lanes<T> <= width)
        store_packet(row + f, a);
    else
        store_first(row + f, a, width - f);
}

/// Sums of the lanes of each head, for adjoints of values per head. Where packets hold whole heads of 2^k channels, by
/// k lane exchanges; else through memory.
template <class T>
struct HeadSums {
    using Mask = decltype(std::declval<Packet<T>>() > std::declval<Packet<T>>());
    static constexpr int most_folds = 2;

    RowExtents extents;
    int exchanges = -1; // k, or -1
    LaneIndexOf<T> exchange[4]{};
    Mask odd[most_folds]{};  // lanes whose bit is set
    LaneIndexOf<T> gather{}; // the sums of all heads, packet by packet, to the front

    explicit HeadSums(const RowExtents& row) : extents(row) {
        const index c = row.channels;
        if (c < 1 || c > lanes<T> || (c & (c - 1)) != 0) return;
        exchanges = 0;
        int lane[16] = {};
        for (index step = 1; step < c; step *= 2) {
            for (int i = 0; i < static_cast<int>(lanes<T>); ++i) lane[i] = i ^ static_cast<int>(step);
            exchange[exchanges++] = make_lane_index<T>(lane);
        }
        for (int bit = 0; bit < most_folds; ++bit) {
            T set[16];
            for (int i = 0; i < 16; ++i) set[i] = T(i >> bit & 1);
            odd[bit] = load_packet(set) > splat(T(0));
        }
        const int channels = static_cast<int>(c), heads = static_cast<int>(lanes<T> / c);
        for (int i = 0; i < static_cast<int>(lanes<T>); ++i)
            lane[i] = i % heads * channels + std::min(i / heads, channels - 1);
        gather = make_lane_index<T>(lane);
    }
};

/// Adds the lanes of `a`, features f... of a row [H, C], to the values per head at `to`. By exchanges each head's value
/// comes whole, so the first one is stored; else `to` begins with zeros.
template <class T>
WEFT_ALWAYS_INLINE void add_heads(T* to, Packet<T> a, index f, const HeadSums<T>& sums) {
    const index width = sums.extents.width;
    if (sums.exchanges >= 0) {
        for (int k = 0; k < sums.exchanges; ++k) a = a + permute<T>(a, sums.exchange[k]);
        store_first(to + (f >> sums.exchanges), permute<T>(a, sums.gather),
                    std::min(lanes<T>, width - f) >> sums.exchanges);
        return;
    }
    const index channels = sums.extents.channels, n = std::min(lanes<T>, width - f);
    alignas(64) T lane[static_cast<std::size_t>(lanes<T>)];
    store_packet(lane, a);
    for (index i = 0, h = f / channels; i < n; ++h) {
        const index end = std::min(n, (h + 1) * channels - f);
        T sum = lane[i];
        for (++i; i < end; ++i) sum = sum + lane[i];
        to[h] = to[h] + sum;
    }
}

/// The same for B packets. Where a head has at least as many channels, two of them at a time become one: a lane keeps
/// the sum of two lanes of the first, or of the second.
template <int B, class T>
WEFT_ALWAYS_INLINE void add_heads(T* to, const Packet<T> (&a)[B], index f, const HeadSums<T>& sums) {
    constexpr int folds = B == 4 ? 2 : B == 2 ? 1 : 0;
    static_assert(B == 1 << folds);
    const index width = sums.extents.width;
    if (sums.exchanges < folds || folds == 0) {
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b)
            if (f + b * lanes<T> < width) add_heads<T>(to, a[b], f + b * lanes<T>, sums);
        return;
    }
    const auto fold = [&](const Packet<T>& x, const Packet<T>& y, int bit) {
        return Packet<T>(select(sums.odd[bit], y, x) +
                         permute<T>(Packet<T>(select(sums.odd[bit], x, y)), sums.exchange[bit]));
    };
    Packet<T> sum = a[0];
    if constexpr (B == 2) sum = fold(a[0], a[1], 0);
    if constexpr (B == 4) sum = fold(fold(a[0], a[1], 0), fold(a[2], a[3], 0), 1);
    for (int k = folds; k < sums.exchanges; ++k) sum = sum + permute<T>(sum, sums.exchange[k]);
    store_first(to + (f >> sums.exchanges), permute<T>(sum, sums.gather),
                std::min(B * lanes<T>, width - f) >> sums.exchanges);
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
                                            const HeadLanes<T>&) {
        using Owner = typename G::sweep;
        if constexpr (Owner::owns(R)) {
            if constexpr (R == Owner::own || R == Row::all) {
                g.row[I] = g.row[I] + adj;
            } else if constexpr (S == Spread::scalar) {
                g.edge[I] = g.edge[I] + first_lanes<T>(adj, at.width - at.f);
            } else {
                T* const to = g.pointer[I];
                if constexpr (S == Spread::full) {
                    T* const row = to + row_of<R>(at) * at.width;
                    store_features(row, g.first >> I & 1u ? adj : load_packet(row + at.f) + adj, at.f, at.width);
                } else {
                    g.row[I] = adj;
                }
            }
        }
    }
    /// Adds the gradients of an edge's numbers, gathered over its features.
    template <class T, class G, int B>
    static WEFT_ALWAYS_INLINE void finish_edge(G (&g)[B], const EdgeAt<T>& at) {
        using Owner = typename G::sweep;
        if constexpr (Gradient && Owner::owns(R) && R != Owner::own && R != Row::all) {
            if constexpr (S == Spread::scalar) {
                T* const to = g[0].pointer[I] + row_of<R>(at);
                *to = *to + sum_lanes<T>(g[0].edge[I]);
                g[0].edge[I] = Packet<T>(0);
            } else if constexpr (S == Spread::head) {
                Packet<T> a[B];
#pragma GCC unroll 4
                for (int b = 0; b < B; ++b) a[b] = g[b].row[I];
                add_heads<B, T>(g[0].pointer[I] + row_of<R>(at) * at.heads, a, at.f, *g[0].heads);
            }
        }
    }
    /// Adds the gradient gathered over the edges of one row, at the row's end.
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_row(G& g, const EdgeAt<T>& at) {
        using Owner = typename G::sweep;
        if constexpr (Gradient && (R == Owner::own || (R == Row::all && Owner::owns(R)))) {
            T* const to = g.pointer[I];
            if constexpr (S == Spread::full) {
                T* const row = to + row_of<R>(at) * at.width;
                const Packet<T> sum = g.first >> I & 1u ? g.row[I] : load_packet(row + at.f) + g.row[I];
                store_features(row, sum, at.f, at.width);
            } else if constexpr (S == Spread::head) {
                add_heads<T>(to + row_of<R>(at) * at.heads, g.row[I], at.f, *g.heads);
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
    /// B packets: rows of edges and stages lie anywhere unless the sweep takes them in their order.
    template <Row Far, int B, class T>
    static WEFT_ALWAYS_INLINE void prefetch_row(const T* const* p, index far_row, const RowExtents& extents, index f) {
        if constexpr (R == Far && S == Spread::full)
            for (int b = 0; b < B; ++b) fetch_ahead(p[I] + far_row * extents.width + f + b * lanes<T>);
        else if constexpr (R == Far)
            fetch_ahead(p[I] + (S == Spread::head ? far_row * extents.heads : far_row));
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
    template <class T, class G, int B>
    static WEFT_ALWAYS_INLINE void finish_edge(G (&)[B], const EdgeAt<T>&) {}
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_row(G&, const EdgeAt<T>&) {}
    template <Row Far, Fetch From = Fetch::from_cache, class T>
    static WEFT_ALWAYS_INLINE void prefetch(const T* const*, index, index, index) {}
    template <Row Far, int B, class T>
    static WEFT_ALWAYS_INLINE void prefetch_row(const T* const*, index, const RowExtents&, index) {}
    static constexpr bool reads_edges = false;
    static constexpr bool reads_slots = false;
};
template <int I, Row R, Spread S, bool Gradient>
struct EdgeVisitor<EdgeLeafKernel<I, R, S, Gradient>> {
    using K = EdgeLeafKernel<I, R, S, Gradient>;
    template <class T, class G, int B>
    static WEFT_ALWAYS_INLINE void finish_edge(G (&g)[B], const EdgeAt<T>& at) {
        K::template finish_edge<T>(g, at);
    }
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_row(G& g, const EdgeAt<T>& at) {
        K::template finish_row<T>(g, at);
    }
    template <Row Far, Fetch From = Fetch::from_cache, class T>
    static WEFT_ALWAYS_INLINE void prefetch(const T* const* p, index far_row, index width, index f) {
        K::template prefetch<Far, From>(p, far_row, width, f);
    }
    template <Row Far, int B, class T>
    static WEFT_ALWAYS_INLINE void prefetch_row(const T* const* p, index far_row, const RowExtents& extents, index f) {
        K::template prefetch_row<Far, B>(p, far_row, extents, f);
    }
    static constexpr bool reads_edges = R == Row::edge;
    static constexpr bool reads_slots = R == Row::stage;
};
template <class Op, class... A>
struct EdgeVisitor<ApplyKernel<Op, A...>> {
    template <class T, class G, int B>
    static WEFT_ALWAYS_INLINE void finish_edge(G (&g)[B], const EdgeAt<T>& at) {
        (EdgeVisitor<A>::template finish_edge<T>(g, at), ...);
    }
    template <class T, class G>
    static WEFT_ALWAYS_INLINE void finish_row(G& g, const EdgeAt<T>& at) {
        (EdgeVisitor<A>::template finish_row<T>(g, at), ...);
    }
    template <Row Far, Fetch From = Fetch::from_cache, class T>
    static WEFT_ALWAYS_INLINE void prefetch(const T* const* p, index far_row, index width, index f) {
        (EdgeVisitor<A>::template prefetch<Far, From>(p, far_row, width, f), ...);
    }
    template <Row Far, int B, class T>
    static WEFT_ALWAYS_INLINE void prefetch_row(const T* const* p, index far_row, const RowExtents& extents, index f) {
        (EdgeVisitor<A>::template prefetch_row<Far, B>(p, far_row, extents, f), ...);
    }
    static constexpr bool reads_edges = (EdgeVisitor<A>::reads_edges || ...);
    static constexpr bool reads_slots = (EdgeVisitor<A>::reads_slots || ...);
};

} // namespace weft::inline WEFT_ABI::detail
