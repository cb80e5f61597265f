// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/channel_view.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `GroupNorm`.
struct GroupNormOptions {
    double eps = 1e-5;  ///< added to the variance
    bool affine = true; ///< a learnt factor `weight` and summand `bias` for each channel
    Layout layout = Layout::channels_first;
};

/// Group normalisation, (x - mean) / sqrt(variance + eps) weight + bias, with the moments of groups of neighbouring
/// channels of one sample: Wu & He (arXiv 1803.08494). Parameters `weight`, `bias` [C], or none, as in
/// torch.nn.GroupNorm.
template <class T>
struct GroupNorm {
    static constexpr bool fuses_activation = true;
    detail::Affine<T> affine;
    index groups = 1, channels = 0;
    GroupNormOptions options;

    GroupNorm() = default;
    /// Errors: the groups do not divide the channels; eps is not positive.
    GroupNorm(index number_of_groups, index number_of_channels, const GroupNormOptions& o = {})
        : affine("GroupNorm", number_of_channels, o.affine),
          groups(detail::checked_groups("GroupNorm", number_of_channels, number_of_groups)),
          channels(number_of_channels), options(o) {
        detail::checked_eps("GroupNorm", o.eps);
    }

    /// activation(normalised x), in one loop; x [N, C, ...] or [N, ..., C]. Errors: x does not fit.
    template <Expression X, class F = detail::NoActivation>
    auto operator()(const X& x, const F& activation = {}) const {
        const detail::ChannelView view("GroupNorm", x.shape(), channels, groups, options.layout);
        return view.apply(x, [&](const auto& seen) {
            const auto m = view.moments_of(seen, view.group, options.eps);
            return view.affine(affine, (seen - m.mean()) * m.inverse_deviation(), detail::landing(activation));
        });
    }

    void visit(auto&& v) { affine.visit(v); }
};

} // namespace weft::inline WEFT_ABI::nn
