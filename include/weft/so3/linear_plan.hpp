// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/irreps.hpp>
#include <weft/so3/row_lanes.hpp>

namespace weft::inline WEFT_ABI::so3::detail {

/// A path of a linear map: the copies of a term mixed, component by component.
struct LinearPath {
    index at_in, at_out;
    WeightMatrix weights;
    int components;
    double coefficient;

    const WeightMatrix& matrix() const { return weights; }
};
struct LinearPlan {
    Irreps in, out;
    std::vector<std::pair<index, index>> instructions;
    std::vector<double> coefficients; // of the instructions
    std::vector<LinearPath> paths;    // for every pair of channels
    std::vector<index> biases;        // the components of the result that have one
    index f_in = 1, f_out = 1, weight_numel = 0;
    double cost = 0;

    index dim_in() const { return f_in * in.dim(); }
    index dim_out() const { return f_out * out.dim(); }
};

} // namespace weft::inline WEFT_ABI::so3::detail
