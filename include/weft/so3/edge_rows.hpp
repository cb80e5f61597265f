// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/iteration.hpp>
#include <weft/core/tensor.hpp>

#include <cstdint>
#include <string>

namespace weft::inline WEFT_ABI::so3::detail {

/// Which row of a table belongs to each edge: edge e's is row e, or the one that an index [E] says, where edges share
/// rows.
class EdgeRows {
public:
    EdgeRows() = default;
    explicit EdgeRows(const Tensor<std::int32_t, 1>& rows) : rows_(rows) {}

    index operator()(index e) const { return rows_.size() == 0 ? e : rows_.data()[e]; }
    /// Sums of the edges' gradients for each of the `count` rows; those of a row are added in the order of the edges.
    template <class T>
    Tensor<T, 2> sum(const Tensor<T, 2>& of_edges, index count) const {
        if (rows_.size() == 0) return of_edges;
        const index width = of_edges.extent(1), columns = 4 * lanes<T>;
        auto sums = Tensor<T, 2>::zeros({count, width});
        T* const to = sums.mutable_data();
        weft::detail::for_each_chunk((width + columns - 1) / columns, 0.2 * static_cast<double>(of_edges.size()),
                                     [&](index chunk) {
                                         const index first = chunk * columns, n = std::min(columns, width - first);
                                         for (index e = 0; e < of_edges.extent(0); ++e) {
                                             T* const row = to + rows_.data()[e] * width + first;
                                             const T* const from = of_edges.data() + e * width + first;
                                             for (index c = 0; c < n; ++c) row[c] = row[c] + from[c];
                                         }
                                     });
        return sums;
    }
    /// Errors, of `operation`: not a row for each of the edges; a row out of range.
    void require(const char* operation, index edges, index count) const {
        if (rows_.size() == 0 ? edges != count : rows_.size() != edges)
            throw error(operation, "{} edges, {} rows{}: there must be one for each edge, or an index [edges]", edges,
                        count, rows_.size() == 0 ? std::string() : ", an index of " + std::to_string(rows_.size()));
        for (const std::int32_t row : rows_.values())
            if (row < 0 || row >= count)
                throw error(operation, "an edge has row {}: must be from 0 to below {}", row, count);
    }

private:
    Tensor<std::int32_t, 1> rows_;
};

} // namespace weft::inline WEFT_ABI::so3::detail
