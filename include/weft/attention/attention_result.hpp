// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/expression.hpp>
#include <weft/core/tensor.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// What elements of S are computed with.
template <class S>
using AttentionScalar = typename ComputeOf<S>::type;

} // namespace detail

/// The result of attention with, for each row, the logarithm of the sum of e^score, -infinity where it sees no key:
/// with it results over parts of the keys can be merged. out [B, H, N, Dv] and lse [B, H, N], or, of packed sequences
/// and of graphs, [N, H, Dv] and [N, H].
template <class S, int N>
struct AttentionResult {
    Tensor<S, N> out;
    Tensor<detail::AttentionScalar<S>, N - 1> lse;
};

} // namespace weft::inline WEFT_ABI
