// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/layout.hpp>
#include <weft/core/moments.hpp>
#include <weft/nn/affine.hpp>

namespace weft::inline WEFT_ABI::nn {

/// `wanted` where it divides the channels, else the next smaller number that does.
inline index largest_divisor_groups(index channels, index wanted) {
    index groups = std::max<index>(std::min(wanted, channels), 1);
    while (channels % groups != 0) --groups;
    return groups;
}

namespace detail {

/// What normalisations of tensors with channels are called with: x [N, C, ...] or [N, ..., C], seen as [N, G, C/G, S]
/// or [N, S, G, C/G] with G groups of neighbouring channels and the S positions of the other axes. All members are
/// extents: of x, of what there is once per channel (statistics over a batch, too), and of statistics over a group and,
/// of one channel, an instance.
struct ChannelView {
    Extents<4> whole, channel, group, instance;
    index values_per_channel; // N S

    /// Errors: no axis of channels; another number of channels; there are no positions.
    ChannelView(const char* layer, std::span<const index> shape, index channels, index groups, Layout layout) {
        const auto fail = [&](const char* what) {
            throw error(layer, "x is {}: {}", weft::detail::shape_text(shape), what);
        };
        if (shape.size() < 2) fail("it must be [N, C], [N, C, ...] or [N, ..., C]");
        const bool first = layout == Layout::channels_first;
        const index n = shape[0], given = first ? shape[1] : shape.back();
        if (given != channels)
            throw error(layer, "x is {}: its axis {} must be {}, the channels of the layer",
                        weft::detail::shape_text(shape), first ? 1 : shape.size() - 1, channels);
        index positions = 1;
        for (std::size_t a = first ? 2 : 1; a + (first ? 0 : 1) < shape.size(); ++a) positions *= shape[a];
        if (positions == 0) fail("there are no positions");
        const index each = channels / groups;
        values_per_channel = n * positions;
        if (first) {
            whole = {n, groups, each, positions};
            channel = {1, groups, each, 1};
            group = {n, groups, 1, 1};
            instance = {n, groups, each, 1};
        } else {
            whole = {n, positions, groups, each};
            channel = {1, 1, groups, each};
            group = {n, 1, groups, 1};
            instance = {n, 1, groups, each};
        }
    }

    /// The result of f(x seen so), in the shape of x.
    template <class X, class F>
    auto apply(const X& x, const F& f) const {
        return reshape(f(reshape(contiguous(x), whole)), x.shape());
    }
    /// Moments of a statistic's extents.
    template <class X>
    static auto moments_of(const X& seen, const Extents<4>& statistic, double eps) {
        const auto source = weft::detail::statistic_source(seen);
        return Moments<std::remove_cvref_t<decltype(source)>>(source, statistic, eps);
    }
    /// A vector with an element per channel, to stand in an expression with x.
    template <class V>
    auto per_channel(const V& v) const {
        return per_run(reshape(v, channel));
    }
    /// land(y weight + bias) per channel, or land(y).
    template <class T, class Y, class Land>
    auto affine(const Affine<T>& a, const Y& y, const Land& land) const {
        return a.weight ? land(y * per_channel(*a.weight) + per_channel(*a.bias)) : land(y);
    }
};

/// Groups that divide the channels. Errors: they do not.
inline index checked_groups(const char* layer, index channels, index groups) {
    if (groups < 1 || channels % groups != 0)
        throw error(layer, "{} channels, {} groups: the groups must divide the channels (largest_divisor_groups)",
                    channels, groups);
    return groups;
}
/// Errors: eps is not positive.
inline double checked_eps(const char* layer, double eps) {
    if (!(eps > 0)) throw error(layer, "eps is {}: must be positive", eps);
    return eps;
}

/// What a normalisation lands: f of its result, in the same loop.
template <class F>
auto landing(const F& f) {
    return [&f](const auto& y) { return contiguous(f(y)); };
}
struct NoActivation {
    template <class Y>
    const Y& operator()(const Y& y) const {
        return y;
    }
};

} // namespace detail
} // namespace weft::inline WEFT_ABI::nn
