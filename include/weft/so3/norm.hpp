// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/compare.hpp>
#include <weft/core/ops/sqrt.hpp>
#include <weft/core/ops/where.hpp>
#include <weft/so3/copies.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// The length of every copy of an irrep, or its square: e3nn.o3.Norm. The gradient of the length at 0 is 0.
class Norm {
public:
    Norm() = default;
    /// `squared`: the squares of the lengths.
    explicit Norm(const Irreps& irreps_in, bool squared = false) : irreps_(irreps_in), squared_(squared) {}

    const Irreps& irreps_in() const { return irreps_; }
    /// As many even scalars as there are copies, term by term.
    Irreps irreps_out() const {
        std::vector<MulIrrep> scalars;
        for (const MulIrrep& term : irreps_) scalars.push_back({term.mul, {0, 1}});
        return scalars;
    }

    /// x [..., dim] to [..., num_irreps]. Errors: the dimension is another.
    template <Expression X>
    auto operator()(const X& x) const {
        detail::require_features("Norm", x, irreps_);
        const auto landed = eval(x);
        const auto square = dot_copies(irreps_, landed, landed);
        return squared_ ? eval(square) : eval(length(square));
    }
    void visit(auto&&) {}

private:
    template <class S>
    static auto length(const S& square) {
        using T = typename S::value_type;
        // The root of 0, whose slope is infinite, is not taken.
        return where(square > 0, sqrt(where(square > 0, square, T(1))), T(0));
    }

    Irreps irreps_;
    bool squared_ = false;
};

} // namespace weft::inline WEFT_ABI::so3
