// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/channel_view.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `FilterResponseNorm`.
struct FilterResponseNormOptions {
    double eps = 1e-6;     ///< added to the mean of squares
    bool threshold = true; ///< the thresholded linear unit: max(y, tau) with a learnt `tau` for each channel
    Layout layout = Layout::channels_first;
};

/// Filter response normalisation, max(x / sqrt(mean(x^2) + eps) weight + bias, tau) with the mean over the positions of
/// one channel of one sample: Singh & Krishnan (arXiv 1911.09737). Parameters `weight` (ones), `bias` and `tau` (zeros)
/// [C].
template <class T>
struct FilterResponseNorm {
    static constexpr bool fuses_activation = true;
    detail::Affine<T> affine;
    std::optional<Parameter<T, 1>> tau;
    index channels = 0;
    FilterResponseNormOptions options;

    FilterResponseNorm() = default;
    /// Errors: a negative number of channels; eps is not positive.
    explicit FilterResponseNorm(index number_of_channels, const FilterResponseNormOptions& o = {})
        : affine("FilterResponseNorm", number_of_channels, true), channels(number_of_channels), options(o) {
        detail::checked_eps("FilterResponseNorm", o.eps);
        if (o.threshold) tau.emplace(Tensor<T, 1>::zeros({channels}));
    }

    /// activation(normalised x), in one loop; x [N, C, ...] or [N, ..., C]. Errors: x does not fit.
    template <Expression X, class F = detail::NoActivation>
    auto operator()(const X& x, const F& activation = {}) const {
        const detail::ChannelView view("FilterResponseNorm", x.shape(), channels, 1, options.layout);
        const auto land = detail::landing(activation);
        return view.apply(x, [&](const auto& seen) {
            const auto m = view.moments_of(seen, view.instance, options.eps);
            return view.affine(affine, seen * m.inverse_root_mean_square(),
                               [&](const auto& y) { return tau ? land(maximum(y, view.per_channel(*tau))) : land(y); });
        });
    }

    void visit(auto&& v) {
        affine.visit(v);
        v("tau", tau);
    }
};

} // namespace weft::inline WEFT_ABI::nn
