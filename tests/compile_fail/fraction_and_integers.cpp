// SPDX-License-Identifier: MIT
// expect: a fractional number and a tensor of integers do not mix
#include <weft/weft.hpp>

using namespace weft;

Tensor<int, 1> f(const Tensor<int, 1>& n) { return n * 0.5f; }
