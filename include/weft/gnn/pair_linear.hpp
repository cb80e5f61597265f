// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/add.hpp>
#include <weft/gnn/node_features.hpp>
#include <weft/graph/edge_leaf.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::gnn::detail {

/// linear [x_i, x_j] as a message, an edge expression: computed per node instead of per edge. O(N in out).
template <class T, class D, class S>
auto pair_linear(const nn::Linear<T>& linear, const D& x_dst, const S& x_src) {
    const index own = x_dst.shape()[1], all = own + x_src.shape()[1];
    const auto columns = [&](index begin, index end) { return transpose(slice(linear.weight, 1, begin, end)); };
    return dst(linear.add_bias(matmul(x_dst, columns(0, own)))) + src(matmul(x_src, columns(own, all)));
}
/// linear [x_i, x_j, e_ij]: the last part is computed per edge, [E, out].
template <class T, class D, class S, class E>
auto pair_linear(const nn::Linear<T>& linear, const D& x_dst, const S& x_src, const E& edge_attr) {
    const index nodes = x_dst.shape()[1] + x_src.shape()[1];
    return pair_linear(linear, x_dst, x_src) + edge(matmul(edge_attr, transpose(slice(linear.weight, 1, nodes))));
}

} // namespace weft::inline WEFT_ABI::gnn::detail
