// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

struct Result {
    std::vector<float> values;
    float sum = 0;
    std::size_t lanes = 0;
};

namespace baseline {
Result run(const std::vector<float>& values);
}
namespace native {
Result run(const std::vector<float>& values);
}
