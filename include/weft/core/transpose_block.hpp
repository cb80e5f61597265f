// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

/// Transposition of small matrices in registers, and what is made of the same exchanges.
namespace weft::inline WEFT_ABI::detail {

/// The elements of two vectors whose number does not have the bit `Bit` from a, the others from b: with `Low` those of
/// b that lie `Bit` before, else those of a that lie `Bit` behind.
template <int Bit, bool Low, class V, std::size_t... E>
WEFT_ALWAYS_INLINE V exchange(V a, V b, std::index_sequence<E...>) {
    constexpr auto source = [](int e) {
        constexpr int w = sizeof...(E);
        if ((e & Bit) != 0) return Low ? w + e - Bit : w + e;
        return Low ? e : e + Bit;
    };
    return __builtin_shufflevector(a, b, source(static_cast<int>(E))...);
}
template <int Bit, int R, class V, class All>
WEFT_ALWAYS_INLINE void exchange_rows(V* v, All all) {
    if constexpr ((R & Bit) == 0) {
        const V a = v[R], b = v[R + Bit];
        v[R] = exchange<Bit, true>(a, b, all);
        v[R + Bit] = exchange<Bit, false>(a, b, all);
    }
}
template <int Bit, class V, class All, std::size_t... R>
WEFT_ALWAYS_INLINE void transpose_step(V* v, All all, std::index_sequence<R...>) {
    if constexpr (Bit < static_cast<int>(sizeof...(R))) (exchange_rows<Bit, static_cast<int>(R)>(v, all), ...);
}
/// A square of lanes x lanes elements, transposed in registers.
template <class T>
WEFT_NOINLINE void transpose_square(const T* from, index from_stride, T* to, index to_stride) {
    constexpr int w = static_cast<int>(lanes<T>);
    using V = typename Packet<T>::register_type;
    constexpr auto all = std::make_index_sequence<static_cast<std::size_t>(w)>{};
    V v[w];
#pragma GCC unroll 16
    for (int r = 0; r < w; ++r) v[r] = load_packet(from + r * from_stride);
    transpose_step<1>(v, all, all);
    transpose_step<2>(v, all, all);
    transpose_step<4>(v, all, all);
    transpose_step<8>(v, all, all);
#pragma GCC unroll 16
    for (int r = 0; r < w; ++r) store_packet(to + r * to_stride, Packet<T>(v[r]));
}

/// Rows r and r + Bit become one, in whose lane e both halves of row r or, where e has the bit, of row r + Bit are
/// added.
template <int Bit, class V, class All>
WEFT_ALWAYS_INLINE void add_halves(V* v, All all) {
#pragma GCC unroll 8
    for (int r = 0; r < Bit; ++r)
        v[r] = exchange<Bit, true>(v[r], v[r + Bit], all) + exchange<Bit, false>(v[r], v[r + Bit], all);
    if constexpr (Bit > 1) add_halves<Bit / 2>(v, all);
}
/// to[r] = the sum of the lanes of the r-th of n packets.
template <class T>
WEFT_ALWAYS_INLINE void sum_rows(const T* packets, index n, T* to) {
    constexpr index w = lanes<T>;
    index r = 0;
    if constexpr (std::is_floating_point_v<T> && w > 1)
        for (; r + w <= n; r += w) {
            using V = typename Packet<T>::register_type;
            V v[w];
#pragma GCC unroll 16
            for (index i = 0; i < w; ++i) v[i] = load_packet(packets + (r + i) * w);
            add_halves<static_cast<int>(w / 2)>(v, std::make_index_sequence<static_cast<std::size_t>(w)>{});
            store_packet(to + r, Packet<T>(v[0]));
        }
    for (; r < n; ++r) to[r] = sum_lanes<T>(load_packet(packets + r * w));
}

/// Elements of 16 bytes, the unit of memory and of shuffles.
template <class T>
inline constexpr int quad = static_cast<int>(16 / sizeof(T));

/// Whether packets of T can be transposed by units of 16 bytes.
template <class T>
inline constexpr bool transposes_packets = std::is_floating_point_v<T> && (lanes<T> >= quad<T>);

/// 16 bytes, the k-th of a register, and a register of those at p, p + step, ...
template <int First, class R, int... J>
WEFT_ALWAYS_INLINE auto register_part(R a, std::integer_sequence<int, J...>) {
    return __builtin_shufflevector(a, a, (First + J)...);
}
template <class R, int... J>
WEFT_ALWAYS_INLINE auto join(R a, R b, std::integer_sequence<int, J...>) {
    return __builtin_shufflevector(a, b, J...);
}
template <class T, int Units>
WEFT_ALWAYS_INLINE auto join_parts(const T* p, index step) {
    if constexpr (Units == 1) {
        T __attribute__((vector_size(16))) part;
        std::memcpy(&part, p, 16);
        return part;
    } else {
        constexpr int half = Units / 2;
        return join(join_parts<T, half>(p, step), join_parts<T, half>(p + half * step, step),
                    std::make_integer_sequence<int, Units * quad<T>>{});
    }
}

/// A few rows of a packet, 16 bytes of columns: row c is part[c], or, after `transpose`, which is its own inverse, the
/// k-th 16 bytes of part[c] are column c + count k.
template <class T>
struct NarrowTile {
    using R = typename Packet<T>::register_type;
    static constexpr int count = quad<T>, width = static_cast<int>(lanes<T>), units = width / count;
    R part[count];

    WEFT_ALWAYS_INLINE void transpose() {
        constexpr auto all = std::make_index_sequence<static_cast<std::size_t>(width)>{};
        constexpr auto parts = std::make_index_sequence<static_cast<std::size_t>(count)>{};
        transpose_step<1>(part, all, parts);
        transpose_step<2>(part, all, parts);
    }
    /// From rows of a packet, and to them.
    WEFT_ALWAYS_INLINE void load_rows(const T* from, index stride) {
#pragma GCC unroll 4
        for (int k = 0; k < count; ++k) part[k] = load_packet(from + k * stride);
    }
    WEFT_ALWAYS_INLINE void store_rows(T* to, index stride) const {
#pragma GCC unroll 4
        for (int k = 0; k < count; ++k) store_packet(to + k * stride, Packet<T>(part[k]));
    }
    /// From columns of 16 bytes, `stride` apart, and to them.
    WEFT_ALWAYS_INLINE void load_columns(const T* from, index stride) {
#pragma GCC unroll 4
        for (int k = 0; k < count; ++k) part[k] = join_parts<T, units>(from + k * stride, count * stride);
    }
    WEFT_ALWAYS_INLINE void store_columns(T* to, index stride) const {
        store_units(to, stride, std::make_integer_sequence<int, units>{});
    }

private:
    template <int... Unit>
    WEFT_ALWAYS_INLINE void store_units(T* to, index stride, std::integer_sequence<int, Unit...>) const {
        (store_unit<Unit>(to + Unit * count * stride, stride), ...);
    }
    template <int Unit>
    WEFT_ALWAYS_INLINE void store_unit(T* to, index stride) const {
#pragma GCC unroll 4
        for (int k = 0; k < count; ++k) {
            const auto column = register_part<Unit * count>(part[k], std::make_integer_sequence<int, count>{});
            std::memcpy(to + k * stride, &column, 16);
        }
    }
};

/// Lane e of the result is element `from(e)` of three vectors one behind the other.
template <class From, class V, std::size_t... E>
WEFT_ALWAYS_INLINE V select(const V* v, From from, std::index_sequence<E...>) {
    constexpr int w = sizeof...(E);
    const V low = __builtin_shufflevector(v[0], v[1], (from(static_cast<int>(E)) % (2 * w))...);
    return __builtin_shufflevector(
        low, v[2], (from(static_cast<int>(E)) < 2 * w ? static_cast<int>(E) : from(static_cast<int>(E)) - w)...);
}
/// As many rows of three elements as a packet has lanes, without gaps, to three packets, and back.
template <bool Back, class T, std::size_t... K>
WEFT_ALWAYS_INLINE void transpose_triples(const T* from, index from_stride, T* to, index to_stride,
                                          std::index_sequence<K...>) {
    constexpr int w = static_cast<int>(lanes<T>);
    using V = typename Packet<T>::register_type;
    const V v[] = {load_packet(from + static_cast<index>(K) * from_stride)...};
    constexpr auto all = std::make_index_sequence<static_cast<std::size_t>(w)>{};
    const auto store = [&](auto k) {
        constexpr int n = decltype(k)::value;
        constexpr auto source = [](int e) { return Back ? (n * w + e) % 3 * w + (n * w + e) / 3 : 3 * e + n; };
        store_packet(to + n * to_stride, Packet<T>(select(v, source, all)));
    };
    (store(std::integral_constant<int, static_cast<int>(K)>{}), ...);
}

/// to[c * to_stride + r] = from[r * from_stride + c]. Squares of packets, then tiles of 16 bytes by a packet along the
/// two edges, the last of which may lie over the one before it; what is narrower without gaps is permuted as a whole.
template <class T>
void transpose_block(const T* from, index from_stride, index rows, index columns, T* to, index to_stride) {
    index r = 0;
    if constexpr (transposes_packets<T>) {
        constexpr index w = lanes<T>, q = quad<T>;
        constexpr auto three = std::make_index_sequence<3>{};
        for (; r + w <= rows; r += w) {
            const T* const row = from + r * from_stride;
            if (columns == 1 && from_stride == 1) {
                store_packet(to + r, load_packet(row));
                continue;
            }
            if (columns == 3 && from_stride == 3 && q > 3) {
                transpose_triples<false>(row, w, to + r, to_stride, three);
                continue;
            }
            index c = 0;
            for (; c + w <= columns; c += w) transpose_square(row + c, from_stride, to + c * to_stride + r, to_stride);
            while (c < columns && columns >= q) {
                c = std::min(c, columns - q);
                NarrowTile<T> tile;
                tile.load_columns(row + c, from_stride);
                tile.transpose();
                tile.store_rows(to + c * to_stride + r, to_stride);
                c += q;
            }
            for (; c < columns; ++c)
                for (index i = 0; i < w; ++i) to[c * to_stride + r + i] = row[i * from_stride + c];
        }
        if (rows == 1 && to_stride == 1) {
            index c = 0;
            for (; c + w <= columns; c += w) store_packet(to + c, load_packet(from + c));
            for (; c < columns; ++c) to[c] = from[c];
            return;
        }
        if (rows == 3 && to_stride == 3 && q > 3) {
            index c = 0;
            for (; c + w <= columns; c += w) transpose_triples<true>(from + c, from_stride, to + 3 * c, w, three);
            for (; c < columns; ++c)
                for (r = 0; r < rows; ++r) to[3 * c + r] = from[r * from_stride + c];
            return;
        }
        while (r < rows && rows >= q) {
            r = std::min(r, rows - q);
            const T* const row = from + r * from_stride;
            index c = 0;
            for (; c + w <= columns; c += w) {
                NarrowTile<T> tile;
                tile.load_rows(row + c, from_stride);
                tile.transpose();
                tile.store_columns(to + c * to_stride + r, to_stride);
            }
            for (; c < columns; ++c)
                for (index i = 0; i < q; ++i) to[c * to_stride + r + i] = row[i * from_stride + c];
            r += q;
        }
    }
    for (; r < rows; ++r)
        for (index c = 0; c < columns; ++c) to[c * to_stride + r] = from[r * from_stride + c];
}

} // namespace weft::inline WEFT_ABI::detail
