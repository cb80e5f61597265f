// SPDX-License-Identifier: MIT
#include "dot.hpp"

#include <cmath>
#include <cstdio>

#ifdef __cpp_exceptions
#error "the program is not compiled as the test means it to be"
#endif

int main() {
    std::string problem;
    const float value = dot({1, 2, 3}, {4, 5, 6}, problem);
    if (value != 32 || !problem.empty()) return 1;
    if (!std::isnan(dot({1, 2, 3}, {4, 5}, problem))) return 1;
    std::printf("%s\n", problem.c_str());
    return problem.find("weft: ") == 0 ? 0 : 1;
}
