// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/random.hpp>
#include <weft/potential/integrator.hpp>

namespace weft::inline WEFT_ABI::potential {

/// Options of `Langevin`.
struct LangevinOptions {
    double dt = 0.5;          ///< in fs
    double temperature = 300; ///< in K
    double friction = 0.01;   ///< in 1/fs: velocities are forgotten in 1 / friction
    std::uint64_t seed = 0;   ///< of the random forces
    std::uint64_t stream = 1; ///< of the same: Generators of other streams draw other numbers

    /// Calls f(name, value) for all of them.
    void for_each(auto&& f) {
        f("dt", dt);
        f("temperature", temperature);
        f("friction", friction);
        f("seed", seed);
        f("stream", stream);
    }
};

/// x += dt/2 v; v = c v + sqrt((1 - c^2) k_B T / m) N(0, 1) with c = exp(-friction dt); x += dt/2 v.
struct LangevinRule {
    using Options = LangevinOptions;
    static constexpr auto name = "Langevin";

    /// Errors: options out of range.
    static void check(const Options& o) {
        if (!(o.temperature >= 0 && std::isfinite(o.temperature) && o.friction >= 0 && std::isfinite(o.friction)))
            throw error(name, "temperature {}, friction {}: must be finite and not negative", o.temperature,
                        o.friction);
    }
    /// Moves positions x and velocities v by dt.
    void move(const Options& o, const SimulationState& state, double dt, double* x, double* v) {
        const index size = state.positions.size();
        noise_.resize(static_cast<std::size_t>(size));
        // Every step has its own place in the stream, whatever was drawn before.
        Generator generator{o.seed, o.stream, 0};
        skip(generator, size, 2);
        generator.position *= static_cast<std::uint64_t>(state.steps);
        fill_normal(generator, noise_.data(), size);

        const double kept = std::exp(-o.friction * o.dt);
        const double variance = -std::expm1(-2 * o.friction * o.dt) * units::boltzmann * o.temperature;
        for (index i = 0; i < size; ++i) {
            x[i] += dt / 2 * v[i];
            v[i] = kept * v[i] + std::sqrt(variance / state.masses.data()[i / 3]) * noise_[static_cast<std::size_t>(i)];
            x[i] += dt / 2 * v[i];
        }
    }

private:
    std::vector<double> noise_;
};

/// Constant temperature (NVT) by friction and random forces, in the splitting BAOAB: Leimkuhler and Matthews, Rational
/// construction of stochastic numerical methods for molecular sampling (2013). Averages over configurations have errors
/// of second order in dt, and none in a harmonic well.
///
/// The random numbers of a step are a function of seed, stream, state.steps and place: a run is the same on any number
/// of threads, and goes on with the same bits from its state and options. A state that is to take another path gets
/// another seed or stream. The centre of mass is not held.
using Langevin = Integrator<LangevinRule>;

} // namespace weft::inline WEFT_ABI::potential
