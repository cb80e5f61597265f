// SPDX-License-Identifier: MIT
// expect: a Var stands in an expression of its own element type only
#include <weft/weft.hpp>

using namespace weft;

Var<double, 1> f(const Var<float, 1>& x, const Tensor<double, 1>& y) { return x * y; }
