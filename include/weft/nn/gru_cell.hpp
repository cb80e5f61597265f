// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/nn/gates.hpp>

namespace weft::inline WEFT_ABI::nn {

/// One step of a gated recurrent unit: Cho et al. (arXiv 1406.1078). With the reset, update and new gates
/// r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z likewise, n = tanh(W_in x + b_in + r (W_hn h + b_hn)), the new state
/// is (1 - z) n + z h. Parameters `weight_ih` [3 C, in], `weight_hh` [3 C, C], `bias_ih`, `bias_hh` [3 C], with the
/// gates in this order, as in torch.nn.GRUCell. O(N C (in + C)).
template <class T>
struct GRUCell {
    detail::Gates<T> gates;

    GRUCell() = default;
    /// Errors: a negative number of features.
    GRUCell(index in_features, index hidden, const RecurrentOptions& options = {})
        : gates(in_features, hidden, 3, options) {}

    /// Draws all parameters anew.
    void reset_parameters(Generator& generator) { gates.reset_parameters(generator); }

    /// x [N, in], state h [N, C] to the new state [N, C]. Errors: they do not fit.
    template <Expression X, Expression H>
    auto operator()(const X& input, const H& state) const {
        gates.check("GRUCell", input, state);
        // Both recorded if one is: then all parameters are trained.
        using State = std::conditional_t<weft::detail::joined_kind<X, H> == Kind::var, Var<T, 2>, Tensor<T, 2>>;
        const State x(input), h(state);
        const auto from_x = gates.input(x), from_h = gates.state(h);
        const auto sum = [&](index k) { return gates.gate(from_x, k) + gates.gate(from_h, k); };
        const auto n = eval(tanh(gates.gate(from_x, 2) + sigmoid(sum(0)) * gates.gate(from_h, 2)));
        return eval(n + sigmoid(sum(1)) * (h - n));
    }

    void visit(auto&& v) { gates.visit(v); }
};

} // namespace weft::inline WEFT_ABI::nn
