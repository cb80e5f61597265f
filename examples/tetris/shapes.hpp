// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>
#include <weft/so3/rotation.hpp>

#include <array>
#include <span>
#include <vector>

/// The eight ways to join four unit cubes face to face in space, two of them mirror images of each other, as graphs of
/// their centres with edges between cubes that touch.
struct Shapes {
    static constexpr weft::index count = 8, cubes = 4;
    static constexpr const char* names[count] = {"chiral 1", "chiral 2", "square", "line",
                                                 "corner",   "L",        "T",      "zigzag"};

    weft::Tensor<double, 2> positions; // [32, 3]
    weft::Graph graph;                 // the edges within the shapes
    weft::Graph members;               // from cubes to their shape
    weft::Tensor<std::int32_t, 1> labels;

    Shapes() : positions(weft::Tensor<double, 2>::empty({count * cubes, 3})) {
        constexpr int corners[count][cubes][3] = {
            {{0, 0, 0}, {0, 0, 1}, {1, 0, 0}, {1, 1, 0}}, {{1, 1, 1}, {1, 1, 2}, {2, 1, 1}, {2, 0, 1}},
            {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {1, 1, 0}}, {{0, 0, 0}, {0, 0, 1}, {0, 0, 2}, {0, 0, 3}},
            {{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {1, 0, 0}}, {{0, 0, 0}, {0, 0, 1}, {0, 0, 2}, {0, 1, 0}},
            {{0, 0, 0}, {0, 0, 1}, {0, 0, 2}, {0, 1, 1}}, {{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {2, 1, 0}}};
        std::vector<std::pair<weft::index, weft::index>> touching, of_shape;
        double* to = positions.mutable_data();
        auto numbers = weft::Tensor<std::int32_t, 1>::empty({count});
        for (weft::index s = 0; s < count; ++s) {
            numbers.mutable_data()[s] = static_cast<std::int32_t>(s);
            for (weft::index a = 0; a < cubes; ++a) {
                of_shape.push_back({s * cubes + a, s});
                for (int axis = 0; axis < 3; ++axis) *to++ = corners[s][a][axis];
                for (weft::index b = 0; b < cubes; ++b) {
                    int distance = 0;
                    for (int axis = 0; axis < 3; ++axis)
                        distance += std::abs(corners[s][a][axis] - corners[s][b][axis]);
                    if (distance == 1) touching.push_back({s * cubes + a, s * cubes + b});
                }
            }
        }
        graph = weft::Graph::from_edges(touching, count * cubes);
        members = weft::Graph::from_edges(of_shape, count * cubes, count);
        labels = numbers;
    }

    /// All shapes turned, each about the origin in the same way, and moved.
    weft::Tensor<double, 2> turned(const weft::so3::Rotation& rotation, const std::array<double, 3>& shift) const {
        auto moved = weft::Tensor<double, 2>::empty(positions.shape());
        double* to = moved.mutable_data();
        for (weft::index i = 0; i < positions.extent(0); ++i) {
            const auto r = rotation({positions(i, 0), positions(i, 1), positions(i, 2)});
            for (std::size_t axis = 0; axis < 3; ++axis) *to++ = r[axis] + shift[axis];
        }
        return moved;
    }
};
