// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math.hpp>
#include <weft/graph/edge_reduce.hpp>

#include <numeric>

namespace weft::inline WEFT_ABI {

struct SoftmaxIn;

/// The mirror image of SoftmaxIn: over the edges of each source. It stands in reductions over these (sum_out, ...).
struct SoftmaxOut {
    using mirror = SoftmaxIn;
    /// The same over the reversed graph.
    SoftmaxIn mirrored() const;
    static constexpr int rank(int message) { return message; }
    /// The shape of a result: that of a message.
    template <std::size_t N>
    static std::array<index, N> row(const std::array<index, N>& message) {
        return message;
    }
};

/// Softmax over the edges of each destination, per element of the row: exp(s - max) / (sum exp(s - max) + 1e-16). A
/// destination without edges has nothing.
struct SoftmaxIn {
    using mirror = SoftmaxOut;
    /// The same over the reversed graph.
    SoftmaxOut mirrored() const { return {}; }
    static constexpr int rank(int message) { return message; }
    /// The shape of a result: that of a message.
    template <std::size_t N>
    static std::array<index, N> row(const std::array<index, N>& message) {
        return message;
    }
    static constexpr auto message_adjoint = detail::MessageAdjoint::in_place;
    /// How one adjoint of the result belongs to a message's elements: to the one at its own place.
    template <int MessageRank>
    static constexpr detail::Spread adjoint_spread() {
        return detail::Spread::full;
    }
    /// The operation as a stage of an edge program over elements of type T; one object for all.
    template <class T>
    static auto kind() {
        return detail::PlainStage<SoftmaxIn, T>::shared();
    }

    template <class T>
    static void forward(const detail::EdgeTile& tile, T* values) {
        forward(tile.rows, tile.row_begin, tile.row_end, tile.first_edge(), tile.message.width, values);
    }
    template <class T>
    static void backward(const detail::EdgeTile& tile, const T* values, T* adj) {
        backward(tile.rows, tile.row_begin, tile.row_end, tile.first_edge(), tile.message.width, values, adj);
    }

private:
    // Rows of `heads` values are treated as one flat run: `period` elements hold whole rows and whole packets.
    template <class T>
    static index period(index heads) {
        return std::lcm(heads, lanes<T>);
    }

    template <class T>
    static void forward(const detail::EdgeRows& rows, index row_begin, index row_end, index base, index heads,
                        T* values) {
        if (heads <= lanes<T> && lanes<T> % heads == 0)
            return forward_in_lanes(rows, row_begin, row_end, base, heads, values);
        const index repeat = period<T>(heads);
        detail::Scratch<T> scratch(detail::Scratch<T>::rounded(repeat + lanes<T>));
        T* const all_heads = scratch.take(repeat + lanes<T>);
        for_each_row(rows, row_begin, row_end, base, heads, values, [&](T* s, index n) {
            fold<MaximumOf>(s, n, heads, all_heads, repeat);
            for (index k = heads; k < std::min(repeat, n); ++k) all_heads[k] = all_heads[k - heads];
            for_each_packet<T>(s, n, repeat, [&](index at, index k) -> Packet<T> {
                return load_packet(s + at) - load_packet(all_heads + k);
            });
        });
        exponentials(rows, row_begin, row_end, base, heads, values);
        for_each_row(rows, row_begin, row_end, base, heads, values, [&](T* s, index n) {
            fold<SumOf>(s, n, heads, all_heads, repeat);
            for (index h = 0; h < heads; ++h) all_heads[h] = T(1) / (all_heads[h] + T(1e-16));
            for (index k = heads; k < std::min(repeat, n); ++k) all_heads[k] = all_heads[k - heads];
            for_each_packet<T>(s, n, repeat, [&](index at, index k) -> Packet<T> {
                return load_packet(s + at) * load_packet(all_heads + k);
            });
        });
    }

    /// Calls f(values of a row, how many) for all rows that have any.
    template <class T, class F>
    static void for_each_row(const detail::EdgeRows& rows, index row_begin, index row_end, index base, index heads,
                             T* values, F&& f) {
        for (index i = row_begin; i < row_end; ++i)
            if (const index n = (rows.row_ptr[i + 1] - rows.row_ptr[i]) * heads; n > 0)
                f(values + (rows.row_ptr[i] - base) * heads, n);
    }
    /// Those of the values of all rows at once: in the short loops of one row, each would wait for the one before it.
    template <class T>
    static void exponentials(const detail::EdgeRows& rows, index row_begin, index row_end, index base, index heads,
                             T* values) {
        T* const all = values + (rows.row_ptr[row_begin] - base) * heads;
        for_each_packet<T>(all, (rows.row_ptr[row_end] - rows.row_ptr[row_begin]) * heads, lanes<T>,
                           [&](index at, index) { return math::exp(load_packet(all + at)); });
    }

    /// A packet holds whole rows of `heads` values: exchanges of lanes combine those of the same head.
    template <class T>
    struct RowsInLanes {
        LaneIndexOf<T> exchange[4]{}, first;
        int exchanges = 0;

        explicit RowsInLanes(index heads) {
            const int row = static_cast<int>(heads), count = static_cast<int>(lanes<T>);
            int lane[16] = {};
            for (int step = row; step < count; step *= 2) {
                for (int k = 0; k < count; ++k) lane[k] = k ^ step;
                exchange[exchanges++] = make_lane_index<T>(lane);
            }
            for (int k = 0; k < count; ++k) lane[k] = k % row;
            first = make_lane_index<T>(lane);
        }
        template <class F>
        Packet<T> combined(Packet<T> a, F&& f) const {
            for (int k = 0; k < exchanges; ++k) a = f(a, permute<T>(a, exchange[k]));
            return permute<T>(a, first); // of two that compare equal, lanes may have taken another
        }
        /// Each head's element of d where p is largest.
        Packet<T> at_largest(Packet<T> p, Packet<T> d) const {
            for (int k = 0; k < exchanges; ++k)
                take_larger(permute<T>(p, exchange[k]), permute<T>(d, exchange[k]), p, d);
            return permute<T>(d, first);
        }
        static void take_larger(Packet<T> p, Packet<T> d, Packet<T>& largest, Packet<T>& there) {
            const auto more = p > largest;
            largest = select(more, p, largest);
            there = select(more, d, there);
        }
    };

    /// Maximum and sum stay in registers.
    template <class T>
    static void forward_in_lanes(const detail::EdgeRows& rows, index row_begin, index row_end, index base, index heads,
                                 T* values) {
        const RowsInLanes<T> lane_rows(heads);
        const T lowest = MaximumOf::identity<T>();
        for_each_row(rows, row_begin, row_end, base, heads, values, [&](T* s, index n) {
            const index whole = n - n % lanes<T>, rest = n - whole;
            Packet<T> maximum = splat(lowest);
            for (index at = 0; at < whole; at += lanes<T>) maximum = larger(maximum, load_packet(s + at));
            if (rest > 0) maximum = larger(maximum, load_first(s + whole, rest, lowest));
            maximum = lane_rows.combined(maximum, [](auto a, auto b) { return larger(a, b); });
            for (index at = 0; at < whole; at += lanes<T>)
                store_packet(s + at, Packet<T>(load_packet(s + at) - maximum));
            if (rest > 0) store_first(s + whole, Packet<T>(load_first(s + whole, rest) - maximum), rest);
        });
        exponentials(rows, row_begin, row_end, base, heads, values);
        for_each_row(rows, row_begin, row_end, base, heads, values, [&](T* s, index n) {
            const index whole = n - n % lanes<T>, rest = n - whole;
            Packet<T> sum = splat(T{});
            for (index at = 0; at < whole; at += lanes<T>) sum = sum + load_packet(s + at);
            if (rest > 0) sum = sum + load_first(s + whole, rest, T{});
            sum = lane_rows.combined(sum, [](auto a, auto b) { return Packet<T>(a + b); });
            const Packet<T> scale = splat(T(1)) / (sum + splat(T(1e-16)));
            for (index at = 0; at < whole; at += lanes<T>) store_packet(s + at, Packet<T>(load_packet(s + at) * scale));
            if (rest > 0) store_first(s + whole, Packet<T>(load_first(s + whole, rest) * scale), rest);
        });
    }

    /// adj = p * (adj - sum over the row's edges of p * adj), computed as p * (d - sum of p * d) with d = adj - c,
    /// where c is the adjoint at the largest p: where one p is nearly 1, nothing cancels.
    template <class T>
    static void backward(const detail::EdgeRows& rows, index row_begin, index row_end, index base, index heads,
                         const T* values, T* adj) {
        if (heads <= lanes<T> && lanes<T> % heads == 0)
            return backward_in_lanes(rows, row_begin, row_end, base, heads, values, adj);
        const index repeat = period<T>(heads);
        detail::Scratch<T> scratch(3 * detail::Scratch<T>::rounded(repeat + lanes<T>));
        T* const sum = scratch.take(repeat + lanes<T>);
        T* const largest = scratch.take(repeat + lanes<T>);
        T* const shift = scratch.take(repeat + lanes<T>);
        for (index i = row_begin; i < row_end; ++i) {
            const index first = (rows.row_ptr[i] - base) * heads;
            const T* const p = values + first;
            T* const d = adj + first;
            const index n = (rows.row_ptr[i + 1] - rows.row_ptr[i]) * heads;
            if (n == 0) continue;
            const index used = std::min(repeat, n);
            select_largest(p, d, n, heads, largest, shift, repeat);
            for (index k = heads; k < used; ++k) shift[k] = shift[k - heads];
            std::fill_n(sum, repeat, T{});
            for (index at = 0, k = 0; at < n; at += lanes<T>) {
                const Packet<T> difference = load_packet(d + at) - load_packet(shift + k);
                const Packet<T> weighted = first_lanes<T>(load_packet(p + at) * difference, n - at);
                store_packet(sum + k, load_packet(sum + k) + weighted);
                if (at + lanes<T> <= n)
                    store_packet(d + at, difference);
                else
                    store_first(d + at, difference, n - at);
                if (k += lanes<T>; k == repeat) k = 0;
            }
            for (index k = heads; k < repeat; k += heads)
                for (index h = 0; h < heads; ++h) sum[h] = sum[h] + sum[k + h];
            for (index k = heads; k < used; ++k) sum[k] = sum[k - heads];
            for_each_packet<T>(d, n, repeat, [&](index at, index k) {
                return load_packet(p + at) * (load_packet(d + at) - load_packet(sum + k));
            });
        }
    }

    template <class T>
    static void backward_in_lanes(const detail::EdgeRows& rows, index row_begin, index row_end, index base, index heads,
                                  const T* values, T* adj) {
        const RowsInLanes<T> lane_rows(heads);
        for (index i = row_begin; i < row_end; ++i) {
            const index first = (rows.row_ptr[i] - base) * heads;
            const T* const p = values + first;
            T* const d = adj + first;
            const index n = (rows.row_ptr[i + 1] - rows.row_ptr[i]) * heads, whole = n - n % lanes<T>, rest = n - whole;
            if (n == 0) continue;
            const Packet<T> p_rest = load_first(p + whole, rest, T(-1)), d_rest = load_first(d + whole, rest, T{});
            Packet<T> largest = p_rest, shift = d_rest, sum = splat(T{});
            for (index at = 0; at < whole; at += lanes<T>)
                RowsInLanes<T>::take_larger(load_packet(p + at), load_packet(d + at), largest, shift);
            shift = lane_rows.at_largest(largest, shift);
            for (index at = 0; at < whole; at += lanes<T>)
                sum = sum + load_packet(p + at) * (load_packet(d + at) - shift);
            if (rest > 0) sum = sum + first_lanes<T>(Packet<T>(p_rest * (d_rest - shift)), rest);
            sum = lane_rows.combined(sum, [](auto a, auto b) { return Packet<T>(a + b); });
            for (index at = 0; at < whole; at += lanes<T>)
                store_packet(d + at, Packet<T>(load_packet(p + at) * (load_packet(d + at) - shift - sum)));
            if (rest > 0) store_first(d + whole, Packet<T>(p_rest * (d_rest - shift - sum)), rest);
        }
    }

    /// shift[h] = the element of d where p is largest among h, h + heads, ...
    template <class T>
    static void select_largest(const T* p, const T* d, index n, index heads, T* largest, T* shift, index repeat) {
        const index begun = n < repeat ? heads : repeat;
        std::copy_n(p, begun, largest);
        std::copy_n(d, begun, shift);
        index at = begun;
        if (begun == repeat) {
            for (; at + repeat <= n; at += repeat)
                for (index k = 0; k < repeat; k += lanes<T>) {
                    const Packet<T> a = load_packet(p + at + k), b = load_packet(largest + k);
                    const auto more = a > b;
                    store_packet(largest + k, select(more, a, b));
                    store_packet(shift + k, select(more, load_packet(d + at + k), load_packet(shift + k)));
                }
            for (index k = heads; k < repeat; k += heads) take_larger(largest + k, shift + k, heads, largest, shift);
        }
        for (; at < n; at += heads) take_larger(p + at, d + at, heads, largest, shift);
    }
    template <class T>
    static void take_larger(const T* p, const T* d, index heads, T* largest, T* shift) {
        for (index h = 0; h < heads; ++h)
            if (p[h] > largest[h]) {
                largest[h] = p[h];
                shift[h] = d[h];
            }
    }

    /// s[at] = f(at, at % repeat) for n elements; stores nothing behind them.
    template <class T, class F>
    static void for_each_packet(T* s, index n, index repeat, F&& f) {
        index k = 0;
        for (index at = 0; at < n; at += lanes<T>) {
            const Packet<T> value = f(at, k);
            if (at + lanes<T> <= n)
                store_packet(s + at, value);
            else
                store_first(s + at, value, n - at);
            k += lanes<T>;
            if (k == repeat) k = 0;
        }
    }

    /// result[h] = combination of s[h], s[h + heads], ..., in an order that depends on the sizes only.
    template <class Monoid, class T>
    static void fold(const T* s, index n, index heads, T* result, index repeat) {
        if (n < repeat) {
            std::copy_n(s, heads, result);
            for (index at = heads; at < n; at += heads)
                for (index h = 0; h < heads; ++h) result[h] = Monoid::combine(result[h], s[at + h]);
            return;
        }
        index at = repeat;
        if (repeat == lanes<T>) {
            Packet<T> all = load_packet(s);
            for (; at + repeat <= n; at += repeat) all = Monoid::combine(all, load_packet(s + at));
            store_packet(result, all);
        } else {
            std::copy_n(s, repeat, result);
            for (; at + repeat <= n; at += repeat) detail::combine_run<Monoid>(result, s + at, repeat);
        }
        for (index k = heads; k < repeat; k += heads)
            for (index h = 0; h < heads; ++h) result[h] = Monoid::combine(result[h], result[k + h]);
        for (; at < n; at += heads)
            for (index h = 0; h < heads; ++h) result[h] = Monoid::combine(result[h], s[at + h]);
    }
};

inline SoftmaxIn SoftmaxOut::mirrored() const { return {}; }

/// In an edge expression: the softmax of `e` over the edges that enter the same destination.
template <EdgeExpression E>
auto softmax_in(const E& e) {
    return EdgeStage<SoftmaxIn, E>(e);
}
/// The softmax per edge [E, ...], in the order in which the edges were given.
template <EdgeExpression E>
auto softmax_in(const Graph& g, const E& e) {
    return edges(g, softmax_in(e));
}
/// In an expression for sum_out and the like: the softmax of `e` over the edges that leave the same source.
template <EdgeExpression E>
auto softmax_out(const E& e) {
    return EdgeStage<SoftmaxOut, E>(e);
}
/// Its value per edge [E, ...], in the order in which the edges were given.
template <EdgeExpression E>
auto softmax_out(const Graph& g, const E& e) {
    return edges(g.reverse(), detail::mirrored(softmax_out(e)));
}

} // namespace weft::inline WEFT_ABI
