// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/index.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace mace_potential {

using weft::index;

struct TrainOptions {
    std::vector<std::string> files; ///< none: acetylacetone
    std::string validation, model, isolated_atoms, energy_key = "energy", forces_key = "forces";
    double fraction = 0.1; ///< of the structures, to validate on where there is no file for that
    double r_max = 4.5;
    index channels = 16, radial = 32;
    int max_ell = 2, correlation = 3;
    index epochs = 60, until = -1;
    index batch = 5, patience = 50; ///< see weft::potential::TrainerOptions, as these
    index stage_two = -1;           ///< its start_swa; -1: three quarters of the epochs
    double lr = 0.01;
    std::uint64_t seed = 0;
    std::string write, save, resume, svg;
    bool quiet = false;
};

/// Trains a model: what it shows, prints and writes.
void train(const TrainOptions& options);

} // namespace mace_potential
