// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>
#include <weft/core/transpose_block.hpp>

namespace weft::inline WEFT_ABI::detail {

/// A row-major copy of a view whose elements are neighbours along another axis than the last: both sides are read and
/// written in whole packets, tile by tile. One element after the other, each would come from a cache line of its own.
template <class T>
class TransposedCopy {
    // A square of so many elements lies in the first-level cache, with its transpose.
    static constexpr index edge = index{256} / static_cast<index>(sizeof(T));

public:
    /// Of a view with these extents and strides.
    TransposedCopy(std::span<const index> extents, const index* strides)
        : it_(extents, std::span<const index* const>(&strides, 1)) {
        if constexpr (transposes_packets<T>) {
            const int last = it_.rank - 1;
            if (last < 1 || it_.extents[last] < quad<T> || it_.strides[0][last] < 2) return;
            for (int a = 0; a < last; ++a)
                if (it_.strides[0][a] == 1 && it_.extents[a] >= quad<T>) axis_ = a;
        }
    }
    /// Whether the view is one.
    explicit operator bool() const { return axis_ >= 0; }
    index size() const { return it_.size; }

    /// Copies the view that begins at `from`.
    void operator()(const T* from, T* to) const {
        const int last = it_.rank - 1;
        const index rows = it_.extents[last], columns = it_.extents[axis_], row = it_.strides[0][last];
        index column = 1; // from one to the next in the copy
        for (int a = axis_ + 1; a <= last; ++a) column *= it_.extents[a];
        const index height = std::min(rows, edge), width = std::min(columns, 4 * edge * edge / height);
        const index down = (rows + height - 1) / height, across = (columns + width - 1) / width;
        const index others = it_.size / (rows * columns);
        for_each_chunk(others * down * across, 0.5 * static_cast<double>(it_.size), [&](index task) {
            const index r = task % down * height, c = task / down % across * width;
            index begin = 0, end = 0; // of the matrix, in the view and in the copy
            index other = task / (down * across), step = 1;
            for (int a = last; a >= 0; step *= it_.extents[a], --a) {
                if (a == last || a == axis_) continue;
                begin += other % it_.extents[a] * it_.strides[0][a];
                end += other % it_.extents[a] * step;
                other /= it_.extents[a];
            }
            for (index k = c; k < std::min(columns, c + width); k += edge)
                transpose_block(from + begin + r * row + k, row, std::min(height, rows - r),
                                std::min(edge, std::min(columns, c + width) - k), to + end + k * column + r, column);
        });
    }

private:
    Iteration it_;
    int axis_ = -1; // along which elements are neighbours
};

/// Has an operand that is such a view, and not small, read from a copy of it.
template <class T>
WEFT_NOINLINE void copy_transposed(Operand<T>& o) {
    if (o.rank < 2 || o.read || o.strides[o.rank - 1] < 2) return;
    const TransposedCopy<T> copy({o.extents, static_cast<std::size_t>(o.rank)}, o.strides);
    if (!copy || copy.size() < 1024) return;
    // Not where elements are there several times (broadcast, windows that overlap), which may take any memory.
    const std::size_t bytes = static_cast<std::size_t>(copy.size()) * sizeof(T);
    if (bytes > o.storage.bytes()) return;
    Storage memory = Storage::allocate(bytes);
    copy(reinterpret_cast<const T*>(o.data), reinterpret_cast<T*>(memory.data()));
    o.data = memory.data();
    o.storage = std::move(memory);
    index step = 1;
    for (int a = o.rank; a-- > 0; step *= o.extents[a]) o.strides[a] = step;
}

} // namespace weft::inline WEFT_ABI::detail
