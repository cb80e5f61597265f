// SPDX-License-Identifier: MIT
// expect: integers and floating-point numbers do not mix|all operands of an edge expression have the same element type
#include <weft/weft.hpp>

using namespace weft;

auto f(const Graph& g, const Tensor<float, 2>& x, const Tensor<double, 2>& y) { return sum_in(g, src(x) * dst(y)); }
