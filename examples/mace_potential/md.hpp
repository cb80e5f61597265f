// SPDX-License-Identifier: MIT
#pragma once

#include "potential.hpp"
#include "structures.hpp"

#include <string>

namespace mace_potential {

struct DynamicsOptions {
    ModelOptions model;
    std::string structure; ///< empty: acetylacetone
    index number = 0;      ///< which one of the file
    std::string ensemble = "nve";
    double temperature = 300, friction = 0.01, dt = 0.5;
    std::uint64_t seed = 0;
    index steps = 2000, every = 20;
    std::string trajectory, svg, save, resume;
    bool quiet = false;
};

/// Molecular dynamics: what it shows, prints and writes.
void run_dynamics(const DynamicsOptions& options);
/// The same of a structure and a model that are there.
void run_dynamics(const DynamicsOptions& options, AnyPotential& model, const Atoms& structure);

} // namespace mace_potential
