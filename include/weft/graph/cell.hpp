// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/index.hpp>

#include <array>
#include <cmath>

namespace weft::inline WEFT_ABI {

namespace detail {

using Vector3 = std::array<double, 3>;

inline Vector3 cross(const Vector3& a, const Vector3& b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
inline double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
inline double length(const Vector3& a) { return std::hypot(a[0], a[1], a[2]); }
inline Vector3 divided(const Vector3& a, double by) { return {a[0] / by, a[1] / by, a[2] / by}; }

} // namespace detail

/// The cell that repeats in space: three lattice vectors, of any handedness and skew, and along which of them it
/// repeats. The vector of an axis that is not periodic has no influence on what is near what; a molecule in open space
/// has no periodic axis.
struct Cell {
    std::array<double, 9> vectors{}; ///< [3, 3], rows are lattice vectors, in the unit of the positions
    std::array<bool, 3> periodic{};

    bool operator==(const Cell&) const = default;

    /// Row `axis` of the vectors.
    std::array<double, 3> vector(std::size_t axis) const {
        return {vectors[3 * axis], vectors[3 * axis + 1], vectors[3 * axis + 2]};
    }

    /// |det vectors| of the vectors as they are given, also those of axes that are not periodic.
    double volume() const { return std::abs(detail::dot(vector(0), detail::cross(vector(1), vector(2)))); }

    /// [3, 3], an invertible matrix: the vectors, but on axes that are not periodic unit vectors orthogonal to all
    /// others. Errors: a number is not finite; singular cell: the vectors of periodic axes have length 0 or are (to
    /// 1e-10 of their lengths) coplanar.
    std::array<double, 9> basis() const {
        const Directions directions = this->directions();
        std::array<double, 9> rows{};
        for (std::size_t axis = 0; axis < 3; ++axis)
            for (std::size_t c = 0; c < 3; ++c)
                rows[3 * axis + c] = periodic[axis] ? vectors[3 * axis + c] : directions.units[axis][c];
        return rows;
    }

    /// [3, 3], inverse of basis(): x . inverse() are the fractional coordinates of a position x. Errors: as basis().
    std::array<double, 9> inverse() const {
        const Directions directions = this->directions();
        std::array<double, 9> columns{};
        for (std::size_t axis = 0; axis < 3; ++axis)
            for (std::size_t c = 0; c < 3; ++c)
                columns[3 * c + axis] =
                    directions.normal(axis)[c] / directions.determinant() / directions.lengths[axis];
        return columns;
    }

    /// The distance between the two faces of basis() that each axis leads from and to, the inverse of the length of the
    /// reciprocal vector; 1 where the axis is not periodic. Errors: as basis().
    std::array<double, 3> heights() const {
        const Directions directions = this->directions();
        std::array<double, 3> heights{};
        for (std::size_t axis = 0; axis < 3; ++axis)
            heights[axis] =
                directions.lengths[axis] * std::abs(directions.determinant()) / detail::length(directions.normal(axis));
        return heights;
    }

private:
    /// The rows of basis() as unit vectors and lengths, so that nothing overflows in a determinant.
    struct Directions {
        std::array<detail::Vector3, 3> units{};
        std::array<double, 3> lengths{1, 1, 1};

        detail::Vector3 normal(std::size_t axis) const {
            return detail::cross(units[(axis + 1) % 3], units[(axis + 2) % 3]);
        }
        double determinant() const { return detail::dot(units[0], normal(0)); }
    };

    Directions directions() const {
        for (const double v : vectors)
            if (!std::isfinite(v)) throw error("Cell", "the lattice vectors have {}: they must be finite", v);
        Directions directions;
        auto& units = directions.units;
        std::size_t axes = 0, periodic_axis = 0, open_axis = 0;
        for (std::size_t axis = 0; axis < 3; ++axis) {
            if (!periodic[axis]) {
                open_axis = axis;
                continue;
            }
            ++axes;
            periodic_axis = axis;
            directions.lengths[axis] = detail::length(vector(axis));
            if (!(directions.lengths[axis] > 0))
                throw error("Cell", "singular cell: the vector of periodic axis {} has length 0", axis);
            units[axis] = detail::divided(vector(axis), directions.lengths[axis]);
        }
        constexpr double flat = 1e-10;
        if (axes == 0) {
            units = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
        } else if (axes == 1) {
            const detail::Vector3 along = units[periodic_axis];
            std::size_t across = 0; // the axis of space least along it
            for (std::size_t c = 1; c < 3; ++c)
                if (std::abs(along[c]) < std::abs(along[across])) across = c;
            detail::Vector3 start{};
            start[across] = 1;
            const detail::Vector3 first = detail::cross(along, start);
            units[(periodic_axis + 1) % 3] = detail::divided(first, detail::length(first));
            units[(periodic_axis + 2) % 3] = detail::cross(along, units[(periodic_axis + 1) % 3]);
        } else if (axes == 2) {
            const detail::Vector3 normal = directions.normal(open_axis);
            const double area = detail::length(normal);
            if (!(area > flat)) throw error("Cell", "singular cell: the vectors of the periodic axes are parallel");
            units[open_axis] = detail::divided(normal, area);
        } else if (!(std::abs(directions.determinant()) > flat)) {
            throw error("Cell", "singular cell: the vectors of the periodic axes are coplanar");
        }
        return directions;
    }
};

} // namespace weft::inline WEFT_ABI
