// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/abi.hpp>

/// Lengths are in Å, energies in eV, masses in amu. The rest follows: forces in eV/Å, stresses in eV/Å^3, times in
/// Å sqrt(amu/eV), velocities in sqrt(eV/amu). Constants of CODATA 2014, which are those of ASE.
namespace weft::inline WEFT_ABI::potential::units {

/// The Boltzmann constant in eV/K.
inline constexpr double boltzmann = 8.617330337217213e-5;
/// The unit of time, Å sqrt(amu/eV), in fs.
inline constexpr double time_unit = 10.180505671156725;
/// The unit of stress, eV/Å^3, in GPa.
inline constexpr double stress_unit = 160.21766208;

} // namespace weft::inline WEFT_ABI::potential::units
