// SPDX-License-Identifier: MIT
// expect: weft: checkpoint: the function holds a Var: make it one of its inputs
#include <weft/core/ops.hpp>
#include <weft/grad/checkpoint.hpp>

int main() {
    const weft::Var<float, 1> x{weft::Tensor<float, 1>::zeros({3})}, held{weft::Tensor<float, 1>::zeros({3})};
    const auto y = weft::checkpoint([held](const auto& a) { return a * held; }, x);
    return y.size() == 3 ? 0 : 1;
}
