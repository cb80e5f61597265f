// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/tensor.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace weft::inline WEFT_ABI::so3 {

/// Angles about the axes y, x, y: R = R_y(alpha) R_x(beta) R_y(gamma). In radians.
struct EulerAngles {
    double alpha = 0, beta = 0, gamma = 0;
};

/// An element of O(3), a rotation or, `improper`, one with the inversion: a 3 x 3 matrix that acts on columns
/// (x, y, z).
class Rotation {
public:
    using Matrix = std::array<std::array<double, 3>, 3>;

    /// The one that does nothing.
    Rotation() : matrix_{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}} {}

    /// By `angle` about the axis x, from y to z.
    static Rotation about_x(double angle) {
        const double c = std::cos(angle), s = std::sin(angle);
        return Rotation({{{1, 0, 0}, {0, c, -s}, {0, s, c}}});
    }
    /// By `angle` about the axis y, from z to x.
    static Rotation about_y(double angle) {
        const double c = std::cos(angle), s = std::sin(angle);
        return Rotation({{{c, 0, s}, {0, 1, 0}, {-s, 0, c}}});
    }
    /// By `angle` about the axis z, from x to y.
    static Rotation about_z(double angle) {
        const double c = std::cos(angle), s = std::sin(angle);
        return Rotation({{{c, -s, 0}, {s, c, 0}, {0, 0, 1}}});
    }
    /// x to -x.
    static Rotation inversion() { return Rotation({{{-1, 0, 0}, {0, -1, 0}, {0, 0, -1}}}); }
    /// R_y(alpha) R_x(beta) R_y(gamma)
    static Rotation from_angles(const EulerAngles& a) { return about_y(a.alpha) * about_x(a.beta) * about_y(a.gamma); }
    /// By `angle` about `axis`. Errors: the axis is zero.
    static Rotation from_axis_angle(const std::array<double, 3>& axis, double angle) {
        const double length = std::hypot(axis[0], axis[1], axis[2]), half = angle / 2;
        if (!(length > 0)) throw error("Rotation", "the axis is zero: it must have a direction");
        const double s = std::sin(half) / length;
        return from_quaternion({std::cos(half), s * axis[0], s * axis[1], s * axis[2]});
    }
    /// (w, x, y, z), of any length but 0.
    static Rotation from_quaternion(const std::array<double, 4>& q) {
        const double square = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3];
        if (!(square > 0)) throw error("Rotation", "the quaternion is zero: it must have a direction");
        const double f = 2 / square, w = q[0], x = q[1], y = q[2], z = q[3];
        return Rotation({{{1 - f * (y * y + z * z), f * (x * y - z * w), f * (x * z + y * w)},
                          {f * (x * y + z * w), 1 - f * (x * x + z * z), f * (y * z - x * w)},
                          {f * (x * z - y * w), f * (y * z + x * w), 1 - f * (x * x + y * y)}}});
    }
    /// Errors: the matrix [3, 3] is not orthogonal to 1e-6.
    static Rotation from_matrix(const Tensor<double, 2>& matrix) {
        if (matrix.shape() != Extents<2>{3, 3})
            throw error("Rotation", "the matrix is {}: it must be [3, 3]", weft::detail::shape_text(matrix.shape()));
        Rotation r;
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < 3; ++j) r.matrix_[i][j] = matrix(static_cast<index>(i), static_cast<index>(j));
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < 3; ++j) {
                double dot = i == j ? -1 : 0;
                for (std::size_t k = 0; k < 3; ++k) dot += r.matrix_[i][k] * r.matrix_[j][k];
                if (!(std::abs(dot) < 1e-6)) throw error("Rotation", "the matrix must be orthogonal");
            }
        return r;
    }

    /// Rows of the matrix.
    const Matrix& matrix() const { return matrix_; }
    /// The matrix [3, 3].
    Tensor<double, 2> to_tensor() const {
        auto t = Tensor<double, 2>::empty({3, 3});
        for (std::size_t i = 0; i < 9; ++i) t.mutable_data()[i] = matrix_[i / 3][i % 3];
        return t;
    }
    /// Whether there is an inversion in it: the determinant is negative.
    bool improper() const {
        const auto& m = matrix_;
        return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                   m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]) <
               0;
    }
    /// Without the inversion.
    Rotation proper() const { return improper() ? *this * inversion() : *this; }
    /// Its inverse.
    Rotation inverse() const {
        Rotation r;
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < 3; ++j) r.matrix_[i][j] = matrix_[j][i];
        return r;
    }
    /// First b, then a.
    friend Rotation operator*(const Rotation& a, const Rotation& b) {
        Rotation r;
        for (std::size_t i = 0; i < 3; ++i) r.matrix_[i] = {0, 0, 0};
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t k = 0; k < 3; ++k)
                for (std::size_t j = 0; j < 3; ++j) r.matrix_[i][j] += a.matrix_[i][k] * b.matrix_[k][j];
        return r;
    }
    /// The vector v turned.
    std::array<double, 3> operator()(const std::array<double, 3>& v) const {
        std::array<double, 3> r{};
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t k = 0; k < 3; ++k) r[i] += matrix_[i][k] * v[k];
        return r;
    }

    /// Of the proper part.
    EulerAngles angles() const {
        const Rotation r = proper();
        const auto& m = r.matrix_;
        EulerAngles a;
        a.beta = std::acos(std::clamp(m[1][1], -1.0, 1.0));
        a.alpha = std::atan2(m[0][1], m[2][1]);
        const Rotation rest = (about_y(a.alpha) * about_x(a.beta)).inverse() * r;
        a.gamma = std::atan2(rest.matrix_[0][2], rest.matrix_[0][0]);
        return a;
    }
    /// (w, x, y, z) of length 1 with w >= 0, of the proper part.
    std::array<double, 4> quaternion() const {
        const Rotation r = proper();
        const auto& m = r.matrix_;
        // The largest component first, which may be divided by.
        const std::array<double, 4> squares = {1 + m[0][0] + m[1][1] + m[2][2], 1 + m[0][0] - m[1][1] - m[2][2],
                                               1 - m[0][0] + m[1][1] - m[2][2], 1 - m[0][0] - m[1][1] + m[2][2]};
        const double x = m[2][1] - m[1][2], y = m[0][2] - m[2][0], z = m[1][0] - m[0][1];
        const double xy = m[0][1] + m[1][0], xz = m[0][2] + m[2][0], yz = m[1][2] + m[2][1];
        const std::array<double, 4> rows[] = {
            {squares[0], x, y, z}, {x, squares[1], xy, xz}, {y, xy, squares[2], yz}, {z, xz, yz, squares[3]}};
        const auto largest = std::max_element(squares.begin(), squares.end()) - squares.begin();
        std::array<double, 4> q = rows[largest];
        const double scale = (q[0] < 0 ? -1 : 1) / std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
        for (double& component : q) component *= scale;
        return q;
    }
    /// A unit vector and the angle about it.
    struct AxisAngle {
        std::array<double, 3> axis;
        double angle;
    };
    /// The angle from 0 to pi, of the proper part; the axis of no rotation is y.
    AxisAngle axis_angle() const {
        const auto q = quaternion();
        const double sine = std::hypot(q[1], q[2], q[3]);
        if (sine == 0) return {{0, 1, 0}, 0};
        return {{q[1] / sine, q[2] / sine, q[3] / sine}, 2 * std::atan2(sine, q[0])};
    }

private:
    explicit Rotation(const Matrix& matrix) : matrix_(matrix) {}

    Matrix matrix_;
};

/// Angles of the direction (sin(beta) sin(alpha), cos(beta), sin(beta) cos(alpha)).
struct Direction {
    double alpha, beta;
};
/// The angles of a vector's direction, of any length; beta = 0 for 0.
inline Direction direction_of(const std::array<double, 3>& v) {
    const double length = std::hypot(v[0], v[1], v[2]);
    return {std::atan2(v[0], v[2]), std::acos(length > 0 ? std::clamp(v[1] / length, -1.0, 1.0) : 1.0)};
}
/// The unit vector of a direction.
inline std::array<double, 3> unit_vector(const Direction& d) {
    return {std::sin(d.beta) * std::sin(d.alpha), std::cos(d.beta), std::sin(d.beta) * std::cos(d.alpha)};
}

} // namespace weft::inline WEFT_ABI::so3
