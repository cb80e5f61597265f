// SPDX-License-Identifier: MIT
#pragma once

#include "potential.hpp"

#include <string>
#include <vector>

namespace mace_potential {

struct EvaluateOptions {
    ModelOptions model;
    std::vector<std::string> files; ///< none: acetylacetone
    std::string energy_key = "energy", forces_key = "forces";
    std::string write;
};

/// Prints how far a model is from the energies and forces of structures, and how fast.
void evaluate(const EvaluateOptions& options);

} // namespace mace_potential
