// SPDX-License-Identifier: MIT
#include "potentials.hpp"

#include <weft/potential/velocity_verlet.hpp>

#include <limits>

using namespace weft_test;
namespace potential = weft::potential;
using potential::SimulationState, potential::VelocityVerlet;
using weft::Tensor;

namespace {

double largest_difference(const Tensor<double, 2>& a, const Tensor<double, 2>& b) {
    double largest = 0;
    for (weft::index i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.data()[i] - b.data()[i]));
    return largest;
}

// The largest error of the total energy over some time, in fs, in steps of dt.
double energy_error(double dt, double time) {
    LennardJones model;
    auto state = icosahedron(0.05);
    VelocityVerlet integrator{{.dt = dt}};
    const double start = integrator.evaluate(model, state).energy + potential::kinetic_energy(state);
    double largest = 0;
    for (int step = 0; step < static_cast<int>(std::lround(time / dt)); ++step) {
        const double energy = integrator.step(model, state).energy + potential::kinetic_energy(state);
        largest = std::max(largest, std::abs(energy - start));
    }
    return largest;
}

} // namespace

// Made with ase.md.verlet (ASE 3.29): 50 steps of 0.1 fs.
TEST_CASE("velocity_verlet: a cluster moves as in ASE", "[potential]") {
    LennardJones model;
    auto state = icosahedron(0.02);
    VelocityVerlet integrator{{.dt = 0.1}};
    REQUIRE(integrator.evaluate(model, state).energy == Approx(-40.00060007646561).epsilon(1e-13));
    for (int step = 0; step < 50; ++step) integrator.step(model, state);
    REQUIRE(state.steps == 50);
    REQUIRE(model.computed == 51);
    REQUIRE(integrator.evaluate(model, state).energy == Approx(-42.084486234347025).epsilon(1e-12));
    REQUIRE(model.computed == 51);
    REQUIRE(potential::kinetic_energy(state) == Approx(2.6258687314816367).epsilon(1e-11));
    const double expected[3][6] = {{-0.016080788701036276, 0.0009533332499402259, -0.02087158257201395,
                                    0.47823092176696774, 0.30209280498620944, -0.5973037914546077},
                                   {-1.0033310050829858, -0.013911434439715499, -0.5656464819501945,
                                    0.06506874969683497, -0.055273783163819805, 0.13752028061295105},
                                   {0.5325256032457713, 0.9400737387029232, -0.03592005398948952, -0.25196965262364274,
                                    -0.2850775161666198, -0.020906327252207004}};
    const weft::index atoms[] = {0, 5, 12};
    for (std::size_t i = 0; i < 3; ++i)
        for (weft::index k = 0; k < 3; ++k) {
            REQUIRE(std::abs(state.positions(atoms[i], k) - expected[i][k]) < 1e-11);
            REQUIRE(std::abs(state.velocities(atoms[i], k) - expected[i][k + 3]) < 1e-11);
        }
}

// The map of one step has the eigenvalues exp(+-i theta), cos theta = 1 - (w dt)^2 / 2.
TEST_CASE("velocity_verlet: oscillators follow the exact solution of the scheme", "[potential]") {
    Wells model;
    model.stiffness = 2.5;
    const auto start = some_state(9);
    auto state = start;
    const double dt = 3.0;
    VelocityVerlet integrator{{.dt = dt}};
    for (int step = 1; step <= 200; ++step) {
        integrator.step(model, state);
        for (weft::index i = 0; i < state.size(); ++i)
            for (weft::index k = 0; k < 3; ++k) {
                const double w = std::sqrt(model.stiffness / state.masses(i));
                const double h = w * dt * 1e-15 * 1e10 * std::sqrt(1.6021766208e-19 / 1.660539040e-27);
                const double turn = step * std::acos(1 - h * h / 2), shrink = std::sqrt(1 - h * h / 4);
                const double x0 = start.positions(i, k), v0 = start.velocities(i, k);
                INFO("step " << step << ", atom " << i);
                REQUIRE(std::abs(state.positions(i, k) - (x0 * std::cos(turn) + v0 / (w * shrink) * std::sin(turn))) <
                        1e-12);
                REQUIRE(std::abs(state.velocities(i, k) - (v0 * std::cos(turn) - w * shrink * x0 * std::sin(turn))) <
                        1e-12);
            }
    }
}

TEST_CASE("velocity_verlet: a cluster follows a plain loop", "[potential]") {
    const auto start = icosahedron(0.05);
    const std::size_t n = 13;
    std::vector<double> x(start.positions.values().begin(), start.positions.values().end());
    std::vector<double> v(start.velocities.values().begin(), start.velocities.values().end());
    // -d/dx of 4 (r^-12 - r^-6), atom by atom.
    const auto acceleration = [&](std::size_t c) {
        double force = 0;
        for (std::size_t j = 0; j < n; ++j) {
            if (j == c / 3) continue;
            const double r =
                std::hypot(x[c - c % 3] - x[3 * j], x[c - c % 3 + 1] - x[3 * j + 1], x[c - c % 3 + 2] - x[3 * j + 2]);
            force += (48 * std::pow(r, -13) - 24 * std::pow(r, -7)) * (x[c] - x[3 * j + c % 3]) / r;
        }
        return force / start.masses(static_cast<weft::index>(c / 3));
    };
    const double dt = 0.2 / 10.180505671156725;
    LennardJones model;
    auto state = start;
    VelocityVerlet integrator{{.dt = 0.2}};
    for (int step = 0; step < 30; ++step) {
        integrator.step(model, state);
        for (std::size_t c = 0; c < 3 * n; ++c) v[c] += acceleration(c) * dt / 2;
        for (std::size_t c = 0; c < 3 * n; ++c) x[c] += v[c] * dt;
        for (std::size_t c = 0; c < 3 * n; ++c) v[c] += acceleration(c) * dt / 2;
        for (std::size_t c = 0; c < 3 * n; ++c) {
            INFO("step " << step << ", component " << c);
            REQUIRE(std::abs(state.positions.data()[c] - x[c]) < 1e-12);
            REQUIRE(std::abs(state.velocities.data()[c] - v[c]) < 1e-12);
        }
    }
}

TEST_CASE("velocity_verlet: time runs backwards as well", "[potential]") {
    LennardJones model;
    const auto start = icosahedron(0.05);
    auto state = start;
    VelocityVerlet integrator{{.dt = 0.1}};
    for (int step = 0; step < 400; ++step) integrator.step(model, state);
    REQUIRE(largest_difference(state.positions, start.positions) > 0.1);
    for (double& v : state.velocities.mutable_values()) v = -v;
    for (int step = 0; step < 400; ++step) integrator.step(model, state);
    for (double& v : state.velocities.mutable_values()) v = -v;
    REQUIRE(largest_difference(state.positions, start.positions) < 1e-9);
    REQUIRE(largest_difference(state.velocities, start.velocities) < 1e-9);
    REQUIRE(model.computed == 801); // new velocities do not change forces
}

TEST_CASE("velocity_verlet: energy is kept to second order in dt, momenta are kept", "[potential]") {
    const double one = energy_error(0.2, 40), half = energy_error(0.1, 40), quarter = energy_error(0.05, 40);
    INFO(one << ", " << half << ", " << quarter);
    REQUIRE(one / half == Approx(4).epsilon(0.15));
    REQUIRE(half / quarter == Approx(4).epsilon(0.05));

    LennardJones model;
    auto state = icosahedron(0.05);
    const auto momentum = potential::total_momentum(state);
    VelocityVerlet integrator{{.dt = 0.1}};
    for (int step = 0; step < 1000; ++step) integrator.step(model, state);
    for (std::size_t k = 0; k < 3; ++k) REQUIRE(std::abs(potential::total_momentum(state)[k] - momentum[k]) < 1e-12);
}

TEST_CASE("velocity_verlet: forces are kept, and computed again where they must", "[potential]") {
    Wells model, other;
    other.stiffness = 4;
    auto state = some_state(5);
    VelocityVerlet integrator;
    integrator.step(model, state);
    integrator.step(model, state);
    REQUIRE(model.computed == 3);
    const auto check = [&](Wells& used, int evaluations) {
        auto expected = state;
        VelocityVerlet fresh;
        Wells again = used;
        fresh.step(again, expected);
        const int before = used.computed;
        integrator.step(used, state);
        REQUIRE(used.computed == before + evaluations);
        REQUIRE(same_bits(state, expected));
    };
    check(model, 1);
    state.positions(2, 1) += 0.1;
    check(model, 2);
    auto copy = state; // of equal positions elsewhere in memory
    copy.positions = Tensor<double, 2>::from(state.positions.values(), {5, 3});
    std::swap(copy, state);
    check(model, 1);
    check(other, 2);
    state.species(0) = 1;
    check(other, 2);
    state.cell[0] = 3;
    check(other, 2);
    state.pbc[2] = true;
    check(other, 2);
    other.stiffness = 1;
    integrator.forget_forces();
    check(other, 2);
    // A copy has forces of its own.
    auto twin = integrator;
    auto elsewhere = some_state(5);
    integrator.step(model, elsewhere);
    const int computed = other.computed;
    const auto result = twin.evaluate(other, state);
    REQUIRE(other.computed == computed);
    REQUIRE(result.forces[3] == -state.positions(1, 0));
}

TEST_CASE("velocity_verlet: steps allocate nothing, and leave snapshots as they are", "[potential]") {
    Wells model;
    auto state = some_state(2000);
    VelocityVerlet integrator;
    for (int step = 0; step < 3; ++step) integrator.step(model, state);
    const auto before = weft::detail::Pool::instance().system_allocations();
    for (int step = 0; step < 10; ++step) integrator.step(model, state);
    REQUIRE(weft::detail::Pool::instance().system_allocations() == before);
    const auto snapshot = state;
    const double first = snapshot.positions(0, 0);
    for (int step = 0; step < 3; ++step) integrator.step(model, state);
    REQUIRE(snapshot.positions(0, 0) == first);
    REQUIRE(state.positions(0, 0) != first);
    auto nothing = some_state(0);
    REQUIRE(integrator.step(model, nothing).energy == 0);
    REQUIRE(nothing.steps == 1);
}

TEST_CASE("velocity_verlet: bad input and bad forces lose nothing", "[potential]") {
    for (const double dt : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()})
        REQUIRE_THAT(error_of([&] { VelocityVerlet({.dt = dt}); }),
                     ContainsSubstring("VelocityVerlet: dt is " + fmt::format("{}", dt)));
    Wells model;
    VelocityVerlet integrator;
    const auto refused = [&](auto spoil, const std::string& expected) {
        auto state = some_state(4);
        spoil(state);
        const auto before = state;
        INFO(expected);
        REQUIRE_THAT(error_of([&] { integrator.step(model, state); }),
                     ContainsSubstring("weft: VelocityVerlet: " + expected));
        REQUIRE(same_bits(state, before));
    };
    const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
    refused([&](SimulationState& s) { s.positions(1, 2) = nan; }, "the position of atom 1 is (");
    refused([&](SimulationState& s) { s.velocities(3, 0) = infinity; }, "the velocity of atom 3 is (inf, ");
    refused([](SimulationState& s) { s.masses(0) = -1; }, "the mass of atom 0 is -1: must be positive");
    refused([](SimulationState& s) { s.masses = Tensor<double, 1>::ones({5}); }, "masses are [5], must be [4]");
    refused(
        [](SimulationState& s) {
            s.velocities = Tensor<double, 2>::ones({4, 4});
        },
        "velocities are [4, 4], must be [4, 3]");
    refused([](SimulationState& s) { s.species = Tensor<std::int32_t, 1>::full({1}, 6); },
            "species are [1], must be [4]");
    refused(
        [](SimulationState& s) {
            s.positions = Tensor<double, 2>::ones({4, 4});
        },
        "positions are [4, 4], must be [4, 3]");
    refused([](SimulationState& s) { s.steps = -1; }, "the state has made -1 steps");
    integrator.options().dt = -1;
    refused([](SimulationState&) {}, "dt is -1");
    integrator.options().dt = 100;
    refused([](SimulationState& s) { s.velocities(0, 0) = 1e308; }, "the position of atom 0 is (inf, ");
    integrator.options().dt = 0.5;

    // A potential that fails in the middle of a run: it goes on when the cause is gone, as if nothing had been.
    auto state = some_state(4), undisturbed = state;
    for (int step = 0; step < 3; ++step) integrator.step(model, state);
    const auto before = state;
    const auto fails = [&](auto spoil, const std::string& expected) {
        model.spoil = spoil;
        REQUIRE(error_of([&] { integrator.step(model, state); }) == expected);
        REQUIRE(same_bits(state, before));
    };
    fails([&](std::vector<double>& f, double&) { std::fill_n(f.begin() + 3, 3, nan); },
          "weft: VelocityVerlet: the force of atom 1 is (nan, nan, nan): must be finite");
    fails([&](std::vector<double>&, double& energy) { energy = -infinity; },
          "weft: VelocityVerlet: the energy is -inf: must be finite");
    fails([](std::vector<double>& f, double&) { f.pop_back(); },
          "weft: VelocityVerlet: the potential gives 11 components of forces for 4 atoms");
    fails([](std::vector<double>&, double&) { throw weft::error("model", "{} is out of order", 1); },
          "weft: model: 1 is out of order");
    integrator.options().dt = 100;
    fails([](std::vector<double>& f, double&) { std::fill_n(f.begin() + 9, 3, 1.7e308); },
          "weft: VelocityVerlet: the velocity of atom 3 is (inf, inf, inf): must be finite");
    integrator.options().dt = 0.5;
    model.spoil = nullptr;
    for (int step = 0; step < 3; ++step) integrator.step(model, state);
    VelocityVerlet other;
    for (int step = 0; step < 6; ++step) other.step(model, undisturbed);
    REQUIRE(same_bits(state, undisturbed));
}
