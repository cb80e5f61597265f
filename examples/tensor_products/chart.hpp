// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

/// Lines over a number on axes of logarithms, as an SVG picture.
class Chart {
public:
    Chart(std::string title, std::string below, std::string beside)
        : title_(std::move(title)), below_(std::move(below)), beside_(std::move(beside)) {}

    void add(const std::string& name, const std::vector<std::pair<double, double>>& points) {
        lines_.push_back({name, points});
    }

    std::string svg() const {
        double left = 1e300, right = 0, low = 1e300, high = 0;
        for (const Line& line : lines_)
            for (const auto& [x, y] : line.points) {
                left = std::min(left, x);
                right = std::max(right, x);
                low = std::min(low, y);
                high = std::max(high, y);
            }
        low = std::pow(10, std::floor(std::log10(low)));
        high = std::pow(10, std::ceil(std::log10(high)));
        right = std::max(right, left + 1);
        const auto place_x = [&](double x) { return 70 + 460 * std::log(x / left) / std::log(right / left); };
        const auto place_y = [&](double y) { return 380 - 330 * std::log(y / low) / std::log(high / low); };
        std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"440\" "
                          "font-family=\"sans-serif\" font-size=\"13\">\n"
                          "<rect width=\"760\" height=\"440\" fill=\"white\"/>\n";
        out += fmt::format("<text x=\"300\" y=\"25\" text-anchor=\"middle\" font-size=\"16\">{}</text>\n", title_);
        out += fmt::format("<text x=\"300\" y=\"425\" text-anchor=\"middle\">{}</text>\n", below_);
        out += fmt::format("<text transform=\"translate(20 215) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                           beside_);
        for (double y = low; y < high * 1.01; y *= 10) {
            out +=
                fmt::format("<line x1=\"70\" y1=\"{0:.1f}\" x2=\"530\" y2=\"{0:.1f}\" stroke=\"#ddd\"/>\n", place_y(y));
            out += fmt::format("<text x=\"64\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n", place_y(y) + 4, y);
        }
        for (double x = left; x < right + 0.5; ++x)
            out += fmt::format("<text x=\"{:.1f}\" y=\"400\" text-anchor=\"middle\">{:g}</text>\n", place_x(x), x);
        constexpr const char* colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf",
                                           "#8c564b", "#e377c2", "#7f7f7f", "#000000", "#bcbd22"};
        for (std::size_t l = 0; l < lines_.size(); ++l) {
            const char* const colour = colours[l % std::size(colours)];
            std::string path;
            for (const auto& [x, y] : lines_[l].points) path += fmt::format("{:.1f},{:.1f} ", place_x(x), place_y(y));
            out +=
                fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n", path, colour);
            for (const auto& [x, y] : lines_[l].points)
                out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", place_x(x),
                                   place_y(y), colour);
            const double y = 60 + 24 * static_cast<double>(l);
            out += fmt::format(
                "<line x1=\"550\" y1=\"{0}\" x2=\"575\" y2=\"{0}\" stroke=\"{1}\" stroke-width=\"2\"/>\n", y, colour);
            out += fmt::format("<text x=\"582\" y=\"{}\">{}</text>\n", y + 4, lines_[l].name);
        }
        return out + "</svg>\n";
    }

private:
    struct Line {
        std::string name;
        std::vector<std::pair<double, double>> points;
    };
    std::string title_, below_, beside_;
    std::vector<Line> lines_;
};
