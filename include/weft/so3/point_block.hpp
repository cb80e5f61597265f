// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/transpose_block.hpp>

/// Between points in memory, [points, 3], and blocks in which a coordinate's points lie side by side: coordinate k of
/// point i is at block[k * stride + i].
namespace weft::inline WEFT_ABI::so3::detail {

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
    if constexpr (weft::detail::transposes_packets<T>) {
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
    if constexpr (weft::detail::transposes_packets<T>) {
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
