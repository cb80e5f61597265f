// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/abi.hpp>

#include <array>
#include <concepts>
#include <cstdint>
#include <span>

namespace weft::inline WEFT_ABI::potential {

/// What a potential gives for n atoms. The spans stay valid until the potential computes again. Matrices are row-major.
struct PotentialResult {
    double energy = 0;                       ///< eV
    std::span<const double> forces{};        ///< [n, 3], -dE/dx in eV/Å
    std::array<double, 9> virial{};          ///< [3, 3], -dE/dstrain, symmetric, in eV
    std::array<double, 9> stress{};          ///< [3, 3], dE/dstrain / |volume| in eV/Å^3; zeros without a volume
    std::span<const double> node_energies{}; ///< [n], of sum `energy`, in eV; or empty
};

/// Anything with compute(positions, species, cell, pbc): positions [n, 3] in Å, species [n] as atomic numbers, the rows
/// of cell [3, 3] the lattice vectors in Å, pbc [3] along which of them it repeats. Positions may lie outside the cell.
/// The result must be a function of the arguments alone: then simulations can be repeated and resumed bit for bit.
template <class P>
concept Potential = requires(P& potential, std::span<const double> positions, std::span<const std::int32_t> species,
                             const std::array<double, 9>& cell, const std::array<bool, 3>& pbc) {
    { potential.compute(positions, species, cell, pbc) } -> std::convertible_to<PotentialResult>;
};

} // namespace weft::inline WEFT_ABI::potential
