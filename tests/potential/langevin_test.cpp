// SPDX-License-Identifier: MIT
#include "potentials.hpp"

#include <weft/potential/langevin.hpp>
#include <weft/potential/velocity_verlet.hpp>

using namespace weft_test;
namespace potential = weft::potential;
using potential::Langevin, potential::LangevinOptions, potential::SimulationState;
using weft::Generator, weft::Tensor;

namespace {

constexpr double boltzmann = 8.617330337217213e-5, time_unit = 10.180505671156725;

void run(Langevin& integrator, auto& model, SimulationState& state, int steps) {
    for (int step = 0; step < steps; ++step) integrator.step(model, state);
}

} // namespace

TEST_CASE("langevin: the steps of a plain loop", "[potential]") {
    const LangevinOptions options{.dt = 0.4, .temperature = 500, .friction = 0.05, .seed = 11, .stream = 3};
    Wells model;
    model.stiffness = 2;
    auto state = some_state(11);
    state.steps = 5;
    std::vector<double> x(state.positions.values().begin(), state.positions.values().end());
    std::vector<double> v(state.velocities.values().begin(), state.velocities.values().end());
    Generator generator{.seed = 11, .stream = 3, .position = 5 * 2}; // 33 numbers are two blocks
    Langevin integrator(options);
    const double dt = 0.4 / time_unit, c = std::exp(-0.05 * 0.4);
    for (int step = 0; step < 20; ++step) {
        integrator.step(model, state);
        double noise[33];
        weft::fill_normal(generator, noise, 33);
        for (std::size_t i = 0; i < 33; ++i) {
            const double m = state.masses.data()[i / 3];
            v[i] -= dt / 2 * 2 * x[i] / m;
            x[i] += dt / 2 * v[i];
            v[i] = c * v[i] + std::sqrt((1 - c * c) * boltzmann * 500 / m) * noise[i];
            x[i] += dt / 2 * v[i];
            v[i] -= dt / 2 * 2 * x[i] / m;
            INFO("step " << step << ", component " << i);
            REQUIRE(std::abs(state.positions.data()[i] - x[i]) < 1e-12);
            REQUIRE(std::abs(state.velocities.data()[i] - v[i]) < 1e-12);
        }
    }
    REQUIRE(state.steps == 25);
    REQUIRE(model.computed == 21);
}

TEST_CASE("langevin: without friction it is velocity Verlet", "[potential]") {
    LennardJones model;
    auto state = icosahedron(0.05), expected = state;
    Langevin integrator({.dt = 0.2, .friction = 0});
    potential::VelocityVerlet verlet({.dt = 0.2});
    for (int step = 0; step < 30; ++step) {
        integrator.step(model, state);
        verlet.step(model, expected);
    }
    for (weft::index i = 0; i < 39; ++i) {
        REQUIRE(std::abs(state.positions.data()[i] - expected.positions.data()[i]) < 1e-12);
        REQUIRE(std::abs(state.velocities.data()[i] - expected.velocities.data()[i]) < 1e-12);
    }
}

// In a harmonic well <x^2> = k_B T / k whatever dt and friction are, and <v^2> = k_B T / m (1 - (w dt)^2 / 4): the
// solution of the scheme's Lyapunov equation. Bounds are of 5 deviations of independent samples; those taken are as
// many, some correlation times apart.
TEST_CASE("langevin: averages in harmonic wells at large steps", "[potential]") {
    const double temperature = 400, stiffness = 3;
    const auto [turn, friction] = GENERATE(std::pair{1.0, 0.5}, std::pair{1.6, 0.2}, std::pair{0.3, 1.5});
    INFO("w dt " << turn << ", friction dt " << friction);
    const double mass = 2, dt = turn * std::sqrt(mass / stiffness) * time_unit;
    Wells model;
    model.stiffness = stiffness;
    auto state = some_state(400);
    state.masses = Tensor<double, 1>::full({400}, mass);
    Langevin integrator({.dt = dt, .temperature = temperature, .friction = friction / dt, .seed = 5});
    run(integrator, model, state, 300); // forgets the start
    const int samples = 150, apart = 60;
    double xx = 0, vv = 0, xv = 0, x4 = 0;
    for (int sample = 0; sample < samples; ++sample) {
        run(integrator, model, state, apart);
        for (weft::index i = 0; i < 1200; ++i) {
            const double x = state.positions.data()[i] / std::sqrt(boltzmann * temperature / stiffness);
            const double v = state.velocities.data()[i] / std::sqrt(boltzmann * temperature / mass);
            xx += x * x, vv += v * v, xv += x * v, x4 += x * x * x * x;
        }
    }
    const double count = 1200.0 * samples, kinetic = 1 - turn * turn / 4;
    REQUIRE(std::abs(xx / count - 1) < 5 * std::sqrt(2 / count));
    REQUIRE(std::abs(vv / count / kinetic - 1) < 5 * std::sqrt(2 / count));
    REQUIRE(std::abs(xv / count) < 5 * std::sqrt(kinetic / count));
    REQUIRE(std::abs(x4 / count - 3) < 5 * std::sqrt(96 / count));
}

TEST_CASE("langevin: a cluster has the temperature of its bath", "[potential]") {
    LennardJones model;
    auto state = icosahedron(0);
    Langevin integrator({.dt = 0.1, .temperature = 700, .friction = 0.2, .seed = 9});
    run(integrator, model, state, 2000);
    // 39 degrees of freedom, forgotten in about 1/friction = 50 steps: 40000 steps have at least 39 * 400 samples.
    double sum = 0;
    for (int step = 0; step < 40000; ++step) {
        integrator.step(model, state);
        sum += potential::temperature(state);
    }
    REQUIRE(std::abs(sum / 40000 / 700 - 1) < 5 * std::sqrt(2.0 / (39 * 400)));
    REQUIRE(integrator.evaluate(model, state).energy < -35); // of a solid
}

TEST_CASE("langevin: a run repeats, resumes, and knows its seed, stream and step", "[potential]") {
    Wells model;
    const LangevinOptions options{.seed = 21};
    const auto after = [&](const LangevinOptions& o, int steps, std::int64_t first = 0) {
        auto state = some_state(50);
        state.steps = first;
        Langevin integrator(o);
        run(integrator, model, state, steps);
        return state;
    };
    const auto expected = after(options, 20);
    REQUIRE(same_bits(after(options, 20), expected));
    // Another object goes on from the state alone.
    auto state = after(options, 7);
    Langevin later(options);
    run(later, model, state, 13);
    REQUIRE(same_bits(state, expected));

    REQUIRE(!same_bits(after({.seed = 22}, 20).positions, expected.positions));
    REQUIRE(!same_bits(after({.seed = 21, .stream = 2}, 20).positions, expected.positions));
    REQUIRE(!same_bits(after(options, 20, 1).positions, expected.positions));

    // Options may change on the way.
    Langevin cooled(options);
    state = some_state(50);
    run(cooled, model, state, 20);
    cooled.options().temperature = 0;
    cooled.options().friction = 10;
    cooled.step(model, state);
    REQUIRE(potential::kinetic_energy(state) < 1e-2 * potential::kinetic_energy(expected));
}

TEST_CASE("langevin: the same bits on any number of threads", "[potential]") {
    require_thread_independent([] {
        Wells model;
        auto state = some_state(20000);
        Langevin integrator({.seed = 4});
        run(integrator, model, state, 3);
        return state.positions;
    });
}

TEST_CASE("langevin: bad options and bad forces lose nothing", "[potential]") {
    REQUIRE(error_of([] { Langevin({.dt = 0}); }) == "weft: Langevin: dt is 0: must be positive and finite");
    REQUIRE(error_of([] { Langevin({.temperature = -3}); }) ==
            "weft: Langevin: temperature -3, friction 0.01: must be finite and not negative");
    REQUIRE_THAT(error_of([] { Langevin({.friction = std::nan("")}); }), ContainsSubstring("friction nan"));
    Wells model;
    auto state = some_state(4), expected = state;
    Langevin integrator, undisturbed;
    run(integrator, model, state, 2);
    const auto before = state;
    model.spoil = [](std::vector<double>& forces, double&) { forces[0] = std::nan(""); };
    REQUIRE_THAT(error_of([&] { integrator.step(model, state); }),
                 ContainsSubstring("weft: Langevin: the force of atom 0 is (nan, "));
    REQUIRE(same_bits(state, before));
    model.spoil = nullptr;
    run(integrator, model, state, 2);
    run(undisturbed, model, expected, 4);
    REQUIRE(same_bits(state, expected));
}
