// SPDX-License-Identifier: MIT
// expect: softmax_out goes with reductions over the edges of a source
#include <weft/weft.hpp>

using namespace weft;

Tensor<float, 2> f(const Graph& g, const Tensor<float, 2>& x) { return sum_in(g, softmax_out(src(x)) * src(x)); }
