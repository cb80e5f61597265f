// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/multiply.hpp>
#include <weft/graph/edge_reduce.hpp>

namespace weft::inline WEFT_ABI {

/// Sum over the last axis of an edge's row: [H, C] to one value per head [H], [F] to one number.
struct RowSum {
    static constexpr auto name = "row_sum";
    using mirror = RowSum;
    static constexpr int rank(int inner) { return inner - 1; }
    template <int InnerRank>
    static constexpr detail::Spread adjoint_spread() {
        return InnerRank == 1 ? detail::Spread::scalar : detail::Spread::head;
    }

    template <class T>
    static const detail::StageFunctions<T>* functions() {
        static constexpr detail::StageFunctions<T> table{false, &RowSum::width, &RowSum::forward<T>, nullptr};
        return &table;
    }

private:
    // A row [F] is one head of F channels to the sum, F heads of one channel to the message.
    static index heads(const detail::RowExtents& row) { return row.channels == 1 && row.rank == 1 ? 1 : row.heads; }
    static index width(const detail::RowExtents& row) { return heads(row); }

    template <class T>
    static void forward(const detail::EdgeRows& rows, index row_begin, index row_end, index,
                        const detail::RowExtents& row, const T* in, T* out) {
        const index sums = (rows.row_ptr[row_end] - rows.row_ptr[row_begin]) * heads(row);
        const index channels = row.width / std::max<index>(heads(row), 1);
        for (index i = 0; i < sums; ++i) out[i] = detail::reduce_run<SumOf>(in + i * channels, channels);
    }
};

/// In an edge expression: the sum over the last axis of the row, `row_sum(src(k) * dst(q))`.
template <EdgeExpression E>
auto row_sum(const E& e) {
    static_assert(E::rank >= 1, "weft: row_sum: the edge's row has no axis to sum over");
    return EdgeStage<RowSum, E>(e);
}
/// The scalar product of two rows, per head: `row_dot(src(k), dst(q))`.
template <class A, class B>
requires(EdgeExpression<A> || EdgeExpression<B>) auto row_dot(const A& a, const B& b) { return row_sum(a * b); }

} // namespace weft::inline WEFT_ABI
