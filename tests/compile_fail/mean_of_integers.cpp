// SPDX-License-Identifier: MIT
// expect: this reduction needs floating-point elements
#include <weft/weft.hpp>

using namespace weft;

auto f(const Tensor<int, 2>& n) { return mean<1>(n); }
