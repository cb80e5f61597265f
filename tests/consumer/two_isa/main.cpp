// SPDX-License-Identifier: MIT
#include "unit.hpp"

#include <cmath>
#include <cstdio>

namespace {

bool is_right(const char* name, const Result& result, const std::vector<float>& values) {
    double sum = 0;
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double x = static_cast<double>(values[i]);
        const double y = std::exp(-x * x) + x;
        sum += y;
        worst = std::fmax(worst, std::fabs(static_cast<double>(result.values[i]) - y));
    }
    std::printf("%s: %zu lanes, sum %g (exact %g), worst error %g\n", name, result.lanes,
                static_cast<double>(result.sum), sum, worst);
    return worst < 1e-6 && std::fabs(static_cast<double>(result.sum) - sum) < 1e-5 * std::fabs(sum);
}

} // namespace

int main() {
    std::vector<float> values;
    for (int i = 0; i < 1003; ++i) values.push_back(static_cast<float>(i) / 400.0f - 1.0f);
    const Result low = baseline::run(values);
    const Result high = native::run(values);
    if (low.lanes != 4) {
        std::printf("the baseline unit runs code for %zu lanes\n", low.lanes);
        return 1;
    }
    return is_right("x86-64", low, values) && is_right("native", high, values) ? 0 : 1;
}
