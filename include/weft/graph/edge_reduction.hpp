// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_leaf_kernel.hpp>
#include <weft/graph/graph.hpp>

/// Reductions over the edges of a row. A reduction has
///     State<P>::take(message, within)     for each edge, in order; `within` is its number in the row if `counts`
///     State<P>::finish(count, result)     the `results` rows per destination
///     State<P>::kept                      the `keeps` rows per destination that the backward needs besides
///     Adjoint                             how the adjoint of a message follows from the tables of EdgeAdjoint
///     adjoint_rows<T>(...)                these tables from the adjoint of the results; none: that adjoint itself
namespace weft::inline WEFT_ABI::detail {

/// Where the adjoint of a message comes from: see the Adjoint of the reduction.
template <class T>
struct EdgeAdjoint {
    const T* rows = nullptr;
    const T* kept = nullptr;
};

/// The adjoint of a message is a row: of its destination, its edge, or its stage's slot, spread over the message's row.
template <Row R, Spread S>
struct RowAdjoint {
    static constexpr Row row = R;
    static constexpr bool counts = false;
    template <class T>
    static WEFT_ALWAYS_INLINE Packet<T> load(const EdgeAdjoint<T>& adjoint, const EdgeAt<T>& at,
                                             const HeadLanes<T>& head, const Packet<T>&, const Packet<T>&) {
        return load_row<R, S>(adjoint.rows, at, head);
    }
    template <class T>
    static WEFT_ALWAYS_INLINE void prefetch(const EdgeAdjoint<T>& adjoint, index far_row, const RowExtents& extents,
                                            index f) {
        fetch_ahead(adjoint.rows + (S == Spread::full   ? far_row * extents.width + f
                                    : S == Spread::head ? far_row * extents.heads
                                                        : far_row));
    }
};

/// The adjoint of the edge that was taken; `kept` has its number within the row.
struct SelectedAdjoint : RowAdjoint<Row::dst, Spread::full> {
    static constexpr bool counts = true;
    template <class T>
    static WEFT_ALWAYS_INLINE Packet<T> load(const EdgeAdjoint<T>& adjoint, const EdgeAt<T>& at,
                                             const HeadLanes<T>& head, const Packet<T>& within, const Packet<T>&) {
        const Packet<T> taken = load_row<Row::dst, Spread::full>(adjoint.kept, at, head);
        return select(taken == within, load_row<Row::dst, Spread::full>(adjoint.rows, at, head), Packet<T>(0));
    }
};

/// Calls f(row, its number of edges) for every destination, on all threads.
template <class F>
void for_each_destination(const Graph& g, index width, F&& f) {
    const auto chunks = g.in().chunks();
    const auto* const row_ptr = g.in().row_ptr.data();
    for_each_chunk(static_cast<index>(chunks.size()) - 1, static_cast<double>(g.num_dst() * width), [&](index chunk) {
        const auto at = static_cast<std::size_t>(chunk);
        for (index i = chunks[at]; i < chunks[at + 1]; ++i) f(i, index{row_ptr[i + 1]} - row_ptr[i]);
    });
}

struct SumEdges {
    static constexpr bool counts = false;
    static constexpr int results = 1, keeps = 0;
    using Adjoint = RowAdjoint<Row::dst, Spread::full>;
    template <class P>
    struct State {
        P sum = P(0);
        WEFT_ALWAYS_INLINE void take(const P& message, const P&) { sum = sum + message; }
        WEFT_ALWAYS_INLINE void finish(index, P* result) const { *result = sum; }
    };
};

struct MeanEdges {
    static constexpr auto name = "mean_in";
    static constexpr bool counts = false;
    static constexpr int results = 1, keeps = 0;
    using Adjoint = RowAdjoint<Row::dst, Spread::full>;
    template <class P>
    struct State : SumEdges::State<P> {
        WEFT_ALWAYS_INLINE void finish(index count, P* result) const {
            *result = count > 1 ? this->sum / P(static_cast<float>(count)) : this->sum;
        }
    };
    template <class T>
    static Tensor<T, 1> adjoint_rows(const Graph& g, index width, const T* dy, const T*, const T*) {
        auto rows = Tensor<T, 1>::empty({g.num_dst() * width});
        T* const to = rows.mutable_data();
        for_each_destination(g, width, [&](index i, index count) {
            const T n = T(static_cast<float>(std::max<index>(count, 1)));
            for (index f = i * width; f < (i + 1) * width; ++f) to[f] = dy[f] / n;
        });
        return rows;
    }
};

/// The larger (or smaller) of a message and what was taken so far. The first edge is taken whatever it is; NaN is taken
/// and kept. (xsimd 8's != is false for NaN on AVX.)
template <bool Max, class P>
WEFT_ALWAYS_INLINE void take_better(P& value, P& taken, const P& message, const P& within) {
    const auto better = (Max ? message > value : message < value) | !(message == message) | (taken < P(0));
    const auto take = better & (value == value);
    value = select(take, message, value);
    taken = select(take, within, taken);
}

template <bool Max>
struct SelectEdges {
    static constexpr bool counts = true;
    static constexpr int results = 1, keeps = 1;
    using Adjoint = SelectedAdjoint;
    template <class P>
    struct State {
        P value = P(0);
        P kept[1] = {P(-1)};
        WEFT_ALWAYS_INLINE void take(const P& message, const P& within) {
            take_better<Max>(value, kept[0], message, within);
        }
        WEFT_ALWAYS_INLINE void finish(index, P* result) const { *result = value; }
    };
};

/// Rows of the adjoint tables: a + b (message - mean), and the adjoints of the edges taken as minimum and maximum.
struct StatisticsAdjoint {
    enum : index { a, b, mean, minimum, maximum, first_taken, rows = first_taken + 2 };
    static constexpr Row row = Row::dst;
    static constexpr bool counts = true;
    template <class T>
    static WEFT_ALWAYS_INLINE Packet<T> load(const EdgeAdjoint<T>& adjoint, const EdgeAt<T>& at, const HeadLanes<T>&,
                                             const Packet<T>& within, const Packet<T>& message) {
        const T* const table = adjoint.rows + at.id.dst * rows * at.width + at.f;
        const auto load = [&](index k) { return load_packet(table + k * at.width); };
        const auto if_taken = [&](index k) {
            return select(load(first_taken + k - minimum) == within, load(k), Packet<T>(0));
        };
        return load(a) + load(b) * (message - load(mean)) + if_taken(minimum) + if_taken(maximum);
    }
    template <class T>
    static WEFT_ALWAYS_INLINE void prefetch(const EdgeAdjoint<T>& adjoint, index far_row, const RowExtents& extents,
                                            index f) {
        for (index k = 0; k < rows; ++k) fetch_ahead(adjoint.rows + (far_row * rows + k) * extents.width + f);
    }
};

/// Mean, variance, minimum and maximum in one sweep. Sums are those of the differences to the first message, so that
/// the variance does not cancel.
struct StatisticsEdges {
    static constexpr auto name = "statistics_in";
    static constexpr bool counts = true;
    static constexpr int results = 4, keeps = 2;
    using Adjoint = StatisticsAdjoint;
    template <class P>
    struct State {
        P first = P(0), sum = P(0), squares = P(0), least = P(0), most = P(0);
        P kept[2] = {P(-1), P(-1)};
        WEFT_ALWAYS_INLINE void take(const P& message, const P& within) {
            first = select(within == P(0), message, first);
            const P difference = message - first;
            sum = sum + difference;
            squares = squares + difference * difference;
            take_better<false>(least, kept[0], message, within);
            take_better<true>(most, kept[1], message, within);
        }
        WEFT_ALWAYS_INLINE void finish(index count, P* result) const {
            const P n = P(static_cast<float>(std::max<index>(count, 1)));
            const P shift = sum / n, variance = squares / n - shift * shift;
            result[0] = first + shift;
            result[1] = select(variance > P(0), variance, P(0));
            result[2] = least;
            result[3] = most;
        }
    };
    template <class T>
    static Tensor<T, 1> adjoint_rows(const Graph& g, index width, const T* dy, const T* y, const T* taken) {
        auto tables = Tensor<T, 1>::empty({g.num_dst() * Adjoint::rows * width});
        T* const to = tables.mutable_data();
        for_each_destination(g, width, [&](index i, index count) {
            const T n = T(static_cast<float>(std::max<index>(count, 1)));
            T* const table = to + i * Adjoint::rows * width;
            const T* const d = dy + i * results * width;
            for (index f = 0; f < width; ++f) {
                table[Adjoint::a * width + f] = d[f] / n;
                table[Adjoint::b * width + f] = T(2) * d[width + f] / n;
            }
            std::copy_n(y + i * results * width, width, table + Adjoint::mean * width);
            std::copy_n(d + 2 * width, 2 * width, table + Adjoint::minimum * width);
            std::copy_n(taken + i * keeps * width, keeps * width, table + Adjoint::first_taken * width);
        });
        return tables;
    }
};

} // namespace weft::inline WEFT_ABI::detail
