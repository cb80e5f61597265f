// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/nn/module.hpp>

#include <optional>

namespace weft::inline WEFT_ABI::nn {

/// Options of normalisations with a scale and shift.
struct NormOptions {
    double eps = 1e-5;  ///< added to the variance
    bool affine = true; ///< a learnt factor `weight` and summand `bias` for each channel
};

namespace detail {

/// What a normalisation ends with, y weight + bias per channel: parameters `weight` (ones) and `bias` (zeros) [C], or
/// none.
template <class T>
struct Affine {
    std::optional<Parameter<T, 1>> weight, bias;

    Affine() = default;
    /// Errors: a negative number of channels.
    Affine(const char* layer, index channels, bool wanted) {
        if (channels < 0) throw error(layer, "channels is {}: must not be negative", channels);
        if (!wanted) return;
        weight.emplace(Tensor<T, 1>::ones({channels}));
        bias.emplace(Tensor<T, 1>::zeros({channels}));
    }

    /// The factor of a normalisation, with `weight`.
    template <class S>
    auto scaled(const S& factor) const {
        return weight ? eval(factor * *weight) : eval(factor);
    }
    /// The end of a normalisation, with `bias`: land(y + bias), or land(y).
    template <class Y, class Land>
    auto shifted(const Y& y, Land&& land) const {
        return bias ? land(y + *bias) : land(y);
    }
    template <class Y>
    auto shifted(const Y& y) const {
        return shifted(y, [](const auto& e) { return eval(e); });
    }

    void visit(auto&& v) {
        v("weight", weight);
        v("bias", bias);
    }
};

} // namespace detail
} // namespace weft::inline WEFT_ABI::nn
