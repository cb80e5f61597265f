// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>

#include <cstring>
#include <span>

/// Between rows of points in memory, [points, columns], and blocks in which a column's points lie side by side: column
/// c of point i is at block[row[c] * stride + i].
namespace weft::inline WEFT_ABI::so3::detail {

/// Elements of 16 bytes, the unit of memory and of shuffles.
template <class T>
inline constexpr int quad = static_cast<int>(16 / sizeof(T));

/// Whether packets of T can be transposed by units of 16 bytes.
template <class T>
inline constexpr bool transposes_packets = std::is_floating_point_v<T>&& lanes<T> >= quad<T>;

/// What element j of `unpack` takes from two registers of `count` elements.
constexpr int unpack_source(int quad, int unit, int half, int count, int j) {
    const int k = j % quad / unit;
    return k % 2 * count + j / quad * quad + half * (quad / 2) + k / 2 * unit + j % unit;
}
/// In every 16 bytes, units of that many elements alternately from one half of those of a and of b.
template <int Quad, int Unit, int Half, class R, int... J>
WEFT_ALWAYS_INLINE R unpack(R a, R b, std::integer_sequence<int, J...>) {
    return __builtin_shufflevector(a, b, unpack_source(Quad, Unit, Half, sizeof...(J), J)...);
}

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

/// Packets of 16 bytes by lanes<T> elements: point i of column c is element i of part[c], or, after `transpose`, which
/// is its own inverse, column c of point (c' + quad k) is element c of the k-th 16 bytes of part[c'].
template <class T>
struct PointTile {
    using R = typename Packet<T>::register_type;
    static constexpr int count = quad<T>, width = static_cast<int>(lanes<T>), units = width / count;
    R part[count];

    WEFT_ALWAYS_INLINE void transpose() {
        constexpr auto all = std::make_integer_sequence<int, width>{};
        if constexpr (count == 2) {
            const R a = part[0], b = part[1];
            part[0] = unpack<2, 1, 0>(a, b, all);
            part[1] = unpack<2, 1, 1>(a, b, all);
        } else {
            const R a = unpack<4, 1, 0>(part[0], part[1], all), b = unpack<4, 1, 1>(part[0], part[1], all);
            const R c = unpack<4, 1, 0>(part[2], part[3], all), d = unpack<4, 1, 1>(part[2], part[3], all);
            part[0] = unpack<4, 2, 0>(a, c, all);
            part[1] = unpack<4, 2, 1>(a, c, all);
            part[2] = unpack<4, 2, 0>(b, d, all);
            part[3] = unpack<4, 2, 1>(b, d, all);
        }
    }
    /// Rows of points, `columns` apart.
    WEFT_ALWAYS_INLINE void load_rows(const T* rows, index columns) {
#pragma GCC unroll 4
        for (int k = 0; k < count; ++k) part[k] = join_parts<T, units>(rows + k * columns, count * columns);
    }
    WEFT_ALWAYS_INLINE void store_rows(T* rows, index columns) const {
        store_units(rows, columns, std::make_integer_sequence<int, units>{});
    }

private:
    template <int... Unit>
    WEFT_ALWAYS_INLINE void store_units(T* rows, index columns, std::integer_sequence<int, Unit...>) const {
        (store_unit<Unit>(rows + Unit * count * columns, columns), ...);
    }
    template <int Unit>
    WEFT_ALWAYS_INLINE void store_unit(T* rows, index columns) const {
#pragma GCC unroll 4
        for (int k = 0; k < count; ++k) {
            const auto point = register_part<Unit * count>(part[k], std::make_integer_sequence<int, count>{});
            std::memcpy(rows + k * columns, &point, 16);
        }
    }
};

/// The first `points` points of a block, as rows.
template <class T>
void block_to_rows(const T* block, index stride, std::span<const index> row, index points, T* rows) {
    const auto columns = static_cast<index>(row.size());
    const index tiled = transposes_packets<T> ? columns / quad<T> * quad<T> : 0;
    index i = 0;
    if constexpr (transposes_packets<T>) {
        for (; i + lanes<T> <= points; i += lanes<T>) {
            for (index c = 0; c < tiled; c += quad<T>) {
                PointTile<T> tile;
#pragma GCC unroll 4
                for (int k = 0; k < quad<T>; ++k)
                    tile.part[k] = load_packet(block + row[static_cast<std::size_t>(c + k)] * stride + i);
                tile.transpose();
                tile.store_rows(rows + i * columns + c, columns);
            }
        }
    }
    for (index c = 0; c < columns; ++c) {
        const T* const from = block + row[static_cast<std::size_t>(c)] * stride;
        for (index k = c < tiled ? i : 0; k < points; ++k) rows[k * columns + c] = from[k];
    }
}

/// Rows of `points` points into a block; with `add` on top of what is there.
template <class T>
void rows_to_block(const T* rows, index points, T* block, index stride, std::span<const index> row, bool add) {
    const auto columns = static_cast<index>(row.size());
    const index tiled = transposes_packets<T> ? columns / quad<T> * quad<T> : 0;
    index i = 0;
    if constexpr (transposes_packets<T>) {
        for (; i + lanes<T> <= points; i += lanes<T>) {
            for (index c = 0; c < tiled; c += quad<T>) {
                PointTile<T> tile;
                tile.load_rows(rows + i * columns + c, columns);
                tile.transpose();
#pragma GCC unroll 4
                for (int k = 0; k < quad<T>; ++k) {
                    T* const to = block + row[static_cast<std::size_t>(c + k)] * stride + i;
                    const Packet<T> value(tile.part[k]);
                    store_packet(to, add ? load_packet(to) + value : value);
                }
            }
        }
    }
    for (index c = 0; c < columns; ++c) {
        T* const to = block + row[static_cast<std::size_t>(c)] * stride;
        for (index k = c < tiled ? i : 0; k < points; ++k)
            to[k] = add ? to[k] + rows[k * columns + c] : rows[k * columns + c];
    }
}

/// Element i of coordinate k of points in three registers one behind the other: first from the first two, then all.
template <int Coordinate, class R, int... I>
WEFT_ALWAYS_INLINE R take_coordinate(R a, R b, R c, std::integer_sequence<int, I...>) {
    constexpr int n = sizeof...(I);
    const R ab = __builtin_shufflevector(a, b, (3 * I + Coordinate < 2 * n ? 3 * I + Coordinate : I)...);
    return __builtin_shufflevector(ab, c, (3 * I + Coordinate < 2 * n ? I : 3 * I + Coordinate - n)...);
}
/// The Part-th of three such registers.
template <int Part, class R, int... I>
WEFT_ALWAYS_INLINE R merge_coordinates(R x, R y, R z, std::integer_sequence<int, I...>) {
    constexpr int n = sizeof...(I), first = Part * n;
    const R xy = __builtin_shufflevector(x, y, ((first + I) / 3 + (first + I) % 3 % 2 * n)...);
    return __builtin_shufflevector(xy, z, ((first + I) % 3 < 2 ? I : (first + I) / 3 + n)...);
}

/// Points [points, 3] into a block [3, stride].
template <class T>
void load_points(const T* rows, index points, T* block, index stride) {
    index i = 0;
    if constexpr (transposes_packets<T>) {
        using R = typename Packet<T>::register_type;
        constexpr index w = lanes<T>;
        constexpr auto all = std::make_integer_sequence<int, static_cast<int>(w)>{};
        for (; i + w <= points; i += w) {
            const R a = load_packet(rows + 3 * i), b = load_packet(rows + 3 * i + w),
                    c = load_packet(rows + 3 * i + 2 * w);
            store_packet(block + i, Packet<T>(take_coordinate<0>(a, b, c, all)));
            store_packet(block + stride + i, Packet<T>(take_coordinate<1>(a, b, c, all)));
            store_packet(block + 2 * stride + i, Packet<T>(take_coordinate<2>(a, b, c, all)));
        }
    }
    for (; i < points; ++i)
        for (index k = 0; k < 3; ++k) block[k * stride + i] = rows[3 * i + k];
}

/// The first `points` points of a block [3, stride] to [points, 3].
template <class T>
void store_points(const T* block, index stride, index points, T* rows) {
    index i = 0;
    if constexpr (transposes_packets<T>) {
        using R = typename Packet<T>::register_type;
        constexpr index w = lanes<T>;
        constexpr auto all = std::make_integer_sequence<int, static_cast<int>(w)>{};
        for (; i + w <= points; i += w) {
            const R x = load_packet(block + i), y = load_packet(block + stride + i),
                    z = load_packet(block + 2 * stride + i);
            store_packet(rows + 3 * i, Packet<T>(merge_coordinates<0>(x, y, z, all)));
            store_packet(rows + 3 * i + w, Packet<T>(merge_coordinates<1>(x, y, z, all)));
            store_packet(rows + 3 * i + 2 * w, Packet<T>(merge_coordinates<2>(x, y, z, all)));
        }
    }
    for (; i < points; ++i)
        for (index k = 0; k < 3; ++k) rows[3 * i + k] = block[k * stride + i];
}

} // namespace weft::inline WEFT_ABI::so3::detail
