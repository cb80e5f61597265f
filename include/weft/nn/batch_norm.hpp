// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/nn/affine.hpp>

namespace weft::inline WEFT_ABI::nn {

namespace detail {

template <class M>
struct Moments {
    M mean, variance;
};

/// Mean and population variance of the columns of x [N, C], [1, C] each; 0 of no rows. Two passes over x: sums are
/// those of differences to the first row, then to the mean, so that a large mean costs no digits.
template <class X>
auto column_moments(const X& x) {
    using T = typename X::value_type;
    const index rows = x.extent(0);
    const T share = T(1 / std::max(static_cast<double>(rows), 1.0));
    const Tensor<T, 2> first =
        rows > 0 ? Tensor<T, 2>(slice(weft::detail::detached(x), 0, 0, 1)) : Tensor<T, 2>::zeros({1, x.extent(1)});
    const auto mean = eval(sum<0>(x - first, keepdim) * share + first);
    // No gradient through the mean: distances from it add up to zero.
    const auto variance = eval(sum<0>(square(x - weft::detail::detached(mean)), keepdim) * share);
    return Moments<std::remove_cvref_t<decltype(mean)>>{mean, variance};
}

} // namespace detail

struct BatchNormOptions {
    double eps = 1e-5;     ///< added to the variance
    double momentum = 0.1; ///< the part of the running statistics that a batch replaces
    bool affine = true;    ///< a learnt factor `weight` and summand `bias` for each channel
};

/// Batch normalisation, (x - mean) / sqrt(variance + eps) weight + bias per channel: Ioffe & Szegedy (arXiv
/// 1502.03167). Fed a Var, it trains: mean and variance are those of the rows, and the running statistics move towards
/// them (the variance without bias). Fed a Tensor, or when `frozen`, it uses the running statistics, and so it does
/// with a Var of fewer than two rows. Parameters `weight`, `bias` [C], or none; buffers `running_mean`, `running_var`
/// [C], `num_batches_tracked`, as in torch.nn.BatchNorm1d. In training, calls from several threads must not overlap;
/// copies of the module have running statistics of their own.
template <class T>
struct BatchNorm {
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
        if (!(o.momentum >= 0 && o.momentum <= 1))
            throw error("BatchNorm", "momentum is {}: must be in [0, 1]", o.momentum);
    }

    /// x [N, C]. Errors: it has another number of channels.
    template <Expression X>
    auto operator()(const X& expression) const {
        static_assert(X::rank == 2, "weft: BatchNorm: the input is [N, C]: use reshape");
        if (expression.shape()[1] != running_mean.size())
            throw error("BatchNorm", "x is {}: it must be [N, {}]", weft::detail::shape_text(expression.shape()),
                        running_mean.size());
        const auto x = eval(expression);
        if constexpr (kind_of<X> == Kind::var)
            if (!frozen && x.extent(0) > 1) return normalized(x, batch_moments(x));
        return normalized(x, detail::Moments<Tensor<T, 1>>{running_mean, running_var});
    }

    void visit(auto&& v) {
        affine.visit(v);
        v("running_mean", running_mean);
        v("running_var", running_var);
        v("num_batches_tracked", num_batches_tracked);
    }

private:
    template <class X, class M>
    auto normalized(const X& x, const M& moments) const {
        const auto scale = affine.scaled(rsqrt(moments.variance + T(options.eps)));
        return affine.shifted((x - moments.mean) * scale);
    }

    template <class X>
    auto batch_moments(const X& x) const {
        const auto moments = detail::column_moments(x);
        const auto rows = static_cast<double>(x.extent(0));
        const auto move = [&](Tensor<T, 1>& running, const auto& batch, double factor) {
            const Tensor<T, 1> value = squeeze(weft::detail::detached(batch), 0);
            running = running * T(1 - options.momentum) + value * T(options.momentum * factor);
        };
        move(running_mean, moments.mean, 1);
        move(running_var, moments.variance, rows / (rows - 1));
        num_batches_tracked = num_batches_tracked + 1;
        return moments;
    }
};

} // namespace weft::inline WEFT_ABI::nn
