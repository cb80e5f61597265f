// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/irreps.hpp>
#include <weft/so3/wigner_3j.hpp>

#include <algorithm>
#include <span>
#include <utility>

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

/// The coupling `left` coupled to one more irrep, which begins at component `begin` of the `dim` of its input.
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

/// All couplings of the inputs one after the other, ordered by irrep in the order in which they are made (a single
/// input as it is); without those of which admitted(irrep, inputs coupled so far) is false. Errors, of `operation`: too
/// many components.
template <class Admitted>
std::vector<PartialCoupling> coupled_one_by_one(const char* operation, std::span<const Irreps> inputs,
                                                const Admitted& admitted) {
    index size = 1;
    int degree = 0;
    for (const Irreps& input : inputs) {
        degree += std::max(input.lmax(), 0);
        if (size > (index{1} << 40) / std::max<index>(input.dim(), 1) || degree > 60)
            throw error(operation,
                        "{} inputs, one of them {}: the product of their dimensions must be below 2^40, the "
                        "sum of their degrees at most 60",
                        inputs.size(), irreps_text(input));
        size *= input.dim();
    }
    std::vector<PartialCoupling> all{{Irrep{}, {{0, 0, 1.0}}}}; // no inputs: the number 1
    for (std::size_t coupled = 1; coupled <= inputs.size(); ++coupled) {
        const Irreps& input = inputs[coupled - 1];
        std::vector<PartialCoupling> longer;
        for (const PartialCoupling& left : all) {
            index begin = 0;
            for (const auto& [mul, right] : input) {
                for (const Irrep ir : left.ir* right)
                    for (index u = 0; u < mul && admitted(ir, coupled); ++u)
                        longer.push_back(extend_coupling(left, right, begin + u * right.dim(), input.dim(), ir));
                begin += mul * right.dim();
            }
        }
        if (coupled > 1)
            std::stable_sort(longer.begin(), longer.end(), [](const auto& a, const auto& b) { return a.ir < b.ir; });
        all = std::move(longer);
    }
    return all;
}

} // namespace detail

/// The couplings of `order` copies of `in` to `out`. Of four copies only those whose intermediate irreps have the
/// parity of the spherical harmonics are taken, as MACE does. Errors: order < 1; dim^order or a degree is too large.
inline CouplingBasis coupling_basis(const Irreps& in, const Irrep& out, int order) {
    if (order < 1) throw error("coupling_basis", "the order is {}: must be at least 1", order);
    const std::vector<Irreps> inputs(static_cast<std::size_t>(order), in);
    const auto all = detail::coupled_one_by_one("coupling_basis", inputs, [&](const Irrep& ir, std::size_t coupled) {
        if (order == 4 && coupled > 1 && (ir.p != (ir.l % 2 == 0 ? 1 : -1) || ir.l >= 12)) return false;
        return coupled < inputs.size() || ir == out;
    });
    CouplingBasis basis{in, out, order, 0, {}};
    for (const auto& coupling : all) {
        for (const auto& e : coupling.entries) basis.entries.push_back({e.component, e.position, basis.paths, e.value});
        ++basis.paths;
    }
    return basis;
}

} // namespace weft::inline WEFT_ABI::so3
