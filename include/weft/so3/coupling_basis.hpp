// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/irreps.hpp>
#include <weft/so3/wigner_3j.hpp>

#include <algorithm>
#include <tuple>

/// Generalised Clebsch-Gordan coefficients: several feature vectors of the same irreps, coupled to one irrep.
namespace weft::inline WEFT_ABI::so3 {

/// All ways to couple `order` copies of the irreps `in` one after the other to the irrep `out`: path p is the
/// equivariant map of x_1, ..., x_order [dim] to the 2l + 1 components
///     y_k = sum over i_1, ..., i_order of U[k, i_1, ..., i_order, p] x_1[i_1] ... x_order[i_order].
/// As U_matrix_real of MACE (Batatia et al., arXiv 2206.07697), with its order and normalisation of paths, which are
/// neither symmetrised nor independent.
struct CouplingBasis {
    /// An element that is not zero; `position` is that of (i_1, ..., i_order) in a row-major array [dim, ..., dim].
    struct Entry {
        int component;
        index position;
        index path;
        double value;
    };
    Irreps in;
    Irrep out;
    int order = 0;
    index paths = 0;
    std::vector<Entry> entries; ///< by path, component and position

    /// The indices i_1, ..., i_order of an entry.
    std::vector<int> indices(const Entry& entry) const {
        std::vector<int> all(static_cast<std::size_t>(order));
        index rest = entry.position;
        for (std::size_t n = all.size(); n-- > 0; rest /= in.dim()) all[n] = static_cast<int>(rest % in.dim());
        return all;
    }
};

namespace detail {

/// A coupling of some inputs to an irrep.
struct PartialCoupling {
    struct Entry {
        int component;
        index position;
        double value;
    };
    Irrep ir;
    std::vector<Entry> entries;
};

/// The coupling `left` coupled to one more irrep, which begins at component `begin` of the dim of an input.
inline PartialCoupling extend_coupling(const PartialCoupling& left, const Irrep& right, index begin, index dim,
                                       const Irrep& out) {
    PartialCoupling made{out, {}};
    const double scale = std::sqrt(static_cast<double>(out.dim()));
    for (const auto& entry : left.entries)
        for (const Coupling& c : *couplings(out.l, left.ir.l, right.l))
            if (c.j == entry.component)
                made.entries.push_back({c.i, entry.position * dim + begin + c.k, scale * c.value * entry.value});
    const auto place = [](const PartialCoupling::Entry& e) { return std::pair(e.component, e.position); };
    std::stable_sort(made.entries.begin(), made.entries.end(),
                     [&](const auto& a, const auto& b) { return place(a) < place(b); });
    std::vector<PartialCoupling::Entry> sums;
    for (const auto& entry : made.entries) {
        if (sums.empty() || place(sums.back()) != place(entry))
            sums.push_back(entry);
        else
            sums.back().value += entry.value;
    }
    std::erase_if(sums, [](const auto& e) { return std::abs(e.value) < 1e-12; });
    made.entries = std::move(sums);
    return made;
}

} // namespace detail

/// The couplings of `order` copies of `in` to `out`. Of four copies only those whose intermediate irreps have the
/// parity of the spherical harmonics are taken, as MACE does. Errors: order < 1; dim^order or a degree is too large.
inline CouplingBasis coupling_basis(const Irreps& in, const Irrep& out, int order) {
    const index dim = in.dim();
    if (order < 1) throw error("coupling_basis", "the order is {}: must be at least 1", order);
    index size = 1;
    for (int n = 0; n < order; ++n) {
        if (size > (index{1} << 40) / std::max<index>(dim, 1))
            throw error("coupling_basis", "order {} of {}: {}^{} must be below 2^40", order, detail::irreps_text(in),
                        dim, order);
        size *= dim;
    }
    if (order * in.lmax() > 60)
        throw error("coupling_basis", "degrees up to {}: the sum must be at most 60", in.lmax());
    const auto admitted = [&](const Irrep& ir, int inputs) {
        if (order == 4 && (ir.p != (ir.l % 2 == 0 ? 1 : -1) || ir.l >= 12)) return false;
        return inputs < order || ir == out;
    };

    std::vector<detail::PartialCoupling> all;
    const auto slices = in.slices();
    const auto for_each_copy = [&](index term, auto&& f) {
        for (index u = 0; u < in[term].mul; ++u)
            f(slices[static_cast<std::size_t>(term)].begin + u * in[term].ir.dim());
    };
    for (index term = 0; term < in.size(); ++term)
        for_each_copy(term, [&](index begin) {
            if (order == 1 && in[term].ir != out) return;
            auto& made = all.emplace_back(detail::PartialCoupling{in[term].ir, {}});
            for (int m = 0; m < in[term].ir.dim(); ++m) made.entries.push_back({m, begin + m, 1.0});
        });
    for (int inputs = 2; inputs <= order; ++inputs) {
        std::vector<detail::PartialCoupling> longer;
        for (const auto& left : all)
            for (index term = 0; term < in.size(); ++term)
                for (const Irrep ir : left.ir* in[term].ir)
                    if (admitted(ir, inputs))
                        for_each_copy(term, [&](index begin) {
                            longer.push_back(detail::extend_coupling(left, in[term].ir, begin, dim, ir));
                        });
        std::stable_sort(longer.begin(), longer.end(), [](const auto& a, const auto& b) { return a.ir < b.ir; });
        all = std::move(longer);
    }

    CouplingBasis basis{in, out, order, 0, {}};
    for (const auto& coupling : all) {
        for (const auto& e : coupling.entries) basis.entries.push_back({e.component, e.position, basis.paths, e.value});
        ++basis.paths;
    }
    return basis;
}

} // namespace weft::inline WEFT_ABI::so3
