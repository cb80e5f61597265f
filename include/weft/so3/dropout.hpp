// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/dropout.hpp>
#include <weft/so3/copies.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// In training, each copy of an irrep in each row is 0 with probability p, else divided by 1 - p: e3nn.nn.Dropout.
/// Tensors pass as they are. Every call draws anew.
struct Dropout {
    Irreps irreps;
    nn::Dropout of_copies;

    Dropout() = default;
    /// Errors: p is not in [0, 1].
    Dropout(const Irreps& irreps_in, double p) : irreps(irreps_in), of_copies(p) {}
    /// With masks drawn from the place `at` of a generator on. Errors: p is not in [0, 1].
    Dropout(const Irreps& irreps_in, double p, const Generator& at) : irreps(irreps_in), of_copies(p, at) {}

    const Irreps& irreps_in() const { return irreps; }
    const Irreps& irreps_out() const { return irreps; }

    /// x [N, dim] to [N, dim]. Errors: the dimension is another.
    template <Expression X>
    auto operator()(const X& x) const {
        static_assert(X::rank == 2, "weft: Dropout: features are [N, dim]: use reshape");
        detail::require_features("Dropout", x, irreps);
        if constexpr (kind_of<X> == Kind::tensor) {
            return eval(x);
        } else {
            using T = typename X::value_type;
            return scale_copies(irreps, x, of_copies.mask<T, 2>({x.shape()[0], irreps.num_irreps()}));
        }
    }

    void visit(auto&& v) { v("of_copies", of_copies); }
};

} // namespace weft::inline WEFT_ABI::so3
