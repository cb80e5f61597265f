// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>

namespace weft::inline WEFT_ABI {

/// The graph whose edges row_ptr[i], ..., row_ptr[i + 1] - 1 enter destination i from the sources col[e]; row_ptr
/// [N + 1], col [E], integers of any width. Edges keep their numbers. O(N + E); col is shared, not copied, where it is
/// int32. Errors: row_ptr is empty, does not begin with 0, decreases, or does not end with E; a source out of range;
/// 2^31 or more edges.
template <Expression R, Expression C>
requires(R::rank == 1 && C::rank == 1 && std::integral<typename R::value_type> &&
         std::integral<typename C::value_type>) Graph
    graph_from_csr(const R& row_ptr, const C& col, index num_sources) {
    const Tensor<typename R::value_type, 1> ptr = row_ptr;
    const index rows = detail::checked_node_count(ptr.size() - 1, "the number of rows, row_ptr's size - 1,");
    const index edges = col.shape()[0];
    const auto* const p = ptr.data();
    if (!std::cmp_equal(p[0], 0)) throw error("graph_from_csr", "row_ptr begins with {}: it must be 0", p[0]);
    if (!std::cmp_equal(p[rows], edges))
        throw error("graph_from_csr", "row_ptr ends with {}, col has {} edges: they must be equal", p[rows], edges);
    for (index i = 0; i < rows; ++i)
        if (p[i + 1] < p[i])
            throw error("graph_from_csr", "row_ptr decreases from {} to {} behind row {}", p[i], p[i + 1], i);
    auto destinations = Tensor<std::int32_t, 1>::empty({edges});
    std::int32_t* const to = destinations.mutable_data();
    for (index i = 0; i < rows; ++i) std::fill(to + p[i], to + p[i + 1], static_cast<std::int32_t>(i));
    return Graph(col, destinations, num_sources, rows);
}

} // namespace weft::inline WEFT_ABI
