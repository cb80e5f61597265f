// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>

#include <algorithm>

/// Means and variances in one sweep. Sums are those of distances to one of the elements, in double where the elements
/// are float, and what is summed apart is put together by Chan's formula: neither a large mean nor a long sum costs
/// digits. Chan, Golub & LeVeque, Algorithms for computing the sample variance, 1983.
namespace weft::inline WEFT_ABI::detail {

/// The type that sums over elements T are accumulated in, and how many packets of it the elements of one fill.
template <class T>
struct Wide {
    using type = T;
    static constexpr index parts = 1;
};
template <>
struct Wide<float> {
    using type = double;
    static constexpr index parts = 2;
};
template <class T>
struct Wide<Dual<T>> {
    using type = Dual<typename Wide<T>::type>;
    static constexpr index parts = Wide<T>::parts;
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

/// Packets of the wide type with the elements of a packet, in order.
template <class T>
struct WidePackets {
    static constexpr index parts = lanes<wide_type<T>> < lanes<T> ? Wide<T>::parts : 1;
    Packet<wide_type<T>> part[static_cast<std::size_t>(parts)];
};
template <class T>
WEFT_ALWAYS_INLINE WidePackets<T> widen(const std::type_identity_t<Packet<T>>& a) {
    using A = wide_type<T>;
    if constexpr (std::is_same_v<T, A>) {
        return {{a}};
    } else if constexpr (std::is_same_v<T, float>) {
        return {{widen_part<0>(a), widen_part<1>(a)}};
    } else {
        const auto value = widen<decltype(T::value)>(a.value), tangent = widen<decltype(T::value)>(a.tangent);
        return {{{value.part[0], tangent.part[0]}, {value.part[1], tangent.part[1]}}};
    }
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

/// Of n contiguous elements.
template <class T>
WEFT_NOINLINE MomentSums<wide_type<T>> run_moments(const T* x, index n) {
    using A = wide_type<T>;
    using Wides = WidePackets<T>;
    constexpr index w = lanes<T>, piece = 4096;
    MomentSums<A> all;
    for (index begin = 0; begin < n; begin += piece) {
        const T* const from = x + begin;
        const index length = std::min(piece, n - begin), whole = length - length % w;
        const A shift = wide(from[0]);
        A sum{}, square_sum{};
        if (w > 1 && whole > 0) {
            const Packet<A> origin = splat(shift);
            Packet<A> s[Wides::parts], q[Wides::parts];
            for (index k = 0; k < Wides::parts; ++k) s[k] = q[k] = splat(A{});
            for (index i = 0; i < whole; i += w) {
                const Wides a = widen<T>(load_packet(from + i));
                for (index k = 0; k < Wides::parts; ++k) {
                    const Packet<A> d = a.part[k] - origin;
                    s[k] = s[k] + d;
                    q[k] = multiply_add(d, d, q[k]);
                }
            }
            for (index k = 1; k < Wides::parts; ++k) {
                s[0] = s[0] + s[k];
                q[0] = q[0] + q[k];
            }
            sum = sum_lanes<A>(s[0]);
            square_sum = sum_lanes<A>(q[0]);
        }
        for (index i = w > 1 ? whole : 0; i < length; ++i) {
            const A d = wide(from[i]) - shift;
            sum = sum + d;
            square_sum = square_sum + d * d;
        }
        all.merge(shifted_moments(length, shift, sum, square_sum));
    }
    return all;
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
    using Wides = WidePackets<T>;

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
        constexpr index w = lanes<A>;
        for (index c = 0; c < columns_; c += lanes<T>) {
            Packet<A> origin[Wides::parts], s[Wides::parts], q[Wides::parts];
            for (index k = 0; k < Wides::parts; ++k) {
                origin[k] = load_packet(shift() + c + k * w);
                s[k] = load_packet(sum() + c + k * w);
                q[k] = load_packet(square_sum() + c + k * w);
            }
            for (index r = 0; r < rows; ++r) {
                const Wides a = widen<T>(load(x + r * columns_, c));
                for (index k = 0; k < Wides::parts; ++k) {
                    const Packet<A> d = a.part[k] - origin[k];
                    s[k] = s[k] + d;
                    q[k] = multiply_add(d, d, q[k]);
                }
            }
            for (index k = 0; k < Wides::parts; ++k) {
                store_packet(sum() + c + k * w, s[k]);
                store_packet(square_sum() + c + k * w, q[k]);
            }
        }
    }

    index columns_, padded_, count_ = 0;
    Scratch<A> memory_;
};

/// Moments of the range [begin, end) of contiguous elements, into the slot of each; `it` walks through the elements
/// and, as operand 1, the slots, whose strides are 0 along the axes that share one. `slots[0]` is slot `first`. Where
/// the innermost axis has slots of its own, the range is one of whole rows.
template <class T>
void accumulate_moments(const Iteration& it, const T* x, index begin, index end, index first,
                        MomentSums<wide_type<T>>* slots) {
    const index* const strides = it.strides[1];
    if (it.rank == 0 || strides[it.rank - 1] == 0) {
        for_each_run(it, strides, begin, end - begin, [&](index slot, index, index at, index length) {
            slots[slot - first].merge(run_moments(x + begin + at, length));
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
