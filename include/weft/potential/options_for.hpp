// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/svd.hpp>
#include <weft/potential/structure_set.hpp>

#include <limits>

namespace weft::inline WEFT_ABI::potential {

namespace detail {

/// How many atoms of each element each structure has, [structures, elements]. Errors: an element that is not among
/// them.
inline Tensor<double, 2> compositions(const StructureSet& set, std::span<const int> numbers) {
    auto counts = Tensor<double, 2>::zeros({set.size(), static_cast<index>(numbers.size())});
    double* row = counts.mutable_data();
    for (index i = 0; i < set.size(); ++i, row += numbers.size())
        for (const std::int32_t z : set.structures[static_cast<std::size_t>(i)].species.values()) {
            const auto at = std::find(numbers.begin(), numbers.end(), z);
            if (at == numbers.end())
                throw error("options_for", "structure {} has an atom of the atomic number {}: must be one of {}", i, z,
                            fmt::format("{}", fmt::join(numbers, ", ")));
            row[at - numbers.begin()] += 1;
        }
    return counts;
}

/// The x [N] of least norm among those of the least |a x - b|, for a [M, N]: numpy.linalg.lstsq.
template <class Real>
std::vector<Real> least_squares(const Tensor<Real, 2>& a, std::span<const double> b) {
    const auto [u, s, vt] = svd(a);
    const index rows = a.extent(0), columns = a.extent(1);
    std::vector<Real> x(static_cast<std::size_t>(columns), 0.0);
    if (s.size() == 0) return x;
    const double least = std::numeric_limits<double>::epsilon() * static_cast<double>(std::max(rows, columns)) * s(0);
    for (index k = 0; k < s.size() && s(k) > least; ++k) {
        double share = 0;
        for (index i = 0; i < rows; ++i) share += u(i, k) * b[static_cast<std::size_t>(i)];
        for (index j = 0; j < columns; ++j) x[static_cast<std::size_t>(j)] += share / s(k) * vt(k, j);
    }
    return x;
}

} // namespace detail

/// The energies of isolated atoms of the elements, in eV: those of the isolated atoms in the set; of the elements that
/// have none, the least squares of what is left of the energies of the other structures by their compositions, the ones
/// of least norm if these do not tell (as where all structures are the same molecule). Errors: an element of the set
/// that is not among `numbers`; isolated atoms of the same element and different energies.
template <std::same_as<double> Real = double>
std::vector<Real> atomic_energies(const StructureSet& set, std::span<const int> numbers) {
    const StructureSet others = set.without_isolated_atoms();
    std::vector<double> energies(numbers.size(), 0.0);
    std::vector<bool> known(numbers.size(), false);
    for (const StructureSet::Structure& s : set.structures) {
        if (!s.is_isolated_atom()) continue;
        const auto z =
            static_cast<std::size_t>(std::find(numbers.begin(), numbers.end(), s.species(0)) - numbers.begin());
        if (z == numbers.size() || (known[z] && energies[z] != s.energy))
            throw error("atomic_energies", "an isolated atom of the atomic number {} has the energy {}: {}",
                        s.species(0), s.energy,
                        z == numbers.size() ? "the element is not asked for"
                                            : fmt::format("another has {}", energies[z]));
        energies[z] = s.energy;
        known[z] = true;
    }
    Tensor<Real, 2> counts = detail::compositions(others, numbers);
    std::vector<double> left;
    double* row = counts.mutable_data();
    for (const StructureSet::Structure& s : others.structures) {
        left.push_back(s.energy);
        for (std::size_t z = 0; z < numbers.size(); ++z)
            if (known[z]) {
                left.back() -= row[z] * energies[z];
                row[z] = 0;
            }
        row += numbers.size();
    }
    const std::vector<double> fitted = detail::least_squares(counts, left);
    for (std::size_t z = 0; z < numbers.size(); ++z)
        if (!known[z]) energies[z] = fitted[z];
    return energies;
}

/// The options of a fresh model that is to learn a set, by mace's rules: `options` with what depends on the data.
/// atomic_numbers and atomic_energies, unless they are given, are those in the set (see atomic_energies);
/// avg_num_neighbors is the average, scale the root mean square of forces, shift the average over the structures of the
/// energy per atom beyond that of isolated atoms; isolated atoms do not count in these. `Options` are MaceOptions, or
/// others with these names.
///
///     MACE<float> model(options_for(set, MaceOptions{.r_max = 4.5, .generator = &generator}));
///
/// Errors: nothing but isolated atoms in the set; no atom has neighbours; a cutoff of the set other than r_max; an
/// element that is not among the given ones.
template <class Options>
Options options_for(const StructureSet& set, Options options) {
    if (set.cutoff() != options.r_max)
        throw error("options_for", "the set has neighbours up to {} Å, the model up to r_max = {}: must be equal",
                    set.cutoff(), options.r_max);
    const StructureSet others = set.without_isolated_atoms();
    options.avg_num_neighbors = others.avg_num_neighbors();
    if (!(options.avg_num_neighbors > 0))
        throw error("options_for", "there are no atoms with neighbours among {} structures", set.size());
    if (options.atomic_numbers.empty()) options.atomic_numbers = set.atomic_numbers();
    if (options.atomic_energies.empty()) options.atomic_energies = atomic_energies(set, options.atomic_numbers);
    if (options.atomic_energies.size() != options.atomic_numbers.size())
        throw error("options_for", "{} atomic energies are given for {} elements: there must be one for each",
                    options.atomic_energies.size(), options.atomic_numbers.size());
    const double rms = others.forces_rms();
    options.scale = rms > 0 ? rms : 1;
    const auto counts = detail::compositions(others, options.atomic_numbers);
    double sum = 0;
    const double* row = counts.data();
    for (const StructureSet::Structure& s : others.structures) {
        double energy = s.energy;
        for (const double e : options.atomic_energies) energy -= *row++ * e;
        sum += energy / static_cast<double>(s.species.size());
    }
    options.shift = sum / static_cast<double>(others.size());
    return options;
}

} // namespace weft::inline WEFT_ABI::potential
