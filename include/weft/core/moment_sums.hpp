// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>

#include <algorithm>

/// Means and variances in one sweep. Sums are those of distances to one of the elements, in double where the elements
/// are float, and what is summed apart is put together by Chan's formula: neither a large mean nor a long sum costs
/// digits. Chan, Golub & LeVeque, Algorithms for computing the sample variance, 1983.
namespace weft::inline WEFT_ABI::detail {

/// The type that sums over elements T are accumulated in.
template <class T>
struct Wide {
    using type = T;
};
template <>
struct Wide<float> {
    using type = double;
};
template <class T>
struct Wide<Dual<T>> {
    using type = Dual<typename Wide<T>::type>;
};
template <class T>
using wide_type = typename Wide<T>::type;
template <class T>
WEFT_ALWAYS_INLINE wide_type<T> wide(const T& a) {
    if constexpr (std::is_arithmetic_v<T>)
        return a;
    else
        return {wide(a.value), wide(a.tangent)};
}

/// How many packets of the wide type the elements of one fill, and the k-th of them.
template <class T>
inline constexpr int wide_parts = lanes<wide_type<T>> < lanes<T> ? 2 : 1;
template <class T, int K>
WEFT_ALWAYS_INLINE Packet<wide_type<T>> wide_part(const std::type_identity_t<Packet<T>>& a) {
    if constexpr (std::is_same_v<T, wide_type<T>>)
        return a;
    else if constexpr (std::is_same_v<T, float>)
        return widen_part<K>(a);
    else
        return {wide_part<decltype(T::value), K>(a.value), wide_part<decltype(T::value), K>(a.tangent)};
}

/// The number of some elements, their mean, and the sum of the squares of their distances to it.
template <class A>
struct MomentSums {
    index count = 0;
    A mean{}, squares{};

    void merge(const MomentSums& b) {
        if (count == 0) {
            *this = b;
        } else if (b.count > 0) {
            const auto na = static_cast<double>(count), nb = static_cast<double>(b.count);
            const A distance = b.mean - mean;
            mean = mean + distance * (nb / (na + nb));
            squares = squares + b.squares + distance * distance * (na * nb / (na + nb));
            count += b.count;
        }
    }
};

/// Of n elements, from the sums of their distances to `shift` and of the squares of these.
template <class A>
MomentSums<A> shifted_moments(index n, const A& shift, const A& sum, const A& square_sum) {
    const double share = 1 / static_cast<double>(n);
    const A distance = sum * share, squares = square_sum - sum * distance;
    return {n, shift + distance, squares > A(0) ? squares : squares * 0.0};
}

/// Sums of the distances of elements to `origin` and of their squares, in one part of packets.
template <class T, int K>
struct PacketSums {
    using P = Packet<wide_type<T>>;
    P sum, squares;
    WEFT_ALWAYS_INLINE void add(const Packet<T>& a, const P& origin) {
        const P d = wide_part<T, K>(a) - origin;
        sum = sum + d;
        squares = multiply_add(d, d, squares);
    }
};

/// Adds n contiguous elements.
template <class T>
WEFT_NOINLINE void add_run(const T* x, index n, MomentSums<wide_type<T>>& all) {
    using A = wide_type<T>;
    constexpr index w = lanes<T>, piece = 4096;
    constexpr index ahead = 4096 / static_cast<index>(sizeof(T)); // a page: the processor's own prefetching ends there
    constexpr int last = wide_parts<T> - 1;
    for (index begin = 0; begin < n; begin += piece) {
        const T* const from = x + begin;
        const index length = std::min(piece, n - begin), whole = length - length % w;
        const A shift = wide(from[0]);
        A sum{}, square_sum{};
        if (w > 1 && whole > 0) {
            const Packet<A> origin = splat(shift);
            const Packet<A> zero = splat(A{});
            // Two packets at a time, as additions wait for those before. (Arrays would not stay in registers.)
            PacketSums<T, 0> even_low{zero, zero}, odd_low{zero, zero};
            PacketSums<T, last> even_high{zero, zero}, odd_high{zero, zero};
            const auto add = [&](index i, auto& low, auto& high) {
                const Packet<T> a = load_packet(from + i);
                low.add(a, origin);
                if constexpr (last > 0) high.add(a, origin);
            };
            index i = 0;
            for (; i + 2 * w <= whole; i += 2 * w) {
                __builtin_prefetch(from + i + ahead);
                __builtin_prefetch(from + i + w + ahead);
                add(i, even_low, even_high);
                add(i + w, odd_low, odd_high);
            }
            if (i < whole) add(i, even_low, even_high);
            sum = sum_lanes<A>((even_low.sum + odd_low.sum) + (even_high.sum + odd_high.sum));
            square_sum = sum_lanes<A>((even_low.squares + odd_low.squares) + (even_high.squares + odd_high.squares));
        }
        for (index i = w > 1 ? whole : 0; i < length; ++i) {
            const A d = wide(from[i]) - shift;
            sum = sum + d;
            square_sum = square_sum + d * d;
        }
        all.merge(shifted_moments(length, shift, sum, square_sum));
    }
}

/// Moments of the columns of rows that are given a few at a time.
template <class T>
class ColumnSums {
public:
    using A = wide_type<T>;

    explicit ColumnSums(index columns)
        : columns_(columns), padded_((columns + lanes<T> - 1) / lanes<T> * lanes<T>), memory_(3 * padded_) {}

    /// Adds `rows` rows, one behind the other; `all` are the moments of the columns.
    void add(const T* x, index rows, MomentSums<A>* all) {
        for (index done = 0; done < rows;) {
            if (count_ == 0) begin(x + done * columns_);
            const index n = std::min(rows - done, most - count_);
            for (index r = 0; r < n; r += 8) add_few(x + (done + r) * columns_, std::min<index>(8, n - r));
            count_ += n;
            done += n;
            if (count_ == most) finish(all);
        }
    }
    /// Puts what was added into `all`.
    void finish(MomentSums<A>* all) {
        if (count_ == 0) return;
        for (index c = 0; c < columns_; ++c)
            all[c].merge(shifted_moments(count_, shift()[c], sum()[c], square_sum()[c]));
        count_ = 0;
    }

private:
    static constexpr index most = 4096;
    A* shift() { return memory_.data(); }
    A* sum() { return memory_.data() + padded_; }
    A* square_sum() { return memory_.data() + 2 * padded_; }

    Packet<T> load(const T* row, index c) const {
        return c + lanes<T> <= columns_ ? load_packet(row + c) : load_first(row + c, columns_ - c, T{});
    }
    void begin(const T* row) {
        std::fill_n(sum(), 2 * padded_, A{});
        for (index c = 0; c < padded_; ++c) shift()[c] = c < columns_ ? wide(row[c]) : A{};
    }
    WEFT_NOINLINE void add_few(const T* x, index rows) {
        for (index c = 0; c < columns_; c += lanes<T>) {
            add_part<0>(x, rows, c);
            if constexpr (1 < wide_parts<T>) add_part<1>(x, rows, c);
        }
    }
    template <int K>
    WEFT_ALWAYS_INLINE void add_part(const T* x, index rows, index c) {
        const index at = c + K * lanes<A>;
        const Packet<A> origin = load_packet(shift() + at);
        PacketSums<T, K> sums{load_packet(sum() + at), load_packet(square_sum() + at)};
        for (index r = 0; r < rows; ++r) sums.add(load(x + r * columns_, c), origin);
        store_packet(sum() + at, sums.sum);
        store_packet(square_sum() + at, sums.squares);
    }

    index columns_, padded_, count_ = 0;
    Scratch<A> memory_;
};

/// Of each of `runs` runs of n elements, too few for packets.
template <class T>
WEFT_NOINLINE void short_run_moments(const T* x, index runs, index n, MomentSums<wide_type<T>>* all) {
    using A = wide_type<T>;
    const double share = 1 / static_cast<double>(n);
    for (index run = 0; run < runs; ++run, x += n) {
        const A shift = wide(x[0]);
        A sum{}, square_sum{};
        for (index i = 1; i < n; ++i) {
            const A d = wide(x[i]) - shift;
            sum = sum + d;
            square_sum = square_sum + d * d;
        }
        const A distance = sum * share, squares = square_sum - sum * distance;
        all[run] = {n, shift + distance, squares > A(0) ? squares : squares * 0.0};
    }
}

/// Moments of the range [begin, end) of contiguous elements, into the slot of each; `it` walks through the elements
/// and, as operand 1, the slots, whose strides are 0 along the axes that share one. `slots[0]` is slot `first`. Where
/// the innermost axis has slots of its own, the range is one of whole rows.
template <class T>
void accumulate_moments(const Iteration& it, const T* x, index begin, index end, index first,
                        MomentSums<wide_type<T>>* slots) {
    const index* const strides = it.strides[1];
    const index run = it.rank > 0 && it.contiguous(1) ? 1 : it.repeats(strides); // 1: of nothing but themselves
    if (run > 0 && begin % run == 0 && end % run == 0) { // slots of their own
        MomentSums<wide_type<T>>* const to = slots + (begin / run - first);
        const index runs = (end - begin) / run;
        if (run < 2 * lanes<T>) return short_run_moments(x + begin, runs, run, to);
        for (index i = 0; i < runs; ++i) add_run(x + begin + i * run, run, to[i]);
        return;
    }
    if (it.rank == 0 || strides[it.rank - 1] == 0) {
        for_each_run(it, strides, begin, end - begin, [&](index slot, index, index at, index length) {
            add_run(x + begin + at, length, slots[slot - first]);
        });
        return;
    }
    const index columns = it.extents[it.rank - 1];
    ColumnSums<T> sums(columns);
    index current = -1, from = 0, rows = 0;
    const auto flush = [&] {
        if (rows == 0) return;
        sums.add(x + begin + from, rows, slots + (current - first));
        rows = 0;
    };
    for_each_run(it, strides, begin, end - begin, [&](index slot, index, index at, index) {
        if (slot != current) {
            flush();
            if (current >= 0) sums.finish(slots + (current - first));
            current = slot;
        }
        if (rows == 0) from = at;
        ++rows;
    });
    flush();
    if (current >= 0) sums.finish(slots + (current - first));
}

} // namespace weft::inline WEFT_ABI::detail
