// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/channel_view.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `BatchNorm`.
struct BatchNormOptions {
    double eps = 1e-5;     ///< added to the variance
    double momentum = 0.1; ///< the part of the running statistics that a batch replaces
    bool affine = true;    ///< a learnt factor `weight` and summand `bias` for each channel
    Layout layout = Layout::channels_first;
};

namespace detail {

/// Errors: momentum is not in [0, 1].
inline double checked_momentum(const char* layer, double momentum) {
    if (!(momentum >= 0 && momentum <= 1)) throw error(layer, "momentum is {}: must be in [0, 1]", momentum);
    return momentum;
}

/// Moves running statistics [C] towards those of a batch, times `factor`.
template <class T, class Batch>
void move_running(Tensor<T, 1>& running, const Batch& batch, double momentum, double factor) {
    const Tensor<T, 1> value = reshape(batch, running.shape());
    running = running * T(1 - momentum) + value * T(momentum * factor);
}
/// What turns the variance of a population of n into an estimate without bias.
inline double unbiased(index n) { return static_cast<double>(n) / static_cast<double>(n - 1); }

} // namespace detail

/// Batch normalisation, (x - mean) / sqrt(variance + eps) weight + bias per channel: Ioffe & Szegedy (arXiv
/// 1502.03167). Fed a Var, it trains: mean and variance are those of all positions of the batch, and the running
/// statistics move towards them (the variance without bias). Fed a Tensor, or when `frozen`, it uses the running
/// statistics, and so it does with a Var of fewer than two values per channel. Parameters `weight`, `bias` [C], or
/// none; buffers `running_mean`, `running_var` [C], `num_batches_tracked`, as in torch.nn.BatchNorm2d. In training,
/// calls from several threads must not overlap; copies of the module have running statistics of their own.
template <class T>
struct BatchNorm {
    static constexpr bool fuses_activation = true;
    detail::Affine<T> affine;
    mutable Tensor<T, 1> running_mean, running_var;
    mutable Tensor<std::int64_t, 0> num_batches_tracked;
    bool frozen = false; ///< Vars too are normalised by the running statistics, and these stay as they are
    BatchNormOptions options;

    BatchNorm() = default;
    /// Errors: a negative number of channels; momentum is not in [0, 1].
    explicit BatchNorm(index channels, const BatchNormOptions& o = {})
        : affine("BatchNorm", channels, o.affine), running_mean(Tensor<T, 1>::zeros({channels})),
          running_var(Tensor<T, 1>::ones({channels})), options(o) {
        detail::checked_momentum("BatchNorm", o.momentum);
    }

    /// activation(normalised x), in one loop; x [N, C], [N, C, ...] or [N, ..., C]. Errors: x does not fit.
    template <Expression X, class F = detail::NoActivation>
    auto operator()(const X& x, const F& activation = {}) const {
        const detail::ChannelView view("BatchNorm", x.shape(), running_mean.size(), 1, options.layout);
        const auto land = detail::landing(activation);
        return view.apply(x, [&](const auto& seen) {
            if constexpr (kind_of<X> == Kind::var)
                if (!frozen && view.values_per_channel > 1) return by_batch(view, seen, land);
            const Tensor<T, 1> scale = rsqrt(running_var + T(options.eps));
            return view.affine(affine, (seen - view.per_channel(running_mean)) * view.per_channel(scale), land);
        });
    }

    void visit(auto&& v) {
        affine.visit(v);
        v("running_mean", running_mean);
        v("running_var", running_var);
        v("num_batches_tracked", num_batches_tracked);
    }

private:
    template <class X, class Land>
    auto by_batch(const detail::ChannelView& view, const X& seen, const Land& land) const {
        const auto m = view.moments_of(seen, view.channel, options.eps);
        const auto y = view.affine(affine, (seen - m.mean()) * m.inverse_deviation(), land);
        detail::move_running(running_mean, m.landed_mean(), options.momentum, 1);
        detail::move_running(running_var, m.landed_variance(), options.momentum,
                             detail::unbiased(view.values_per_channel));
        num_batches_tracked = num_batches_tracked + 1;
        return y;
    }
};

} // namespace weft::inline WEFT_ABI::nn
