// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/score_rules.hpp>
#include <weft/core/iteration.hpp>
#include <weft/core/transpose_block.hpp>
#include <weft/linalg/product_tile.hpp>

/// What the tiled kernels of attention are made of.
namespace weft::inline WEFT_ABI::detail {

constexpr index round_up(index n, index unit) { return divide_up(n, unit) * unit; }

/// Where rows of heads lie: row i of head h of sequence b at data + b sequence + h head + i row.
template <class S>
struct HeadRows {
    S* data = nullptr;
    index sequence = 0, head = 0, row = 0;

    S* at(index b, index h, index i) const { return data + b * sequence + h * head + i * row; }
};

/// Rows of elements that are read in whole packets.
template <class T>
struct PlainRows {
    const T* data;
    index stride;
};

/// Whether rows of S can be read as packets of T where they lie, not beyond their end.
template <class T, class S>
bool reads_in_place(index width) {
    return std::same_as<T, S> && width % lanes<T> == 0;
}
/// A row in T, with zeros behind it.
template <class T, class S>
void copy_row(const S* from, index width, index padded, T* to) {
    if constexpr (std::same_as<T, S>)
        std::copy_n(from, width, to);
    else
        convert(from, to, width);
    std::fill(to + width, to + padded, T{});
}
/// n rows as they lie, or as copies [n, round_up(width, lanes)] in `copies`.
template <class T, class S>
PlainRows<T> plain_rows(const S* from, index stride, index n, index width, T* copies) {
    if constexpr (std::same_as<T, S>)
        if (reads_in_place<T, S>(width)) return {from, stride};
    const index padded = round_up(width, lanes<T>);
    for (index r = 0; r < n; ++r) copy_row(from + r * stride, width, padded, copies + r * padded);
    return {copies, padded};
}

/// A few rows of `depth` elements as the right operand of products with other such rows: turned, in panels as wide as a
/// tile of products, with zeros behind the last row.
template <class T>
struct TurnedRows {
    using Tile = ProductTile<T>;

    static index size(index rows, index depth) { return round_up(rows, lanes<T>) * depth; }
    /// `copies`: room for rows x depth elements, if S is not T. Where the rows are, in T.
    template <class S>
    static PlainRows<T> turn(const S* from, index stride, index rows, index depth, T* to, T* copies) {
        PlainRows<T> plain{copies, depth};
        if constexpr (std::same_as<T, S>)
            plain = {from, stride};
        else
            for (index r = 0; r < rows; ++r) convert(from + r * stride, copies + r * depth, depth);
        for (index r = 0; r < rows; r += Tile::columns) {
            const index count = std::min(Tile::columns, rows - r), width = round_up(count, lanes<T>);
            T* const panel = to + r * depth;
            transpose_block(plain.data + r * plain.stride, plain.stride, count, depth, panel, width);
            if (count < width)
                for (index d = 0; d < depth; ++d) std::fill(panel + d * width + count, panel + (d + 1) * width, T{});
        }
        return plain;
    }
    /// c[0:m, columns] = a b for those columns of a panel, in whole packets.
    static void multiply(index m, KeyRange columns, index depth, const Strided<const T>& a, const T* turned, index rows,
                         index panel, T* c, index ldc) {
        const index begin = panel * Tile::columns, width = std::min(Tile::columns, round_up(rows, lanes<T>) - begin);
        const index first = std::max<index>(columns.first - begin, 0) / lanes<T> * lanes<T>;
        const index last = std::min(width, round_up(columns.last - begin, lanes<T>));
        if (first < last)
            Tile::multiply(m, last - first, depth, a, turned + begin * depth + first, width, c + begin + first, ldc,
                           Into::replace);
    }
};

/// c [m, n] += a b for b [k, n] in rows that are read in whole packets: k in pieces whose rows of b stay in the
/// first-level cache.
template <class T>
void add_product(index m, index n, index k, const Strided<const T>& a, const PlainRows<T>& b, T* c, index ldc) {
    using Tile = ProductTile<T>;
    for (index l = 0; l < k; l += Tile::depth)
        for (index column = 0; column < n; column += Tile::columns)
            Tile::multiply_rows(m, std::min(Tile::columns, n - column), std::min(Tile::depth, k - l),
                                {a.data + l * a.columns, a.rows, a.columns}, b.data + l * b.stride + column, b.stride,
                                c + column, ldc, Into::add);
}

/// The same for the rows of strips that see some of the keys each: a [m, keys], of the keys from `first` on b has rows.
template <class T>
void add_strips(index m, index n, const std::vector<KeyRange>& strips, index first, const Strided<const T>& a,
                const PlainRows<T>& b, T* c, index ldc) {
    constexpr index height = ProductTile<T>::rows;
    for (index r = 0, end = 0; r < m; r = end) {
        const KeyRange seen = strips[static_cast<std::size_t>(r / height)];
        end = std::min(m, r + height);
        while (end < m && strips[static_cast<std::size_t>(end / height)] == seen) end = std::min(m, end + height);
        if (!seen.empty())
            add_product(end - r, n, seen.last - seen.first,
                        {a.data + r * a.rows + seen.first * a.columns, a.rows, a.columns},
                        PlainRows<T>{b.data + (seen.first - first) * b.stride, b.stride}, c + r * ldc, ldc);
    }
}

/// Whether all elements are finite.
template <class T>
bool all_finite(const PlainRows<T>& rows, index n, index width) {
    constexpr index w = lanes<T>;
    const Packet<T> zero = splat(T{});
    Packet<T> bad[4] = {zero, zero, zero, zero}; // 0 times what is not finite is NaN
    for (index r = 0; r < n; ++r) {
        const T* const row = rows.data + r * rows.stride;
        index d = 0;
        for (; d + 4 * w <= width; d += 4 * w)
            for (index u = 0; u < 4; ++u) bad[u] = multiply_add(load_packet(row + d + u * w), zero, bad[u]);
        for (; d < width; d += w)
            bad[0] =
                multiply_add(width - d >= w ? load_packet(row + d) : load_first(row + d, width - d, T{}), zero, bad[0]);
    }
    const T sum = sum_lanes<T>(Packet<T>((bad[0] + bad[1]) + (bad[2] + bad[3])));
    if constexpr (math::is_dual<T>)
        return sum.value == 0 && sum.tangent == 0;
    else
        return sum == T(0);
}

/// The largest sum of squares of the rows; NaN or infinite if they are not finite.
template <class T>
T largest_square(const PlainRows<T>& rows, index n, index width) {
    constexpr index w = lanes<T>;
    T partial[static_cast<std::size_t>(w * w)], square[static_cast<std::size_t>(w)], largest{};
    for (index first = 0; first < n; first += w) {
        const index count = std::min(w, n - first);
        for (index r = 0; r < count; ++r) {
            const T* const row = rows.data + (first + r) * rows.stride;
            Packet<T> sum = splat(T{});
            for (index d = 0; d < width; d += w) {
                const Packet<T> x = width - d >= w ? load_packet(row + d) : load_first(row + d, width - d, T{});
                sum = multiply_add(x, x, sum);
            }
            store_packet(partial + r * w, sum);
        }
        sum_rows(partial, count, square);
        for (index r = 0; r < count; ++r) {
            if (square[r] != square[r]) return square[r];
            largest = square[r] <= largest ? largest : square[r];
        }
    }
    return largest;
}

template <int Bit, class V, std::size_t... E>
WEFT_ALWAYS_INLINE V swap_lanes(V v, std::index_sequence<E...>) {
    return __builtin_shufflevector(v, v, (static_cast<int>(E) ^ Bit)...);
}
template <int Bit, class P>
WEFT_ALWAYS_INLINE P larger_lanes(const P& a) {
    if constexpr (Bit == 0) {
        return a;
    } else {
        using V = typename P::register_type;
        constexpr auto all = std::make_index_sequence<P::size>{};
        return larger_lanes<Bit / 2>(larger(P(swap_lanes<Bit>(static_cast<V>(a), all)), a));
    }
}
/// The largest lane; of those that are not NaN, where there are some.
template <class T>
WEFT_ALWAYS_INLINE T largest_lane(const std::type_identity_t<Packet<T>>& a) {
    if constexpr (lanes<T> == 1) {
        return a;
    } else if constexpr (math::is_dual<T>) {
        return T(largest_lane<decltype(T::value)>(a.value));
    } else {
        const Packet<T> all = larger_lanes<static_cast<int>(lanes<T> / 2)>(a);
        T lane[static_cast<std::size_t>(lanes<T>)];
        store_packet(lane, all);
        return lane[0];
    }
}

/// e^a for weights.
template <class P>
struct WeightExponential {
    static constexpr bool single = math::detail::is_single<P>;
    // After this addition the low bits of the fraction are a whole number.
    static constexpr double unit = single ? 0x1.8p23 : 0x1.8p52;

    /// For results that are normal numbers.
    static WEFT_ALWAYS_INLINE P near(const P& a) { return result(a, shifted(a)); }
    /// For a at most about 1: 0 where the result would be subnormal, at -infinity too.
    static WEFT_ALWAYS_INLINE P any(const P& a) {
        const P z = shifted(a);
        return select(z < math::number<P>(unit - (single ? 125 : 1021)), P(0), result(a, z));
    }

private:
    static WEFT_ALWAYS_INLINE P shifted(const P& a) {
        return multiply_add(a, math::number<P>(std::numbers::log2e), math::number<P>(unit));
    }
    /// The polynomial of float: that of the Arm optimized routines, 1.9 ulp.
    static WEFT_ALWAYS_INLINE P result(const P& a, const P& z) {
        const P n = z - math::number<P>(unit), power = whole_power(z);
        if constexpr (single) {
            const P r =
                multiply_add(n, math::number<P>(-0x1.7f7d1cp-20), multiply_add(n, math::number<P>(-0x1.62e4p-1), a));
            const P p = r * math::detail::polynomial(r, 0x1.0e4020p-7, 0x1.573e2ep-5, 0x1.555e66p-3, 0x1.fffdb6p-2,
                                                     0x1.ffffecp-1);
            return multiply_add(p, power, power);
        } else {
            const P r = multiply_add(n, math::detail::minus_log2_low<P>(),
                                     multiply_add(n, math::detail::minus_log2_high<P>(), a));
            const P p = math::detail::exponential_of_parts(n, r).p;
            return multiply_add(p, power, power);
        }
    }
    /// 2^n from unit + n.
    static WEFT_ALWAYS_INLINE P whole_power(const P& z) {
        if constexpr (math::detail::is_packet<P>) {
            using Part [[maybe_unused]] = typename P::value_type;
            using Integer = std::conditional_t<single, std::int32_t, std::int64_t>;
            using Bits = xsimd::batch<Integer>;
            constexpr Integer one = single ? 0x3f800000 : static_cast<Integer>(0x3ff0000000000000);
            constexpr int fraction = single ? 23 : 52;
#if XSIMD_VERSION_MAJOR < 9
            return xsimd::bitwise_cast<P>((xsimd::bitwise_cast<Bits>(z) << fraction) + Bits(one));
#else
            return xsimd::bitwise_cast<Part>((xsimd::bitwise_cast<Integer>(z) << fraction) + Bits(one));
#endif
        } else {
            return std::exp2(z - P(unit));
        }
    }
};
template <class P>
struct WeightExponential<Dual<P>> {
    static WEFT_ALWAYS_INLINE Dual<P> near(const Dual<P>& a) {
        const P y = WeightExponential<P>::near(a.value);
        return {y, a.tangent * y};
    }
    static WEFT_ALWAYS_INLINE Dual<P> any(const Dual<P>& a) {
        const P y = WeightExponential<P>::any(a.value);
        return {y, select(y == P(0), P(0), P(a.tangent * y))};
    }
};

} // namespace weft::inline WEFT_ABI::detail
