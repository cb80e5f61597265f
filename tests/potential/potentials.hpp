// SPDX-License-Identifier: MIT
#pragma once

#include "core/tensor_checks.hpp"

#include <weft/potential/potential.hpp>
#include <weft/potential/simulation_state.hpp>

#include <functional>

namespace weft_test {

/// Lennard-Jones of all pairs without periodic images, epsilon and sigma in eV and Å.
class LennardJones {
public:
    double epsilon = 1, sigma = 1;
    int computed = 0;

    weft::potential::PotentialResult compute(std::span<const double> x, std::span<const std::int32_t> species,
                                             const std::array<double, 9>&, const std::array<bool, 3>&) {
        ++computed;
        const std::size_t n = species.size();
        forces_.assign(3 * n, 0);
        node_energies_.assign(n, 0);
        weft::potential::PotentialResult result;
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = i + 1; j < n; ++j) {
                double d[3], square = 0;
                for (std::size_t k = 0; k < 3; ++k) {
                    d[k] = x[3 * j + k] - x[3 * i + k];
                    square += d[k] * d[k];
                }
                const double s = sigma * sigma / square, s6 = s * s * s;
                const double energy = 4 * epsilon * (s6 * s6 - s6);
                const double slope = 24 * epsilon * (2 * s6 * s6 - s6) / square; // force on j is slope d
                result.energy += energy;
                node_energies_[i] += energy / 2;
                node_energies_[j] += energy / 2;
                for (std::size_t k = 0; k < 3; ++k) {
                    forces_[3 * j + k] += slope * d[k];
                    forces_[3 * i + k] -= slope * d[k];
                    for (std::size_t l = 0; l < 3; ++l) result.virial[3 * k + l] += slope * d[k] * d[l];
                }
            }
        result.forces = forces_;
        result.node_energies = node_energies_;
        return result;
    }

private:
    std::vector<double> forces_, node_energies_;
};
static_assert(weft::potential::Potential<LennardJones>);

/// Every coordinate of every atom in a well of its own around 0, of the given stiffness in eV/Å^2.
class Wells {
public:
    double stiffness = 1;
    int computed = 0;
    std::function<void(std::vector<double>& forces, double& energy)> spoil; // what the result shall be instead

    weft::potential::PotentialResult compute(std::span<const double> x, std::span<const std::int32_t>,
                                             const std::array<double, 9>&, const std::array<bool, 3>&) {
        ++computed;
        weft::potential::PotentialResult result;
        forces_.resize(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
            forces_[i] = -stiffness * x[i];
            result.energy += stiffness * x[i] * x[i] / 2;
        }
        if (spoil) spoil(forces_, result.energy);
        result.forces = forces_;
        return result;
    }

private:
    std::vector<double> forces_;
};
static_assert(weft::potential::Potential<Wells>);

/// n atoms with some masses, positions and velocities.
inline weft::potential::SimulationState some_state(weft::index n, unsigned seed = 1) {
    weft::potential::SimulationState state{.positions = numbers<double, 2>({n, 3}, seed),
                                           .velocities = numbers<double, 2>({n, 3}, seed + 1),
                                           .masses = weft::Tensor<double, 1>::empty({n}),
                                           .species = weft::Tensor<std::int32_t, 1>::full({n}, 18)};
    for (weft::index i = 0; i < n; ++i) state.masses(i) = 1 + 0.5 * static_cast<double>(i % 7);
    return state;
}

inline bool same_bits(const weft::potential::SimulationState& a, const weft::potential::SimulationState& b) {
    return same_bits(a.positions, b.positions) && same_bits(a.velocities, b.velocities) &&
           same_bits(a.masses, b.masses) && same_bits(a.species, b.species) && a.cell == b.cell && a.pbc == b.pbc &&
           a.steps == b.steps;
}

/// The corners of an icosahedron around an atom, of edges near the minimum of a Lennard-Jones pair of sigma 1, all
/// moved by up to `noise`, with velocities of about 300 K.
inline weft::potential::SimulationState icosahedron(double noise) {
    auto state = some_state(13);
    for (double& v : state.velocities.mutable_values()) v *= 0.1;
    double* const x = state.positions.mutable_data();
    const double golden = (1 + std::sqrt(5.0)) / 2, half = 0.55;
    std::size_t at = 3;
    std::fill_n(x, 3, 0.0);
    for (std::size_t axis = 0; axis < 3; ++axis)
        for (const double a : {-half, half})
            for (const double b : {-golden * half, golden * half}) {
                x[at + axis] = 0;
                x[at + (axis + 1) % 3] = a;
                x[at + (axis + 2) % 3] = b;
                at += 3;
            }
    for (std::size_t i = 0; i < 39; ++i) x[i] += noise * std::sin(1.0 + 2.3 * static_cast<double>(i * i));
    return state;
}

} // namespace weft_test
