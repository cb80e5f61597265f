// SPDX-License-Identifier: MIT
#include "dot.hpp"

#include <weft/core.hpp>

#include <cmath>
#include <exception>

float dot(std::initializer_list<float> a, std::initializer_list<float> b, std::string& problem) noexcept {
    try {
        return sum<0>(weft::Tensor<float, 1>::from(a) * weft::Tensor<float, 1>::from(b)).item();
    } catch (const std::exception& error) {
        problem = error.what();
        return std::nanf("");
    }
}
