// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/add.hpp>
#include <weft/core/views.hpp>
#include <weft/linalg/affine.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/module.hpp>

#include <optional>

namespace weft::inline WEFT_ABI::nn {

/// Options of `Linear`.
struct LinearOptions {
    bool bias = true;
    /// Where the initial values come from; null: unseeded_generator().
    Generator* generator = nullptr;
};

/// y = x W^T + b along the last axis of x, of any rank from 1: weight [out, in], bias [out]. Initial values are uniform
/// in +-1 / sqrt(in), as in PyTorch.
template <class T>
struct Linear {
    Parameter<T, 2> weight;
    std::optional<Parameter<T, 1>> bias;

    Linear() = default;
    /// Errors: a negative number of features.
    Linear(index in_features, index out_features, const LinearOptions& options = {}) {
        if (in_features < 0 || out_features < 0)
            throw error("Linear", "{} features in, {} out: must not be negative", in_features, out_features);
        weight.set_value(Tensor<T, 2>::empty({out_features, in_features}));
        if (options.bias) bias.emplace(Tensor<T, 1>::empty({out_features}));
        Generator unseeded;
        if (!options.generator) unseeded = unseeded_generator();
        reset_parameters(options.generator ? *options.generator : unseeded);
    }

    index in_features() const { return weight.extent(1); }
    index out_features() const { return weight.extent(0); }

    /// Draws weight and bias anew.
    void reset_parameters(Generator& generator) {
        const double bound = 1 / std::sqrt(std::max(static_cast<double>(in_features()), 1.0));
        uniform(weight, generator, -bound, bound);
        if (bias) uniform(*bias, generator, -bound, bound);
    }

    /// Errors: the last extent of x is not `in_features`.
    template <Expression E>
    auto operator()(const E& expression) const {
        static_assert(E::rank >= 1, "weft: Linear: the input needs an axis of features");
        const auto x = eval(expression);
        if (x.extent(-1) != in_features())
            throw error("Linear", "x is {}, weight is {}: the last extent of x must be {}, the number of features in",
                        weft::detail::shape_text(x.shape()), weft::detail::shape_text(weight.shape()), in_features());
        if constexpr (E::rank == 2) {
            return apply_rows(x);
        } else {
            Extents<E::rank> shape = x.shape();
            index rows = 1;
            for (std::size_t a = 0; a + 1 < shape.size(); ++a) rows *= shape[a];
            shape.back() = out_features();
            return reshape(apply_rows(reshape(x, Extents<2>{rows, in_features()})), shape);
        }
    }

    /// y + bias, or y where there is none, landed: the end of a product that was made elsewhere.
    template <Expression E>
    auto add_bias(const E& y) const {
        return bias ? eval(y + *bias) : eval(y);
    }

    void visit(auto&& v) {
        v("weight", weight);
        v("bias", bias);
    }

private:
    template <class X>
    auto apply_rows(const X& x) const {
        return bias ? affine(x, weight, *bias) : matmul(x, transpose(weight));
    }
};

} // namespace weft::inline WEFT_ABI::nn
