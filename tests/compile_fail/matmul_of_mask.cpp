// SPDX-License-Identifier: MIT
// expect: matmul: a mask is not a matrix
#include <weft/weft.hpp>

using namespace weft;

auto f(const Tensor<bool, 2>& mask, const Tensor<float, 2>& x) { return matmul(mask, x); }
