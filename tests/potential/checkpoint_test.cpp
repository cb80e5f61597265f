// SPDX-License-Identifier: MIT
#include "io/io_test.hpp"
#include "potentials.hpp"

#include <weft/potential/checkpoint.hpp>
#include <weft/potential/langevin.hpp>
#include <weft/potential/velocity_verlet.hpp>

using namespace weft_test;
namespace potential = weft::potential;
namespace io = weft::io;
using potential::Langevin, potential::VelocityVerlet, potential::SimulationState;
using weft::Tensor;

TEMPLATE_TEST_CASE("checkpoint: a resumed run goes on with the same bits", "[potential]", VelocityVerlet, Langevin) {
    const TemporaryFolder folder;
    LennardJones model;
    auto state = icosahedron(0.05);
    state.cell = {30, 0, 0.1, 0, 31, 0, 1.0 / 3, 0, 32};
    state.pbc = {true, false, true};
    typename TestType::Options options{.dt = 0.1 + 0.2}; // not 0.3
    if constexpr (std::is_same_v<TestType, Langevin>) {
        options.friction = 1.0 / 30;
        options.seed = 0xfedcba9876543210;
    }
    TestType integrator(options);
    for (int step = 0; step < 10; ++step) integrator.step(model, state);
    potential::save_checkpoint(folder / "run", state, integrator);
    auto [resumed, later] = potential::load_checkpoint<TestType>(folder / "run");
    REQUIRE(same_bits(resumed, state));
    REQUIRE(later.options().dt == 0.1 + 0.2);
    LennardJones another;
    for (int step = 0; step < 10; ++step) {
        integrator.step(model, state);
        later.step(another, resumed);
    }
    REQUIRE(same_bits(resumed, state));
    REQUIRE(state.steps == 20);
    // The file is what it was, and saving what was loaded writes it again.
    auto [again, same] = potential::load_checkpoint<TestType>(folder / "run");
    REQUIRE(again.steps == 10);
    potential::save_checkpoint(folder / "copy", again, same);
    REQUIRE(read_text(folder / "copy") == read_text(folder / "run"));
}

TEST_CASE("checkpoint: what is none is refused", "[potential]") {
    const TemporaryFolder folder;
    const auto path = folder / "run";
    const auto state = some_state(4);
    potential::save_checkpoint(path, state, Langevin());
    REQUIRE_THAT(error_of([&] { potential::load_checkpoint<VelocityVerlet>(path); }),
                 ContainsSubstring("is of the integrator \"Langevin\", asked for VelocityVerlet"));
    // What could not be loaded is not saved, and the file stays.
    auto broken = state;
    broken.velocities(2, 1) = NAN;
    REQUIRE_THAT(error_of([&] { potential::save_checkpoint(path, broken, Langevin()); }),
                 ContainsSubstring("save_checkpoint: the velocity of atom 2 is ("));
    REQUIRE(same_bits(potential::load_checkpoint<Langevin>(path).state, state));

    check_refused("checkpoint", "bad_",
                  {{"not_safetensors", "byte 0: the header has"},
                   {"no_format", "is no checkpoint: it has no format"},
                   {"no_option", "is no checkpoint: it has no options.dt"},
                   {"no_tensors", "there is no tensor \"positions\""},
                   {"format", "is of format \"simulation 0\", must be simulation 1"},
                   {"integrator", "is of the integrator \"VelocityVerlet\", asked for Langevin"},
                   {"option_text", "the option dt is \"0.5 fs\": must be a number"},
                   {"option_range", "friction -1: must be finite and not negative"},
                   {"option_huge", "the option seed is \"18446744073709551616\": must be a number"},
                   {"masses", "the mass of atom 1 is 0: must be positive and finite"},
                   {"masses_shape", "masses are [1], must be [2]"},
                   {"velocities_nan", "the velocity of atom 1 is (0, 0, nan)"},
                   {"positions_shape", "positions are [3, 2], must be [3, 3]"},
                   {"species_shape", "species are [3], must be [2]"},
                   {"steps_negative", "the state has made -1 steps"},
                   {"steps_last", "the state has made 9223372036854775807 steps"},
                   {"cell_shape", "must be F64 of shape [3, 3]"},
                   {"pbc", "element 1 of BOOL [3] is byte 2"}},
                  [](const auto& file) { potential::load_checkpoint<Langevin>(file); });
    for (const auto& entry : fs::directory_iterator(source_folder("fuzz") / "corpus" / "checkpoint"))
        if (entry.path().filename().string().starts_with("good_"))
            REQUIRE(potential::load_checkpoint<Langevin>(entry.path()).state.steps == 7);
}
