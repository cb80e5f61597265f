// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/random.hpp>
#include <weft/linalg/eigh.hpp>
#include <weft/potential/simulation_state.hpp>

namespace weft::inline WEFT_ABI::potential {

namespace detail {

inline std::array<double, 3> cross(const double* a, const double* b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

/// Positions from the centre of mass, [n, 3].
inline std::vector<double> centred_positions(const SimulationState& state) {
    const std::span<const double> x = state.positions.values(), m = state.masses.values();
    std::array<double, 3> center{};
    double mass = 0;
    for (std::size_t i = 0; i < m.size(); ++i) {
        mass += m[i];
        for (std::size_t k = 0; k < 3; ++k) center[k] += m[i] * x[3 * i + k];
    }
    std::vector<double> r(x.begin(), x.end());
    for (std::size_t i = 0; i < r.size(); ++i) r[i] -= center[i % 3] / mass;
    return r;
}

} // namespace detail

/// Total angular momentum about the centre of mass, sum m r x v. Errors: as kinetic_energy; positions that are not
/// finite.
inline std::array<double, 3> angular_momentum(const SimulationState& state) {
    detail::check_motion("angular_momentum", state);
    detail::require_finite("angular_momentum", "position", state.positions.values());
    const std::vector<double> r = detail::centred_positions(state);
    std::array<double, 3> sum{};
    for (std::size_t i = 0; i < r.size(); i += 3) {
        const auto turn = detail::cross(r.data() + i, state.velocities.data() + i);
        for (std::size_t k = 0; k < 3; ++k) sum[k] += state.masses.data()[i / 3] * turn[k];
    }
    return sum;
}

/// Brings the centre of mass to rest; gives how many degrees of freedom that takes away: 3. Errors: as kinetic_energy.
inline index remove_momentum(SimulationState& state) {
    const std::array<double, 3> momentum = total_momentum(state);
    double mass = 0;
    for (const double m : state.masses.values()) mass += m;
    double* const v = state.velocities.mutable_data();
    for (index i = 0; i < state.velocities.size(); ++i) v[i] -= momentum[static_cast<std::size_t>(i % 3)] / mass;
    return state.size() > 0 ? 3 : 0;
}

/// Takes away the rotation of a molecule about its centre of mass, v -= I^-1 L x r; gives the number of axes about
/// which it could turn: 3, or 2 for a linear one, 0 for an atom. Errors: as angular_momentum; the state repeats in
/// space, where a rotation is none.
template <std::same_as<double> Real = double>
index remove_rotation(SimulationState& state) {
    if (state.pbc[0] || state.pbc[1] || state.pbc[2])
        throw error("remove_rotation", "the state is periodic: it has no angular momentum to be conserved");
    const std::array<double, 3> momentum = angular_momentum(state);
    const std::vector<double> r = detail::centred_positions(state);
    auto inertia = Tensor<Real, 2>::zeros({3, 3});
    Real* const to = inertia.mutable_data();
    for (std::size_t i = 0; i < r.size(); i += 3) {
        const double* const a = r.data() + i;
        const double mass = state.masses.data()[i / 3], square = a[0] * a[0] + a[1] * a[1] + a[2] * a[2];
        for (std::size_t k = 0; k < 3; ++k)
            for (std::size_t l = 0; l < 3; ++l) to[3 * k + l] += mass * ((k == l ? square : 0) - a[k] * a[l]);
    }
    const auto principal = eigh(inertia);
    std::array<double, 3> rate{};
    index axes = 0;
    for (index a = 0; a < 3; ++a) {
        const double moment = principal.values(a);
        if (!(moment > 1e-10 * principal.values(2))) continue; // along the line of a linear molecule
        ++axes;
        double share = 0;
        for (index k = 0; k < 3; ++k) share += principal.vectors(k, a) * momentum[static_cast<std::size_t>(k)];
        for (index k = 0; k < 3; ++k) rate[static_cast<std::size_t>(k)] += principal.vectors(k, a) * share / moment;
    }
    double* const v = state.velocities.mutable_data();
    for (std::size_t i = 0; i < r.size(); i += 3) {
        const auto turning = detail::cross(rate.data(), r.data() + i);
        for (std::size_t k = 0; k < 3; ++k) v[i + k] -= turning[k];
    }
    return axes;
}

/// Options of `maxwell_boltzmann`.
struct MaxwellBoltzmannOptions {
    bool remove_momentum = false; ///< the centre of mass is at rest
    bool remove_rotation = false; ///< a molecule does not turn
    /// The kinetic energy is that of the temperature, in the degrees of freedom that are left, and not only on average.
    bool exact_temperature = false;
};

/// Draws velocities of thermal equilibrium: normal numbers of variance k_B T / m, T in K, for which the generator moves
/// as for 3 n doubles. Errors: the temperature is negative or not finite; wrong shapes, masses that are not positive;
/// as remove_rotation; no degree of freedom is left of which the temperature could be exact. Then nothing has changed.
template <class = void>
void maxwell_boltzmann(SimulationState& state, double temperature, Generator& generator,
                       const MaxwellBoltzmannOptions& options = {}) {
    constexpr auto operation = "maxwell_boltzmann";
    if (!(temperature >= 0 && std::isfinite(temperature)))
        throw error(operation, "the temperature is {}: must be finite and not negative", temperature);
    detail::check_masses(operation, state);
    SimulationState moving = state;
    Generator after = generator;
    moving.velocities = Tensor<double, 2>::empty(state.positions.shape());
    double* v = moving.velocities.mutable_data();
    fill_normal(after, v, moving.velocities.size());
    for (index i = 0; i < moving.velocities.size(); ++i)
        v[i] *= std::sqrt(units::boltzmann * temperature / state.masses.data()[i / 3]);
    index constraints = 0;
    if (options.remove_momentum) constraints += remove_momentum(moving);
    if (options.remove_rotation) constraints += remove_rotation(moving);
    if (options.exact_temperature && temperature > 0) {
        const double factor = std::sqrt(temperature / potential::temperature(moving, constraints));
        v = moving.velocities.mutable_data();
        for (index i = 0; i < moving.velocities.size(); ++i) v[i] *= factor;
    }
    state.velocities = moving.velocities;
    generator = after;
}

} // namespace weft::inline WEFT_ABI::potential
