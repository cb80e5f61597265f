// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/tensor.hpp>

#include <bit>
#include <cmath>

namespace weft::inline WEFT_ABI {

/// How much the scores of each head lose per position between query and key: Press et al., Train short, test long
/// (arXiv 2108.12409). Of n heads, n a power of two, head i has 2^(-8 (i + 1) / n); otherwise those of the next lower
/// power of two m come first, then the 1st, 3rd, 5th, ... of 2 m heads. Errors: a negative number of heads.
inline Tensor<double, 1> alibi_slopes(index heads) {
    if (heads < 0) throw error("alibi_slopes", "{} heads: must not be negative", heads);
    auto slopes = Tensor<double, 1>::empty({heads});
    double* const out = slopes.mutable_data();
    const auto lower = static_cast<index>(std::bit_floor(static_cast<std::size_t>(heads)));
    for (index i = 0; i < heads; ++i) {
        const index of = i < lower ? lower : 2 * lower, number = i < lower ? i + 1 : 2 * (i - lower) + 1;
        out[i] = std::exp2(-8.0 * static_cast<double>(number) / static_cast<double>(of));
    }
    return slopes;
}

} // namespace weft::inline WEFT_ABI
