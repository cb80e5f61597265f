// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/dual.hpp>
#include <weft/core/ops/multiply.hpp>
#include <weft/so3/irreps.hpp>
#include <weft/so3/rotation.hpp>
#include <weft/so3/wigner_3j.hpp>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// From the matrices of degree l - 1 and 1, those of l: the products of both hold it once. D(l) =
/// (2l + 1) C' (D(l - 1) x D(1)) C.
template <class T>
std::vector<T> next_wigner_d(int l, const std::vector<T>& before, const std::array<std::array<T, 3>, 3>& one) {
    const auto d = static_cast<std::size_t>(2 * l + 1), d0 = d - 2;
    std::vector<T> result(d * d, T{});
    const auto c = couplings(l - 1, 1, l);
    for (const Coupling& a : *c)
        for (const Coupling& b : *c) {
            const auto i = static_cast<std::size_t>(a.i), j = static_cast<std::size_t>(a.j),
                       k = static_cast<std::size_t>(a.k), bi = static_cast<std::size_t>(b.i),
                       bj = static_cast<std::size_t>(b.j), bk = static_cast<std::size_t>(b.k);
            T& to = result[k * d + bk];
            to = to + before[i * d0 + bi] * one[j][bj] * (a.value * b.value * static_cast<double>(d));
        }
    return result;
}

/// The matrices of degrees 0 ... lmax of a proper rotation, row-major.
template <class T>
std::vector<std::vector<T>> wigner_d_up_to(int lmax, const std::array<std::array<T, 3>, 3>& rotation) {
    std::vector<std::vector<T>> all{{T(1)}};
    for (int l = 1; l <= lmax; ++l) all.push_back(next_wigner_d(l, all.back(), rotation));
    return all;
}

inline Tensor<double, 2> square_matrix(const std::vector<double>& elements, index n) {
    return Tensor<double, 2>::from(std::span<const double>(elements), {n, n});
}

} // namespace detail

/// The matrix D [2l + 1, 2l + 1] with which spherical harmonics of degree l follow a proper rotation: Y(R x) = D Y(x).
/// By the couplings of degrees 1 and l - 1, for any l; the basis of degree 1 is x, y, z, so that D is R there. (Of an
/// improper one: with the inversion left out.)
inline Tensor<double, 2> wigner_d(int l, const Rotation& rotation) {
    if (l < 0) throw error("wigner_d", "l is {}: must not be negative", l);
    return detail::square_matrix(detail::wigner_d_up_to(l, rotation.proper().matrix()).back(), 2 * l + 1);
}
/// The same of a rotation by its angles.
inline Tensor<double, 2> wigner_d(int l, const EulerAngles& angles) {
    return wigner_d(l, Rotation::from_angles(angles));
}
/// Of an irrep of O(3): the inversion multiplies by the parity.
inline Tensor<double, 2> wigner_d(const Irrep& ir, const Rotation& rotation) {
    const double sign = ir.p == -1 && rotation.improper() ? -1 : 1;
    return sign * wigner_d(ir.l, rotation);
}

/// The matrix [dim, dim] with which features of these irreps follow a rotation, proper or not.
inline Tensor<double, 2> wigner_d(const Irreps& irreps, const Rotation& rotation) {
    const index n = irreps.dim();
    auto all = Tensor<double, 2>::zeros({n, n});
    double* const to = all.mutable_data();
    const auto blocks = detail::wigner_d_up_to(std::max(irreps.lmax(), 0), rotation.proper().matrix());
    const bool improper = rotation.improper();
    index at = 0;
    for (const MulIrrep& term : irreps) {
        const index d = term.ir.dim();
        for (index copy = 0; copy < term.mul; ++copy, at += d)
            for (index i = 0; i < d; ++i)
                for (index j = 0; j < d; ++j)
                    to[(at + i) * n + at + j] =
                        blocks[static_cast<std::size_t>(term.ir.l)][static_cast<std::size_t>(i * d + j)] *
                        (improper && term.ir.p == -1 ? -1 : 1);
    }
    return all;
}

/// The derivatives of D(l) [3, 2l + 1, 2l + 1] by the angles of small rotations about x, y and z: antisymmetric.
inline Tensor<double, 3> so3_generators(int l) {
    if (l < 0) throw error("so3_generators", "l is {}: must not be negative", l);
    using Scalar = Dual<double>;
    const index d = 2 * l + 1;
    auto all = Tensor<double, 3>::empty({3, d, d});
    for (std::size_t axis = 0; axis < 3; ++axis) {
        std::array<std::array<Scalar, 3>, 3> near{};
        const std::size_t next = (axis + 1) % 3, last = (axis + 2) % 3;
        for (std::size_t i = 0; i < 3; ++i) near[i][i] = Scalar(1);
        near[next][last] = {0, -1};
        near[last][next] = {0, 1};
        const auto matrix = detail::wigner_d_up_to(l, near).back();
        for (index i = 0; i < d * d; ++i)
            all.mutable_data()[static_cast<index>(axis) * d * d + i] = matrix[static_cast<std::size_t>(i)].tangent;
    }
    return all;
}

} // namespace weft::inline WEFT_ABI::so3
