// SPDX-License-Identifier: MIT
// usage: compare_values <reference> <other>
// Compares two files of kernel_values. Integers, and what they are the bits of, must be equal; other numbers within a
// share of the largest number of their tensor, or of themselves where the name says so (kernel_values.hpp): not a
// number and infinities in the same places. Names the worst tensor of each kind and all that differ.
#include <weft/core/tensor.hpp>
#include <weft/io/safetensors.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <map>
#include <string>

using weft::io::AnyTensor;

namespace {

/// How far two results may be apart, by the beginning of their tensors' names: sums of a few hundred terms in another
/// order, fused or not; functions on either side within the 5.5 units in the last place that the least accurate states.
struct Kind {
    const char* prefix;
    bool each;        ///< a share of each number, else of the largest of the tensor
    double tolerance; ///< the share
    double smallest;  ///< below it numbers have fewer digits
};
constexpr Kind kinds[] = {
    {"double.each.", true, 3e-15, std::numeric_limits<double>::min()},
    {"double.", false, 1e-12, 0},
    {"float.each.", true, 1.5e-6, std::numeric_limits<float>::min()},
    {"float.", false, 2e-5, 0},
    {"exact.", false, 0, 0},
};

const Kind& kind_of(const std::string& name) {
    for (const Kind& kind : kinds)
        if (name.starts_with(kind.prefix)) return kind;
    throw std::runtime_error("the tensor " + name + " is of no known kind");
}

std::vector<double> elements(const AnyTensor& tensor) {
    const AnyTensor flat(tensor.dtype(), {tensor.size()}, tensor.storage(), tensor.bytes().data());
    const auto values = flat.to<double, 1>(weft::io::Conversion::rounding).values();
    return {values.begin(), values.end()};
}

/// The largest difference of two tensors as a share of what it is to be measured by; infinite where one has no value.
double difference(const Kind& kind, const AnyTensor& a, const AnyTensor& b) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (a.dtype() != b.dtype() || a.shape() != b.shape()) return infinity;
    if (kind.tolerance == 0) return std::ranges::equal(a.bytes(), b.bytes()) ? 0 : infinity;
    const auto x = elements(a), y = elements(b);
    double largest = 0, worst = 0;
    for (const double v : x)
        if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
        if (!std::isfinite(x[i]) || !std::isfinite(y[i])) return infinity;
        const double size = kind.each ? std::max({std::abs(x[i]), std::abs(y[i]), kind.smallest}) : largest;
        worst = std::max(worst, std::abs(x[i] - y[i]) / size);
    }
    return worst;
}

int compare(const char* reference, const char* other) {
    const auto a = weft::io::SafetensorsFile::read(reference), b = weft::io::SafetensorsFile::read(other);
    struct Worst {
        double difference = 0;
        std::string name = "all equal";
        int count = 0;
    };
    std::map<std::string, Worst> worst;
    int failures = 0;
    for (const std::string& name : a.names()) {
        const Kind& kind = kind_of(name);
        if (!b.contains(name)) {
            std::printf("%s: not in %s\n", name.c_str(), other);
            ++failures;
            continue;
        }
        const double d = difference(kind, a.any(name), b.any(name));
        Worst& w = worst[kind.prefix];
        ++w.count;
        if (d > w.difference) {
            w.difference = d;
            w.name = name;
        }
        if (!(d <= kind.tolerance)) {
            std::printf("%s: differs by %.2g, at most %.2g\n", name.c_str(), d, kind.tolerance);
            ++failures;
        }
    }
    for (const std::string& name : b.names())
        if (!a.contains(name)) {
            std::printf("%s: not in %s\n", name.c_str(), reference);
            ++failures;
        }
    for (const Kind& kind : kinds) {
        const Worst& w = worst[kind.prefix];
        std::printf("%-13s %3d tensors, %.2g of at most %.2g: %s\n", kind.prefix, w.count, w.difference, kind.tolerance,
                    w.name.c_str());
        if (w.count == 0) ++failures; // nothing was compared
    }
    return failures == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: compare_values <reference> <other>\n", stderr);
        return 2;
    }
    try {
        return compare(argv[1], argv[2]);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
