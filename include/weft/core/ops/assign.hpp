// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/add.hpp>
#include <weft/core/ops/divide.hpp>
#include <weft/core/ops/multiply.hpp>
#include <weft/core/ops/subtract.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

template <class T, int N, class S, class E>
Tensor<T, N, S>& assign(Tensor<T, N, S>& x, const E& e) {
    static_assert(E::rank == N, "weft: the right side of a compound assignment has a higher rank than the left");
    if (e.shape() != x.shape())
        throw error("assign", "x is {}, the result is {}: compound assignment must keep the shape",
                    shape_text(x.shape()), shape_text(e.shape()));
    return x = e;
}

} // namespace detail

/// x = x + b; b broadcasts to x. Errors: the result has another shape than x.
template <class T, int N, class S, detail::OperandOf B>
Tensor<T, N, S>& operator+=(Tensor<T, N, S>& x, const B& b) {
    return detail::assign(x, x + b);
}
/// x = x - b; otherwise as +=.
template <class T, int N, class S, detail::OperandOf B>
Tensor<T, N, S>& operator-=(Tensor<T, N, S>& x, const B& b) {
    return detail::assign(x, x - b);
}
/// x = x * b; otherwise as +=.
template <class T, int N, class S, detail::OperandOf B>
Tensor<T, N, S>& operator*=(Tensor<T, N, S>& x, const B& b) {
    return detail::assign(x, x * b);
}
/// x = x / b; otherwise as +=.
template <class T, int N, class S, detail::OperandOf B>
Tensor<T, N, S>& operator/=(Tensor<T, N, S>& x, const B& b) {
    return detail::assign(x, x / b);
}

} // namespace weft::inline WEFT_ABI
