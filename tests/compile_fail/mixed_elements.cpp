// SPDX-License-Identifier: MIT
// expect: integers and floating-point numbers do not mix
#include <weft/weft.hpp>

using namespace weft;

Tensor<float, 1> f(const Tensor<float, 1>& x, const Tensor<int, 1>& n) { return x * n; }
