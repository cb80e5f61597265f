// SPDX-License-Identifier: MIT
#include "relax.hpp"

#include "../status_line.hpp"

#include <weft/io/extxyz.hpp>
#include <weft/potential/fire.hpp>

#include <chrono>

namespace mace_potential {

using namespace weft;
using weft::index;
using namespace weft::potential;
using Clock = std::chrono::steady_clock;

namespace {

/// A potential that shows where it is asked.
class Shown {
public:
    Shown(AnyPotential& potential, bool quiet) : potential_(potential), quiet_(quiet) {}

    PotentialResult compute(std::span<const double> positions, std::span<const std::int32_t> species,
                            const std::array<double, 9>& cell, const std::array<bool, 3>& pbc) {
        const PotentialResult result = potential_.compute(positions, species, cell, pbc);
        const double force = potential::detail::largest_norm(result.forces);
        if (count_ == 0) first_ = {result.energy, force};
        const auto now = Clock::now();
        if (!quiet_ && (status_.terminal() ? now - at_ > std::chrono::milliseconds(100) : count_ % 50 == 0)) {
            status_.write(fmt::format("step {}  energy {:.4f} eV, {:+.4f} eV from the start  largest force {:.4f} eV/Å",
                                      count_, result.energy, result.energy - first_.energy, force));
            at_ = now;
        }
        ++count_;
        return result;
    }
    void finish() const {
        if (!quiet_) status_.finish();
    }

    struct Point {
        double energy = 0, force = 0;
    };
    const Point& first() const { return first_; }

private:
    AnyPotential& potential_;
    bool quiet_;
    StatusLine status_;
    Clock::time_point at_{};
    Point first_;
    index count_ = 0;
};

} // namespace

SimulationState relax(const RelaxOptions& o, AnyPotential& model, const Atoms& structure) {
    require_writable(o.write);
    SimulationState state = simulation_state(structure);
    Shown shown(model, o.quiet);
    const FireReport report = fire(shown, state, {.fmax = o.fmax, .max_steps = o.max_steps});
    shown.finish();
    if (!report.converged)
        throw error("relax", "after {} steps the largest force is {} eV/Å, not below {}: see --max-steps", report.steps,
                    report.largest_force, o.fmax);
    fmt::print("{}: {} steps of FIRE\nenergy: {:.6f} eV, {:.6f} eV before: {:+.6f} eV\n"
               "largest force: {:.6f} eV/Å, {:.6f} before\n",
               formula_of(state.species), report.steps, report.energy, shown.first().energy,
               report.energy - shown.first().energy, report.largest_force, shown.first().force);
    if (!o.write.empty()) {
        const Atoms frame =
            frame_of(state, model.compute(state.positions.values(), state.species.values(), state.cell, state.pbc));
        io::write_extxyz(o.write, {&frame, 1});
    }
    return state;
}

void relax(const RelaxOptions& o) {
    const auto model = load_potential(o.model);
    relax(o, *model, read_structure(o.structure, o.number));
}

} // namespace mace_potential
