// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/multiply.hpp>
#include <weft/graph/edge_reduce.hpp>

namespace weft::inline WEFT_ABI {

/// Sum over the last axis of an edge's row: [H, C] to one value per head [H], [F] to one number.
struct RowSum {
    using mirror = RowSum;
    /// The same over the reversed graph: a row does not know its edge's direction.
    RowSum mirrored() const { return {}; }
    static constexpr int rank(int inner) { return inner - 1; }
    /// The shape of a result, of that of a message: without the last axis.
    template <std::size_t N>
    static Extents<static_cast<int>(N) - 1> row(const std::array<index, N>& message) {
        Extents<static_cast<int>(N) - 1> extents{};
        std::copy_n(message.begin(), N - 1, extents.begin());
        return extents;
    }
    static constexpr auto message_adjoint = detail::MessageAdjoint::spread;
    /// How one adjoint of the result belongs to a message's elements: to all of a head's.
    template <int InnerRank>
    static constexpr detail::Spread adjoint_spread() {
        return InnerRank == 1 ? detail::Spread::scalar : detail::Spread::head;
    }
    /// The operation as a stage of an edge program over elements of type T; one object for all.
    template <class T>
    static auto kind() {
        return detail::PlainStage<RowSum, T>::shared();
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
