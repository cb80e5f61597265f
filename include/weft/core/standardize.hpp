// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/moments.hpp>
#include <weft/core/ops.hpp>

namespace weft::inline WEFT_ABI {

/// (x - mean) / sqrt(variance + eps) along an axis, by default the last; the variance is that of the population. A
/// large mean costs no digits.
template <int Axis = -1, Expression E>
auto standardize(const E& x, double eps = 1e-5) {
    static_assert(Axis >= -E::rank && Axis < E::rank, "weft: standardize: the axis is not an axis of the operand");
    const auto m = moments<Axis>(x, eps);
    return eval((m.x() - m.mean()) * m.inverse_deviation());
}

} // namespace weft::inline WEFT_ABI
