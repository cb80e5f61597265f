// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/ops.hpp>
#include <weft/core/views.hpp>
#include <weft/so3/spherical_harmonics.hpp>

/// Spherical harmonics of directions given by angles: beta from the polar axis y, alpha around it from z to x, so
/// (x, y, z) = (sin beta sin alpha, cos beta, sin beta cos alpha). They are products of a function of each angle,
/// Y_lm(alpha, beta) = A_m(alpha) B_lm(beta), which is what grids of alpha and beta need.
namespace weft::inline WEFT_ABI::so3 {

/// Y_lm of angles alpha [...] and beta [...], in radians: [..., sum of 2l + 1], ordered as spherical_harmonics. Errors:
/// the shapes differ, a negative degree.
template <Expression A, Expression B>
auto spherical_harmonics_alpha_beta(const std::vector<int>& degrees, const A& alpha, const B& beta,
                                    Normalization normalization = Normalization::integral) {
    const auto sine = eval(sin(beta));
    const auto direction = stack(-1, eval(sine * sin(alpha)), eval(cos(beta)), eval(sine * cos(alpha)));
    return spherical_harmonics(degrees, direction, {.normalize = false, .normalization = normalization});
}

/// A_m(alpha) for m = -lmax, ..., lmax of angles [...]: [..., 2 lmax + 1], sqrt(2) sin(|m| alpha) for m < 0, 1, and
/// sqrt(2) cos(m alpha) for m > 0. Errors: lmax is negative.
template <Expression A>
auto spherical_harmonics_alpha(int lmax, const A& alpha) {
    if (lmax < 0) throw error("spherical_harmonics_alpha", "lmax is {}: must not be negative", lmax);
    using T = typename A::value_type;
    const auto angle = unsqueeze(alpha, -1);
    const auto order = arange<T>(lmax, T(1));
    const auto root = static_cast<T>(std::numbers::sqrt2);
    return concat(-1, eval(root * sin(angle * flip(order, 0))), eval(T(0) * angle + T(1)),
                  eval(root * cos(angle * order)));
}

/// B_lm(beta) of angles [...] for the degrees in the order given, m = -l, ..., l: [..., sum of 2l + 1], the associated
/// Legendre functions of cos beta without Condon-Shortley sign, for m and -m alike:
/// sqrt((2l + 1) / (4 pi) (l - |m|)! / (l + |m|)!) P_l|m|(cos beta) in the normalisation `integral`. Errors: a negative
/// degree.
template <Expression B>
auto legendre(const std::vector<int>& degrees, const B& beta, Normalization normalization = Normalization::integral) {
    using T = typename B::value_type;
    const auto angle = eval(beta);
    const auto y = spherical_harmonics_alpha_beta(degrees, eval(T(0) * angle), angle, normalization);
    // At alpha = 0 the functions of m >= 0 are sqrt(2) B, at m = 0 they are B.
    auto column = Tensor<index, 1>::empty({y.extent(-1)});
    auto scale = Tensor<T, 1>::empty({y.extent(-1)});
    index k = 0;
    for (const int l : degrees) {
        const index center = k + l;
        for (int m = -l; m <= l; ++m, ++k) {
            column.mutable_data()[k] = center + std::abs(m);
            scale.mutable_data()[k] = static_cast<T>(m == 0 ? 1.0 : std::numbers::sqrt2 / 2);
        }
    }
    return eval(index_select(y, -1, column) * scale);
}

} // namespace weft::inline WEFT_ABI::so3
