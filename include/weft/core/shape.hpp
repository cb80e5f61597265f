// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/index.hpp>
#include <weft/fwd.hpp>

#include <array>
#include <limits>
#include <span>
#include <string>

namespace weft::inline WEFT_ABI {

/// The highest rank of a tensor.
inline constexpr int max_rank = 8;

/// Static knowledge about extents: `Shape<dyn, 3>` is any number of rows of three.
template <index... E>
struct Shape {
    static constexpr int rank = sizeof...(E);
    static constexpr std::array<index, sizeof...(E)> extents{E...};
};

/// Run-time extents, one per axis, outermost first.
template <int N>
using Extents = std::array<index, static_cast<std::size_t>(N)>;

namespace detail {

inline std::string shape_text(std::span<const index> extents) {
    std::string text = "[";
    for (std::size_t i = 0; i < extents.size(); ++i) text += (i ? ", " : "") + std::to_string(extents[i]);
    return text + "]";
}

/// Product of the extents; throws when an extent is negative or the product does not fit.
inline index checked_size(std::span<const index> extents, const char* operation) {
    index size = 1;
    bool empty = false;
    for (const index e : extents) {
        if (e < 0) throw error(operation, "shape {}: extents must not be negative", shape_text(extents));
        empty = empty || e == 0;
        if (e != 0 && size > std::numeric_limits<index>::max() / 64 / e)
            throw error(operation, "shape {}: too many elements", shape_text(extents));
        if (e != 0) size *= e;
    }
    return empty ? 0 : size;
}

template <std::size_t N>
constexpr index product(const std::array<index, N>& extents) {
    index size = 1;
    for (const index e : extents) size *= e;
    return size;
}

template <std::size_t N>
constexpr std::array<index, N> contiguous_strides(const std::array<index, N>& extents) {
    std::array<index, N> strides{};
    index step = 1;
    for (std::size_t i = N; i-- > 0;) {
        strides[i] = step;
        step *= extents[i];
    }
    return strides;
}

/// Whether elements lie in row-major order without gaps; strides of axes of extent 1 do not matter.
template <std::size_t N>
constexpr bool is_contiguous(const std::array<index, N>& extents, const std::array<index, N>& strides) {
    index step = 1;
    for (std::size_t i = N; i-- > 0; step *= extents[i])
        if (extents[i] != 1 && strides[i] != step) return product(extents) == 0;
    return true;
}

} // namespace detail

/// NumPy broadcasting of two shapes, aligned at the last axis: equal extents, or one of them 1.
template <std::size_t A, std::size_t B>
WEFT_NOINLINE constexpr std::array<index, (A > B ? A : B)>
broadcast_shapes(const std::array<index, A>& a, const std::array<index, B>& b, const char* operation) {
    constexpr std::size_t N = A > B ? A : B;
    std::array<index, N> out{};
    for (std::size_t i = 0; i < N; ++i) {
        const index x = i + A >= N ? a[i + A - N] : 1;
        const index y = i + B >= N ? b[i + B - N] : 1;
        if (x != y && x != 1 && y != 1)
            throw error(operation, "a is {}, b is {}: extents {} and {} of axis {} must be equal or 1",
                        detail::shape_text(a), detail::shape_text(b), x, y, i);
        out[i] = x == 1 ? y : x;
    }
    return out;
}

/// Broadcasting of the rows of nodes and edges: aligned at the first axis, so that one value per head ([H]) goes with a
/// row per head ([H, C]), and a number per edge with everything.
template <std::size_t A, std::size_t B>
WEFT_NOINLINE constexpr std::array<index, (A > B ? A : B)>
broadcast_rows(const std::array<index, A>& a, const std::array<index, B>& b, const char* operation) {
    std::array<index, (A > B ? A : B)> out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (i < A && i < B && a[i] != b[i])
            throw error(operation, "row of a is {}, row of b is {}: extents {} and {} of row axis {} must be equal",
                        detail::shape_text(a), detail::shape_text(b), a[i], b[i], i);
        out[i] = i < A ? a[i] : b[i];
    }
    return out;
}

/// Axis counted from the end when negative; throws when out of range.
inline int normalize_axis(int axis, int rank, const char* operation) {
    if (axis < -rank || axis >= rank) throw error(operation, "axis {} is out of range for rank {}", axis, rank);
    return axis < 0 ? axis + rank : axis;
}

} // namespace weft::inline WEFT_ABI
