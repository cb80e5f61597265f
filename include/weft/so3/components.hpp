// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/views.hpp>

/// Functions on the sphere: tensors whose last axis has the components of degrees 0 to lmax, once each.
namespace weft::inline WEFT_ABI::so3 {

/// (lmax + 1)^2
constexpr index components_up_to(int lmax) { return index{lmax + 1} * (lmax + 1); }

/// The numbers of angles of a grid on the sphere; 0: as many as an operation needs.
struct SphereResolution {
    index beta = 0, alpha = 0;
};

/// Weights of degrees [..., l + 1] as weights of components [..., (l + 1)^2].
template <Expression W>
auto degree_weights(const W& weights) {
    const index degrees = weights.extent(-1);
    auto degree_of = Tensor<index, 1>::empty({degrees * degrees});
    index* to = degree_of.mutable_data();
    for (index l = 0; l < degrees; ++l)
        for (index m = 0; m <= 2 * l; ++m) *to++ = l;
    return index_select(weights, -1, degree_of);
}

namespace detail {

/// A product of rows [N, dim1] and [N, dim2], of x1 [..., dim1] and x2 [..., dim2] to [..., dim]. Errors: the extents
/// do not fit.
template <class Op, class X1, class X2>
auto apply_to_rows(const char* product, const Op& operation, const X1& x1, index dim1, const X2& x2, index dim2,
                   index dim) {
    static_assert(X1::rank == X2::rank && X1::rank >= 1, "weft: both operands of a product must have the same rank");
    const auto require = [&](const char* what, const auto& x, index components) {
        if (x.extent(-1) != components)
            throw error(product, "{} is {}: its last extent must be {}, the number of components", what,
                        weft::detail::shape_text(x.shape()), components);
    };
    require("x1", x1, dim1);
    require("x2", x2, dim2);
    Extents<X1::rank> shape = x1.shape();
    index rows = 1;
    for (int a = 0; a + 1 < X1::rank; ++a) {
        if (x1.extent(a) != x2.extent(a))
            throw error(product, "x1 is {}, x2 is {}: the extents must be equal but for the last",
                        weft::detail::shape_text(x1.shape()), weft::detail::shape_text(x2.shape()));
        rows *= x1.extent(a);
    }
    shape.back() = dim;
    return reshape(apply_operation(operation, reshape(contiguous(x1), Extents<2>{rows, dim1}),
                                   reshape(contiguous(x2), Extents<2>{rows, dim2})),
                   shape);
}
template <class Op, class X1, class X2>
auto apply_to_components(const char* product, const Op& operation, const X1& x1, int l1, const X2& x2, int l2, int l3) {
    return apply_to_rows(product, operation, x1, components_up_to(l1), x2, components_up_to(l2), components_up_to(l3));
}

} // namespace detail
} // namespace weft::inline WEFT_ABI::so3
