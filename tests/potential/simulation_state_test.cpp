// SPDX-License-Identifier: MIT
#include "potential_checks.hpp"
#include "potentials.hpp"

#include <weft/potential/maxwell_boltzmann.hpp>

using namespace weft_test;
namespace potential = weft::potential;
using potential::SimulationState;
using weft::Generator, weft::Tensor;

TEST_CASE("simulation_state: the units follow from CODATA 2014", "[potential]") {
    const double e = 1.6021766208e-19, amu = 1.660539040e-27, k = 1.38064852e-23;
    REQUIRE(potential::units::boltzmann == Approx(k / e).epsilon(1e-15));
    REQUIRE(potential::units::time_unit == Approx(1e15 * 1e-10 * std::sqrt(amu / e)).epsilon(1e-15));
    REQUIRE(potential::units::stress_unit == Approx(e * 1e30 * 1e-9).epsilon(1e-15));
}

// The reference is ASE 3.29.
TEST_CASE("simulation_state: kinetic energy, temperature and momenta as in ASE", "[potential]") {
    auto state = icosahedron(0.02);
    REQUIRE(potential::kinetic_energy(state) == Approx(0.5564647331735997).epsilon(1e-14));
    REQUIRE(potential::temperature(state) == Approx(331.15421907426656).epsilon(1e-14));
    REQUIRE(potential::temperature(state, 6) == Approx(331.15421907426656 * 39 / 33).epsilon(1e-14));
    const double reference[] = {-1.1290641007372588, 0.08407477934468618, -0.4367881844406656};
    for (std::size_t i = 0; i < 3; ++i)
        REQUIRE(potential::angular_momentum(state)[i] == Approx(reference[i]).epsilon(1e-13));

    REQUIRE(potential::remove_momentum(state) == 3);
    const double at_rest[] = {0.07869859352958707, 0.1934446945374722, -0.11776594511795399};
    for (weft::index i = 0; i < 3; ++i) REQUIRE(state.velocities(12, i) == Approx(at_rest[i]).epsilon(1e-13));
    REQUIRE(potential::remove_rotation(state) == 3);
    const double still[] = {0.06171550103830009, 0.20060898985081277, -0.07057979450618963};
    for (weft::index i = 0; i < 3; ++i) REQUIRE(state.velocities(12, i) == Approx(still[i]).epsilon(1e-13));
    for (std::size_t i = 0; i < 3; ++i) {
        REQUIRE(std::abs(potential::total_momentum(state)[i]) < 1e-14);
        REQUIRE(std::abs(potential::angular_momentum(state)[i]) < 1e-14);
    }
}

TEST_CASE("simulation_state: a linear molecule turns about two axes, an atom about none", "[potential]") {
    auto state = some_state(3);
    const double line[] = {0.6, -0.3, 0.5};
    for (weft::index i = 0; i < 3; ++i)
        for (weft::index k = 0; k < 3; ++k) state.positions(i, k) = 5 + static_cast<double>(i * i) * line[k];
    REQUIRE(potential::remove_rotation(state) == 2);
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(std::abs(potential::angular_momentum(state)[i]) < 1e-13);
    // Movement along the line is not one of them.
    double along = 0;
    const auto before = some_state(3);
    for (weft::index k = 0; k < 3; ++k) along += line[k] * (state.velocities(2, k) - before.velocities(2, k));
    REQUIRE(std::abs(along) < 1e-13);

    auto atom = some_state(1);
    REQUIRE(potential::remove_rotation(atom) == 0);
    REQUIRE(same_bits(atom, some_state(1)));
    auto nothing = some_state(0);
    REQUIRE(potential::remove_momentum(nothing) == 0);
    REQUIRE(potential::remove_rotation(nothing) == 0);
    REQUIRE(potential::kinetic_energy(nothing) == 0);
}

TEST_CASE("simulation_state: velocities of thermal equilibrium", "[potential]") {
    auto state = some_state(20000);
    Generator generator{.seed = 7};
    potential::maxwell_boltzmann(state, 450, generator);
    Generator moved{.seed = 7};
    weft::skip(moved, 60000, 2);
    REQUIRE(generator == moved);
    // Per class of mass, of 8571 numbers or more: the variance within 5 of its deviations sqrt(2 / n).
    for (weft::index kind = 0; kind < 7; ++kind) {
        double sum = 0, squares = 0, count = 0;
        for (weft::index i = kind; i < state.size(); i += 7)
            for (weft::index k = 0; k < 3; ++k, ++count) {
                sum += state.velocities(i, k);
                squares += state.velocities(i, k) * state.velocities(i, k);
            }
        const double variance = potential::units::boltzmann * 450 / state.masses(kind);
        INFO("mass " << state.masses(kind));
        REQUIRE(std::abs(squares / count / variance - 1) < 5 * std::sqrt(2 / count));
        REQUIRE(std::abs(sum / count) < 5 * std::sqrt(variance / count));
    }
    REQUIRE(std::abs(potential::temperature(state) / 450 - 1) < 5 * std::sqrt(2.0 / 60000));

    auto again = some_state(20000);
    Generator same{.seed = 7};
    potential::maxwell_boltzmann(again, 450, same);
    REQUIRE(same_bits(state, again));
    potential::maxwell_boltzmann(again, 450, same);
    REQUIRE(!same_bits(state, again));
    potential::maxwell_boltzmann(again, 0, same);
    REQUIRE(potential::kinetic_energy(again) == 0);
}

TEST_CASE("simulation_state: velocities of a molecule at rest, of exactly a temperature", "[potential]") {
    Generator generator{.seed = 3};
    auto state = icosahedron(0.1);
    const auto positions = state.positions;
    potential::maxwell_boltzmann(state, 300, generator,
                                 {.remove_momentum = true, .remove_rotation = true, .exact_temperature = true});
    REQUIRE(potential::temperature(state, 6) == Approx(300).epsilon(1e-13));
    REQUIRE(same_bits(state.positions, positions));
    for (std::size_t i = 0; i < 3; ++i) {
        REQUIRE(std::abs(potential::total_momentum(state)[i]) < 1e-14);
        REQUIRE(std::abs(potential::angular_momentum(state)[i]) < 1e-14);
    }
    potential::maxwell_boltzmann(state, 300, generator, {.exact_temperature = true});
    REQUIRE(potential::temperature(state) == Approx(300).epsilon(1e-13));
    REQUIRE(std::abs(potential::total_momentum(state)[0]) > 0.01);

    // On average a molecule at rest has the energy of the degrees of freedom that are left: 1000 draws of 33.
    double energy = 0;
    for (int draw = 0; draw < 1000; ++draw) {
        potential::maxwell_boltzmann(state, 300, generator, {.remove_momentum = true, .remove_rotation = true});
        energy += potential::kinetic_energy(state) / 1000;
    }
    const double expected = 33 * potential::units::boltzmann * 300 / 2;
    REQUIRE(std::abs(energy / expected - 1) < 5 * std::sqrt(2.0 / 33000));
}

TEST_CASE("simulation_state: bad states are refused and stay as they are", "[potential]") {
    const auto good = some_state(4);
    Generator generator{.seed = 1};
    const auto refused = [&](auto spoil, const std::string& expected, double temperature = 300,
                             const potential::MaxwellBoltzmannOptions& options = {.remove_momentum = true}) {
        auto state = good;
        spoil(state);
        const auto before = state;
        const Generator at = generator;
        INFO(expected);
        REQUIRE(error_of([&] { potential::maxwell_boltzmann(state, temperature, generator, options); }) ==
                "weft: " + expected);
        REQUIRE(same_bits(state, before));
        REQUIRE(generator == at);
    };
    const auto nothing = [](SimulationState&) {};
    refused([](SimulationState& s) { s.masses(2) = 0; },
            "maxwell_boltzmann: the mass of atom 2 is 0: must be positive and finite");
    refused([](SimulationState& s) { s.masses(1) = std::nan(""); },
            "maxwell_boltzmann: the mass of atom 1 is nan: must be positive and finite");
    refused([](SimulationState& s) { s.masses = Tensor<double, 1>::ones({3}); },
            "maxwell_boltzmann: masses are [3], must be [4]");
    refused(
        [](SimulationState& s) {
            s.positions = Tensor<double, 2>::ones({4, 2});
        },
        "maxwell_boltzmann: positions are [4, 2], must be [4, 3]");
    refused(nothing, "maxwell_boltzmann: the temperature is -1: must be finite and not negative", -1);
    refused(nothing, "maxwell_boltzmann: the temperature is nan: must be finite and not negative", std::nan(""));
    refused([](SimulationState& s) { s.pbc[1] = true; },
            "remove_rotation: the state is periodic: it has no angular momentum to be conserved", 300,
            {.remove_rotation = true});
    refused([](SimulationState& s) { s = some_state(1); },
            "temperature: 1 atoms with 3 constraints have no temperature", 300,
            {.remove_momentum = true, .exact_temperature = true});
    auto state = good;
    state.velocities(3, 1) = std::numeric_limits<double>::infinity();
    REQUIRE_THAT(error_of([&] { potential::kinetic_energy(state); }),
                 ContainsSubstring("kinetic_energy: the velocity of atom 3 is ("));
    state.velocities = Tensor<double, 2>();
    REQUIRE_THAT(error_of([&] { potential::kinetic_energy(state); }),
                 ContainsSubstring("velocities are [0, 0], must be [4, 3]"));
}

TEST_CASE("simulation_state: results of potentials mean what they say", "[potential]") {
    LennardJones model;
    require_derivatives(model, icosahedron(0.05), 1e-6, 1e-5);
}
