// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/module.hpp>

namespace weft::inline WEFT_ABI::potential::detail {

/// What stands beside a V in an operation of which all weights are to be recorded if V is a Var.
template <class V, class T, int N>
auto as_operand_of(const Tensor<T, N>& constant) {
    if constexpr (kind_of<V> == Kind::var)
        return Var<T, N>{constant};
    else
        return constant;
}
/// A parameter, to be recorded if V is a Var.
template <class V, class T, int N>
auto as_operand_of(const Parameter<T, N>& p) {
    if constexpr (kind_of<V> == Kind::var)
        return p.var();
    else
        return p.value();
}

} // namespace weft::inline WEFT_ABI::potential::detail
