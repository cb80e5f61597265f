// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/init.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3/tensor_product.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// A tensor product that keeps its weights, which all rows share: `WeightedTensorProduct<float>
/// layer(FullyConnectedTensorProduct(in1, in2, out))`. Parameter `weight` [weight_numel()], normal of variance 1.
template <class T>
struct WeightedTensorProduct {
    TensorProduct product;
    Parameter<T, 1> weight;

    WeightedTensorProduct() = default;
    /// `generator`: where the initial weights come from; null: nn::unseeded_generator().
    explicit WeightedTensorProduct(const TensorProduct& p, Generator* generator = nullptr) : product(p) {
        weight.set_value(Tensor<T, 1>::empty({p.weight_numel()}));
        Generator unseeded;
        if (!generator) unseeded = nn::unseeded_generator();
        nn::normal(weight, generator ? *generator : unseeded);
    }

    /// x1 [N, dim1], x2 [N, dim2] to [N, dim of the result]. Errors: see TensorProduct.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        return product(x1, x2, weight);
    }
    /// The matrices [N, dim1, dim of the result] of x2 [N, dim2], see TensorProduct::right.
    template <Expression X2>
    auto right(const X2& x2) const {
        return product.right(x2, weight);
    }
    void visit(auto&& v) { v("weight", weight); }
};

} // namespace weft::inline WEFT_ABI::so3
