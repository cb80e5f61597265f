// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/linalg/matmul.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// How different the rows of x [N, F] are: the mean over all pairs of half the distance of the rows scaled to length 1,
/// from 0 (all in one direction) to 1; a zero row stays zero. Falls to 0 where a deep network smooths too much: Liu et
/// al., Towards Deeper Graph Neural Networks (arXiv 2007.09296), eq. 4. In double, since distances of like rows cancel.
/// O(N^2 F) time, O(N F) memory. Fewer than two rows: 0.
template <Expression X>
requires(X::rank == 2) double smoothness(const X& expression) {
    const Tensor<double, 2> x = cast<double>(expression);
    const index rows = x.extent(0);
    if (rows < 2) return 0;
    const Tensor<double, 2> length = sqrt(sum<1>(square(x), keepdim));
    const Tensor<double, 2> unit = where(length == 0.0, 0.0, x / length);
    const Tensor<double, 1> norm = sum<1>(square(unit));
    constexpr index block = 256;
    double total = 0;
    for (index begin = 0; begin < rows; begin += block) {
        const Tensor<double, 2> cosine = matmul(slice(unit, 0, begin, begin + block), transpose(unit));
        const auto squared = unsqueeze(slice(norm, 0, begin, begin + block), 1) + unsqueeze(norm, 0) - 2.0 * cosine;
        const Tensor<double, 2> distance = sqrt(maximum(squared, 0.0)) * 0.5;
        total += sum(distance).item();
        for (index i = 0; i < distance.extent(0); ++i) total -= distance(i, begin + i);
    }
    return total / (static_cast<double>(rows) * static_cast<double>(rows - 1));
}

} // namespace weft::inline WEFT_ABI::gnn
