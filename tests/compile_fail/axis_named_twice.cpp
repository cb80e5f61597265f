// SPDX-License-Identifier: MIT
// expect: an axis of the reduction is named twice
#include <weft/weft.hpp>

using namespace weft;

auto f(const Tensor<float, 2>& x) { return sum<0, 1, 0>(x); }
