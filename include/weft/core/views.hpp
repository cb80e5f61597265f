// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>

#include <optional>

/// Other windows on the same elements: no copy, O(1). Expressions are evaluated first. A view of a Var is a Var, so
/// gradients flow through. Axes count from the end when negative.
namespace weft::inline WEFT_ABI {

namespace detail {

/// Begin and length of a slice as in Python: negative positions count from the end, positions beyond are clipped.
inline std::pair<index, index> slice_bounds(index extent, index begin, index end, index step) {
    const auto clip = [extent](index at) { return std::clamp<index>(at < 0 ? at + extent : at, 0, extent); };
    begin = clip(begin);
    end = clip(end);
    return {begin, end > begin ? (end - begin - 1) / step + 1 : 0};
}

} // namespace detail

/// The end of an axis, for `slice`.
inline constexpr index to_end = std::numeric_limits<index>::max();

/// The axes in another order: axis k of the result is axis order[k] of x. A view; where neighbours in memory end up
/// along another axis than the last, an expression that reads it makes a copy first, in tiles. Errors: not every axis
/// once.
template <Expression E>
auto permute(const E& e, const std::array<int, static_cast<std::size_t>(E::rank)>& order) {
    const auto x = eval(e);
    const auto from = x.strides();
    Extents<E::rank> extents{}, strides{};
    std::array<bool, static_cast<std::size_t>(E::rank)> seen{};
    for (std::size_t k = 0; k < order.size(); ++k) {
        const auto axis = static_cast<std::size_t>(normalize_axis(order[k], E::rank, "permute"));
        if (seen[axis]) throw error("permute", "axis {} is named twice: every axis must be named once", axis);
        seen[axis] = true;
        extents[k] = x.shape()[axis];
        strides[k] = from[axis];
    }
    return x.template window<E::rank>(0, extents, strides);
}

/// Two axes exchanged, by default the last two. Errors: no such axis.
template <Expression E>
requires(E::rank >= 1) auto transpose(const E& e, int axis_a = -2, int axis_b = -1) {
    const auto a = static_cast<std::size_t>(normalize_axis(axis_a, E::rank, "transpose"));
    const auto b = static_cast<std::size_t>(normalize_axis(axis_b, E::rank, "transpose"));
    std::array<int, static_cast<std::size_t>(E::rank)> order{};
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<int>(k);
    std::swap(order[a], order[b]);
    return permute(e, order);
}

/// The positions begin, begin + step, ... below `end` of one axis, as Python's x[begin:end:step]: negative positions
/// count from the end, positions beyond the axis are clipped. Errors: no such axis, a step below 1.
template <Expression E>
requires(E::rank >= 1) auto slice(const E& e, int axis, index begin, index end = to_end, index step = 1) {
    const auto x = eval(e);
    const auto a = static_cast<std::size_t>(normalize_axis(axis, E::rank, "slice"));
    if (step < 1) throw error("slice", "the step is {}: it must be positive", step);
    auto extents = x.shape();
    auto strides = x.strides();
    const auto [first, length] = detail::slice_bounds(extents[a], begin, end, step);
    const index offset = length > 0 ? first * strides[a] : 0;
    extents[a] = length;
    if (length > 1) strides[a] *= step;
    return x.template window<E::rank>(offset, extents, strides);
}

/// One axis backwards. Errors: no such axis.
template <Expression E>
requires(E::rank >= 1) auto flip(const E& e, int axis) {
    const auto x = eval(e);
    const auto a = static_cast<std::size_t>(normalize_axis(axis, E::rank, "flip"));
    auto strides = x.strides();
    const index offset = x.size() > 0 ? (x.shape()[a] - 1) * strides[a] : 0;
    strides[a] = -strides[a];
    return x.template window<E::rank>(offset, x.shape(), strides);
}

/// Position i of one axis; the axis vanishes. Errors: no such axis or position.
template <Expression E>
requires(E::rank >= 1) auto select_index(const E& e, int axis, index i) {
    const auto x = eval(e);
    const auto a = static_cast<std::size_t>(normalize_axis(axis, E::rank, "select_index"));
    const index n = x.shape()[a];
    if (i < -n || i >= n)
        throw error("select_index", "{} is out of range in axis {} of shape {}", i, a, detail::shape_text(x.shape()));
    Extents<E::rank - 1> extents{}, strides{};
    const auto from = x.strides();
    for (std::size_t k = 0; k < extents.size(); ++k) {
        extents[k] = x.shape()[k + (k >= a ? 1 : 0)];
        strides[k] = from[k + (k >= a ? 1 : 0)];
    }
    return x.template window<E::rank - 1>((i < 0 ? i + n : i) * from[a], extents, strides);
}

/// A new axis of extent 1, which becomes axis `axis` of the result. Errors: no such axis.
template <Expression E>
auto unsqueeze(const E& e, int axis) {
    const auto x = eval(e);
    const auto a = static_cast<std::size_t>(normalize_axis(axis, E::rank + 1, "unsqueeze"));
    Extents<E::rank + 1> extents{}, strides{};
    const auto from = x.strides();
    for (std::size_t k = 0; k < extents.size(); ++k) {
        extents[k] = k == a ? 1 : x.shape()[k - (k > a ? 1 : 0)];
        strides[k] = k == a ? 1 : from[k - (k > a ? 1 : 0)];
    }
    return x.template window<E::rank + 1>(0, extents, strides);
}

/// Without the axis `axis`. Errors: no such axis, its extent is not 1.
template <Expression E>
requires(E::rank >= 1) auto squeeze(const E& e, int axis) {
    const auto x = eval(e);
    const auto a = normalize_axis(axis, E::rank, "squeeze");
    if (x.extent(a) != 1) throw error("squeeze", "axis {} of shape {} must be 1", a, detail::shape_text(x.shape()));
    return select_index(x, a, 0);
}

/// x repeated along new leading axes and along axes of extent 1. Errors: the shapes do not broadcast.
template <Expression E, std::size_t M>
requires(M >= static_cast<std::size_t>(E::rank)) auto broadcast_to(const E& e, const std::array<index, M>& extents) {
    const auto x = eval(e);
    detail::checked_size(extents, "broadcast_to");
    constexpr std::size_t lead = M - static_cast<std::size_t>(E::rank);
    const auto from = x.strides();
    std::array<index, M> strides{};
    for (std::size_t k = lead; k < M; ++k) {
        const index own = x.shape()[k - lead];
        if (own != extents[k] && own != 1)
            throw error("broadcast_to", "shape {} to {}: extent {} of axis {} must be {} or 1",
                        detail::shape_text(x.shape()), detail::shape_text(extents), own, k - lead, extents[k]);
        strides[k] = own == extents[k] ? from[k - lead] : 0;
    }
    return x.template window<static_cast<int>(M)>(0, extents, strides);
}
/// The same with the extents in braces.
template <Expression E, std::size_t M>
auto broadcast_to(const E& e, const index (&extents)[M]) {
    return broadcast_to(e, std::to_array(extents));
}

/// The same elements in row-major order under another shape, in which one extent may be -1: the one that fits. A view
/// where x is contiguous, else a copy. Errors: another number of elements.
template <Expression E, std::size_t M>
auto reshape(const E& e, std::array<index, M> extents) {
    const auto x = contiguous(e);
    const std::array<index, M> asked = extents;
    std::optional<std::size_t> open;
    for (std::size_t k = 0; k < M; ++k) {
        if (extents[k] != -1) continue;
        if (open) throw error("reshape", "to {}: only one extent may be -1", detail::shape_text(asked));
        open = k;
        extents[k] = 1;
    }
    const index known = detail::checked_size(extents, "reshape");
    if (open && known > 0 && x.size() % known == 0) extents[*open] = x.size() / known;
    if (detail::product(extents) != x.size() || (open && known == 0))
        throw error("reshape", "shape {} to {}: the {} elements must fill the shape", detail::shape_text(x.shape()),
                    detail::shape_text(asked), x.size());
    return x.template window<static_cast<int>(M)>(0, extents, detail::contiguous_strides(extents));
}
/// The same with the extents in braces.
template <Expression E, std::size_t M>
auto reshape(const E& e, const index (&extents)[M]) {
    return reshape(e, std::to_array(extents));
}

/// All elements in row-major order as one axis.
template <Expression E>
auto flatten(const E& e) {
    return reshape(e, Extents<1>{e.size()});
}

} // namespace weft::inline WEFT_ABI
