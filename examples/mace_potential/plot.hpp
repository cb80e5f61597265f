// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mace_potential {

struct Curve {
    std::string name, color;
    std::vector<std::pair<double, double>> points;
    double width = 1.5;
};

/// Curves over the same axis.
struct Panel {
    std::string label; ///< of the vertical axis, with its unit
    std::vector<Curve> curves;
    bool logarithmic = false;
};

/// Panels one below the other over one horizontal axis, as an SVG picture.
std::string plot(const std::string& title, const std::string& label, const std::vector<Panel>& panels);

} // namespace mace_potential
