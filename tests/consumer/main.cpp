// SPDX-License-Identifier: MIT
#include <weft/potential/weft_potential.h>
#include <weft/weft.hpp>

#include <cstdio>

int main() {
    const auto a = weft::Tensor<float, 2>::from({{1, 2, 3}, {4, 5, 6}});
    const weft::Tensor<float, 1> b = weft::sum<1>(a * a);
    std::printf("%g %g\n", static_cast<double>(b(0)), static_cast<double>(b(1)));
    return b(0) == 14 && b(1) == 77 ? 0 : 1;
}
