// SPDX-License-Identifier: MIT
#include "time.hpp"

#include "plot.hpp"
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

/// The seconds of the fastest of some steps.
double fastest_step(AnyPotential& potential, const Atoms& structure, const VelocityVerletOptions& o, int steps) {
    SimulationState state = simulation_state(structure);
    VelocityVerlet integrator(o);
    integrator.step(potential, state); // what is done once is not timed
    double fastest = 1e300;
    for (int step = 0; step < steps; ++step) {
        const auto begin = Clock::now();
        integrator.step(potential, state);
        fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - begin).count());
    }
    return fastest;
}

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

/// The microseconds that an atom costs in systems of about 100 to 20,000 atoms.
void draw_scaling(const Atoms& structure, const TimeOptions& o) {
    require_writable(o.svg);
    Panel panel{"µs per atom and step", {{"float", "#1f77b4", {}}, {"float, tabulated", "#d62728", {}}}};
    fmt::print("{:>10} {:>14} {:>24}\n", "atoms", "float, µs/atom", "float, tabulated, µs/atom");
    for (const double atoms : {100.0, 300.0, 1000.0, 3000.0, 10000.0, 20000.0}) {
        const Atoms all = copies_of(structure, std::max<index>(1, std::lround(atoms / double(structure.size()))));
        fmt::print("{:>10}", all.size());
        for (const bool tabulated : {false, true}) {
            ModelOptions model = o.model;
            model.precision = "float";
            model.tabulated = tabulated;
            const auto potential = load_potential(model);
            const auto seconds = fastest_step(*potential, all, {.dt = o.dt}, atoms > 5000 ? 2 : 5);
            panel.curves[tabulated].points.push_back(
                {std::log10(double(all.size())), 1e6 * seconds / double(all.size())});
            fmt::print(" {:>14.1f}", panel.curves[tabulated].points.back().second);
        }
        fmt::print("\n");
        std::fflush(stdout);
    }
    write_text(o.svg, plot("Cost of an atom", "log10 of the number of atoms", {panel}));
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
        contenders.push_back(
            {fmt::format("{}{}{}", precision, tabulated ? ", tabulated" : "", unfused ? ", unfused" : ""),
             load_potential(model)});
    };
    for (const char* const precision : {"float", "double"}) {
        add(precision, false, true);
        add(precision, false, false);
        add(precision, true, false);
    }
    time_structure(contenders, structure, o);
    if (o.copies > 1) time_structure(contenders, copies_of(structure, o.copies), o);
    if (!o.svg.empty()) draw_scaling(structure, o);
}

} // namespace mace_potential
