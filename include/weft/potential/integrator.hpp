// SPDX-License-Identifier: MIT
#pragma once

#include <weft/potential/computed_forces.hpp>

#include <utility>

namespace weft::inline WEFT_ABI::potential {

/// A way to go on in time: half a kick by the forces, the motion that `Rule` makes of it, half a kick by the forces at
/// the new positions. See VelocityVerlet and Langevin.
///
///     VelocityVerlet integrator{{.dt = 0.5}};
///     for (...) energy = integrator.step(model, state).energy + kinetic_energy(state);
///
/// The forces at the end of a step are kept for the next. They are computed again when the state, or the potential's
/// address, is not that of the end of the step: states may be changed between steps, and a new integrator goes on with
/// the same bits.
template <class Rule>
class Integrator {
public:
    using Options = typename Rule::Options;
    static constexpr auto name = Rule::name;

    /// Errors: options out of range.
    explicit Integrator(const Options& options = {}) : options_(options) { check(options); }

    /// They may be changed between steps.
    Options& options() noexcept { return options_; }
    /// As given.
    const Options& options() const noexcept { return options_; }

    /// The potential at the positions of a state: energy and stress before the first step, or after any, when it costs
    /// nothing. The spans stay valid until the next call. Errors: wrong shapes, positions, energy or forces that are
    /// not finite.
    template <Potential P>
    PotentialResult evaluate(P& potential, const SimulationState& state) {
        return computed_.at(name, potential, state.positions, state);
    }
    /// One step of the state, by one evaluation of the potential, of which it gives the result at the new positions.
    /// Allocates nothing from the third step on where nobody holds copies of the state.
    /// Errors: options out of range, wrong shapes, masses that are not positive, positions, velocities, energy or
    /// forces that are not finite, what the potential throws. Then the state is as it was.
    template <Potential P>
    PotentialResult step(P& potential, SimulationState& state) {
        check(options_);
        detail::check_motion(name, state);
        const std::span<const double> forces = evaluate(potential, state).forces;
        double* const x = copied(state.positions, positions_);
        double* const v = copied(state.velocities, velocities_);
        const double dt = options_.dt / units::time_unit;
        kick(forces, state.masses, dt / 2, v);
        rule_.move(options_, state, dt, x, v);
        const PotentialResult result = computed_.at(name, potential, positions_, state);
        kick(result.forces, state.masses, dt / 2, v);
        detail::require_finite(name, "velocity", velocities_.values());

        std::swap(state.positions, positions_);
        std::swap(state.velocities, velocities_);
        ++state.steps;
        return result;
    }
    /// For a potential that has itself been changed: its forces are computed again.
    void forget_forces() noexcept { computed_.forget(); }

private:
    static void check(const Options& o) {
        if (!(o.dt > 0 && std::isfinite(o.dt))) throw error(name, "dt is {}: must be positive and finite", o.dt);
        Rule::check(o);
    }
    /// A copy of `from` in `to`, in the memory that it has if nobody shares it.
    static double* copied(const Tensor<double, 2>& from, Tensor<double, 2>& to) {
        if (to.shape() != from.shape() || !to.storage().unique()) to = Tensor<double, 2>::empty(from.shape());
        double* const out = to.mutable_data();
        std::copy_n(from.data(), from.size(), out);
        return out;
    }
    static void kick(std::span<const double> forces, const Tensor<double, 1>& masses, double time, double* v) {
        for (std::size_t i = 0; i < forces.size(); ++i) v[i] += time * forces[i] / masses.data()[i / 3];
    }

    Options options_;
    Rule rule_;
    detail::ComputedForces computed_;
    Tensor<double, 2> positions_, velocities_;
};

} // namespace weft::inline WEFT_ABI::potential
