// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/transpose_block.hpp>
#include <weft/so3/copies.hpp>

#include <memory>
#include <vector>

/// The order of numbers in feature vectors. Terms are one behind the other; within a term of `mul` copies u of
/// d = 2l + 1 components m, e3nn and weft have number u d + m, cuEquivariance by default m mul + u. Terms that are
/// sorted are so by degree first; of the same degree e3nn and weft have the odd one before the even one (0o 0e 1o 1e 2o
/// 2e), cuEquivariance's O3 that of the spherical harmonics first (0e 0o 1o 1e 2e 2o). (What cuEquivariance calls
/// O3_e3nn, with which MACE uses it, is sorted as in e3nn.)
namespace weft::inline WEFT_ABI::so3 {

/// The order of the components of a term, which has `mul` copies of `2 l + 1` components.
enum class Layout {
    mul_ir, ///< the components of a copy are neighbours: e3nn, and every layer of weft
    ir_mul, ///< the copies of a component are neighbours: cuEquivariance
};

/// The terms as cuEquivariance's O3 sorts them: by degree, of the same degree first the parity (-1)^l, and in the order
/// they had where both are the same.
inline Irreps::Sorted sort_as_cuequivariance(const Irreps& irreps) {
    Irreps::Sorted sorted;
    for (index i = 0; i < irreps.size(); ++i) sorted.inv.push_back(i);
    const auto key = [&](index i) {
        const Irrep ir = irreps[i].ir;
        return std::pair(ir.l, ir.p != (ir.l % 2 == 0 ? 1 : -1));
    };
    std::stable_sort(sorted.inv.begin(), sorted.inv.end(), [&](index a, index b) { return key(a) < key(b); });
    sorted.p.resize(sorted.inv.size());
    std::vector<MulIrrep> terms;
    for (const index i : sorted.inv) {
        sorted.p[static_cast<std::size_t>(i)] = static_cast<index>(terms.size());
        terms.push_back(irreps[i]);
    }
    sorted.irreps = terms;
    return sorted;
}

namespace detail {

/// Copies of an irrep in a feature vector: where they begin, and how far copies and components are apart.
struct CopiesAt {
    index begin, copy, component;
};
/// What is moved from one place to another.
struct LayoutBlock {
    CopiesAt from, to;
    index copies, components;

    template <class T>
    void move(const T* x, T* y) const {
        x += from.begin;
        y += to.begin;
        if (from.component == 1 && to.component == 1) {
            std::copy_n(x, copies * components, y);
        } else if (from.component == 1) {
            weft::detail::transpose_block(x, components, copies, components, y, to.component);
        } else if (to.component == 1) {
            weft::detail::transpose_block(x, from.component, components, copies, y, components);
        } else {
            for (index m = 0; m < components; ++m) std::copy_n(x + m * from.component, copies, y + m * to.component);
        }
    }
    LayoutBlock reversed() const { return {to, from, copies, components}; }
};

/// x [..., dim] with each row's blocks moved.
struct LayoutOperation {
    static constexpr auto name = "change_layout";
    std::shared_ptr<const std::vector<LayoutBlock>> blocks;

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x) const {
        return moved(x, false);
    }
    template <class T, int N, class Sink>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>&) const {
        if (sink.template wants<0>()) sink.template add<0>(moved(dy, true));
    }

private:
    template <class T, int N>
    Tensor<T, N> moved(const Tensor<T, N>& x, bool back) const {
        auto y = Tensor<T, N>::empty(x.shape());
        T* const to = y.mutable_data();
        const index dim = x.extent(-1), rows = dim == 0 ? 0 : x.size() / dim;
        for_each_rows(rows, dim, 0.5 * static_cast<double>(dim), [&](index begin, index end) {
            for (index row = begin; row < end; ++row)
                for (const LayoutBlock& b : *blocks)
                    (back ? b.reversed() : b).move(x.data() + row * dim, to + row * dim);
        });
        return y;
    }
};

/// A number of neighbouring copies after the other in both lists.
class CopiesOf {
public:
    CopiesOf(const Irreps& irreps, Layout layout, const Irrep& ir) {
        index at = 0;
        for (const MulIrrep& t : irreps) {
            if (t.ir == ir && t.mul > 0)
                terms_.push_back(
                    {t.mul, layout == Layout::mul_ir ? CopiesAt{at, t.ir.dim(), 1} : CopiesAt{at, 1, t.mul}});
            at += t.dim();
        }
    }
    bool empty() const { return next_ == terms_.size(); }
    index left() const { return terms_[next_].copies; }
    CopiesAt take(index n) {
        Term& term = terms_[next_];
        const CopiesAt taken = term.at;
        term.at.begin += n * term.at.copy;
        term.copies -= n;
        if (term.copies == 0) ++next_;
        return taken;
    }

private:
    struct Term {
        index copies;
        CopiesAt at;
    };
    std::vector<Term> terms_;
    std::size_t next_ = 0;
};

} // namespace detail

/// Features x [..., dim] of the irreps `from` in one layout as features of the irreps `to` in another: both have the
/// same copies, those of the same irrep in the same order. For terms in another order (sorted, as p of Irreps::Sorted
/// says) and terms put together (simplified, regrouped) as well: in ir_mul the numbers of 3x1o+2x1o are in another
/// order than those of 5x1o. Gradients of any order. Errors: other copies of an irrep; another dimension.
template <Expression X>
auto change_layout(const X& x, const Irreps& from, Layout from_layout, const Irreps& to, Layout to_layout) {
    detail::require_features("change_layout", x, from);
    auto blocks = std::make_shared<std::vector<detail::LayoutBlock>>();
    for (const MulIrrep& term : (from + to).regroup()) {
        const Irrep ir = term.ir;
        if (from.count(ir) != to.count(ir))
            throw error("change_layout", "{} has {} copies of {}, {} has {}: the numbers must be equal",
                        detail::irreps_text(from), from.count(ir), detail::irreps_text(ir), detail::irreps_text(to),
                        to.count(ir));
        detail::CopiesOf first(from, from_layout, ir), second(to, to_layout, ir);
        while (!first.empty()) {
            const index n = std::min(first.left(), second.left());
            blocks->push_back({first.take(n), second.take(n), n, ir.dim()});
        }
    }
    return apply_operation(detail::LayoutOperation{blocks}, x);
}

/// Features x [..., dim] from the layout mul_ir to ir_mul, with the same terms. Errors: another dimension.
template <Expression X>
auto to_ir_mul(const Irreps& irreps, const X& x) {
    return change_layout(x, irreps, Layout::mul_ir, irreps, Layout::ir_mul);
}
/// Features x [..., dim] from the layout ir_mul to mul_ir, with the same terms. Errors: another dimension.
template <Expression X>
auto to_mul_ir(const Irreps& irreps, const X& x) {
    return change_layout(x, irreps, Layout::ir_mul, irreps, Layout::mul_ir);
}

/// Features x [..., dim] of weft and e3nn as cuEquivariance has them: terms sorted as its O3 does, in ir_mul. Errors:
/// another dimension.
template <Expression X>
auto to_cuequivariance(const Irreps& irreps, const X& x) {
    return change_layout(x, irreps, Layout::mul_ir, sort_as_cuequivariance(irreps).irreps, Layout::ir_mul);
}
/// Back, to the irreps in their own order.
template <Expression X>
auto from_cuequivariance(const Irreps& irreps, const X& x) {
    return change_layout(x, sort_as_cuequivariance(irreps).irreps, Layout::ir_mul, irreps, Layout::mul_ir);
}

} // namespace weft::inline WEFT_ABI::so3
