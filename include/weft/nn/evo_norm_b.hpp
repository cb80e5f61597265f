// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/batch_norm.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of the EvoNorms of statistics of batches.
struct EvoNormBOptions {
    std::optional<double> eps = {}; ///< added to the variances; by default that of the layer
    double momentum = 0.1;          ///< the part of the running variance that a batch replaces
    bool apply_act = true;          ///< without: the affine part only, for the end of a residual branch
    bool unbiased_running = true;   ///< the running variance is that without bias
    Layout layout = Layout::channels_first;
};

namespace detail {

// What the deviation of the batch is compared with; v: a learnt factor, or none.
struct EvoNormB0Formula {
    static constexpr auto name = "EvoNormB0";
    static constexpr double eps = 1e-3;
    static constexpr bool has_v = true;
    template <class X, class M, class V>
    static auto other(const X& x, const M& instance, const V& v) {
        return v * x + instance.deviation();
    }
};
struct EvoNormB1Formula {
    static constexpr auto name = "EvoNormB1";
    static constexpr double eps = 1e-5;
    static constexpr bool has_v = false;
    template <class X, class M>
    static auto other(const X& x, const M& instance) {
        return (x + 1) * instance.root_mean_square();
    }
};
struct EvoNormB2Formula {
    static constexpr auto name = "EvoNormB2";
    static constexpr double eps = 1e-5;
    static constexpr bool has_v = false;
    template <class X, class M>
    static auto other(const X& x, const M& instance) {
        return instance.root_mean_square() - x;
    }
};

/// The layers of the B series: x / max(deviation of the batch, other) weight + bias.
template <class T, class Formula>
struct EvoNormB {
    static constexpr bool fuses_activation = true;
    Affine<T> affine;
    std::optional<Parameter<T, 1>> v;
    mutable Tensor<T, 1> running_var;
    bool frozen = false; ///< Vars too are normalised by the running variance, and it stays as it is
    double eps = Formula::eps;
    EvoNormBOptions options;

    EvoNormB() = default;
    /// Errors: a negative number of channels; eps is not positive; momentum is not in [0, 1].
    explicit EvoNormB(index channels, const EvoNormBOptions& o = {})
        : affine(Formula::name, channels, true), running_var(Tensor<T, 1>::ones({channels})),
          eps(checked_eps(Formula::name, o.eps.value_or(Formula::eps))), options(o) {
        checked_momentum(Formula::name, o.momentum);
        if (Formula::has_v && o.apply_act) v.emplace(Tensor<T, 1>::ones({channels}));
    }

    /// x [N, C], [N, C, ...] or [N, ..., C]. Errors: x does not fit; training with one value per channel.
    template <Expression X, class F = NoActivation>
    auto operator()(const X& x, const F& activation = {}) const {
        const ChannelView view(Formula::name, x.shape(), running_var.size(), 1, options.layout);
        const auto land = landing(activation);
        return view.apply(x, [&](const auto& seen) {
            if (!options.apply_act) return view.affine(affine, seen, land);
            if constexpr (kind_of<X> == Kind::var)
                if (!frozen && view.values_per_channel > 0) return by_batch(view, seen, land);
            const Tensor<T, 1> deviation = sqrt(running_var + T(eps));
            return normalized(view, seen, view.per_channel(deviation), land);
        });
    }

    void visit(auto&& visitor) {
        affine.visit(visitor);
        visitor("v", v);
        visitor("running_var", running_var);
    }

private:
    template <class X, class Land>
    auto by_batch(const ChannelView& view, const X& seen, const Land& land) const {
        if (view.values_per_channel == 1)
            throw error(Formula::name, "one value per channel: training needs at least two");
        const auto batch = view.moments_of(seen, view.channel, eps);
        const auto y = normalized(view, seen, batch.deviation(), land);
        move_running(running_var, batch.landed_variance(), options.momentum,
                     options.unbiased_running ? unbiased(view.values_per_channel) : 1);
        return y;
    }
    template <class X, class D, class Land>
    auto normalized(const ChannelView& view, const X& seen, const D& deviation, const Land& land) const {
        const auto instance = view.moments_of(seen, view.instance, eps);
        const auto z = [&](const auto&... factor) {
            return seen / maximum(deviation, Formula::other(seen, instance, factor...));
        };
        if constexpr (Formula::has_v)
            return view.affine(affine, z(view.per_channel(*v)), land);
        else
            return view.affine(affine, z(), land);
    }
};

} // namespace detail

/// EvoNorm-B0, x / max(s_b, v x + s_i) weight + bias, where s_b is the deviation of a channel over the batch and s_i
/// that over the positions of one sample: Liu, Brock, Simonyan & Le (arXiv 2004.02967). Normalisation and activation in
/// one. Fed a Var, it trains, with the variance of the batch, towards which the running variance moves; fed a Tensor,
/// or when `frozen`, it uses the running variance. Parameters `weight` (ones), `bias` (zeros), `v` (ones) [C]; buffer
/// `running_var` (ones). eps is 1e-3, as in timm (in the authors' code 1e-5).
template <class T>
struct EvoNormB0 : detail::EvoNormB<T, detail::EvoNormB0Formula> {
    using detail::EvoNormB<T, detail::EvoNormB0Formula>::EvoNormB;
};
/// EvoNorm-B1, x / max(s_b, (x + 1) r_i) weight + bias, where r_i is the root mean square over the positions of one
/// sample; else as EvoNormB0, without `v`; eps 1e-5.
template <class T>
struct EvoNormB1 : detail::EvoNormB<T, detail::EvoNormB1Formula> {
    using detail::EvoNormB<T, detail::EvoNormB1Formula>::EvoNormB;
};
/// EvoNorm-B2, x / max(s_b, r_i - x) weight + bias; else as EvoNormB1.
template <class T>
struct EvoNormB2 : detail::EvoNormB<T, detail::EvoNormB2Formula> {
    using detail::EvoNormB<T, detail::EvoNormB2Formula>::EvoNormB;
};

} // namespace weft::inline WEFT_ABI::nn
