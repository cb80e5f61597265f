// SPDX-License-Identifier: MIT
// expect: this function needs floating-point elements
#include <weft/weft.hpp>

using namespace weft;

Tensor<int, 1> f(const Tensor<int, 1>& n) { return exp(n); }
