// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/layer_norm.hpp>

namespace weft::inline WEFT_ABI::nn {

/// g x / max(|x|, eps) with the Euclidean norm along the last axis, for each row by itself: Nguyen & Salazar (arXiv
/// 1910.05895). Parameter `g` [1], sqrt(C) at first.
template <class T>
struct ScaleNorm {
    static constexpr bool fuses_activation = true;
    Parameter<T, 1> g;
    detail::RowNorm rows;

    ScaleNorm() = default;
    /// Errors: a negative number of channels.
    explicit ScaleNorm(index channels, double eps = 1e-5) : rows{channels, eps} {
        if (channels < 0) throw error("ScaleNorm", "channels is {}: must not be negative", channels);
        g = Parameter<T, 1>(Tensor<T, 1>::full({1}, T(std::sqrt(static_cast<double>(channels)))));
    }

    /// activation(normalised x), in one loop; x [..., C]. Errors: its last extent is not C.
    template <Expression X, class F = detail::NoActivation>
    auto operator()(const X& x, const F& activation = {}) const {
        rows.check("ScaleNorm", x);
        const auto m = moments<-1>(x);
        const double root = std::sqrt(static_cast<double>(rows.channels));
        return eval(activation(m.x() * (g / maximum(m.root_mean_square() * root, rows.eps))));
    }

    void visit(auto&& v) { v("g", g); }
};

} // namespace weft::inline WEFT_ABI::nn
