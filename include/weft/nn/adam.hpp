// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math.hpp>
#include <weft/core/ops/maximum.hpp>
#include <weft/nn/optimizer.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `Adam` and, decoupled, of `AdamW`: defaults are those of PyTorch.
template <bool Decoupled>
struct BasicAdamOptions {
    double lr = 1e-3;
    std::array<double, 2> betas{0.9, 0.999};
    double eps = 1e-8;
    double weight_decay = Decoupled ? 1e-2 : 0;
    bool amsgrad = false;

    /// Calls f(name, value) for all of them.
    void for_each(auto&& f) {
        f("lr", lr);
        f("betas.0", betas[0]);
        f("betas.1", betas[1]);
        f("eps", eps);
        f("weight_decay", weight_decay);
        f("amsgrad", amsgrad);
    }
};
/// Options of `Adam`: weight decay is added to the gradient.
using AdamOptions = BasicAdamOptions<false>;
/// Options of `AdamW`: weight decay is apart from the gradient.
using AdamWOptions = BasicAdamOptions<true>;

/// At step t: m = beta_0 m + (1 - beta_0) g; v = beta_1 v + (1 - beta_1) g^2;
/// p -= lr / (1 - beta_0^t) m / (sqrt(v / (1 - beta_1^t)) + eps). Weight decay is added to g, or, decoupled, first
/// shrinks p by the factor 1 - lr weight_decay. With amsgrad the largest v so far stands for v in the last line: Reddi,
/// Kale and Kumar, On the convergence of Adam and beyond (2018).
template <bool Decoupled>
struct AdamRule {
    using Options = BasicAdamOptions<Decoupled>;
    static constexpr auto name = Decoupled ? "AdamW" : "Adam";
    static constexpr std::array<std::string_view, 3> states{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
    static constexpr std::size_t least_states = 2;

    /// How many states a parameter has with these options.
    static std::size_t state_count(const Options& o) { return o.amsgrad ? 3 : 2; }
    /// Errors: options out of range.
    static void check(const Options& o) {
        if (!(o.lr >= 0 && o.eps >= 0 && o.weight_decay >= 0))
            throw error(name, "lr {}, eps {}, weight_decay {}: must not be negative", o.lr, o.eps, o.weight_decay);
        for (const double beta : o.betas)
            if (!(beta >= 0 && beta < 1)) throw error(name, "betas {}, {}: must be in [0, 1)", o.betas[0], o.betas[1]);
    }

    /// The update of one step, element by element.
    template <class P>
    struct Update {
        using T = typename P::value_type;
        P average, square_average, share, square_share, correction, eps, step_size, weight_decay;
        bool decays;
        /// Of a parameter's `step`-th update.
        Update(const Options& o, index step)
            : average(T(o.betas[0])), square_average(T(o.betas[1])), share(T(1 - o.betas[0])),
              square_share(T(1 - o.betas[1])),
              correction(T(1 / std::sqrt(1 - std::pow(o.betas[1], static_cast<double>(step))))), eps(T(o.eps)),
              step_size(T(o.lr / (1 - std::pow(o.betas[0], static_cast<double>(step))))),
              weight_decay(T(Decoupled ? 1 - o.lr * o.weight_decay : o.weight_decay)), decays(o.weight_decay != 0) {}
        /// Of a packet p with gradient g.
        template <std::size_t K>
        WEFT_ALWAYS_INLINE void operator()(P& p, P g, std::array<P, K>& state) const {
            if (decays) {
                if constexpr (Decoupled)
                    p = p * weight_decay;
                else
                    g = g + weight_decay * p;
            }
            state[0] = average * state[0] + share * g;
            state[1] = square_average * state[1] + square_share * g * g;
            if constexpr (K == 3) state[2] = Maximum::value(state[2], state[1]);
            p = p - step_size * state[0] / (math::sqrt(state[K - 1]) * correction + eps);
        }
    };
};

/// As torch.optim.Adam: Kingma and Ba, Adam: a method for stochastic optimization (2015).
using Adam = Optimizer<AdamRule<false>>;
/// As torch.optim.AdamW: Loshchilov and Hutter, Decoupled weight decay regularization (2019).
using AdamW = Optimizer<AdamRule<true>>;

} // namespace weft::inline WEFT_ABI::nn
