// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/activation.hpp>
#include <weft/nn/channel_view.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of the EvoNorms of statistics of samples.
struct EvoNormSOptions {
    index groups = 32;
    index group_size = 0;           ///< channels of a group; where given, it decides and `groups` does not
    std::optional<double> eps = {}; ///< added to the variance; by default that of the layer
    bool apply_act = true;          ///< without: S0, S1, S2 are the affine part only, S0a, S1a, S2a divide x
    Layout layout = Layout::channels_first;
};

namespace detail {

/// The layers of the S series: numerator / (deviation of a group) weight + bias. `Central`: the deviation is that from
/// the mean, else the root mean square. `Gated`: the numerator is x sigmoid(v x), else Activation(x). `A`: the variants
/// of another eps that divide where no activation is applied.
template <class T, int Number, bool A, class Activation>
struct EvoNormS {
    static constexpr bool fuses_activation = true;
    static constexpr bool has_v = Number == 0;
    static constexpr double default_eps = A ? 1e-3 : 1e-5;
    Affine<T> affine;
    std::optional<Parameter<T, 1>> v;
    index groups = 1, channels = 0;
    double eps = default_eps;
    EvoNormSOptions options;
    Activation numerator;

    EvoNormS() = default;
    /// Errors: the groups do not divide the channels; eps is not positive.
    explicit EvoNormS(index number_of_channels, const EvoNormSOptions& o = {}, const Activation& activation = {})
        : affine(name(), number_of_channels, true),
          groups(checked_groups(name(), number_of_channels, groups_of(number_of_channels, o))),
          channels(number_of_channels), eps(checked_eps(name(), o.eps.value_or(default_eps))), options(o),
          numerator(activation) {
        if (has_v && o.apply_act) v.emplace(Tensor<T, 1>::ones({channels}));
    }

    /// x [N, C], [N, C, ...] or [N, ..., C]. Errors: x does not fit.
    template <Expression X, class F = NoActivation>
    auto operator()(const X& x, const F& activation = {}) const {
        const ChannelView view(name(), x.shape(), channels, groups, options.layout);
        const auto land = landing(activation);
        return view.apply(x, [&](const auto& seen) {
            if (!A && !options.apply_act) return view.affine(affine, seen, land);
            const auto m = view.moments_of(seen, view.group, eps);
            const auto divided = [&](const auto& y) {
                if constexpr (Number == 2)
                    return view.affine(affine, y * m.inverse_root_mean_square(), land);
                else
                    return view.affine(affine, y * m.inverse_deviation(), land);
            };
            if (!options.apply_act) return divided(seen);
            if constexpr (has_v)
                return divided(seen * sigmoid(seen * view.per_channel(*v)));
            else
                return divided(numerator(seen));
        });
    }

    void visit(auto&& visitor) {
        affine.visit(visitor);
        visitor("v", v);
    }

private:
    static constexpr const char* name() {
        constexpr const char* names[] = {"EvoNormS0",  "EvoNormS1",  "EvoNormS2",
                                         "EvoNormS0a", "EvoNormS1a", "EvoNormS2a"};
        return names[Number + (A ? 3 : 0)];
    }
    static index groups_of(index channels, const EvoNormSOptions& o) {
        if (o.group_size == 0) return o.groups;
        return o.group_size > 0 && channels % o.group_size == 0 ? channels / o.group_size : 0;
    }
};

} // namespace detail

/// EvoNorm-S0, x sigmoid(v x) / s weight + bias, where s is the deviation over a group of neighbouring channels of one
/// sample: Liu, Brock, Simonyan & Le (arXiv 2004.02967). Normalisation and activation in one, the same in training and
/// inference. Parameters `weight` (ones), `bias` (zeros), `v` (ones) [C]; eps 1e-5.
template <class T>
struct EvoNormS0 : detail::EvoNormS<T, 0, false, SiLU> {
    using detail::EvoNormS<T, 0, false, SiLU>::EvoNormS;
};
/// As EvoNormS0 with eps 1e-3; without `apply_act` x / s weight + bias.
template <class T>
struct EvoNormS0a : detail::EvoNormS<T, 0, true, SiLU> {
    using detail::EvoNormS<T, 0, true, SiLU>::EvoNormS;
};
/// EvoNorm-S1, Activation(x) / s weight + bias; else as EvoNormS0, without `v`.
template <class T, class Activation = SiLU>
struct EvoNormS1 : detail::EvoNormS<T, 1, false, Activation> {
    using detail::EvoNormS<T, 1, false, Activation>::EvoNormS;
};
/// As EvoNormS1 with eps 1e-3; without `apply_act` x / s weight + bias.
template <class T, class Activation = SiLU>
struct EvoNormS1a : detail::EvoNormS<T, 1, true, Activation> {
    using detail::EvoNormS<T, 1, true, Activation>::EvoNormS;
};
/// EvoNorm-S2: as EvoNormS1 with the root mean square of the group in place of its deviation.
template <class T, class Activation = SiLU>
struct EvoNormS2 : detail::EvoNormS<T, 2, false, Activation> {
    using detail::EvoNormS<T, 2, false, Activation>::EvoNormS;
};
/// As EvoNormS2 with eps 1e-3; without `apply_act` x / s weight + bias.
template <class T, class Activation = SiLU>
struct EvoNormS2a : detail::EvoNormS<T, 2, true, Activation> {
    using detail::EvoNormS<T, 2, true, Activation>::EvoNormS;
};

} // namespace weft::inline WEFT_ABI::nn
