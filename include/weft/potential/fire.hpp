// SPDX-License-Identifier: MIT
#pragma once

#include <weft/potential/computed_forces.hpp>

namespace weft::inline WEFT_ABI::potential {

/// Names as in the paper, defaults as in ASE. All masses are 1 amu; times are in units::time_unit.
struct FireOptions {
    double fmax = 0.05;      ///< in eV/Å: the largest force at which it stops
    index max_steps = 10000; ///< after which it stops anyway
    double max_step = 0.2;   ///< in Å: the largest norm of the displacement of all atoms together
    double dt = 0.1;         ///< at the start
    double dt_max = 1.0;
    index n_min = 5;          ///< steps downhill before dt grows
    double f_inc = 1.1;       ///< factor by which it grows, at each further step downhill
    double f_dec = 0.5;       ///< factor by which it shrinks when a step goes uphill
    double alpha_start = 0.1; ///< how much of the velocity is turned along the force
    double f_alpha = 0.99;    ///< factor of that at each further step downhill
};

/// What `fire` came to.
struct FireReport {
    bool converged = false;   ///< whether the largest force is below fmax
    index steps = 0;          ///< how many were made
    double energy = 0;        ///< at the end, in eV
    double largest_force = 0; ///< norm of the largest force on an atom at the end, in eV/Å
};

namespace detail {

inline void check(const FireOptions& o) {
    for (const auto& [what, value] : {std::pair{"fmax", o.fmax},
                                      {"max_step", o.max_step},
                                      {"dt", o.dt},
                                      {"dt_max", o.dt_max},
                                      {"f_inc", o.f_inc},
                                      {"f_dec", o.f_dec}})
        if (!(value > 0 && std::isfinite(value)))
            throw error("fire", "{} is {}: must be positive and finite", what, value);
    if (!(o.f_inc >= 1 && o.f_dec < 1))
        throw error("fire", "f_inc {} must be 1 or more, f_dec {} less", o.f_inc, o.f_dec);
    if (!(o.alpha_start >= 0 && o.alpha_start <= 1 && o.f_alpha >= 0 && o.f_alpha <= 1))
        throw error("fire", "alpha_start {}, f_alpha {}: must be in [0, 1]", o.alpha_start, o.f_alpha);
    if (o.max_steps < 0 || o.n_min < 0)
        throw error("fire", "max_steps {}, n_min {}: must not be negative", o.max_steps, o.n_min);
}

inline double dot(std::span<const double> a, std::span<const double> b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

inline double largest_norm(std::span<const double> vectors) {
    double largest = 0;
    for (std::size_t i = 0; i < vectors.size(); i += 3)
        largest = std::max(largest, dot(vectors.subspan(i, 3), vectors.subspan(i, 3)));
    return std::sqrt(largest);
}

} // namespace detail

/// Moves the atoms of a state to a minimum of the energy, where every force is below fmax, in a cell that stays; of
/// the state only the positions change. One evaluation of the potential per step. Bitzek, Koskinen, Gähler, Moseler and
/// Gumbsch, Structural relaxation made simple (2006); the steps are those of ase.optimize.FIRE.
/// Errors: options out of range, wrong shapes, positions, energy or forces that are not finite, what the potential
/// throws. Then the state is as it was.
template <Potential P>
FireReport fire(P& potential, SimulationState& state, const FireOptions& options = {}) {
    detail::check(options);
    Tensor<double, 2> positions = state.positions;
    const auto size = static_cast<std::size_t>(positions.size());
    std::vector<double> v(size);
    detail::ComputedForces computed;
    double dt = options.dt, alpha = options.alpha_start;
    index downhill = 0;
    for (FireReport report;; ++report.steps) {
        const PotentialResult result = computed.at("fire", potential, positions, state);
        const std::span<const double> f = result.forces;
        report.energy = result.energy;
        report.largest_force = detail::largest_norm(f);
        report.converged = report.largest_force < options.fmax;
        if (report.converged || report.steps == options.max_steps) {
            state.positions = positions;
            return report;
        }

        if (detail::dot(f, v) > 0) {
            const double along = alpha * std::sqrt(detail::dot(v, v) / detail::dot(f, f));
            for (std::size_t i = 0; i < size; ++i) v[i] = (1 - alpha) * v[i] + along * f[i];
            if (downhill > options.n_min) {
                dt = std::min(dt * options.f_inc, options.dt_max);
                alpha *= options.f_alpha;
            }
            ++downhill;
        } else if (report.steps > 0) {
            std::fill(v.begin(), v.end(), 0.0);
            dt *= options.f_dec;
            alpha = options.alpha_start;
            downhill = 0;
        }
        for (std::size_t i = 0; i < size; ++i) v[i] += dt * f[i];
        const double norm = dt * std::sqrt(detail::dot(v, v));
        const double time = norm > options.max_step ? dt * options.max_step / norm : dt;
        double* const x = positions.mutable_data();
        for (std::size_t i = 0; i < size; ++i) x[i] += time * v[i];
    }
}

} // namespace weft::inline WEFT_ABI::potential
