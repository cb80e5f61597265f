// SPDX-License-Identifier: MIT
// expect: an expression has at most 22 leaves
#include <weft/weft.hpp>

using namespace weft;

Tensor<float, 1> f(const Tensor<float, 1>& x) {
    const auto four = x * x + x * x;
    const auto twelve = four * four + four;
    return twelve * twelve;
}
