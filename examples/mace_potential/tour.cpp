// SPDX-License-Identifier: MIT
#include "tour.hpp"

#include "evaluate.hpp"
#include "md.hpp"
#include "relax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace mace_potential {
namespace {

/// The distances of the hydrogen between the two oxygens from these, in Å, ascending.
std::pair<double, double> hydrogen_bond(const SimulationState& s) {
    const double* const x = s.positions.data();
    std::pair<double, double> best{1e300, 1e300};
    for (index h = 0; h < s.size(); ++h) {
        if (s.species(h) != 1) continue;
        std::vector<double> distances;
        for (index o = 0; o < s.size(); ++o)
            if (s.species(o) == 8)
                distances.push_back(
                    std::hypot(x[3 * h] - x[3 * o], x[3 * h + 1] - x[3 * o + 1], x[3 * h + 2] - x[3 * o + 2]));
        std::sort(distances.begin(), distances.end());
        if (distances.size() == 2 && distances[1] < best.second) best = {distances[0], distances[1]};
    }
    return best;
}

void title(const char* text) {
    fmt::print("\n{}\n", text);
    std::fflush(stdout);
}

} // namespace

void tour(bool quiet) {
    fmt::print("A MACE potential that was trained in Python, on acetylacetone (C5H8O2)\n");
    title("Is it right? Energies and forces of eight configurations at 300 K, beside density functional theory");
    evaluate({});

    const auto model = load_potential({});
    const Atoms structure = read_structure("", 1); // its potential energy is about what 300 K have on average
    title("What shape has the molecule? One of them, relaxed");
    RelaxOptions relaxation;
    relaxation.quiet = quiet;
    const auto [near, far] = hydrogen_bond(relax(relaxation, *model, structure));
    fmt::print("hydrogen bond: H is {:.3f} Å from one oxygen and {:.3f} Å from the other\n", near, far);

    title("How does it move? Molecular dynamics at constant energy");
    DynamicsOptions dynamics;
    dynamics.quiet = quiet;
    run_dynamics(dynamics, *model, structure);
    fmt::print("\nMore: mace_potential evaluate, relax, md, time, train, each with --help\n");
}

} // namespace mace_potential
