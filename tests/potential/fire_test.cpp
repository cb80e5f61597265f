// SPDX-License-Identifier: MIT
#include "potentials.hpp"

#include <weft/potential/fire.hpp>

using namespace weft_test;
namespace potential = weft::potential;
using potential::fire, potential::FireOptions, potential::SimulationState;
using weft::Tensor;

// Made with ase.optimize.FIRE (ASE 3.29): energies after so many steps, and at the end.
TEST_CASE("fire: the steps of ASE", "[potential]") {
    const auto check = [](double noise, FireOptions options,
                          const std::vector<std::pair<weft::index, double>>& energies, weft::index steps,
                          double largest_force) {
        LennardJones model;
        options.fmax = 1e-4;
        const auto start = icosahedron(noise);
        for (const auto& [after, energy] : energies) {
            INFO("noise " << noise << ", after " << after << " steps");
            options.max_steps = after;
            auto state = start;
            model.computed = 0;
            const auto report = fire(model, state, options);
            REQUIRE(report.energy == Approx(energy).epsilon(1e-9));
            REQUIRE(report.steps == after);
            REQUIRE(model.computed == after + 1);
            REQUIRE(report.converged == (after == steps));
            if (report.converged) REQUIRE(report.largest_force == Approx(largest_force).epsilon(1e-4));
            const auto result = model.compute(state.positions.values(), state.species.values(), state.cell, state.pbc);
            REQUIRE(result.energy == report.energy);
            REQUIRE(same_bits(state.velocities, start.velocities));
            REQUIRE(state.steps == 0);
        }
        options.max_steps = 10000;
        auto state = start;
        REQUIRE(fire(model, state, options).steps == steps);
    };
    check(0.15, {},
          {{0, 163.61713208875452},
           {1, -6.456936654475212},
           {2, -24.35554342335904},
           {10, -42.34477550567546},
           {25, -44.092729399399445},
           {50, -44.322467533562396},
           {100, -44.32680114318911},
           {132, -44.32680141898138}},
          132, 9.524528818831624e-05);
    check(0.3,
          {.max_step = 0.05,
           .dt = 0.02,
           .dt_max = 0.5,
           .n_min = 3,
           .f_inc = 1.2,
           .f_dec = 0.4,
           .alpha_start = 0.2,
           .f_alpha = 0.95},
          {{0, 17125.385979949722},
           {1, 5928.152048916468},
           {2, 2923.108775393615},
           {10, 114.51039232504432},
           {25, -37.058143787378285},
           {50, -44.28731676318345},
           {100, -44.3268013845273},
           {127, -44.3268014192158}},
          127, 7.298139378233939e-05);
}

// The Cambridge Cluster Database, in units of epsilon; with other units of energy and length.
TEST_CASE("fire: the known minima of Lennard-Jones clusters", "[potential]") {
    const std::pair<weft::index, double> minima[] = {{2, -1}, {3, -3}, {4, -6}, {13, -44.326801}};
    LennardJones model;
    model.epsilon = 0.0104;
    model.sigma = 3.4;
    for (const auto& [n, energy] : minima) {
        auto state = n == 13 ? icosahedron(0.15) : some_state(n, 3);
        for (double& x : state.positions.mutable_values()) x *= 3.4;
        const auto report = fire(model, state, {.fmax = 1e-6});
        INFO(n << " atoms, " << report.steps << " steps");
        REQUIRE(report.converged);
        REQUIRE(report.energy == Approx(0.0104 * energy).epsilon(2e-8));
    }
    // The distance of the pair.
    auto pair = some_state(2, 3);
    fire(model, pair, {.fmax = 1e-9});
    double square = 0;
    for (weft::index k = 0; k < 3; ++k) square += std::pow(pair.positions(0, k) - pair.positions(1, k), 2);
    REQUIRE(std::sqrt(square) == Approx(std::pow(2, 1.0 / 6) * 3.4).epsilon(1e-8));
}

TEST_CASE("fire: what needs no step takes none", "[potential]") {
    Wells model;
    auto state = some_state(3);
    auto report = fire(model, state, {.fmax = 100});
    REQUIRE(report.converged);
    REQUIRE(report.steps == 0);
    REQUIRE(same_bits(state, some_state(3)));
    report = fire(model, state, {.max_steps = 0});
    REQUIRE(!report.converged);
    REQUIRE(same_bits(state, some_state(3)));
    auto nothing = some_state(0);
    REQUIRE(fire(model, nothing).converged);
    // No step is longer than max_step.
    report = fire(model, state, {.max_steps = 1, .max_step = 0.03, .dt = 10, .dt_max = 10});
    double square = 0;
    for (weft::index i = 0; i < 9; ++i)
        square += std::pow(state.positions.data()[i] - some_state(3).positions.data()[i], 2);
    REQUIRE(std::sqrt(square) == Approx(0.03).epsilon(1e-13));
}

TEST_CASE("fire: errors leave the state as it was", "[potential]") {
    Wells model;
    auto state = some_state(3);
    const auto refused = [&](const FireOptions& options, const std::string& expected) {
        const auto before = state;
        REQUIRE(error_of([&] { fire(model, state, options); }) == "weft: fire: " + expected);
        REQUIRE(same_bits(state, before));
    };
    refused({.fmax = 0}, "fmax is 0: must be positive and finite");
    refused({.dt = std::nan("")}, "dt is nan: must be positive and finite");
    refused({.f_inc = 0.5}, "f_inc 0.5 must be 1 or more, f_dec 0.5 less");
    refused({.alpha_start = 2}, "alpha_start 2, f_alpha 0.99: must be in [0, 1]");
    refused({.max_steps = -1}, "max_steps -1, n_min 5: must not be negative");
    // Not at the start only: after some good steps.
    model.spoil = [&](std::vector<double>& forces, double&) {
        if (model.computed == 5) std::fill_n(forces.begin() + 6, 3, std::nan(""));
    };
    model.computed = 0;
    refused({.fmax = 1e-6}, "the force of atom 2 is (nan, nan, nan): must be finite");
    REQUIRE(model.computed == 5);
    model.spoil = nullptr;
    state.positions(1, 0) = std::nan("");
    REQUIRE_THAT(error_of([&] { fire(model, state); }), ContainsSubstring("fire: the position of atom 1 is (nan, "));
    state = some_state(3);
    state.species = Tensor<std::int32_t, 1>();
    refused({}, "species are [0], must be [3]");
}
