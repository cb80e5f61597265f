// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <string>

/// The sum of the products of a and b, or NaN and the reason in `problem`.
float dot(std::initializer_list<float> a, std::initializer_list<float> b, std::string& problem) noexcept;
