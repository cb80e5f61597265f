// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/eigh.hpp>
#include <weft/weft.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

struct Point {
    double x = 0;
    double y = 0;
};

/// Places the nodes of a small graph by springs, [nodes, 2]: all push each other away, edges pull together. After
/// Fruchterman and Reingold, Graph drawing by force-directed placement (1991), but nodes close by push harder, so that
/// none hides another. They begin in a fixed spiral, so a graph always looks the same. O(steps (nodes^2 + edges)).
inline weft::Tensor<double, 2> spring_layout(const weft::Graph& graph, int steps = 600) {
    const auto n = static_cast<std::size_t>(graph.num_nodes());
    std::vector<Point> at(n), force(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double angle = 2.399963 * static_cast<double>(i); // the golden angle: nodes next in number lie apart
        at[i] = {std::cos(angle), std::sin(angle)};
    }
    const double rest = 2 / std::sqrt(static_cast<double>(std::max<std::size_t>(n, 1)));
    const auto from = graph.sources().values(), to = graph.destinations().values();
    for (int step = 0; step < steps; ++step) {
        for (std::size_t i = 0; i < n; ++i) {
            force[i] = {-0.5 * at[i].x, -0.5 * at[i].y}; // keeps what no edge holds
            for (std::size_t j = 0; j < n; ++j) {
                const double dx = at[i].x - at[j].x, dy = at[i].y - at[j].y;
                const double near = rest * rest / std::max(dx * dx + dy * dy, 1e-6), push = near + near * near;
                force[i].x += push * dx;
                force[i].y += push * dy;
            }
        }
        for (std::size_t e = 0; e < from.size(); ++e) {
            const auto i = static_cast<std::size_t>(from[e]), j = static_cast<std::size_t>(to[e]);
            const double dx = at[i].x - at[j].x, dy = at[i].y - at[j].y, pull = std::hypot(dx, dy) / rest / 2;
            force[i].x -= pull * dx;
            force[i].y -= pull * dy;
            force[j].x += pull * dx;
            force[j].y += pull * dy;
        }
        const double longest = 0.1 * (1 - static_cast<double>(step) / steps);
        for (std::size_t i = 0; i < n; ++i) {
            const double length = std::max(std::hypot(force[i].x, force[i].y), 1e-12);
            const double part = std::min(length, longest) / length;
            at[i].x += part * force[i].x;
            at[i].y += part * force[i].y;
        }
    }
    auto positions = weft::Tensor<double, 2>::empty({graph.num_nodes(), 2});
    double* to_position = positions.mutable_data();
    for (const Point& p : at) {
        *to_position++ = p.x;
        *to_position++ = p.y;
    }
    return positions;
}

/// Rows of h [N, C] in the plane of the two directions in which they vary most.
inline std::vector<Point> principal_components(const weft::Tensor<double, 2>& h) {
    using namespace weft;
    const Tensor<double, 2> centred = h - mean<0>(h, keepdim);
    const auto [values, vectors] = eigh(matmul(transpose(centred), centred)); // ascending
    const Tensor<double, 2> scores = matmul(centred, vectors);
    const weft::index channels = scores.extent(1);
    std::vector<Point> at(static_cast<std::size_t>(scores.extent(0)));
    for (std::size_t i = 0; i < at.size(); ++i) {
        const auto row = static_cast<weft::index>(i);
        at[i] = {scores(row, channels - 1), channels > 1 ? scores(row, channels - 2) : 0.0};
    }
    return at;
}

/// The rows of h with unit length: where they point, not how far.
inline weft::Tensor<double, 2> directions(const weft::Tensor<float, 2>& h) {
    const weft::Tensor<double, 2> x = weft::cast<double>(h);
    return x / weft::maximum(weft::norm<1>(x, weft::keepdim), 1e-12);
}

/// An SVG file: a small graph as it is, of a larger one the hidden layer or another representation of its nodes.
/// Colours are predictions, nodes with another class than predicted have a ring, labelled ones a white centre.
class Picture {
public:
    Picture(std::string_view model, const weft::Graph& graph, const weft::io::NodeDataset& data,
            std::string_view representation_name, const weft::Tensor<float, 2>& representation,
            const weft::Tensor<float, 2>& logits)
        : graph_(graph), data_(data), small_(data.num_nodes <= largest_graph),
          at_(principal_components(small_ ? spring_layout(graph) : directions(representation))),
          prediction_(weft::argmax<1>(logits)) {
        fit();
        write("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
              "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n"
              "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
              width, height);
        title(model, representation_name, weft::nn::accuracy(logits, data.y, data.test));
        edges();
        nodes();
        legend();
        svg_ += "</svg>\n";
    }
    const std::string& svg() const { return svg_; }

private:
    static constexpr weft::index largest_graph = 300;
    static constexpr double width = 1000, height = 720, left = 40, top = 100, right = 800, bottom = 680;
    static constexpr std::array<const char*, 10> colours{"#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee",
                                                         "#aa3377", "#ee8866", "#44bb99", "#8877bb", "#999999"};

    template <class... Args>
    void write(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(svg_), format, std::forward<Args>(args)...);
    }
    static const char* colour(weft::index label) { return colours[static_cast<std::size_t>(label) % colours.size()]; }

    /// To the rectangle of the drawing; a graph keeps its proportions.
    void fit() {
        if (at_.empty()) return;
        const auto [x0, x1] = std::minmax_element(at_.begin(), at_.end(), [](auto& a, auto& b) { return a.x < b.x; });
        const auto [y0, y1] = std::minmax_element(at_.begin(), at_.end(), [](auto& a, auto& b) { return a.y < b.y; });
        const Point low{x0->x, y0->y}, high{x1->x, y1->y};
        const double margin = 14;
        double x_scale = (right - left - 2 * margin) / std::max(high.x - low.x, 1e-9);
        double y_scale = (bottom - top - 2 * margin) / std::max(high.y - low.y, 1e-9);
        if (small_) x_scale = y_scale = std::min(x_scale, y_scale);
        for (Point& p : at_)
            p = {(left + right) / 2 + x_scale * (p.x - (low.x + high.x) / 2),
                 (top + bottom) / 2 - y_scale * (p.y - (low.y + high.y) / 2)};
    }

    static std::string escaped(std::string_view text) {
        std::string xml;
        for (const char c : text) xml += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
        return xml;
    }

    void title(std::string_view model, std::string_view representation_name, double accuracy) {
        std::string name(model);
        for (char& c : name) c = static_cast<char>(std::toupper(c));
        if (model == "sage") name = "GraphSAGE";
        write("<text x=\"{}\" y=\"48\" font-size=\"26\" font-weight=\"bold\" fill=\"#222222\">{} on {}</text>\n", left,
              name, escaped(data_.name));
        write("<text x=\"{}\" y=\"76\" font-size=\"15\" fill=\"#555555\">{} nodes, {} edges", left, data_.num_nodes,
              graph_.num_edges());
        if (!small_) write("; directions of the {}, two principal components", representation_name);
        if (!std::isnan(accuracy)) write("; {:.1f} % of the test nodes are right", 100 * accuracy);
        write("</text>\n");
    }

    void edges() {
        const auto from = graph_.sources().values(), to = graph_.destinations().values();
        write("<path fill=\"none\" stroke=\"#8a92a0\" stroke-width=\"{}\" stroke-opacity=\"{}\" d=\"",
              small_ ? 1.4 : 0.5, small_ ? 0.55 : 0.18);
        for (std::size_t e = 0; e < from.size(); ++e) {
            if (from[e] > to[e]) continue; // the other direction
            const Point a = at_[static_cast<std::size_t>(from[e])], b = at_[static_cast<std::size_t>(to[e])];
            write("M{:.1f} {:.1f}L{:.1f} {:.1f}", a.x, a.y, b.x, b.y);
        }
        write("\"/>\n");
    }

    void circle(Point p, double radius, const char* fill, const char* more) {
        write("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\" {}/>\n", p.x, p.y, radius, fill, more);
    }
    static constexpr const char* plain = "stroke=\"#ffffff\" stroke-width=\"0.5\"";
    static constexpr const char* ring = "stroke=\"#111111\" stroke-width=\"1.2\"";
    static constexpr const char* thick_ring = "stroke=\"#111111\" stroke-width=\"3\"";

    void nodes() {
        enum Mark : char { right_one, wrong_one, labelled, unknown };
        std::vector<Mark> marks(at_.size(), right_one);
        for (std::size_t i = 0; i < marks.size(); ++i)
            if (prediction_.data()[i] != data_.y.data()[i]) marks[i] = wrong_one;
        for (const auto node : data_.unlabelled.values()) marks[static_cast<std::size_t>(node)] = unknown;
        for (const auto node : data_.train.values()) marks[static_cast<std::size_t>(node)] = labelled;
        const double radius = small_ ? 13 : 3.4;
        // What is marked lies on top.
        for (const Mark layer : {unknown, right_one, wrong_one, labelled})
            for (std::size_t i = 0; i < marks.size(); ++i) {
                if (marks[i] != layer) continue;
                const bool wrong = layer != unknown && prediction_.data()[i] != data_.y.data()[i];
                const double r = layer == labelled ? 1.3 * radius : radius;
                circle(at_[i], r, colour(prediction_.data()[i]), !wrong ? plain : small_ ? thick_ring : ring);
                if (layer == labelled) circle(at_[i], small_ ? 0.85 * radius : 0.5 * radius, "#ffffff", "");
                if (small_)
                    write("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"12\" text-anchor=\"middle\" "
                          "fill=\"{}\">{}</text>\n",
                          at_[i].x, at_[i].y + 4.3, layer == labelled ? "#222222" : "#ffffff", i);
            }
    }

    void legend() {
        double y = top + 20;
        const double x = right + 30;
        const auto entry = [&](const std::string& text) {
            write("<text x=\"{}\" y=\"{}\" font-size=\"14\" fill=\"#333333\">{}</text>\n", x + 18, y + 5, text);
            y += 26;
        };
        write("<text x=\"{}\" y=\"{}\" font-size=\"14\" font-weight=\"bold\" fill=\"#222222\">predicted class</text>\n",
              x - 7, y);
        y += 26;
        for (weft::index k = 0; k < std::min<weft::index>(data_.num_classes, 20); ++k) {
            circle({x, y}, 7, colour(k), "");
            entry(data_.name == "karate" ? (k == 0 ? "Mr. Hi's club" : "officers' club") : fmt::format("{}", k));
        }
        y += 14;
        circle({x, y}, 7, "#dddddd", "stroke=\"#111111\" stroke-width=\"2\"");
        entry("wrong");
        circle({x, y}, 8, "#999999", "");
        circle({x, y}, 4.5, "#ffffff", "");
        entry("class was given");
    }

    const weft::Graph& graph_;
    const weft::io::NodeDataset& data_;
    bool small_;
    std::vector<Point> at_;
    weft::Tensor<std::int64_t, 1> prediction_;
    std::string svg_;
};
