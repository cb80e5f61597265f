// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/nn/gates.hpp>

#include <vector>

namespace weft::inline WEFT_ABI::nn {

/// Options of `LSTM`.
struct LSTMOptions {
    bool bidirectional = false; ///< a second unit runs from the last step to the first
    bool bias = true;
    Generator* generator = nullptr; ///< of the initial weights; null: unseeded_generator()
};

/// A layer of long short-term memory: Hochreiter & Schmidhuber, Long Short-Term Memory (1997). State h and cell c
/// begin as 0; in each step the input, forget and output gates i, f, o are sigmoids and g a tanh of
/// W_ih x + b_ih + W_hh h + b_hh, and c <- f c + i g, h <- o tanh(c). Parameters `weight_ih_l0` [4 C, in],
/// `weight_hh_l0` [4 C, C], `bias_ih_l0`, `bias_hh_l0` [4 C], with the gates in the order i, f, g, o, and the same with
/// `_reverse`, as in torch.nn.LSTM. O(steps N C (in + C)).
template <class T>
struct LSTM {
    detail::Gates<T> forward;
    std::optional<detail::Gates<T>> reverse;

    LSTM() = default;
    /// Errors: a negative number of features.
    LSTM(index in_features, index hidden, const LSTMOptions& o = {}) {
        const RecurrentOptions options{.bias = o.bias, .generator = o.generator};
        forward = detail::Gates<T>(in_features, hidden, 4, options);
        if (o.bidirectional) reverse.emplace(in_features, hidden, 4, options);
    }

    /// Draws all parameters anew.
    void reset_parameters(Generator& generator) {
        forward.reset_parameters(generator);
        if (reverse) reverse->reset_parameters(generator);
    }

    /// The steps x_t [N, in] to the states h_t [N, C], or [N, 2 C] when bidirectional: those of the two units after
    /// they saw step t. Errors: a step does not fit, or has not as many rows as the first.
    template <Expression X>
    auto operator()(const std::vector<X>& steps) const {
        auto states = run(forward, steps.begin(), steps.end());
        if (reverse) {
            const auto back = run(*reverse, steps.rbegin(), steps.rend());
            for (std::size_t t = 0; t < states.size(); ++t)
                states[t] = concat(1, states[t], back[states.size() - 1 - t]);
        }
        return states;
    }

    void visit(auto&& v) {
        forward.visit(v, "_l0");
        if (reverse) reverse->visit(v, "_l0_reverse");
    }

private:
    template <class Step>
    static auto run(const detail::Gates<T>& unit, Step step, Step end) {
        using H = decltype(eval(unit.input(*step) + unit.state(*step)));
        std::vector<H> states;
        if (step == end) return states;
        H h(Tensor<T, 2>::zeros({step->shape()[0], unit.hidden()})), c = h;
        for (; step != end; ++step) {
            unit.check("LSTM", *step, h);
            const auto all = eval(unit.input(*step) + unit.state(h));
            c = H(sigmoid(unit.gate(all, 1)) * c + sigmoid(unit.gate(all, 0)) * tanh(unit.gate(all, 2)));
            h = H(sigmoid(unit.gate(all, 3)) * tanh(c));
            states.push_back(h);
        }
        return states;
    }
};

} // namespace weft::inline WEFT_ABI::nn
