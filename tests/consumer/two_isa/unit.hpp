// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

/// What a unit computes, by names.
struct Result {
    std::map<std::string, std::vector<double>> values;
    std::size_t lanes = 0;
};

namespace baseline {
Result run();
}
namespace native {
Result run();
}
