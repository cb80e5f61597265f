// SPDX-License-Identifier: MIT
#pragma once

#include "../core/tensor_checks.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/views.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/wigner_d.hpp>

#include <cmath>

namespace weft_test {

/// Some elements of O(3), half of them improper.
inline std::vector<weft::so3::Rotation> some_rotations() {
    using weft::so3::Rotation;
    std::vector<Rotation> all;
    for (const double angle : {0.4, 2.9}) {
        const Rotation proper = Rotation::from_angles({1.3 * angle, 0.7 + angle / 3, -0.5 * angle});
        all.push_back(proper);
        all.push_back(proper * Rotation::inversion());
    }
    return all;
}

/// Requires f(D_in x) = D_out f(x) of rows x for proper and improper rotations, in double and float.
template <class F>
void require_equivariant(const weft::so3::Irreps& in, const weft::so3::Irreps& out, const F& f, weft::index rows = 5) {
    using weft::Tensor;
    const auto check = [&]<class T>(T, double tolerance) {
        const auto x = numbers<T, 2>({rows, in.dim()}, 7);
        const Tensor<T, 2> y = f(x);
        REQUIRE(y.shape() == weft::Extents<2>{rows, out.dim()});
        for (const auto& rotation : some_rotations()) {
            const Tensor<T, 2> d_in = weft::cast<T>(wigner_d(in, rotation)),
                               d_out = weft::cast<T>(wigner_d(out, rotation));
            const Tensor<T, 2> of_rotated = f(Tensor<T, 2>(matmul(x, weft::transpose(d_in)))),
                               rotated = matmul(y, weft::transpose(d_out));
            for (weft::index i = 0; i < rotated.size(); ++i) {
                INFO("component " << i << ", improper " << rotation.improper());
                REQUIRE(std::abs(double(of_rotated.data()[i]) - double(rotated.data()[i])) <=
                        tolerance * (1 + std::abs(double(rotated.data()[i]))));
            }
        }
    };
    check(double{}, 1e-10);
    check(float{}, 1e-4);
}

} // namespace weft_test
