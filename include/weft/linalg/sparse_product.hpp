// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>
#include <weft/core/kernel.hpp>
#include <weft/core/tensor.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>

/// Products with a matrix that is stored dense but is nearly all zeros, as bags of words and one-hot codes are.
namespace weft::inline WEFT_ABI::detail {

/// A matrix of which one stride is 1 (the other is free), element (i, j) at data[i * rows + j * columns].
template <class T>
struct Strided {
    T* data;
    index rows;
    index columns;
    Strided transposed() const { return {data, columns, rows}; }
};

/// Whether results are added to c or replace it.
enum class Into { replace, add };

/// Whether at most 1/16 of the elements are not zero, by 256 samples; of a dense matrix it looks at few of them.
template <class T>
bool seems_sparse(const T* x, index size) {
    int nonzero = 0;
    for (std::uint64_t s = 1; s <= 256 && nonzero <= 16; ++s) {
        // Multiples of the golden ratio, modulo 1: evenly spread, and in step with no row length.
        const double place = static_cast<double>(s * 0x9E3779B97F4A7C15u >> 11) * 0x1p-53;
        nonzero += x[static_cast<index>(place * static_cast<double>(size))] != T{};
    }
    return nonzero <= 16;
}

/// Places of what is not zero (NaN is not) in a short run, in order. `at` has room for the whole run.
template <class T>
index find_nonzeros(const T* x, index n, std::int32_t* at) {
    constexpr index w = lanes<T>, step = 64;
    index count = 0, i = 0;
    for (; i + step <= n; i += step) {
        std::uint64_t bits = 0;
        for (index u = 0; u < step; u += w) bits |= std::uint64_t{nonzero_lanes<T>(load_packet(x + i + u))} << u;
        for (; bits != 0; bits &= bits - 1) at[count++] = static_cast<std::int32_t>(i + std::countr_zero(bits));
    }
    for (; i < n; ++i) {
        at[count] = static_cast<std::int32_t>(i);
        count += x[i] != T{};
    }
    return count;
}

/// to[0:B packets] += sum over the entries e of x[e] * row at[e] of d.
template <int B, class T>
WEFT_ALWAYS_INLINE void add_rows(T* to, const T* x, const std::int32_t* at, index count, const T* d, index ld) {
    Packet<T> sum[B];
    for (int u = 0; u < B; ++u) sum[u] = load_packet(to + u * lanes<T>);
    for (index e = 0; e < count; ++e) {
        const Packet<T> factor = splat(x[e]);
        for (int u = 0; u < B; ++u) sum[u] = multiply_add(factor, load_packet(d + at[e] * ld + u * lanes<T>), sum[u]);
    }
    for (int u = 0; u < B; ++u) store_packet(to + u * lanes<T>, sum[u]);
}

/// d[0:k, 0:n] in rows of `ld`, filled up with zeros; whether all of it is finite.
template <class T>
bool copy_finite_rows(const Strided<const T>& d, index k, index n, T* to, index ld) {
    constexpr index grain = 256;
    std::atomic<bool> finite{true};
    for_each_chunk((k + grain - 1) / grain, static_cast<double>(k * n) * 0.5, [&](index chunk) {
        T distance{}; // a difference of a number with itself is 0, but NaN where it is not finite
        for (index l = chunk * grain, end = std::min(k, l + grain); l < end; ++l) {
            T* const row = to + l * ld;
            for (index j = 0; j < n; ++j) {
                row[j] = d.data[l * d.rows + j * d.columns];
                distance += row[j] - row[j];
            }
            std::fill(row + n, row + ld, T{});
        }
        if (!(distance == T{})) finite.store(false, std::memory_order_relaxed);
    });
    return finite.load(std::memory_order_relaxed);
}

/// What is not zero in a matrix [rows, columns] that is stored dense, row by row. Empty when it is not sparse.
template <class T>
class Nonzeros {
public:
    Nonzeros() = default;
    explicit operator bool() const { return ends_.size() > 0; }

    /// Errs on the side of "not sparse": matrices of less than 2^16 elements, or with more than 1/8 of some 32 rows.
    static Nonzeros find(const T* x, index rows, index columns) {
        Nonzeros found;
        if (rows * columns < least_size || !seems_sparse(x, rows * columns)) return found;
        found.rows_ = rows;
        found.columns_ = columns;
        const index chunks = (rows + grain - 1) / grain, room = found.room();
        found.places_ = Tensor<std::int32_t, 1>::empty({chunks * room});
        found.values_ = Tensor<T, 1>::empty({chunks * room});
        found.ends_ = Tensor<std::int32_t, 1>::empty({rows});
        std::int32_t *const places = found.places_.mutable_data(), *const ends = found.ends_.mutable_data();
        T* const values = found.values_.mutable_data();
        std::atomic<bool> fits{true};
        for_each_chunk(chunks, static_cast<double>(rows * columns) * 0.3, [&](index chunk) {
            std::array<std::int32_t, piece> at;
            std::int32_t* const place = places + chunk * room;
            T* const value = values + chunk * room;
            index count = 0;
            for (index i = chunk * grain, end = std::min(rows, i + grain); i < end; ++i) {
                for (index l = 0; l < columns; l += piece) {
                    const T* const from = x + i * columns + l;
                    const index more = find_nonzeros(from, std::min(piece, columns - l), at.data());
                    if (count + more > room) return fits.store(false, std::memory_order_relaxed);
                    for (index e = 0; e < more; ++e, ++count) {
                        const std::int32_t j = at[static_cast<std::size_t>(e)];
                        place[count] = static_cast<std::int32_t>(l) + j;
                        value[count] = from[j];
                    }
                }
                ends[i] = static_cast<std::int32_t>(count);
            }
        });
        return fits.load(std::memory_order_relaxed) ? found : Nonzeros();
    }

    /// c (+)= s d, or s^T d when `transposed`, where s is this matrix; d and c have n columns. Returns false and does
    /// nothing when d is not all finite, since 0 times infinity is NaN. The order of summation does not depend on the
    /// number of threads.
    bool multiply(bool transposed, const Strided<const T>& d, index n, const Strided<T>& c, Into into) const {
        const index ld = (n + w - 1) / w * w;
        Scratch<T> rows_of_d((transposed ? rows_ : columns_) * ld);
        T* const from = rows_of_d.data();
        if (!copy_finite_rows(d, transposed ? rows_ : columns_, n, from, ld)) return false;
        const auto write = [&](index i, const T* row) {
            T* const to = c.data + i * c.rows;
            if (into == Into::add)
                for (index j = 0; j < n; ++j) to[j * c.columns] += row[j];
            else
                for (index j = 0; j < n; ++j) to[j * c.columns] = row[j];
        };
        const double nanoseconds = static_cast<double>(rows_ * columns_) * static_cast<double>(n) * 0.002;
        if (!transposed) {
            for_each_chunk((rows_ + grain - 1) / grain, nanoseconds, [&](index chunk) {
                Scratch<T> sums(ld);
                T* const sum = sums.data();
                for (index i = chunk * grain, end = std::min(rows_, i + grain); i < end; ++i) {
                    std::fill_n(sum, ld, T{});
                    const auto [first, count] = row(i);
                    const T* const x = values_.data() + first;
                    const std::int32_t* const at = places_.data() + first;
                    index j = 0;
                    for (; j + 4 * w <= ld; j += 4 * w) add_rows<4>(sum + j, x, at, count, from + j, ld);
                    for (; j < ld; j += w) add_rows<1>(sum + j, x, at, count, from + j, ld);
                    write(i, sum);
                }
            });
            return true;
        }
        // A task owns some rows of c, and looks through all rows of s for its share of them.
        const index tasks = (columns_ + piece - 1) / piece, width = (columns_ + tasks - 1) / tasks;
        for_each_chunk(tasks, nanoseconds, [&](index task) {
            const index begin = task * width, end = std::min(columns_, begin + width);
            if (begin >= end) return;
            Scratch<T> sums((end - begin) * ld);
            T* const sum = sums.data();
            std::fill_n(sum, (end - begin) * ld, T{});
            for (index i = 0; i < rows_; ++i) {
                const auto [first, count] = row(i);
                const std::int32_t* const at = places_.data() + first;
                for (index e = std::lower_bound(at, at + count, begin) - at; e < count && at[e] < end; ++e) {
                    const Packet<T> factor = splat(values_.data()[first + e]);
                    T* const to = sum + (at[e] - begin) * ld;
                    for (index j = 0; j < ld; j += w)
                        store_packet(to + j, multiply_add(factor, load_packet(from + i * ld + j), load_packet(to + j)));
                }
            }
            for (index i = begin; i < end; ++i) write(i, sum + (i - begin) * ld);
        });
        return true;
    }

private:
    static constexpr index w = lanes<T>, piece = 256, grain = 32, least_size = index{1} << 16;

    index room() const { return grain * columns_ / 8; }
    /// Where the entries of row i begin, and how many there are.
    std::pair<index, index> row(index i) const {
        const index begin = i % grain == 0 ? 0 : ends_.data()[i - 1];
        return {i / grain * room() + begin, ends_.data()[i] - begin};
    }

    index rows_ = 0;
    index columns_ = 0;
    // Each 32 rows have room for the same number of entries; `ends` counts within them.
    Tensor<std::int32_t, 1> places_;
    Tensor<T, 1> values_;
    Tensor<std::int32_t, 1> ends_;
};

/// c (+)= a b where one of them is large and nearly all zeros; false when that is not so, or does not help.
template <class T>
bool product_with_zeros(index m, index n, index k, const Strided<const T>& a, const Strided<const T>& b, T* c,
                        Into into) {
    const Strided<T> result{c, n, 1};
    if (n >= 4 && 2 * k * n <= m * k && a.rows * a.columns == (a.columns == 1 ? k : m)) {
        const bool transposed = a.columns != 1;
        if (const auto s = Nonzeros<T>::find(a.data, transposed ? k : m, transposed ? m : k))
            return s.multiply(transposed, b, n, result, into);
    }
    if (m >= 4 && 2 * m * k <= k * n && b.rows * b.columns == (b.columns == 1 ? n : k)) {
        const bool by_rows = b.columns == 1; // c^T = b^T a^T
        if (const auto s = Nonzeros<T>::find(b.data, by_rows ? k : n, by_rows ? n : k))
            return s.multiply(by_rows, a.transposed(), m, result.transposed(), into);
    }
    return false;
}

} // namespace weft::inline WEFT_ABI::detail
