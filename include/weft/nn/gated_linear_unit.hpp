// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/core/views.hpp>

/// Gated linear units: Dauphin et al. (arXiv 1612.08083), Shazeer (arXiv 2002.05202).
namespace weft::inline WEFT_ABI::nn {

namespace detail {

/// x [..., 2 C] -> a f(b) [..., C] for x = [a | b]; lazy, but x is landed first. Op: f; void: b itself. A module
/// without parameters. Errors: the last extent of x is odd.
template <class Op>
struct GatedLinearUnit {
    template <Expression X>
    auto operator()(const X& expression) const {
        static_assert(X::rank >= 1, "weft: a gated linear unit needs an axis to halve");
        const auto x = eval(expression);
        const index both = x.shape().back();
        if (both % 2 != 0)
            throw error("gated linear unit", "x is {}: its last extent must be even",
                        weft::detail::shape_text(x.shape()));
        const auto a = slice(x, -1, 0, both / 2), b = slice(x, -1, both / 2);
        if constexpr (std::is_void_v<Op>)
            return a * b;
        else
            return a * weft::apply<Op>(b);
    }
    void visit(auto&&) {}
};

} // namespace detail

/// a sigmoid(b): the second half is the gate, as in torch.nn.GLU. (Where a layer writes silu(w1 x) * w3 x, as Llama
/// does, w3 x is the first half.)
using GLU = detail::GatedLinearUnit<weft::Sigmoid>;
/// a silu(b)
using SwiGLU = detail::GatedLinearUnit<weft::Silu>;
/// a gelu(b)
using GEGLU = detail::GatedLinearUnit<weft::Gelu>;
/// a gelu_tanh(b)
using GEGLUTanh = detail::GatedLinearUnit<weft::GeluTanh>;
/// a relu(b)
using ReGLU = detail::GatedLinearUnit<weft::Relu>;
/// a b
using BilinearGLU = detail::GatedLinearUnit<void>;

} // namespace weft::inline WEFT_ABI::nn
