// SPDX-License-Identifier: MIT
#pragma once

#include "core/tensor_checks.hpp"

#include <weft/potential/potential.hpp>
#include <weft/potential/simulation_state.hpp>

namespace weft_test {

/// Requires that what a potential gives are the derivatives of its energy: forces by central differences of positions,
/// virial and stress by those of a symmetric strain of positions and cell, within `tolerance` (in eV/Å and eV); node
/// energies that sum up to the energy; no total force.
template <weft::potential::Potential P>
void require_derivatives(P& potential, const weft::potential::SimulationState& state, double tolerance,
                         double step = 1e-4) {
    const std::vector<double> x(state.positions.values().begin(), state.positions.values().end());
    const auto energy = [&](const std::vector<double>& positions, const std::array<double, 9>& cell) {
        return potential.compute(positions, state.species.values(), cell, state.pbc).energy;
    };
    const auto result = potential.compute(x, state.species.values(), state.cell, state.pbc);
    const std::vector<double> forces(result.forces.begin(), result.forces.end());
    const std::vector<double> node_energies(result.node_energies.begin(), result.node_energies.end());
    REQUIRE(forces.size() == x.size());
    std::array<double, 3> total{};
    for (std::size_t i = 0; i < x.size(); ++i) {
        auto there = x, back = x;
        there[i] += step;
        back[i] -= step;
        INFO("component " << i);
        REQUIRE(std::abs(forces[i] + (energy(there, state.cell) - energy(back, state.cell)) / (2 * step)) <= tolerance);
        total[i % 3] += forces[i];
    }
    for (const double t : total) REQUIRE(std::abs(t) <= 1e-11 * (1 + static_cast<double>(x.size())));

    const auto& h = state.cell;
    const double volume = std::abs(h[0] * (h[4] * h[8] - h[5] * h[7]) - h[1] * (h[3] * h[8] - h[5] * h[6]) +
                                   h[2] * (h[3] * h[7] - h[4] * h[6]));
    const auto strained = [&](std::span<const double> rows, std::size_t a, std::size_t b, double by) {
        std::vector<double> moved(rows.begin(), rows.end());
        for (std::size_t i = 0; i < rows.size(); i += 3) {
            moved[i + a] += by / 2 * rows[i + b];
            moved[i + b] += by / 2 * rows[i + a];
        }
        return moved;
    };
    const auto energy_at = [&](std::size_t a, std::size_t b, double by) {
        const auto rows = strained(state.cell, a, b, by);
        std::array<double, 9> cell;
        std::copy(rows.begin(), rows.end(), cell.begin());
        return energy(strained(x, a, b, by), cell);
    };
    for (std::size_t a = 0; a < 3; ++a)
        for (std::size_t b = 0; b < 3; ++b) {
            INFO("strain " << a << b);
            const double slope = (energy_at(a, b, step) - energy_at(a, b, -step)) / (2 * step);
            REQUIRE(std::abs(result.virial[3 * a + b] + slope) <= tolerance);
            REQUIRE(std::abs(result.stress[3 * a + b] * volume - (volume > 0 ? slope : 0)) <= tolerance);
        }
    if (node_energies.empty()) return;
    REQUIRE(static_cast<weft::index>(node_energies.size()) == state.size());
    double sum = 0;
    for (const double e : node_energies) sum += e;
    REQUIRE(std::abs(sum - result.energy) <= 1e-12 * (1 + std::abs(result.energy)));
}

} // namespace weft_test
