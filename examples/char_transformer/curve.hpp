// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace char_transformer {

using Points = std::vector<std::pair<double, double>>; // step and loss

/// Losses over steps as an SVG picture: each step's faint, those of validation as a line with points.
inline std::string learning_curve(const Points& train, const Points& validation) {
    double right = 1, low = 1e300, high = 0;
    for (const Points* line : {&train, &validation})
        for (const auto& [step, loss] : *line) {
            right = std::max(right, step);
            low = std::min(low, loss);
            high = std::max(high, loss);
        }
    low = std::floor(low * 2) / 2;
    high = std::max(std::ceil(high * 2) / 2, low + 0.5);
    const auto x = [&](double step) { return 60 + 560 * step / right; };
    const auto y = [&](double loss) { return 360 - 310 * (loss - low) / (high - low); };
    std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"660\" height=\"420\" "
                      "font-family=\"sans-serif\" font-size=\"13\">\n"
                      "<rect width=\"660\" height=\"420\" fill=\"white\"/>\n"
                      "<text x=\"340\" y=\"25\" text-anchor=\"middle\" font-size=\"16\">Loss, nats per character: "
                      "each batch (grey), validation (blue)</text>\n"
                      "<text x=\"340\" y=\"405\" text-anchor=\"middle\">step</text>\n";
    for (double loss = low; loss < high + 0.25; loss += 0.5) {
        out += fmt::format("<line x1=\"60\" y1=\"{0:.1f}\" x2=\"620\" y2=\"{0:.1f}\" stroke=\"#ddd\"/>\n", y(loss));
        out += fmt::format("<text x=\"52\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n", y(loss) + 4, loss);
    }
    for (int k = 0; k <= 4; ++k)
        out += fmt::format("<text x=\"{:.1f}\" y=\"380\" text-anchor=\"middle\">{:.0f}</text>\n", x(right * k / 4),
                           right * k / 4);
    const auto line = [&](const Points& points, const char* style) {
        std::string path;
        for (const auto& [step, loss] : points) path += fmt::format("{:.1f},{:.1f} ", x(step), y(loss));
        out += fmt::format("<polyline points=\"{}\" fill=\"none\" {}/>\n", path, style);
    };
    line(train, "stroke=\"#bbb\"");
    line(validation, "stroke=\"#1f77b4\" stroke-width=\"2\"");
    for (const auto& [step, loss] : validation)
        out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"#1f77b4\"/>\n", x(step), y(loss));
    return out + "</svg>\n";
}

} // namespace char_transformer
