// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/kernel.hpp>
#include <weft/core/transpose_block.hpp>
#include <weft/linalg/sparse_product.hpp>

/// The inner loop of matrix products.
namespace weft::inline WEFT_ABI::detail {

constexpr index divide_up(index a, index b) { return (a + b - 1) / b; }

/// b[0:k, 0:columns] in rows of `width` elements, filled up with zeros.
template <class T>
WEFT_NOINLINE void pack_panel(T* to, const Strided<const T>& b, index k, index columns, index width) {
    constexpr index w = lanes<T>;
    if (b.columns == 1) {
        for (index l = 0; l < k; ++l, to += width) {
            const T* const from = b.data + l * b.rows;
            index j = 0;
            for (; j + w <= columns; j += w) store_packet(to + j, load_packet(from + j));
            for (; j < columns; ++j) to[j] = from[j];
            for (; j < width; ++j) to[j] = T{};
        }
        return;
    }
    if (b.rows == 1) {
        transpose_block(b.data, b.columns, columns, k, to, width);
        if (columns < width)
            for (index l = 0; l < k; ++l) std::fill(to + l * width + columns, to + (l + 1) * width, T{});
        return;
    }
    // Few columns at a time: where they are far apart by a power of two, more would drive each other out of the cache.
    constexpr index step = 8;
    for (index j0 = 0; j0 < width; j0 += step) {
        const index count = std::clamp<index>(columns - j0, 0, step), all = std::min(step, width - j0);
        const T* const from = b.data + j0 * b.columns;
        for (index l = 0; l < k; ++l) {
            T* const row = to + l * width + j0;
            if (count == step)
                for (index j = 0; j < step; ++j) row[j] = from[l * b.rows + j * b.columns];
            else
                for (index j = 0; j < all; ++j) row[j] = j < count ? from[l * b.rows + j * b.columns] : T{};
        }
    }
}

/// A few rows of the result by a few packets of its columns, which stay in registers while k runs.
template <class T>
struct ProductTile {
#if defined(__AVX512F__) || defined(__aarch64__)
    static constexpr int packets = 4; // of 32 registers
#else
    static constexpr int packets = 2; // of 16 registers
#endif
    static constexpr index rows = 6, columns = packets * lanes<T>;
    /// Of results one packet wide: so many sums at once that none waits for the one before.
    static constexpr index narrow_rows = 12;
    /// So many rows of a panel of b stay in the first-level cache.
    static constexpr index depth = std::clamp<index>((32 << 10) / (columns * static_cast<index>(sizeof(T))), 64, 256);

    /// What a product is added to: rows `stride` apart, the result itself or one row for all; null: nothing.
    struct Addend {
        const T* data = nullptr;
        index stride = 0;
    };

    /// c[0:m, 0:n] (+)= a b for m <= rows and n <= columns. Rows of b are read in whole packets.
    static void multiply(index m, index n, index k, const Strided<const T>& a, const T* b, index ld, T* c, index ldc,
                         Into into) {
        multiply(m, n, k, a, b, ld, c, ldc, into == Into::add ? Addend{c, ldc} : Addend{});
    }
    /// c[0:m, 0:n] = a b + addend, likewise.
    static void multiply(index m, index n, index k, const Strided<const T>& a, const T* b, index ld, T* c, index ldc,
                         const Addend& addend) {
        switch (divide_up(n, lanes<T>)) {
        case 1:
            return run<1>(m, n, k, a, b, ld, c, ldc, addend);
        case 2:
            return run<2>(m, n, k, a, b, ld, c, ldc, addend);
        case 3:
            if constexpr (packets > 2) return run<3>(m, n, k, a, b, ld, c, ldc, addend);
            break;
        case 4:
            if constexpr (packets > 2) return run<4>(m, n, k, a, b, ld, c, ldc, addend);
            break;
        }
    }
    /// The same for any m.
    static void multiply_rows(index m, index n, index k, const Strided<const T>& a, const T* b, index ld, T* c,
                              index ldc, const Addend& addend) {
        index i = 0;
        const auto run_rows = [&](index count, auto&& run) {
            run({a.data + i * a.rows, a.rows, a.columns}, c + i * ldc,
                addend.data ? Addend{addend.data + i * addend.stride, addend.stride} : Addend{});
            i += count;
        };
        if (n <= lanes<T>)
            while (i + narrow_rows <= m)
                run_rows(narrow_rows, [&](const Strided<const T>& from, T* to, const Addend& add) {
                    (a.rows == 1 ? run_narrow<true> : run_narrow<false>)(n, k, from, b, ld, to, ldc, add);
                });
        while (i < m)
            run_rows(std::min(rows, m - i), [&](const Strided<const T>& from, T* to, const Addend& add) {
                multiply(std::min(rows, m - i), n, k, from, b, ld, to, ldc, add);
            });
    }
    static void multiply_rows(index m, index n, index k, const Strided<const T>& a, const T* b, index ld, T* c,
                              index ldc, Into into) {
        multiply_rows(m, n, k, a, b, ld, c, ldc, into == Into::add ? Addend{c, ldc} : Addend{});
    }

private:
    /// c = sum + addend
    static WEFT_ALWAYS_INLINE void finish(Packet<T> sum, T* c, const T* addend, bool whole, index n) {
        if (addend) sum = sum + (whole ? load_packet(addend) : load_first(addend, n, T{}));
        if (whole)
            store_packet(c, sum);
        else
            store_first(c, sum, n);
    }

    /// narrow_rows rows of n <= lanes<T> columns; `Transposed`: a.rows is 1.
    template <bool Transposed>
    WEFT_NOINLINE static void run_narrow(index n, index k, const Strided<const T>& a, const T* b, index ld, T* c,
                                         index ldc, const Addend& addend) {
        constexpr int groups = narrow_rows / 4;
        const index one = a.rows, three = 3 * a.rows;
        const T* row[groups];
        Packet<T> sum[narrow_rows];
#pragma GCC unroll 16
        for (index i = 0; i < narrow_rows; ++i) sum[i] = splat(T{});
#pragma GCC unroll 16
        for (int g = 0; g < groups; ++g) row[g] = a.data + 4 * g * a.rows;
        for (index l = 0; l < k; ++l, b += ld) {
            const Packet<T> factor = load_packet(b);
            // No processor foresees steps of whole rows: two cache lines on, for the tiles to come.
            if constexpr (Transposed) __builtin_prefetch(row[0] + 128 / sizeof(T));
#pragma GCC unroll 16
            for (int g = 0; g < groups; ++g) {
#if defined(__GNUC__)
                asm("" : "+r"(row[g])); // else each row has a pointer, for which there are not enough registers
#endif
                sum[4 * g] = multiply_add(splat(row[g][0]), factor, sum[4 * g]);
                sum[4 * g + 1] = multiply_add(splat(row[g][one]), factor, sum[4 * g + 1]);
                sum[4 * g + 2] = multiply_add(splat(row[g][2 * one]), factor, sum[4 * g + 2]);
                sum[4 * g + 3] = multiply_add(splat(row[g][three]), factor, sum[4 * g + 3]);
                row[g] += a.columns;
            }
        }
#pragma GCC unroll 16
        for (index i = 0; i < narrow_rows; ++i)
            finish(sum[i], c + i * ldc, addend.data ? addend.data + i * addend.stride : nullptr, n == lanes<T>, n);
    }

    // The pragmas: g++ leaves sums in memory if they are an array that a loop walks over, so the loops must be gone
    // before it assigns registers.
    template <int N>
    WEFT_NOINLINE static void run(index m, index n, index k, const Strided<const T>& a, const T* b, index ld, T* c,
                                  index ldc, const Addend& addend) {
        constexpr index w = lanes<T>;
        const T* row[rows];
        Packet<T> sum[rows][N];
#pragma GCC unroll 8
        for (index i = 0; i < rows; ++i) {
            row[i] = a.data + std::min(i, m - 1) * a.rows;
            if (a.columns == 1) // the rows of the next tile
                for (index l = 0; l < k; l += 64 / static_cast<index>(sizeof(T)))
                    __builtin_prefetch(row[i] + rows * a.rows + l);
#pragma GCC unroll 8
            for (int j = 0; j < N; ++j) sum[i][j] = splat(T{});
        }
        for (index l = 0; l < k; ++l, b += ld) {
            Packet<T> factor[N];
#pragma GCC unroll 8
            for (int j = 0; j < N; ++j) factor[j] = load_packet(b + j * w);
#pragma GCC unroll 8
            for (index i = 0; i < rows; ++i) {
                const Packet<T> value = splat(row[i][l * a.columns]);
#pragma GCC unroll 8
                for (int j = 0; j < N; ++j) sum[i][j] = multiply_add(value, factor[j], sum[i][j]);
            }
        }
        const index rest = n - (N - 1) * w;
#pragma GCC unroll 8
        for (index i = 0; i < rows; ++i) {
            if (i >= m) break;
            const T* const add = addend.data ? addend.data + i * addend.stride : nullptr;
#pragma GCC unroll 8
            for (int j = 0; j < N; ++j)
                finish(sum[i][j], c + i * ldc + j * w, add ? add + j * w : nullptr, j + 1 < N || rest == w, rest);
        }
    }
};

} // namespace weft::inline WEFT_ABI::detail
