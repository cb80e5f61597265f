// SPDX-License-Identifier: MIT
#include "plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mace_potential {
namespace {

constexpr double left = 80, width = 600, panel_height = 170, gap = 32, top = 62;

/// An axis from the lowest to the highest of values, with round marks.
class Axis {
public:
    void include(double value) {
        low_ = std::min(low_, value);
        high_ = std::max(high_, value);
    }
    /// `room`: whether some is left at both ends. `marks`: how many about.
    void finish(bool logarithmic, bool room, double marks) {
        logarithmic_ = logarithmic;
        if (low_ > high_) low_ = 0, high_ = 1;
        low_ = scaled(low_);
        high_ = scaled(high_);
        if (!(high_ > low_)) low_ -= 0.5, high_ += 0.5;
        const double margin = room ? 0.06 * (high_ - low_) : 0;
        low_ -= margin;
        high_ += margin;
        if (logarithmic_) {
            for (double decade = std::floor(low_); decade <= high_; ++decade)
                for (const double digit : {1.0, 2.0, 5.0})
                    if (high_ - low_ < 2 || digit == 1) add_mark(decade + std::log10(digit));
            return;
        }
        const double rough = (high_ - low_) / marks, power = std::pow(10, std::floor(std::log10(rough)));
        const double step = power * (rough < 1.5 * power ? 1 : rough < 3.5 * power ? 2 : rough < 7.5 * power ? 5 : 10);
        for (double k = std::ceil(low_ / step); k * step <= high_; ++k) add_mark(k * step);
    }
    /// From 0 to 1.
    double place(double value) const { return (scaled(value) - low_) / (high_ - low_); }
    /// Their values.
    const std::vector<double>& marks() const { return marks_; }

private:
    double scaled(double value) const { return logarithmic_ ? std::log10(value) : value; }
    void add_mark(double at) {
        if (at < low_ || at > high_) return;
        if (!logarithmic_ && std::abs(at) < 1e-9 * (high_ - low_)) at = 0;
        marks_.push_back(logarithmic_ ? std::pow(10, at) : at);
    }

    bool logarithmic_ = false;
    double low_ = 1e300, high_ = -1e300;
    std::vector<double> marks_;
};

} // namespace

std::string plot(const std::string& title, const std::string& label, const std::vector<Panel>& panels) {
    Axis across;
    for (const Panel& panel : panels)
        for (const Curve& curve : panel.curves)
            for (const auto& [x, y] : curve.points) across.include(x);
    across.finish(false, false, 6);
    const auto count = static_cast<double>(panels.size());
    const double bottom = top + count * (panel_height + gap) - gap, height = bottom + 56, right = left + width;
    std::string out = fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:g}\" height=\"{1:g}\" "
                                  "font-family=\"sans-serif\" font-size=\"13\">\n"
                                  "<rect width=\"{0:g}\" height=\"{1:g}\" fill=\"white\"/>\n"
                                  "<text x=\"{2:g}\" y=\"28\" text-anchor=\"middle\" font-size=\"16\">{3}</text>\n"
                                  "<text x=\"{2:g}\" y=\"{4:g}\" text-anchor=\"middle\">{5}</text>\n",
                                  right + 30, height, left + width / 2, title, height - 14, label);
    const auto x_of = [&](double x) { return left + width * across.place(x); };
    double above = top;
    for (const Panel& panel : panels) {
        Axis up;
        for (const Curve& curve : panel.curves)
            for (const auto& [x, y] : curve.points) up.include(y);
        up.finish(panel.logarithmic, true, 4);
        const auto y_of = [&](double y) { return above + panel_height * (1 - up.place(y)); };
        for (const double y : up.marks())
            out += fmt::format("<line x1=\"{0:g}\" y1=\"{1:.1f}\" x2=\"{2:g}\" y2=\"{1:.1f}\" stroke=\"#ddd\"/>\n"
                               "<text x=\"{3:g}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:.6g}</text>\n",
                               left, y_of(y), right, left - 8, y_of(y) + 4.5, y);
        for (const double x : across.marks())
            out += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1:g}\" x2=\"{0:.1f}\" y2=\"{2:g}\" stroke=\"#eee\"/>\n",
                               x_of(x), above, above + panel_height);
        out += fmt::format("<rect x=\"{0:g}\" y=\"{1:g}\" width=\"{2:g}\" height=\"{3:g}\" fill=\"none\" "
                           "stroke=\"#888\"/>\n"
                           "<text transform=\"translate(20 {4:g}) rotate(-90)\" text-anchor=\"middle\">{5}</text>\n",
                           left, above, width, panel_height, above + panel_height / 2, panel.label);
        for (const Curve& curve : panel.curves) {
            std::string points;
            for (const auto& [x, y] : curve.points) points += fmt::format("{:.1f},{:.1f} ", x_of(x), y_of(y));
            out += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:g}\"/>\n", points,
                               curve.color, curve.width);
        }
        double name_at = right;
        for (auto curve = panel.curves.rbegin(); curve != panel.curves.rend(); ++curve) {
            if (curve->name.empty()) continue;
            out += fmt::format("<text x=\"{:g}\" y=\"{:g}\" text-anchor=\"end\" fill=\"{}\">{}</text>\n", name_at,
                               above - 8, curve->color, curve->name);
            name_at -= 7.5 * static_cast<double>(curve->name.size()) + 18;
        }
        above += panel_height + gap;
    }
    for (const double x : across.marks())
        out += fmt::format("<text x=\"{:.1f}\" y=\"{:g}\" text-anchor=\"middle\">{:.6g}</text>\n", x_of(x), bottom + 18,
                           x);
    return out + "</svg>\n";
}

} // namespace mace_potential
