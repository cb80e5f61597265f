// SPDX-License-Identifier: MIT
#pragma once

#include "potential.hpp"
#include "structures.hpp"

namespace mace_potential {

struct RelaxOptions {
    ModelOptions model;
    std::string structure; ///< empty: acetylacetone
    index number = 0;      ///< which one of the file
    double fmax = 0.01;    ///< eV/Å
    index max_steps = 1000;
    std::string write;
    bool quiet = false;
};

/// Moves a structure to a minimum of the energy: what it shows, prints and writes.
void relax(const RelaxOptions& options);
/// The same of a structure and a model that are there, gives the minimum.
SimulationState relax(const RelaxOptions& options, AnyPotential& model, const Atoms& structure);

} // namespace mace_potential
