// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/add.hpp>
#include <weft/core/reduce.hpp>
#include <weft/linalg/matmul.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// A product whose rows begin with the bias instead of zeros.
template <class T>
struct Affine {
    static constexpr auto name = "affine";
    MatMul<T> product;

    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, 2>& weight, const Tensor<T, 1>& bias) const {
        return product.forward(x, weight, bias.data());
    }
    Tensor<T, 2> forward_recorded(const Tensor<T, 2>& x, const Tensor<T, 2>& weight, const Tensor<T, 1>& bias) {
        return product.forward_recorded(x, weight, bias.data());
    }
    template <class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>& y, Sink& sink, const Tensor<T, 2>& x,
                  const Tensor<T, 2>& weight, const Tensor<T, 1>&) const {
        product.backward(dy, y, sink, x, weight);
        if (sink.template wants<2>()) sink.template add<2>(eval(sum<0>(dy)));
    }
};

} // namespace detail

/// x weight^T + bias for x [M, K], weight [N, K], bias [N]: PyTorch's functional linear. O(M N K). Errors: the extents
/// do not fit.
template <Expression X, Expression W, Expression B>
requires(X::rank == 2 && W::rank == 2 && B::rank == 1) auto affine(const X& x, const W& weight, const B& bias) {
    if (x.shape()[1] != weight.shape()[1] || bias.shape()[0] != weight.shape()[0])
        throw error("affine", "x is {}, weight is {}, bias is {}: they must be [M, K], [N, K] and [N]",
                    detail::shape_text(x.shape()), detail::shape_text(weight.shape()),
                    detail::shape_text(bias.shape()));
    using T = typename W::value_type;
    constexpr bool one_type = std::same_as<typename X::value_type, T> && std::same_as<typename B::value_type, T> &&
                              detail::MatMul<T>::may_skip;
    if constexpr (one_type) {
        const auto rows = eval(x);
        const auto columns = eval(weight);
        const bool transposed = detail::stored_transposed(rows), turned = detail::stored_transposed(columns);
        return apply_operation(detail::Affine<T>{{transposed, !turned}}, detail::as_stored(rows, transposed),
                                       detail::as_stored(columns, turned), eval(bias));
    } else {
        return eval(matmul(x, transpose(weight)) + bias);
    }
}

} // namespace weft::inline WEFT_ABI
