// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/score_rules.hpp>
#include <weft/core/iteration.hpp>
#include <weft/linalg/product_tile.hpp>
#include <weft/so3/transpose_block.hpp>

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
/// n rows as they lie, or as copies [n, round_up(width, lanes)] in `copies`.
template <class T, class S>
PlainRows<T> plain_rows(const S* from, index stride, index n, index width, T* copies) {
    if constexpr (std::same_as<T, S>)
        if (reads_in_place<T, S>(width)) return {from, stride};
    const index padded = round_up(width, lanes<T>);
    for (index r = 0; r < n; ++r) {
        T* const to = copies + r * padded;
        if constexpr (std::same_as<T, S>)
            std::copy_n(from + r * stride, width, to);
        else
            convert(from + r * stride, to, width);
        std::fill(to + width, to + padded, T{});
    }
    return {copies, padded};
}

/// A few rows of `depth` elements as the right operand of products with other such rows: turned, in panels as wide as a
/// tile of products, with zeros behind the last row.
template <class T>
struct TurnedRows {
    using Tile = ProductTile<T>;

    static index size(index rows, index depth) { return round_up(rows, lanes<T>) * depth; }
    /// `copies`: room for rows x depth elements, if S is not T.
    template <class S>
    static void turn(const S* from, index stride, index rows, index depth, T* to, T* copies) {
        PlainRows<T> plain{copies, depth};
        if constexpr (std::same_as<T, S>)
            plain = {from, stride};
        else
            for (index r = 0; r < rows; ++r) convert(from + r * stride, copies + r * depth, depth);
        for (index r = 0; r < rows; r += Tile::columns) {
            const index count = std::min(Tile::columns, rows - r), width = round_up(count, lanes<T>);
            T* const panel = to + r * depth;
            so3::detail::transpose_block(plain.data + r * plain.stride, plain.stride, count, depth, panel, width);
            if (count < width)
                for (index d = 0; d < depth; ++d) std::fill(panel + d * width + count, panel + (d + 1) * width, T{});
        }
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

/// c [m, n] += a b for b [k, n] in rows that are read in whole packets, m at most the rows of a tile.
template <class T>
void add_product(index m, index n, index k, const Strided<const T>& a, const PlainRows<T>& b, T* c, index ldc) {
    using Tile = ProductTile<T>;
    for (index column = 0; column < n; column += Tile::columns)
        Tile::multiply(m, std::min(Tile::columns, n - column), k, a, b.data + column, b.stride, c + column, ldc,
                       Into::add);
}
/// The same for any m: k in pieces whose rows of b stay in the first-level cache.
template <class T>
void add_tall_product(index m, index n, index k, const Strided<const T>& a, const PlainRows<T>& b, T* c, index ldc) {
    using Tile = ProductTile<T>;
    for (index l = 0; l < k; l += Tile::depth)
        for (index i = 0; i < m; i += Tile::rows)
            add_product(std::min(Tile::rows, m - i), n, std::min(Tile::depth, k - l),
                        {a.data + i * a.rows + l * a.columns, a.rows, a.columns},
                        PlainRows<T>{b.data + l * b.stride, b.stride}, c + i * ldc, ldc);
}

/// Whether all elements are finite.
template <class T>
bool all_finite(const PlainRows<T>& rows, index n, index width) {
    Packet<T> bad = splat(T{});
    const Packet<T> zero = splat(T{});
    for (index r = 0; r < n; ++r) {
        const T* const row = rows.data + r * rows.stride;
        for (index d = 0; d < width; d += lanes<T>) {
            const index rest = width - d;
            const Packet<T> x = rest >= lanes<T> ? load_packet(row + d) : load_first(row + d, rest, T{});
            bad = multiply_add(x, zero, bad);
        }
    }
    const T sum = sum_lanes<T>(bad);
    if constexpr (math::is_dual<T>)
        return sum.value == 0 && sum.tangent == 0;
    else
        return sum == T(0);
}

/// The largest lane; of those that are not NaN, where there are some.
template <class T>
WEFT_ALWAYS_INLINE T largest_lane(const std::type_identity_t<Packet<T>>& a) {
    if constexpr (lanes<T> == 1) {
        return a;
    } else if constexpr (math::is_dual<T>) {
        return T(largest_lane<decltype(T::value)>(a.value));
    } else {
        T lane[static_cast<std::size_t>(lanes<T>)];
        store_packet(lane, a);
        for (index half = lanes<T> / 2; half > 0; half /= 2)
            for (index i = 0; i < half; ++i) lane[i] = lane[i] < lane[i + half] ? lane[i + half] : lane[i];
        return lane[0];
    }
}

/// e^a for a <= 0; exactly 0 at -infinity and 1 at 0.
template <class P>
WEFT_ALWAYS_INLINE P exp_of_nonpositive(const P& a) {
    if constexpr (math::is_dual<P>) {
        const auto y = exp_of_nonpositive(a.value);
        return P(y, a.tangent * y);
    } else if constexpr (math::detail::is_packet<P>) {
        return math::detail::exponential(larger(P(-math::detail::vanishing_exponent<P>()), a)).value();
    } else {
        return std::exp(a);
    }
}

} // namespace weft::inline WEFT_ABI::detail
