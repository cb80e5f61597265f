// SPDX-License-Identifier: MIT
// expect: weft: einsum: every operand must have as many labels as axes
#include <weft/linalg/einsum.hpp>

using namespace weft;

auto f(const Tensor<float, 2>& x, const Tensor<float, 3>& y) { return einsum<"ij,jk->ik">(x, y); }
