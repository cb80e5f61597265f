// SPDX-License-Identifier: MIT
#include "unit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace {

/// |a - b| at most, as a share of the largest |b|.
double difference(const std::vector<double>& a, const std::vector<double>& b) {
    if (a.size() != b.size()) return HUGE_VAL;
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        worst = std::fmax(worst, std::isnan(a[i]) ? HUGE_VAL : std::fabs(a[i] - b[i]));
        largest = std::fmax(largest, std::fabs(b[i]));
    }
    return worst / largest;
}

bool is_right(const std::string& what, const std::vector<double>& result, const std::vector<double>& expected) {
    const double share = difference(result, expected), most = what.find("float") == 0 ? 1e-5 : 1e-12;
    std::printf("%s: %zu numbers, differ by %.2g of the largest\n", what.c_str(), result.size(), share);
    return !expected.empty() && share <= most;
}

/// What std::exp makes of the numbers.
bool expression_is_right(Result& result) {
    std::vector<double> expected;
    for (const double x : result.values["float numbers"]) expected.push_back(std::exp(-x * x) + x);
    return is_right("float expression against std::exp", result.values["float expression"], expected);
}

} // namespace

int main() {
    // In either order: what one unit has in caches must not serve the other.
    Result low = baseline::run(), high = native::run();
    const Result again = baseline::run();
    std::printf("%zu and %zu floats in a packet\n", low.lanes, high.lanes);
    bool right = low.lanes == 4 && again.values == low.values;
    for (Result* result : {&low, &high}) right = expression_is_right(*result) && right;
    for (const auto& [name, values] : high.values) right = is_right(name, low.values[name], values) && right;
    return right ? 0 : 1;
}
