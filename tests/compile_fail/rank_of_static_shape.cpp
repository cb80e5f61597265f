// SPDX-License-Identifier: MIT
// expect: the rank of the Shape must be the rank of the Tensor
#include <weft/weft.hpp>

using namespace weft;

Tensor<float, 2, Shape<3>> x;
