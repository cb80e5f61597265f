// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/optimizer.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `SGD`.
struct SGDOptions {
    double lr = 1e-3;
    double momentum = 0;
    double dampening = 0;
    double weight_decay = 0;
    bool nesterov = false;

    /// Calls f(name, value) for all of them.
    void for_each(auto&& f) {
        f("lr", lr);
        f("momentum", momentum);
        f("dampening", dampening);
        f("weight_decay", weight_decay);
        f("nesterov", nesterov);
    }
};

/// g += weight_decay p; b = momentum b + (1 - dampening) g (at first g); g = nesterov ? g + momentum b : b; p -= lr g.
struct SGDRule {
    using Options = SGDOptions;
    static constexpr auto name = "SGD";
    static constexpr std::array<std::string_view, 1> states{"momentum_buffer"};
    static constexpr std::size_t least_states = 0;

    /// How many states a parameter has with these options.
    static std::size_t state_count(const Options& o) { return o.momentum != 0 ? 1 : 0; }
    /// Errors: options out of range.
    static void check(const Options& o) {
        if (!(o.lr >= 0 && o.momentum >= 0 && o.weight_decay >= 0))
            throw error(name, "lr {}, momentum {}, weight_decay {}: must not be negative", o.lr, o.momentum,
                        o.weight_decay);
        if (o.nesterov && (o.momentum == 0 || o.dampening != 0))
            throw error(name, "nesterov needs a momentum (is {}) and no dampening (is {})", o.momentum, o.dampening);
    }

    /// The update of one step, element by element.
    template <class P>
    struct Update {
        using T = typename P::value_type;
        P lr, momentum, share, weight_decay;
        bool decays, nesterov;
        /// Of a parameter's `step`-th update.
        Update(const Options& o, index step)
            : lr(T(o.lr)), momentum(T(o.momentum)), share(step == 1 ? T(1) : T(1 - o.dampening)),
              weight_decay(T(o.weight_decay)), decays(o.weight_decay != 0), nesterov(o.nesterov) {}
        /// Of a packet p with gradient g.
        template <std::size_t K>
        WEFT_ALWAYS_INLINE void operator()(P& p, P g, std::array<P, K>& state) const {
            if (decays) g = g + weight_decay * p;
            if constexpr (K > 0) {
                state[0] = momentum * state[0] + share * g;
                g = nesterov ? P(g + momentum * state[0]) : state[0];
            }
            p = p - lr * g;
        }
    };
};

/// Stochastic gradient descent, as torch.optim.SGD.
using SGD = Optimizer<SGDRule>;

} // namespace weft::inline WEFT_ABI::nn
