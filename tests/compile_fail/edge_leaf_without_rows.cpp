// SPDX-License-Identifier: MIT
// expect: take a tensor with one row per node or edge
#include <weft/weft.hpp>

using namespace weft;

Tensor<float, 1> f(const Graph& g, const Tensor<float, 0>& x) { return sum_in(g, src(x)); }
