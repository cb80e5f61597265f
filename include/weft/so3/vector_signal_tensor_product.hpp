// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/derived_values.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/gaunt_tensor_product.hpp>
#include <weft/so3/irreps.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// Vector fields on the sphere by their components in vector spherical harmonics,
/// V^(J, l)_M a = sqrt(2 J + 1) sum over m of C(1, l, J)_amM Y_lm (`integral`; a = x, y, z), in blocks l = 0, ..., lmax
/// and, of each, J = l - 1, l, l + 1 (of l = 0 J = 1), M = -J, ..., J.
struct VectorHarmonics {
    /// The harmonics of one degree of vectors.
    struct Block {
        int j, l;
    };
    int lmax = 0;

    /// The blocks, in the order of the components.
    std::vector<Block> blocks() const {
        std::vector<Block> all;
        for (int l = 0; l <= lmax; ++l)
            for (int j = l == 0 ? 1 : l - 1; j <= l + 1; ++j) all.push_back({j, l});
        return all;
    }
    /// Components of all blocks.
    index dim() const {
        index n = 0;
        for (const Block& b : blocks()) n += 2 * b.j + 1;
        return n;
    }
    /// Of the fields that turn like vectors (p = -1) or pseudo-vectors (p = 1).
    Irreps irreps(int p = -1) const {
        std::vector<MulIrrep> terms;
        for (const Block& b : blocks()) terms.push_back({1, {b.j, b.l % 2 == 0 ? p : -p}});
        return terms;
    }
    /// From these to the scalar harmonics of x, y, z: [dim, 3 (lmax + 1)^2], orthonormal rows.
    Tensor<double, 2> to_scalars() const {
        const index components = components_up_to(lmax);
        auto matrix = Tensor<double, 2>::zeros({dim(), 3 * components});
        index row = 0;
        for (const Block& b : blocks()) {
            for (const Coupling& c : *detail::couplings(1, b.l, b.j))
                matrix.mutable_data()[(row + c.k) * 3 * components + c.i * components + b.l * b.l + c.j] =
                    std::sqrt(2 * b.j + 1.0) * c.value;
            row += 2 * b.j + 1;
        }
        return matrix;
    }
};

namespace detail {

template <class T>
struct VectorSignalMaps {
    Tensor<T, 2> first, second, back; // to the scalar harmonics of x, y, z, and from them
};
struct VectorSignalPlan {
    VectorHarmonics in1, in2, out;
    GauntTensorProduct product;
    mutable weft::detail::DerivedValues derived;

    template <class T>
    VectorSignalMaps<T> maps() const {
        struct Key {
            bool operator==(const Key&) const = default;
        };
        return derived.get(Key{}, [&] {
            const Tensor<double, 2> first = in1.to_scalars(), second = in2.to_scalars(),
                                    back = transpose(out.to_scalars());
            return VectorSignalMaps<T>{Tensor<T, 2>(first), Tensor<T, 2>(second), Tensor<T, 2>(back)};
        });
    }
};

} // namespace detail

/// The cross product of two vector fields on the sphere, projected on degrees up to l3: exact. Unlike the product of
/// scalar functions it couples irreps the sum of whose degrees is odd, such as two vectors to their cross product; only
/// two scalars give nothing. Xie et al. (arXiv 2506.13523). By six Gaunt products. Gradients of any order.
class VectorSignalTensorProduct {
public:
    /// Of nothing, to be assigned to.
    VectorSignalTensorProduct() : VectorSignalTensorProduct(0, 0, 0) {}
    /// Errors: a degree is negative.
    VectorSignalTensorProduct(int l1, int l2, int l3) {
        if (std::min({l1, l2, l3}) < 0)
            throw error("VectorSignalTensorProduct", "degrees {}, {}, {}: must not be negative", l1, l2, l3);
        auto plan = std::make_shared<detail::VectorSignalPlan>();
        plan->in1 = {l1};
        plan->in2 = {l2};
        plan->out = {l3};
        plan->product = GauntTensorProduct(l1, l2, l3);
        plan_ = plan;
    }
    /// What the first operand is.
    const VectorHarmonics& in1() const { return plan_->in1; }
    /// What the second operand is.
    const VectorHarmonics& in2() const { return plan_->in2; }
    /// What the result is.
    const VectorHarmonics& out() const { return plan_->out; }
    /// The product that is made six times.
    const GauntTensorProduct& of_scalars() const { return plan_->product; }

    /// x1 [..., in1().dim()], x2 [..., in2().dim()] to [..., out().dim()]. Errors: the extents do not fit.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        static_assert(X1::rank == X2::rank && X1::rank >= 2,
                      "weft: VectorSignalTensorProduct: the operands must have the same rank, and rows");
        const auto require = [](const char* what, const auto& x, const VectorHarmonics& h) {
            if (x.extent(-1) != h.dim())
                throw error("VectorSignalTensorProduct",
                            "{} is {}: its last extent must be {}, the vector harmonics up to l = {}", what,
                            weft::detail::shape_text(x.shape()), h.dim(), h.lmax);
        };
        require("x1", x1, in1());
        require("x2", x2, in2());
        const auto maps = plan_->maps<weft::detail::compute_type<X1>>();
        const auto a = matmul(x1, maps.first), b = matmul(x2, maps.second);
        constexpr int last = X1::rank - 1;
        const auto part = [](const auto& x, index axis) {
            const index n = x.extent(last) / 3;
            return contiguous(slice(x, last, axis * n, (axis + 1) * n));
        };
        const auto cross = [&](index y, index z) {
            return eval(of_scalars()(part(a, y), part(b, z)) - of_scalars()(part(a, z), part(b, y)));
        };
        return matmul(concat(last, cross(1, 2), cross(2, 0), cross(0, 1)), maps.back);
    }

private:
    std::shared_ptr<const detail::VectorSignalPlan> plan_;
};

} // namespace weft::inline WEFT_ABI::so3
