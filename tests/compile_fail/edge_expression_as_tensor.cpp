// SPDX-License-Identifier: MIT
// expect: an expression over edges lands through a reduction
#include <weft/weft.hpp>

using namespace weft;

auto f(const Tensor<float, 2>& x) { return eval(src(x) + dst(x)); }
