// SPDX-License-Identifier: MIT
#pragma once

/// Interatomic potentials: energies, forces and stresses of atoms, and what moves the atoms by them.

#include <weft/potential/checkpoint.hpp>
#include <weft/potential/fire.hpp>
#include <weft/potential/integrator.hpp>
#include <weft/potential/langevin.hpp>
#include <weft/potential/maxwell_boltzmann.hpp>
#include <weft/potential/potential.hpp>
#include <weft/potential/simulation_state.hpp>
#include <weft/potential/units.hpp>
#include <weft/potential/velocity_verlet.hpp>
