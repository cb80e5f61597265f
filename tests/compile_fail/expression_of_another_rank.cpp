// SPDX-License-Identifier: MIT
// expect: another rank than the tensor it is assigned to
#include <weft/weft.hpp>

using namespace weft;

Tensor<float, 1> f(const Tensor<float, 2>& x, const Tensor<float, 1>& y) { return x + y; }
