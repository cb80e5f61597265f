// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// What a leaf of an edge expression is a row of. `stage`: a value computed per edge by an inner reduction.
enum class Row : char { src, dst, edge, all, stage };

} // namespace detail

/// In an edge expression: for each edge, the row of `X` that belongs to its source, destination, or to itself. The
/// shape is that of one row.
template <detail::Row R, class X>
class EdgeLeaf : public detail::ExpressionBase {
    static_assert(X::rank >= 1, "weft: src(x), dst(x) and edge(w) take a tensor with one row per node or edge");

public:
    using value_type = typename X::value_type;
    static constexpr int rank = X::rank - 1;
    static constexpr bool edge_expression = true;
    static constexpr bool recorded = detail::Structure<X>::recorded;
    static constexpr bool differentiable = detail::Structure<X>::differentiable;
    static constexpr detail::Row row = R;

    /// `rows`: [num_src, ...], [num_dst, ...] or [E, ...]; which graph they fit is checked where one is given.
    explicit EdgeLeaf(X rows) : rows_(std::move(rows)) {
        std::copy(rows_.shape().begin() + 1, rows_.shape().end(), extents_.begin());
    }
    const Extents<rank>& shape() const noexcept { return extents_; }
    /// What the rows are of.
    const X& rows() const noexcept { return rows_; }

private:
    X rows_;
    Extents<rank> extents_{};
};

/// The row of x [N_src, ...] of the edge's source.
template <Expression X>
auto src(const X& x) {
    return EdgeLeaf<detail::Row::src, decltype(contiguous(x))>(contiguous(x));
}
/// The row of x [N_dst, ...] of the edge's destination.
template <Expression X>
auto dst(const X& x) {
    return EdgeLeaf<detail::Row::dst, decltype(contiguous(x))>(contiguous(x));
}
/// The row of w [E, ...] of the edge itself, in the order in which the edges were given.
template <Expression X>
auto edge(const X& w) {
    return EdgeLeaf<detail::Row::edge, decltype(contiguous(w))>(contiguous(w));
}

} // namespace weft::inline WEFT_ABI
