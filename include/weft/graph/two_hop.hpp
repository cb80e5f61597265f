// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/self_loops.hpp>

#include <algorithm>

/// Products of an adjacency matrix A and its transpose, row by row: where two steps over edges lead.
namespace weft::inline WEFT_ABI {

/// A step from a node over an edge that leaves it (a factor A), or back over one that enters it (A^T).
enum class Step { along, against };

namespace detail {

/// One row of a sparse matrix while it is summed up: a place for every column, and those that were touched.
class SparseRow {
public:
    explicit SparseRow(index columns) : values_(static_cast<std::size_t>(columns)), touched_(values_.size()) {}

    void add(index column, double value) {
        const auto c = static_cast<std::size_t>(column);
        if (!touched_[c]) {
            touched_[c] = true;
            columns_.push_back(column);
        }
        values_[c] += value;
    }
    double operator[](index column) const { return values_[static_cast<std::size_t>(column)]; }
    /// The columns that were added to, in ascending order.
    const std::vector<index>& columns() {
        std::sort(columns_.begin(), columns_.end());
        return columns_;
    }
    void clear() {
        for (const index c : columns_) {
            values_[static_cast<std::size_t>(c)] = 0;
            touched_[static_cast<std::size_t>(c)] = false;
        }
        columns_.clear();
    }

private:
    std::vector<double> values_;
    std::vector<char> touched_;
    std::vector<index> columns_;
};

/// Adds row u of the product of two steps, each entry of the node in between multiplied by scale[node].
template <class = void>
void add_two_hop_row(SparseRow& row, const Graph& g, const double* w, Step first, Step second, const double* scale,
                     index u) {
    const Csr& a = first == Step::along ? g.out() : g.in();
    const Csr& b = second == Step::along ? g.out() : g.in();
    for (index p = a.row_ptr.data()[u]; p < a.row_ptr.data()[u + 1]; ++p) {
        const index k = a.col.data()[p];
        const double factor = w[a.eid.data()[p]] * (scale ? scale[k] : 1);
        for (index q = b.row_ptr.data()[k]; q < b.row_ptr.data()[k + 1]; ++q)
            row.add(b.col.data()[q], factor * w[b.eid.data()[q]]);
    }
}

/// Ranges of nodes for two steps: they depend on the graph only.
inline std::span<const index> two_hop_chunks(const Graph& g) { return g.out().chunks(); }

/// The matrix [N, N] whose row u is what fill(u, rows) leaves in rows[0], without zeros; `rows` are `count` rows of
/// scratch, cleared before each call. Rows are independent of each other.
template <class Fill>
WeightedGraph<Tensor<double, 1>> matrix_of_rows(const Graph& g, std::size_t count, Fill&& fill) {
    struct Part {
        std::vector<std::int32_t> sources, destinations;
        std::vector<double> weight;
    };
    const auto chunks = two_hop_chunks(g);
    std::vector<Part> parts(chunks.size() - 1);
    parallel_for(static_cast<index>(parts.size()), [&](index chunk) {
        Part& part = parts[static_cast<std::size_t>(chunk)];
        std::vector<SparseRow> rows(count, SparseRow(g.num_dst()));
        for (index u = chunks[static_cast<std::size_t>(chunk)]; u < chunks[static_cast<std::size_t>(chunk) + 1]; ++u) {
            for (SparseRow& row : rows) row.clear();
            fill(u, rows);
            for (const index v : rows[0].columns())
                if (rows[0][v] != 0) {
                    part.sources.push_back(static_cast<std::int32_t>(u));
                    part.destinations.push_back(static_cast<std::int32_t>(v));
                    part.weight.push_back(rows[0][v]);
                }
        }
    });
    index edges = 0;
    for (const Part& part : parts) edges += static_cast<index>(part.weight.size());
    check_edge_count("two_hop", edges);
    auto sources = Tensor<std::int32_t, 1>::empty({edges}), destinations = Tensor<std::int32_t, 1>::empty({edges});
    auto weight = Tensor<double, 1>::empty({edges});
    std::int32_t *s = sources.mutable_data(), *d = destinations.mutable_data();
    double* w = weight.mutable_data();
    for (const Part& part : parts) {
        s = std::copy(part.sources.begin(), part.sources.end(), s);
        d = std::copy(part.destinations.begin(), part.destinations.end(), d);
        w = std::copy(part.weight.begin(), part.weight.end(), w);
    }
    return {Graph::unchecked(std::move(sources), std::move(destinations), g.num_src(), g.num_dst()), weight};
}

} // namespace detail

/// The product of two of A and A^T, `first` and then `second`, as a graph sorted by source, then destination: an edge
/// from u to v is an entry that is not 0. w [E] are the entries of A; duplicates add up. Never dense: O(sum over the
/// middle nodes of the pairs of edges that meet there), and a row of N numbers per range of nodes. Errors: the graph is
/// not square; w is not [E]; 2^31 or more entries.
template <class = void>
WeightedGraph<Tensor<double, 1>> two_hop(const Graph& g, const Tensor<double, 1>& w, Step first, Step second) {
    g.num_nodes();
    detail::check_edge_rows("two_hop", g, w);
    return detail::matrix_of_rows(
        g, 1, [&](index u, auto& rows) { detail::add_two_hop_row(rows[0], g, w.data(), first, second, nullptr, u); });
}

} // namespace weft::inline WEFT_ABI
