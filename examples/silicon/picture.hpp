// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

struct Point {
    double x, y;
};
/// Predictions over what is true.
struct Panel {
    std::string title;
    std::vector<Point> points;
};

/// Panels side by side on the same axes, as an SVG picture; a point on the diagonal is right.
inline std::string parity_picture(const std::string& title, const std::vector<Panel>& panels) {
    constexpr double side = 300, gap = 40, left = 60, top = 70;
    double most = 1;
    for (const Panel& panel : panels)
        for (const Point& p : panel.points) most = std::max({most, std::abs(p.x), std::abs(p.y)});
    const double step = most > 16 ? 8 : most > 8 ? 4 : most > 4 ? 2 : 1;
    most = step * std::ceil(most / step);
    const double width = left + static_cast<double>(panels.size()) * (side + gap), height = top + side + 60;
    std::string out = fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                                  "font-family=\"sans-serif\" font-size=\"13\">\n"
                                  "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
                                  width, height);
    out += fmt::format("<text x=\"{}\" y=\"25\" text-anchor=\"middle\" font-size=\"16\">{}</text>\n", width / 2, title);
    for (std::size_t k = 0; k < panels.size(); ++k) {
        const double x0 = left + static_cast<double>(k) * (side + gap);
        const auto place_x = [&](double x) { return x0 + side * (x + most) / (2 * most); };
        const auto place_y = [&](double y) { return top + side * (most - y) / (2 * most); };
        out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x0 + side / 2, top - 12,
                           panels[k].title);
        for (double at = -most; at < most + step / 2; at += step) {
            out += fmt::format("<path d=\"M{:.1f} {:.1f}v{}M{:.1f} {:.1f}h{}\" stroke=\"#ddd\"/>\n", place_x(at), top,
                               side, x0, place_y(at), side);
            out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>\n", place_x(at),
                               top + side + 18, at);
            if (k == 0)
                out += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n", x0 - 6,
                                   place_y(at) + 4, at);
        }
        out += fmt::format("<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" stroke=\"#888\"/>\n", place_x(-most),
                           place_y(-most), place_x(most), place_y(most));
        for (const Point& p : panels[k].points)
            out +=
                fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"1.5\" fill=\"#1f77b4\" fill-opacity=\"0.5\"/>\n",
                            place_x(p.x), place_y(p.y));
        out +=
            fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">true</text>\n", x0 + side / 2, top + side + 40);
    }
    return out +
           fmt::format("<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">predicted</text>\n"
                       "</svg>\n",
                       top + side / 2);
}
