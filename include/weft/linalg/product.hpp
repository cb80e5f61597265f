// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>
#include <weft/core/kernel.hpp>
#include <weft/linalg/eigen_core.hpp>
#include <weft/linalg/sparse_product.hpp>

#include <complex>

/// Products of strided matrices: Eigen's micro-kernel within our own blocks. Eigen's drivers are not used, since they
/// start threads of their own and choose blocks by their number; blocks here follow from the shape alone. The data
/// mappers are our own types, so that kernels compiled with different flags keep different names.
namespace weft::inline WEFT_ABI::detail {

/// Whether Eigen has vectorised kernels for T.
template <class T>
inline constexpr bool has_micro_kernel =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::complex<float>> ||
    std::is_same_v<T, std::complex<double>>;

template <class T, int Order>
struct SourceMapper : Eigen::internal::const_blas_data_mapper<T, index, Order> {
    using Eigen::internal::const_blas_data_mapper<T, index, Order>::const_blas_data_mapper;
};
template <class T>
struct ResultMapper : Eigen::internal::blas_data_mapper<T, index, Eigen::ColMajor> {
    using Eigen::internal::blas_data_mapper<T, index, Eigen::ColMajor>::blas_data_mapper;
};

/// Eigen's kernel computes column-major results; c[m, n] in rows is the column-major c^T = b^T a^T, so b is its left
/// and a its right operand.
template <class T>
struct MicroKernel {
    using Traits = Eigen::internal::gebp_traits<T, T>;
    static constexpr index unit_n = Traits::mr, unit_m = Traits::nr;

    template <int Order>
    static void pack_n_ordered(T* to, const T* b, index ld, index n, index k) {
        using Mapper = SourceMapper<T, Order>;
        Eigen::internal::gemm_pack_lhs<T, index, Mapper, Traits::mr, Traits::LhsProgress,
                                       typename Traits::LhsPacket4Packing, Order>()(to, Mapper(b, ld), k, n);
    }
    /// Packs b[0:k, 0:n].
    WEFT_NOINLINE static void pack_n(T* to, const Strided<const T>& b, index n, index k) {
        if (b.columns == 1)
            pack_n_ordered<Eigen::ColMajor>(to, b.data, b.rows, n, k);
        else
            pack_n_ordered<Eigen::RowMajor>(to, b.data, b.columns, n, k);
    }
    template <int Order>
    static void pack_m_ordered(T* to, const T* a, index ld, index m, index k) {
        using Mapper = SourceMapper<T, Order>;
        Eigen::internal::gemm_pack_rhs<T, index, Mapper, Traits::nr, Order>()(to, Mapper(a, ld), k, m);
    }
    /// Packs a[0:m, 0:k].
    WEFT_NOINLINE static void pack_m(T* to, const Strided<const T>& a, index m, index k) {
        if (a.columns == 1)
            pack_m_ordered<Eigen::ColMajor>(to, a.data, a.rows, m, k);
        else
            pack_m_ordered<Eigen::RowMajor>(to, a.data, a.columns, m, k);
    }
    /// c[0:m, 0:n] += a b of packed operands; rows of c are `ld` apart.
    WEFT_NOINLINE static void multiply(T* c, index ld, const T* packed_a, const T* packed_b, index m, index n,
                                       index k) {
        Eigen::internal::gebp_kernel<T, T, index, ResultMapper<T>, Traits::mr, Traits::nr, false, false>()(
            ResultMapper<T>(c, ld), packed_b, packed_a, n, k, m, T(1));
    }
};

constexpr index divide_up(index a, index b) { return (a + b - 1) / b; }
/// `size` in equal parts of at most `limit`, each but the last a multiple of `unit` long.
constexpr index block_length(index size, index limit, index unit) {
    return divide_up(divide_up(size, divide_up(size, limit)), unit) * unit;
}

template <class T>
void clear_block(T* c, index ld, index rows, index columns) {
    for (index i = 0; i < rows; ++i) std::fill_n(c + i * ld, columns, T{});
}

/// c (+)= a b in blocks. Panels of b that stay in the caches are packed by all threads; each task packs its rows of a.
template <class T>
void blocked_product(index m, index n, index k, const Strided<const T>& a, const Strided<const T>& b, T* c, Into into) {
    using Kernel = MicroKernel<T>;
    constexpr index panel_elements = (index{2} << 20) / static_cast<index>(sizeof(T));
    const double nanoseconds =
        static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) * (sizeof(T) <= 4 ? 0.015 : 0.03) +
        static_cast<double>(m * n + m * k + k * n) * 0.2;
    const bool one_task = nanoseconds < 20e3;
    // Packed blocks, of any number of columns, begin where registers of 64 bytes may be stored.
    constexpr index unit_k = std::max<index>(8, 64 / static_cast<index>(sizeof(T)));
    const index length_k = block_length(k, 224, unit_k);
    // Where packing a is most of the work and a is transposed, long pieces of its stored rows are read.
    const index least_m = m < 512 ? 32 : a.columns == 1 || n > 64 ? 96 : 384;
    const index limit_m = std::clamp<index>((index{1} << 18) / (k * n), least_m, 4096);
    const index length_m = block_length(m, limit_m, Kernel::unit_m);
    const index count_m = divide_up(m, length_m);
    // Few rows: the columns are spread over the threads too.
    const bool wide = !one_task && count_m < 8;
    const index length_n = block_length(n, wide ? std::clamp(n / 8, Kernel::unit_n, index{384}) : 384, Kernel::unit_n);
    const index panel_n = std::max<index>(1, 2048 / length_n) * length_n;
    const index panel_k = std::max<index>(1, panel_elements / (std::min(n, panel_n) * length_k)) * length_k;

    for (index n0 = 0; n0 < n; n0 += panel_n)
        for (index p0 = 0; p0 < k; p0 += panel_k) {
            const index width = std::min(panel_n, n - n0), height = std::min(panel_k, k - p0);
            const index count_n = divide_up(width, length_n), count_k = divide_up(height, length_k);
            const auto columns = [&](index i) { return std::min(length_n, width - i * length_n); };
            Scratch<T> packed_b(width * height);
            // Blocks of k below one another within each block of columns.
            const auto at_b = [&](index i, index k0) {
                return packed_b.data() + i * length_n * height + columns(i) * k0;
            };
            for_each_chunk(
                count_n * count_k, one_task ? 0.0 : static_cast<double>(width * height) * 0.3, [&](index chunk) {
                    const index i = chunk / count_k, k0 = chunk % count_k * length_k;
                    const T* const from = b.data + (p0 + k0) * b.rows + (n0 + i * length_n) * b.columns;
                    Kernel::pack_n(at_b(i, k0), {from, b.rows, b.columns}, columns(i), std::min(length_k, height - k0));
                });
            for_each_chunk(count_m * (wide ? count_n : 1), nanoseconds, [&](index task) {
                const index m0 = (wide ? task / count_n : task) * length_m, rows = std::min(length_m, m - m0);
                const index first = wide ? task % count_n : 0, last = wide ? first + 1 : count_n;
                T* const to = c + m0 * n + n0;
                if (into == Into::replace && p0 == 0)
                    clear_block(to + first * length_n, n, rows, std::min(last * length_n, width) - first * length_n);
                Scratch<T> packed_a(rows * std::min(length_k, height));
                for (index k0 = 0; k0 < height; k0 += length_k) {
                    const index depth = std::min(length_k, height - k0);
                    const T* const from = a.data + m0 * a.rows + (p0 + k0) * a.columns;
                    Kernel::pack_m(packed_a.data(), {from, a.rows, a.columns}, rows, depth);
                    for (index i = first; i < last; ++i)
                        Kernel::multiply(to + i * length_n, n, packed_a.data(), at_b(i, k0), rows, columns(i), depth);
                }
            });
        }
}

/// The same for operands that fit on the stack.
inline constexpr index small_bytes = 16 * 1024;
template <class T>
WEFT_NOINLINE void small_product(index m, index n, index k, const Strided<const T>& a, const Strided<const T>& b, T* c,
                                 Into into) {
    alignas(64) std::byte memory[static_cast<std::size_t>(small_bytes)];
    T* const packed_b = reinterpret_cast<T*>(memory);
    T* const packed_a = packed_b + Scratch<T>::rounded(n * k);
    if (into == Into::replace) std::fill_n(c, m * n, T{});
    MicroKernel<T>::pack_n(packed_b, b, n, k);
    MicroKernel<T>::pack_m(packed_a, a, m, k);
    MicroKernel<T>::multiply(c, n, packed_a, packed_b, m, n, k);
}

/// c += a b, one multiplication after the other.
template <class T>
void plain_product(index m, index n, index k, const Strided<const T>& a, const Strided<const T>& b, T* c) {
    const index grain = std::max<index>(1, (index{1} << 14) / std::max<index>(1, n * k));
    for_each_chunk(divide_up(m, grain), static_cast<double>(m) * static_cast<double>(n * k), [&](index chunk) {
        for (index i = chunk * grain, end = std::min(m, i + grain); i < end; ++i)
            for (index l = 0; l < k; ++l) {
                const T factor = a.data[i * a.rows + l * a.columns];
                const T* const row = b.data + l * b.rows;
                T* const to = c + i * n;
                if (b.columns == 1)
                    for (index j = 0; j < n; ++j) to[j] = static_cast<T>(to[j] + factor * row[j]);
                else
                    for (index j = 0; j < n; ++j) to[j] = static_cast<T>(to[j] + factor * row[j * b.columns]);
            }
    });
}

template <class T>
T dot_run(const T* a, const T* b, index n) {
    constexpr index w = lanes<T>;
    Packet<T> s[4] = {splat(T{}), splat(T{}), splat(T{}), splat(T{})};
    index i = 0;
    for (; i + 4 * w <= n; i += 4 * w)
        for (index u = 0; u < 4; ++u) s[u] = multiply_add(load_packet(a + i + u * w), load_packet(b + i + u * w), s[u]);
    for (; i + w <= n; i += w) s[0] = multiply_add(load_packet(a + i), load_packet(b + i), s[0]);
    if constexpr (w > 1)
        if (i < n) s[1] = multiply_add(load_first(a + i, n - i, T{}), load_first(b + i, n - i, T{}), s[1]);
    return sum_lanes<T>(Packet<T>((s[0] + s[1]) + (s[2] + s[3])));
}

/// y += sum of four columns of a times four numbers.
template <class T>
void add_columns(T* y, const T* const* column, const T* factor, index n) {
    constexpr index w = lanes<T>;
    const Packet<T> f[4] = {splat(factor[0]), splat(factor[1]), splat(factor[2]), splat(factor[3])};
    index i = 0;
    for (; i + w <= n; i += w) {
        Packet<T> s = load_packet(y + i);
        for (index u = 0; u < 4; ++u) s = multiply_add(load_packet(column[u] + i), f[u], s);
        store_packet(y + i, s);
    }
    for (; i < n; ++i) {
        T s = y[i];
        for (index u = 0; u < 4; ++u) s += column[u][i] * factor[u];
        y[i] = s;
    }
}

/// y += a x for contiguous x and y.
template <class T>
void matrix_vector(index m, index k, const Strided<const T>& a, const T* x, T* y) {
    const bool by_rows = a.columns == 1;
    const index grain = by_rows ? std::max<index>(1, (index{1} << 15) / k) : 1024;
    for_each_chunk(divide_up(m, grain),
                   static_cast<double>(m) * static_cast<double>(k * static_cast<index>(sizeof(T))) * 0.08,
                   [&](index chunk) {
                       const index begin = chunk * grain, n = std::min(grain, m - begin);
                       if (by_rows) {
                           for (index i = begin; i < begin + n; ++i) y[i] += dot_run(a.data + i * a.rows, x, k);
                           return;
                       }
                       for (index l = 0; l < k; l += 4) {
                           const T* column[4];
                           T factor[4];
                           for (index u = 0; u < 4; ++u) {
                               column[u] = a.data + begin + std::min(l + u, k - 1) * a.columns;
                               factor[u] = l + u < k ? x[l + u] : T{};
                           }
                           add_columns(y + begin, column, factor, n);
                       }
                   });
}

/// c (+)= a b for a [m, k], b [k, n] and contiguous c [m, n]. The order of summation follows from the shapes,
/// and from the zeros where one operand is nearly all zeros.
template <class T>
void product(index m, index n, index k, const Strided<const T>& a, const Strided<const T>& b, T* c, Into into) {
    if constexpr (has_micro_kernel<T>) {
        if (m > 1 && n > 1 && k > 0 && m * n * k >= 64) {
            if (Scratch<T>::rounded(n * k) + m * k <= small_bytes / static_cast<index>(sizeof(T)) && m * n <= 4096)
                return small_product(m, n, k, a, b, c, into);
            if constexpr (std::is_floating_point_v<T>)
                if (product_with_zeros(m, n, k, a, b, c, into)) return;
            return blocked_product(m, n, k, a, b, c, into);
        }
    }
    if (into == Into::replace) std::fill_n(c, m * n, T{});
    if (m == 0 || n == 0 || k == 0) return;
    if constexpr (has_micro_kernel<T>) {
        if (n == 1) return matrix_vector(m, k, a, b.data, c);
        if (m == 1) return matrix_vector(n, k, b.transposed(), a.data, c);
    }
    plain_product(m, n, k, a, b, c);
}

} // namespace weft::inline WEFT_ABI::detail
