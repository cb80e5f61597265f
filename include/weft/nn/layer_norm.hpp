// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/moments.hpp>
#include <weft/nn/channel_view.hpp>

namespace weft::inline WEFT_ABI::nn {

namespace detail {

/// Normalisations of the rows along the last axis by themselves.
struct RowNorm {
    index channels = 0;
    double eps = 0;

    /// Errors: the last extent of x is not C.
    template <class X>
    void check(const char* layer, const X& x) const {
        static_assert(X::rank >= 1, "weft: a normalisation of rows needs an axis of channels");
        if (x.shape().back() != channels)
            throw error(layer, "x is {}: its last extent must be {}, the channels of the layer",
                        weft::detail::shape_text(x.shape()), channels);
    }
};

} // namespace detail

/// Layer normalisation along the last axis, for each row by itself: (x - mean) / sqrt(variance + eps) weight + bias.
/// Ba et al. (arXiv 1607.06450). Parameters `weight`, `bias` [C], or none, as in torch.nn.LayerNorm.
template <class T>
struct LayerNorm {
    static constexpr bool fuses_activation = true;
    detail::Affine<T> affine;
    detail::RowNorm rows;

    LayerNorm() = default;
    /// Errors: a negative number of channels.
    explicit LayerNorm(index channels, const NormOptions& o = {})
        : affine("LayerNorm", channels, o.affine), rows{channels, o.eps} {}

    /// activation(normalised x), in one loop; x [..., C]. Errors: its last extent is not C.
    template <Expression X, class F = detail::NoActivation>
    auto operator()(const X& x, const F& activation = {}) const {
        rows.check("LayerNorm", x);
        const auto m = moments<-1>(x, rows.eps);
        const auto y = (m.x() - m.mean()) * m.inverse_deviation();
        const auto land = detail::landing(activation);
        return affine.weight ? land(y * *affine.weight + *affine.bias) : land(y);
    }

    void visit(auto&& v) { affine.visit(v); }
};

} // namespace weft::inline WEFT_ABI::nn
