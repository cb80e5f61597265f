// SPDX-License-Identifier: MIT
// expect: the axis of a reduction is not an axis of its operand
#include <weft/weft.hpp>

using namespace weft;

auto f(const Tensor<float, 2>& x) { return sum<2>(x); }
