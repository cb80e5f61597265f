// SPDX-License-Identifier: MIT
#pragma once

/// Interatomic potentials: MACE and NequIP, energies, forces and stresses of atoms by them, what moves the atoms by
/// these, and training. C, Fortran and other languages: potential/c_interface.hpp.

#include <weft/potential/calculator.hpp>
#include <weft/potential/checkpoint.hpp>
#include <weft/potential/fire.hpp>
#include <weft/potential/langevin.hpp>
#include <weft/potential/load_mace.hpp>
#include <weft/potential/load_nequip.hpp>
#include <weft/potential/maxwell_boltzmann.hpp>
#include <weft/potential/potential.hpp>
#include <weft/potential/simulation_state.hpp>
#include <weft/potential/trainer.hpp>
#include <weft/potential/units.hpp>
#include <weft/potential/velocity_verlet.hpp>
