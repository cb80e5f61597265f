// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/layer_norm.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `RMSNorm`.
struct RMSNormOptions {
    double eps = 1e-6;  ///< added to the mean of squares
    bool affine = true; ///< a learnt factor `weight` for each channel
};

/// x / sqrt(mean(x^2) + eps) weight along the last axis, for each row by itself: Zhang & Sennrich (arXiv 1910.07467).
/// Parameter `weight` [C], or none, as in torch.nn.RMSNorm.
template <class T>
struct RMSNorm {
    static constexpr bool fuses_activation = true;
    std::optional<Parameter<T, 1>> weight;
    detail::RowNorm rows;

    RMSNorm() = default;
    /// Errors: a negative number of channels.
    explicit RMSNorm(index channels, const RMSNormOptions& o = {})
        : weight(detail::Affine<T>("RMSNorm", channels, o.affine).weight), rows{channels, o.eps} {}

    /// activation(normalised x), in one loop; x [..., C]. Errors: its last extent is not C.
    template <Expression X, class F = detail::NoActivation>
    auto operator()(const X& x, const F& activation = {}) const {
        rows.check("RMSNorm", x);
        const auto m = moments<-1>(x, rows.eps);
        const auto y = m.x() * m.inverse_root_mean_square();
        const auto land = detail::landing(activation);
        return weight ? land(y * *weight) : land(y);
    }

    void visit(auto&& v) { v("weight", weight); }
};

} // namespace weft::inline WEFT_ABI::nn
