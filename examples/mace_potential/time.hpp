// SPDX-License-Identifier: MIT
#pragma once

#include "potential.hpp"

namespace mace_potential {

struct TimeOptions {
    ModelOptions model; ///< whose precision and tables do not matter: all are timed
    std::string structure;
    index number = 0;
    index copies = 64; ///< of the structure side by side, beside it alone
    index steps = 20;
    double dt = 0.5;
    std::string svg; ///< where to draw the cost of an atom over their number; empty: it is not measured
};

/// Prints how long steps of molecular dynamics take in either precision, with and without tables, and one operation
/// after the other.
void time_steps(const TimeOptions& options);

} // namespace mace_potential
