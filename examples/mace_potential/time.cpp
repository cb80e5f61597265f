// SPDX-License-Identifier: MIT
#include "time.hpp"

#include "structures.hpp"

#include <weft/potential/velocity_verlet.hpp>

#include <chrono>

namespace mace_potential {

using namespace weft;
using weft::index;
using namespace weft::potential;
using Clock = std::chrono::steady_clock;

namespace {

/// Copies of a structure on a cubic grid, so far apart that the nearest atoms of two are neighbours.
Atoms copies_of(const Atoms& one, index count) {
    std::array<double, 3> step{};
    for (std::size_t k = 0; k < 3; ++k) {
        double low = 1e300, high = -1e300;
        for (index i = 0; i < one.size(); ++i) {
            const double x = one.positions.data()[3 * i + static_cast<index>(k)];
            low = std::min(low, x);
            high = std::max(high, x);
        }
        step[k] = high - low + 2.5;
    }
    index side = 1;
    while (side * side * side < count) ++side;
    Atoms all;
    all.numbers = Tensor<std::int32_t, 1>::empty({count * one.size()});
    all.positions = Tensor<double, 2>::empty({count * one.size(), 3});
    for (index c = 0; c < count; ++c) {
        const std::array<index, 3> at{c % side, c / side % side, c / side / side};
        std::copy_n(one.numbers.data(), one.size(), all.numbers.mutable_data() + c * one.size());
        for (index i = 0; i < 3 * one.size(); ++i) {
            const auto k = static_cast<std::size_t>(i % 3);
            all.positions.mutable_data()[3 * c * one.size() + i] =
                one.positions.data()[i] + step[k] * static_cast<double>(at[k]);
        }
    }
    return all;
}

/// One of those that are compared, on its own way through the same structure.
struct Contender {
    std::string name;
    std::unique_ptr<AnyPotential> potential;
    SimulationState state{};
    VelocityVerlet integrator{};
    double seconds = 0; ///< of the fastest step
};

void time_structure(std::vector<Contender>& contenders, const Atoms& structure, const TimeOptions& o) {
    for (Contender& c : contenders) {
        c.state = simulation_state(structure);
        c.integrator = VelocityVerlet({.dt = o.dt});
        c.integrator.step(*c.potential, c.state); // what is done once is not timed
        c.seconds = 1e300;
    }
    for (index step = 0; step < o.steps; ++step)
        for (Contender& c : contenders) {
            const auto begin = Clock::now();
            c.integrator.step(*c.potential, c.state);
            c.seconds = std::min(c.seconds, std::chrono::duration<double>(Clock::now() - begin).count());
        }
    fmt::print("{}: {} atoms, {} edges\n", formula_of(structure.numbers), structure.size(),
               contenders[0].potential->edges());
    fmt::print("  {:<20} {:>12} {:>12} {:>10} {:>12}\n", "", "ms per step", "atoms/s", "ns/day", "times faster");
    for (const Contender& c : contenders)
        fmt::print("  {:<20} {:>12.3f} {:>12.0f} {:>10.2f} {:>12.2f}\n", c.name, 1e3 * c.seconds,
                   static_cast<double>(structure.size()) / c.seconds, o.dt * 1e-6 * 86400 / c.seconds,
                   contenders[0].seconds / c.seconds);
}

} // namespace

void time_steps(const TimeOptions& o) {
    const Atoms structure = read_structure(o.structure, o.number);
    // The first one is what the others are compared with.
    std::vector<Contender> contenders;
    const auto add = [&](const char* precision, bool tabulated, bool unfused) {
        ModelOptions model = o.model;
        model.precision = precision;
        model.tabulated = tabulated;
        model.unfused = unfused;
        contenders.push_back({fmt::format("{}{}{}", precision, tabulated ? ", tabulated" : "", unfused ? ", unfused" : ""),
                              load_potential(model)});
    };
    for (const char* const precision : {"float", "double"}) {
        add(precision, false, true);
        add(precision, false, false);
        add(precision, true, false);
    }
    time_structure(contenders, structure, o);
    if (o.copies > 1) time_structure(contenders, copies_of(structure, o.copies), o);
}

} // namespace mace_potential
