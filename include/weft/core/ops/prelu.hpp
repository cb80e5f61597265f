// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/leaky_relu.hpp>

namespace weft::inline WEFT_ABI {

/// a for a > 0, else slope * a, of a slope that is learnt: He et al. (arXiv 1502.01852).
struct Prelu : LeakyRelu {
    static constexpr auto name = "prelu";
};

/// `slope` broadcasts to a, from the last axis on; nn::PReLU has one for each channel.
template <Expression A, Expression S>
auto prelu(A&& a, S&& slope) {
    return apply<Prelu>(std::forward<A>(a), std::forward<S>(slope));
}

} // namespace weft::inline WEFT_ABI
