// SPDX-License-Identifier: MIT
#pragma once

#include <weft/potential/integrator.hpp>

namespace weft::inline WEFT_ABI::potential {

/// Options of `VelocityVerlet`.
struct VelocityVerletOptions {
    double dt = 0.5; ///< in fs

    /// Calls f(name, value) for all of them.
    void for_each(auto&& f) { f("dt", dt); }
};

/// v += dt/2 f(x)/m; x += dt v; v += dt/2 f(x)/m.
struct VelocityVerletRule {
    using Options = VelocityVerletOptions;
    static constexpr auto name = "VelocityVerlet";

    /// Any options will do.
    static void check(const Options&) {}
    /// Moves positions x and velocities v by dt.
    void move(const Options&, const SimulationState& state, double dt, double* x, double* v) const {
        for (index i = 0; i < state.positions.size(); ++i) x[i] += dt * v[i];
    }
};

/// Constant energy (NVE): Swope, Andersen, Berens and Wilson, A computer simulation method for the calculation of
/// equilibrium constants (1982). Time-reversible and symplectic; of second order.
using VelocityVerlet = Integrator<VelocityVerletRule>;

} // namespace weft::inline WEFT_ABI::potential
