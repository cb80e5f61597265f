// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/tensor.hpp>
#include <weft/io/atoms.hpp>
#include <weft/io/elements.hpp>
#include <weft/potential/units.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

namespace weft::inline WEFT_ABI::potential {

/// n atoms that move. A copy is a snapshot: it shares memory until one of the two is written to.
struct SimulationState {
    Tensor<double, 2> positions = {};     ///< [n, 3] in Å; not wrapped into the cell
    Tensor<double, 2> velocities = {};    ///< [n, 3] in Å per units::time_unit
    Tensor<double, 1> masses = {};        ///< [n] in amu
    Tensor<std::int32_t, 1> species = {}; ///< [n], atomic numbers
    std::array<double, 9> cell{};         ///< rows are lattice vectors, in Å
    std::array<bool, 3> pbc{};            ///< along which of them it repeats
    std::int64_t steps = 0;               ///< how many have been made

    /// n
    index size() const noexcept { return positions.shape()[0]; }
};

/// Atoms at rest, with the masses of their elements. Errors: an atomic number that is none.
inline SimulationState simulation_state(const io::Atoms& atoms) {
    auto masses = Tensor<double, 1>::empty({atoms.size()});
    double* const to = masses.mutable_data();
    for (index i = 0; i < atoms.size(); ++i) {
        const std::int32_t z = atoms.numbers.data()[i];
        if (z < 1 || z >= static_cast<std::int32_t>(io::atomic_masses.size()))
            throw error("simulation_state", "atom {} has the atomic number {}: must be from 1 to 118", i, z);
        to[i] = io::atomic_masses[static_cast<std::size_t>(z)];
    }
    return {atoms.positions,
            Tensor<double, 2>::zeros(atoms.positions.shape()),
            masses,
            atoms.numbers,
            atoms.cell,
            atoms.pbc,
            0};
}

namespace detail {

template <class T, int N>
void require_shape(std::string_view operation, std::string_view what, const Tensor<T, N>& x, const Extents<N>& shape) {
    if (x.shape() != shape)
        throw error(operation, "{} are {}, must be {}", what, weft::detail::shape_text(x.shape()),
                    weft::detail::shape_text(shape));
}

/// `what` of every atom, [n, 3].
inline void require_finite(std::string_view operation, std::string_view what, std::span<const double> vectors) {
    for (std::size_t i = 0; i < vectors.size(); i += 3) {
        const double* const v = vectors.data() + i;
        if (!(std::isfinite(v[0]) && std::isfinite(v[1]) && std::isfinite(v[2])))
            throw error(operation, "the {} of atom {} is ({}, {}, {}): must be finite", what, i / 3, v[0], v[1], v[2]);
    }
}

/// What a potential is asked about.
inline void check_atoms(std::string_view operation, const Tensor<double, 2>& positions,
                        const Tensor<std::int32_t, 1>& species) {
    require_shape(operation, "positions", positions, {positions.shape()[0], 3});
    require_shape(operation, "species", species, {positions.shape()[0]});
    require_finite(operation, "position", positions.values());
}

inline void check_masses(std::string_view operation, const SimulationState& state) {
    require_shape(operation, "positions", state.positions, {state.size(), 3});
    require_shape(operation, "masses", state.masses, {state.size()});
    for (index i = 0; const double mass : state.masses.values()) {
        if (!(mass > 0 && std::isfinite(mass)))
            throw error(operation, "the mass of atom {} is {}: must be positive and finite", i, mass);
        ++i;
    }
}

/// What moves them.
inline void check_motion(std::string_view operation, const SimulationState& state) {
    check_masses(operation, state);
    require_shape(operation, "velocities", state.velocities, {state.size(), 3});
    require_finite(operation, "velocity", state.velocities.values());
    if (state.steps < 0 || state.steps == std::numeric_limits<std::int64_t>::max())
        throw error(operation, "the state has made {} steps: must be in [0, 2^63 - 1)", state.steps);
}

} // namespace detail

/// sum m v^2 / 2 in eV. Errors: wrong shapes, masses that are not positive, velocities that are not finite.
inline double kinetic_energy(const SimulationState& state) {
    detail::check_motion("kinetic_energy", state);
    const double *const m = state.masses.data(), *const v = state.velocities.data();
    double twice = 0;
    for (index i = 0; i < state.size(); ++i)
        twice += m[i] * (v[3 * i] * v[3 * i] + v[3 * i + 1] * v[3 * i + 1] + v[3 * i + 2] * v[3 * i + 2]);
    return twice / 2;
}

/// 2 kinetic_energy / (f k_B) in K, where f = 3 n - constraints are the degrees of freedom: 3 are taken away where the
/// centre of mass is at rest, 3 more where a molecule (2, where a linear one) does not turn. Errors: as kinetic_energy;
/// no degree of freedom is left.
inline double temperature(const SimulationState& state, index constraints = 0) {
    const index freedom = 3 * state.size() - constraints;
    if (constraints < 0 || freedom <= 0)
        throw error("temperature", "{} atoms with {} constraints have no temperature", state.size(), constraints);
    return 2 * kinetic_energy(state) / (static_cast<double>(freedom) * units::boltzmann);
}

/// sum m v. Errors: as kinetic_energy.
inline std::array<double, 3> total_momentum(const SimulationState& state) {
    detail::check_motion("total_momentum", state);
    std::array<double, 3> sum{};
    for (index i = 0; i < state.size(); ++i)
        for (index k = 0; k < 3; ++k)
            sum[static_cast<std::size_t>(k)] += state.masses.data()[i] * state.velocities.data()[3 * i + k];
    return sum;
}

} // namespace weft::inline WEFT_ABI::potential
