// SPDX-License-Identifier: MIT
// expect: cross_entropy: the logits must have two axes
#include <weft/weft.hpp>

using namespace weft;

auto f(const Tensor<float, 1>& logits, const Tensor<int, 1>& labels) { return nn::cross_entropy(logits, labels); }
