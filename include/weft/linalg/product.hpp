// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>
#include <weft/linalg/product_tile.hpp>
#include <weft/linalg/sparse_product.hpp>

#include <complex>

/// Products of strided matrices. What is added in which order follows from the shapes alone.
namespace weft::inline WEFT_ABI::detail {

/// `size` in equal parts of at most `limit`, each but the last a multiple of `unit` long.
constexpr index block_length(index size, index limit, index unit) {
    return divide_up(divide_up(size, divide_up(size, limit)), unit) * unit;
}

/// The right operand b [k, n] in panels as wide as a tile: its own rows, or copies in one piece.
template <class T>
class Panels {
    using Tile = ProductTile<T>;

public:
    /// `uses`: rows of the left operand.
    Panels(const Strided<const T>& b, index n, index k, index uses) : b_(b), n_(n), k_(k) {
        // Rows near one another, or of few uses, are read as they lie, but not beyond their end.
        const bool near = b.rows * static_cast<index>(sizeof(T)) <= 1024 || uses <= Tile::rows;
        if (b.columns == 1 && near) first_packed_ = n % lanes<T> == 0 ? count() : n / Tile::columns;
    }
    index count() const { return divide_up(n_, Tile::columns); }
    index first_packed() const { return first_packed_; }
    /// Elements of the copies.
    index packed_size() const { return (count() - first_packed_) * Tile::columns * k_; }
    /// Copies rows k0 to k0 + depth of a panel; `packed` has packed_size() elements.
    void pack(T* packed, index panel, index k0, index depth) const {
        const Strided<const T> from{b_.data + k0 * b_.rows + panel * Tile::columns * b_.columns, b_.rows, b_.columns};
        pack_panel(packed + offset(panel, k0), from, depth, columns(panel), packed_columns(panel));
    }
    /// c (+)= a b with m rows of a and rows k0 to k0 + depth of a panel, to the panel's columns of c [m, n]; or
    /// c = a b + row [n], if there is one.
    void multiply(const T* packed, index panel, index k0, index depth, index m, const Strided<const T>& a, T* c,
                  Into into, const T* row = nullptr) const {
        const bool direct = panel < first_packed_;
        const T* const from = direct ? b_.data + k0 * b_.rows + panel * Tile::columns : packed + offset(panel, k0);
        const index ld = direct ? b_.rows : packed_columns(panel);
        T* const to = c + panel * Tile::columns;
        typename Tile::Addend addend;
        if (row)
            addend = {row + panel * Tile::columns, 0};
        else if (into == Into::add)
            addend = {to, n_};
        Tile::multiply_rows(m, columns(panel), depth, a, from, ld, to, n_, addend);
    }

private:
    index columns(index panel) const { return std::min(Tile::columns, n_ - panel * Tile::columns); }
    index packed_columns(index panel) const { return divide_up(columns(panel), lanes<T>) * lanes<T>; }
    index offset(index panel, index k0) const { return ((panel - first_packed_) * k_ + k0) * Tile::columns; }

    Strided<const T> b_;
    index n_;
    index k_;
    index first_packed_ = 0; ///< from this panel on they are copies
};

/// to[0:n] += from[0:n]
template <class T>
WEFT_ALWAYS_INLINE void add_run(T* to, const T* from, index n) {
    index i = 0;
    if constexpr (lanes < T >> 1)
        for (; i + lanes<T> <= n; i += lanes<T>)
            store_packet(to + i, Packet<T>(load_packet(to + i) + load_packet(from + i)));
    for (; i < n; ++i) to[i] = static_cast<T>(to[i] + from[i]);
}
/// c [m, n] += row [n] in every row, if there is one.
template <class T>
void add_row(T* c, const T* row, index m, index n) {
    if (!row) return;
    for (index i = 0; i < m; ++i) add_run(c + i * n, row, n);
}

/// c (+)= a b in blocks; or c = a b + row [n], if there is one, in every row. All threads copy what must be copied of
/// b; a is read as it lies.
template <class T>
void blocked_product(index m, index n, index k, const Strided<const T>& a, const Strided<const T>& b, T* c, Into into,
                     const T* row = nullptr) {
    using Tile = ProductTile<T>;
    const double nanoseconds =
        static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) * (sizeof(T) <= 4 ? 0.01 : 0.02) +
        static_cast<double>(m * n + m * k + k * n) * 0.1;
    const index length_m = block_length(m, nanoseconds < 20e3 ? m : 40 * Tile::rows, Tile::rows);
    const index count_m = divide_up(m, length_m), count_n = divide_up(n, Tile::columns);

    // Few tasks and a long sum: its parts one beside the other.
    const index parts = count_m * count_n < 8 ? std::clamp<index>(k / 1024, 1, 16) : 1;
    if (parts > 1) {
        const index length = divide_up(k, parts);
        Scratch<T> partial(parts * m * n);
        T* const sums = partial.data();
        for_each_chunk(parts, nanoseconds, [&](index part) {
            const index k0 = part * length;
            blocked_product(m, n, std::min(length, k - k0), {a.data + k0 * a.columns, a.rows, a.columns},
                            {b.data + k0 * b.rows, b.rows, b.columns}, sums + part * m * n, Into::replace);
        });
        if (into == Into::replace) std::fill_n(c, m * n, T{});
        for (index part = 0; part < parts; ++part) add_run(c, sums + part * m * n, m * n);
        return add_row(c, row, m, n);
    }

    constexpr index panel_elements = (index{2} << 20) / static_cast<index>(sizeof(T));
    const index length_k = std::min(Tile::depth, k);
    const index panel_k = std::max<index>(1, panel_elements / (n * length_k)) * length_k;
    const bool wide = count_m < 8; // few rows: the columns are spread over the threads too
    for (index p0 = 0; p0 < k; p0 += panel_k) {
        const index height = std::min(panel_k, k - p0), count_k = divide_up(height, length_k);
        const Panels<T> panels({b.data + p0 * b.rows, b.rows, b.columns}, n, height, m);
        Scratch<T> packed(panels.packed_size());
        for_each_chunk((count_n - panels.first_packed()) * count_k,
                       nanoseconds < 20e3 ? 0.0 : static_cast<double>(panels.packed_size()) * 0.3, [&](index chunk) {
                           const index k0 = chunk % count_k * length_k;
                           panels.pack(packed.data(), panels.first_packed() + chunk / count_k, k0,
                                       std::min(length_k, height - k0));
                       });
        for_each_chunk(count_m * (wide ? count_n : 1), nanoseconds, [&](index task) {
            const index m0 = (wide ? task / count_n : task) * length_m, rows = std::min(length_m, m - m0);
            const index first = wide ? task % count_n : 0, last = wide ? first + 1 : count_n;
            for (index k0 = 0; k0 < height; k0 += length_k) {
                const index depth = std::min(length_k, height - k0);
                const bool begins = p0 == 0 && k0 == 0;
                // Of short sums as many panels as the cache holds together, so that rows of c are written in long runs.
                const index group = std::clamp<index>(Tile::depth / depth, 1, last - first);
                const index step = group > 1 ? Tile::rows : rows;
                for (index begin = first; begin < last; begin += group)
                    for (index i = 0; i < rows; i += step)
                        for (index panel = begin; panel < std::min(last, begin + group); ++panel)
                            panels.multiply(packed.data(), panel, k0, depth, std::min(step, rows - i),
                                            {a.data + (m0 + i) * a.rows + (p0 + k0) * a.columns, a.rows, a.columns},
                                            c + (m0 + i) * n, begins ? into : Into::add, begins ? row : nullptr);
            }
        });
    }
}

/// The same for operands so small that the copy of b fits on the stack.
inline constexpr index small_bytes = 16 * 1024;
template <class T>
WEFT_NOINLINE void small_product(index m, index n, index k, const Strided<const T>& a, const Strided<const T>& b, T* c,
                                 Into into) {
    alignas(64) std::byte memory[static_cast<std::size_t>(small_bytes)];
    T* const packed = reinterpret_cast<T*>(memory);
    const Panels<T> panels(b, n, k, m);
    for (index panel = 0; panel < panels.count(); ++panel) {
        if (panel >= panels.first_packed()) panels.pack(packed, panel, 0, k);
        panels.multiply(packed, panel, 0, k, m, a, c, into);
    }
}

/// c (+)= a b by products of the real and imaginary parts.
template <class T>
void complex_product(index m, index n, index k, const Strided<const std::complex<T>>& a,
                     const Strided<const std::complex<T>>& b, std::complex<T>* c, Into into) {
    const auto part = [](const Strided<const std::complex<T>>& x, index which) {
        return Strided<const T>{reinterpret_cast<const T*>(x.data) + which, 2 * x.rows, 2 * x.columns};
    };
    Scratch<T> planes(3 * Scratch<T>::rounded(m * n));
    T *const real = planes.take(m * n), *const opposite = planes.take(m * n), *const imaginary = planes.take(m * n);
    blocked_product(m, n, k, part(a, 0), part(b, 0), real, Into::replace);
    blocked_product(m, n, k, part(a, 1), part(b, 1), opposite, Into::replace);
    blocked_product(m, n, k, part(a, 0), part(b, 1), imaginary, Into::replace);
    blocked_product(m, n, k, part(a, 1), part(b, 0), imaginary, Into::add);
    for (index i = 0; i < m * n; ++i) {
        const std::complex<T> value(real[i] - opposite[i], imaginary[i]);
        c[i] = into == Into::add ? c[i] + value : value;
    }
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

/// c (+)= a b for a [m, k], b [k, n] and contiguous c [m, n]; or c = a b + row [n], if there is one, in every row. The
/// order of summation follows from the shapes, and from the zeros where one operand is nearly all zeros.
template <class T>
void product(index m, index n, index k, const Strided<const T>& a, const Strided<const T>& b, T* c, Into into,
             const T* row = nullptr) {
    constexpr bool real = std::is_same_v<T, float> || std::is_same_v<T, double>;
    constexpr bool complex = std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;
    if (m > 1 && n > 1 && k > 0 && m * n * k >= 64) {
        if constexpr (real) {
            constexpr index small = small_bytes / static_cast<index>(sizeof(T));
            if (k * divide_up(n, ProductTile<T>::columns) * ProductTile<T>::columns <= small && m * n <= 4096 &&
                m * k <= 4096)
                small_product(m, n, k, a, b, c, into);
            else if (!product_with_zeros(m, n, k, a, b, c, into))
                return blocked_product(m, n, k, a, b, c, into, row);
            return add_row(c, row, m, n);
        }
        if constexpr (complex) {
            complex_product(m, n, k, a, b, c, into);
            return add_row(c, row, m, n);
        }
    }
    if (into == Into::replace) std::fill_n(c, m * n, T{});
    add_row(c, row, m, n);
    if (m == 0 || n == 0 || k == 0) return;
    if constexpr (real || complex) {
        if (n == 1) return matrix_vector(m, k, a, b.data, c);
        if (m == 1) return matrix_vector(n, k, b.transposed(), a.data, c);
    }
    plain_product(m, n, k, a, b, c);
}

} // namespace weft::inline WEFT_ABI::detail
