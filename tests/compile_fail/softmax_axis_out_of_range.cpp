// SPDX-License-Identifier: MIT
// expect: softmax: the axis is not an axis of the operand
#include <weft/weft.hpp>

using namespace weft;

auto f(const Tensor<float, 2>& x) { return softmax<2>(x); }
