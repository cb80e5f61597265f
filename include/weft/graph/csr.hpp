// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/pool_allocator.hpp>
#include <weft/core/tensor.hpp>

#include <cstdint>

namespace weft::inline WEFT_ABI {

/// The edges of a graph ordered by one of their ends, stably: within a row they keep the order they were given in.
/// The edges of row i have the slots row_ptr[i], ..., row_ptr[i + 1] - 1.
class Csr {
public:
    Tensor<std::int32_t, 1> row_ptr; ///< [rows + 1]
    Tensor<std::int32_t, 1> col;     ///< [E] the other end of each slot's edge
    Tensor<std::int32_t, 1> eid;     ///< [E] each slot's edge: its position in the list the graph was made of
    Tensor<std::int32_t, 1> slot;    ///< [E] in `out()` only: the slot in `in()` of the same edge
    bool eid_is_identity = false;    ///< the edges were given in this order

    /// Row numbers c[0] = 0 < c[1] < ... = rows: ranges of rows with about the same work (edges and rows), at most 64
    /// and none too small to be worth a thread's while. Depends on the graph only. Without rows: {0, 0}.
    std::span<const index> chunks() const noexcept { return chunks_; }

private:
    detail::PoolVector<index> chunks_;
    friend Csr sort_edges(const Tensor<std::int32_t, 1>&, const Tensor<std::int32_t, 1>&, index);
};

namespace detail {

/// Bounds of at most 64 ranges of rows of about the same work, edges and rows, each at least `least_work`.
inline PoolVector<index> balanced_rows(const Tensor<std::int32_t, 1>& row_ptr, index least_work = 1024,
                                       index most_chunks = 64) {
    const std::int32_t* const ptr = row_ptr.data();
    const index rows = row_ptr.size() - 1, work = ptr[rows] + rows;
    const index count = std::clamp<index>(work / least_work, 1, most_chunks);
    PoolVector<index> chunks{0};
    for (index chunk = 1; chunk < count; ++chunk) {
        const index target = work / count * chunk + work % count * chunk / count;
        index low = chunks.back(), high = rows; // the first row before which at least `target` units of work lie
        while (low < high) {
            const index middle = low + (high - low) / 2;
            if (ptr[middle] + middle < target)
                low = middle + 1;
            else
                high = middle;
        }
        if (low > chunks.back() && low < rows) chunks.push_back(low);
    }
    chunks.push_back(rows);
    return chunks;
}

/// inverse[order[p]] = p
inline Tensor<std::int32_t, 1> inverse_permutation(const Tensor<std::int32_t, 1>& order) {
    auto inverse = Tensor<std::int32_t, 1>::empty(order.shape());
    std::int32_t* const to = inverse.mutable_data();
    for (index p = 0; p < order.size(); ++p) to[order.data()[p]] = static_cast<std::int32_t>(p);
    return inverse;
}

} // namespace detail

/// Edges (row[e], col[e]) ordered by row in [0, rows): a stable counting sort, O(E + rows). `slot` stays empty.
inline Csr sort_edges(const Tensor<std::int32_t, 1>& row, const Tensor<std::int32_t, 1>& col, index rows) {
    const index edges = row.size();
    const std::int32_t* const r = row.data();
    Csr csr;
    csr.row_ptr = Tensor<std::int32_t, 1>::zeros({rows + 1});
    std::int32_t* const ptr = csr.row_ptr.mutable_data();
    for (index e = 0; e < edges; ++e) ++ptr[r[e] + 1];
    for (index i = 0; i < rows; ++i) ptr[i + 1] += ptr[i];
    csr.chunks_ = detail::balanced_rows(csr.row_ptr);

    csr.eid_is_identity = std::is_sorted(r, r + edges);
    if (csr.eid_is_identity) {
        csr.col = col;
        csr.eid = arange<std::int32_t>(edges);
        return csr;
    }
    csr.col = Tensor<std::int32_t, 1>::empty({edges});
    csr.eid = Tensor<std::int32_t, 1>::empty({edges});
    std::int32_t* const to_col = csr.col.mutable_data();
    std::int32_t* const to_eid = csr.eid.mutable_data();
    detail::PoolVector<std::int32_t> next(ptr, ptr + rows);
    for (index e = 0; e < edges; ++e) {
        const std::int32_t p = next[static_cast<std::size_t>(r[e])]++;
        to_col[p] = col.data()[e];
        to_eid[p] = static_cast<std::int32_t>(e);
    }
    return csr;
}

} // namespace weft::inline WEFT_ABI
