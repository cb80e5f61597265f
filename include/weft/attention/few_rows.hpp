// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/attention_tiles.hpp>
#include <weft/core/load_converted.hpp>

/// Products of a few rows with many stored ones, which are read once and as they lie: decoding is bound by that.
namespace weft::inline WEFT_ABI::detail {

inline constexpr index most_few_rows = 8;

/// Whether rows of `width` elements of S can be read as whole packets of T.
template <class T, class S>
constexpr bool reads_packets(index width) {
    return std::is_floating_point_v<T> && lanes < T >> 1 && width % lanes<T> == 0;
}

/// scores[r, j] = q[r] k[j] for M rows of q and n of k. Writes scores in whole packets. `partial`: M lanes^2 elements.
template <int M, class T, class S>
WEFT_NOINLINE void score_few_rows(index n, index depth, const PlainRows<T>& q, const S* k, index k_stride, T* scores,
                                  index scores_stride, T* partial) {
    constexpr index w = lanes<T>;
    for (index j0 = 0; j0 < n; j0 += w) {
        for (index j = 0; j < w; j += 4) {
            const S* row[4];
            for (index u = 0; u < 4; ++u) row[u] = k + std::min(j0 + j + u, n - 1) * k_stride;
            Packet<T> sum[M][4];
#pragma GCC unroll 4
            for (int r = 0; r < M; ++r)
#pragma GCC unroll 4
                for (int u = 0; u < 4; ++u) sum[r][u] = splat(T{});
            for (index d = 0; d < depth; d += w) {
                Packet<T> key[4];
#pragma GCC unroll 4
                for (int u = 0; u < 4; ++u) key[u] = load_converted<T>(row[u] + d);
#pragma GCC unroll 4
                for (int r = 0; r < M; ++r) {
                    const Packet<T> query = load_packet(q.data + r * q.stride + d);
#pragma GCC unroll 4
                    for (int u = 0; u < 4; ++u) sum[r][u] = multiply_add(query, key[u], sum[r][u]);
                }
            }
#pragma GCC unroll 4
            for (int r = 0; r < M; ++r)
#pragma GCC unroll 4
                for (int u = 0; u < 4; ++u) store_packet(partial + (r * w + j + u) * w, sum[r][u]);
        }
        for (int r = 0; r < M; ++r) sum_rows(partial + r * w * w, w, scores + r * scores_stride + j0);
    }
}

/// out[r, d] += sum of weights[r, j] v[j, d] over n rows of v, for M rows of weights.
template <int M, class T, class S>
WEFT_NOINLINE void add_few_rows(index n, index depth, const T* weights, index weights_stride, const S* v,
                                index v_stride, T* out, index out_stride) {
    constexpr index w = lanes<T>;
    const auto run = [&]<int N>(std::integral_constant<int, N>, index d) {
        Packet<T> sum[M][N];
#pragma GCC unroll 4
        for (int r = 0; r < M; ++r)
#pragma GCC unroll 4
            for (int u = 0; u < N; ++u) sum[r][u] = load_packet(out + r * out_stride + d + u * w);
        for (index j = 0; j < n; ++j) {
            Packet<T> value[N];
#pragma GCC unroll 4
            for (int u = 0; u < N; ++u) value[u] = load_converted<T>(v + j * v_stride + d + u * w);
#pragma GCC unroll 4
            for (int r = 0; r < M; ++r) {
                const Packet<T> weight = splat(weights[r * weights_stride + j]);
#pragma GCC unroll 4
                for (int u = 0; u < N; ++u) sum[r][u] = multiply_add(weight, value[u], sum[r][u]);
            }
        }
#pragma GCC unroll 4
        for (int r = 0; r < M; ++r)
#pragma GCC unroll 4
            for (int u = 0; u < N; ++u) store_packet(out + r * out_stride + d + u * w, sum[r][u]);
    };
    index d = 0;
    for (; d + 4 * w <= depth; d += 4 * w) run(std::integral_constant<int, 4>{}, d);
    for (; d < depth; d += w) run(std::integral_constant<int, 1>{}, d);
}

/// f(first row, number of rows as a constant) for rows in groups of up to four.
template <class F>
void for_few_rows(index rows, F&& f) {
    for (index r = 0; r < rows; r += 4) switch (std::min<index>(rows - r, 4)) {
        case 1:
            f(r, std::integral_constant<int, 1>{});
            break;
        case 2:
            f(r, std::integral_constant<int, 2>{});
            break;
        case 3:
            f(r, std::integral_constant<int, 3>{});
            break;
        default:
            f(r, std::integral_constant<int, 4>{});
        }
}

} // namespace weft::inline WEFT_ABI::detail
