// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>

#include <vector>

/// Of the results of several runs; the deviation of a single one is 0.
struct MeanAndDeviation {
    double mean, deviation;

    explicit MeanAndDeviation(const std::vector<double>& values)
        : MeanAndDeviation(weft::Tensor<double, 1>::from(values)) {}
    explicit MeanAndDeviation(const weft::Tensor<double, 1>& values)
        : mean(weft::mean(values).item()), deviation(values.size() > 1 ? weft::stddev(values).item() : 0) {}
};
