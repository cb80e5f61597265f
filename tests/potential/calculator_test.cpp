// SPDX-License-Identifier: MIT
#include "counted_memory.hpp"
#include "potential/mace_goldens.hpp"
#include "potential/potential_checks.hpp"

#include <weft/io/extxyz.hpp>
#include <weft/potential/calculator.hpp>
#include <weft/potential/energy_forces_loss.hpp>
#include <weft/potential/load_mace.hpp>
#include <weft/potential/nequip.hpp>
#include <weft/potential/velocity_verlet.hpp>
#include <weft/so3/rotation.hpp>

#include <numeric>

using namespace weft_test;
using weft::Tensor;
using weft::io::SafetensorsFile;
using weft::potential::Calculator, weft::potential::MACE, weft::potential::PotentialResult;

namespace {

using MaceCalculator = Calculator<MACE<double>>;

/// One of the models that the library has goldens of.
MACE<double> model(const std::string& name) {
    return weft::potential::load_mace<double>(std::filesystem::path(WEFT_TEST_FOLDER) / "golden" /
                                              "interatomic-potential" / (name + ".safetensors"));
}
PotentialResult compute(auto& calculator, const weft::io::Atoms& a) {
    return calculator.compute(a.positions.values(), a.numbers.values(), a.cell, a.pbc);
}
std::vector<weft::io::Atoms> frames_of(const std::string& file) {
    return structures_of(SafetensorsFile::read(std::filesystem::path(WEFT_TEST_FOLDER) / "golden" /
                                               "interatomic-potential" / (file + ".safetensors")),
                         "energy", "forces");
}
weft::potential::SimulationState state_of(const weft::io::Atoms& a) {
    weft::potential::SimulationState state;
    state.positions = a.positions;
    state.species = a.numbers;
    state.cell = a.cell;
    state.pbc = a.pbc;
    state.velocities = Tensor<double, 2>::zeros(a.positions.shape());
    state.masses = Tensor<double, 1>::ones({a.size()});
    return state;
}
std::vector<double> copied(std::span<const double> values) { return {values.begin(), values.end()}; }

} // namespace

TEST_CASE("Calculator: energies, forces, virials and stresses as in the reference", "[potential][golden]") {
    int files = 0;
    for (const MaceGolden& golden : mace_goldens()) {
        MaceCalculator calculator(weft::potential::load_mace<double>(golden.model), {.skin = 0.3});
        for (const auto& path : golden.data) {
            const auto file = SafetensorsFile::read(path);
            if (!file.contains("virials")) continue;
            INFO(path.string());
            const auto structures = structures_of(file, "energy", "forces");
            const auto virials = flat(file, "virials"), stresses = flat(file, "stress");
            const auto used = file.get<double, 3>("cell_used"), given = file.get<double, 3>("cell");
            for (std::size_t g = 0; g < structures.size(); ++g) {
                INFO("structure " << g);
                const PotentialResult r = compute(calculator, structures[g]);
                REQUIRE(std::abs(r.energy - *structures[g].energy()) <= 1e-9);
                const auto forces = *structures[g].forces();
                for (weft::index i = 0; i < forces.size(); ++i)
                    REQUIRE(std::abs(r.forces[static_cast<std::size_t>(i)] - forces.data()[i]) <= 1e-9);
                const auto volume_of = [&](const Tensor<double, 3>& cells) {
                    weft::Cell cell;
                    std::copy_n(cells.data() + 9 * g, 9, cell.vectors.begin());
                    return cell.volume();
                };
                // The reference divides by the volume of a cell of its own where an axis is open.
                const double volume = volume_of(given), scale = volume > 0 ? volume_of(used) / volume : 0;
                for (std::size_t k = 0; k < 9; ++k) {
                    const auto at = static_cast<weft::index>(9 * g + k);
                    REQUIRE(std::abs(r.virial[k] - virials(at)) <= 1e-9);
                    REQUIRE(std::abs(r.stress[k] - scale * stresses(at)) <= 1e-9);
                }
            }
            ++files;
        }
    }
    REQUIRE(files > 0);
}

TEST_CASE("Calculator: in float, near the reference", "[potential][golden]") {
    for (const MaceGolden& golden : mace_goldens()) {
        Calculator calculator(weft::potential::load_mace<float>(golden.model));
        for (const auto& path : golden.data) {
            const auto file = SafetensorsFile::read(path);
            if (!file.contains("virials")) continue;
            INFO(path.string());
            const double most = largest(flat(file, "forces"));
            for (const auto& s : structures_of(file, "energy", "forces")) {
                const PotentialResult r = compute(calculator, s);
                REQUIRE(std::abs(r.energy - *s.energy()) <= 2e-6 * static_cast<double>(s.size()));
                const auto forces = *s.forces();
                for (weft::index i = 0; i < forces.size(); ++i)
                    REQUIRE(std::abs(r.forces[static_cast<std::size_t>(i)] - forces.data()[i]) <= 1e-4 * most);
            }
        }
    }
}

TEST_CASE("Calculator: forces and stress are derivatives of the energy", "[potential]") {
    const auto check = [](const char* name, const char* file) {
        MaceCalculator calculator(model(name));
        for (const auto& atoms : frames_of(file)) {
            INFO(name << " " << file << " " << atoms.size() << " atoms");
            require_derivatives(calculator, state_of(atoms), 1e-7, 5e-5);
        }
    };
    check("mace_a", "mace_a_crystals");
    check("mace_b", "mace_b_silicon");
    check("mace_a", "mace_a_slab");
}

TEST_CASE("Calculator: symmetries", "[potential]") {
    MaceCalculator calculator(model("mace_c"));
    const auto atoms = frames_of("mace_c_nacl")[0];
    const PotentialResult first = compute(calculator, atoms);
    const double energy = first.energy;
    const auto forces = copied(first.forces);
    double isolated = 0;
    const auto elements = calculator.model().elements_of(atoms.numbers.values());
    for (const std::int32_t element : elements.values())
        isolated += calculator.model().atomic_energy(element);
    const double tolerance = 1e-10 * std::abs(energy - isolated);

    // Turned, mirrored and moved, the cell with the atoms.
    const auto turn = weft::so3::Rotation::from_angles({0.4, 1.9, -2.3}).to_tensor();
    for (const double sign : {1.0, -1.0}) {
        auto moved = atoms;
        const auto turned = [&](const double* v, double* to, double shift) {
            for (weft::index k = 0; k < 3; ++k) {
                to[k] = shift * static_cast<double>(k + 1);
                for (weft::index l = 0; l < 3; ++l) to[k] += sign * turn(k, l) * v[l];
            }
        };
        double* const x = moved.positions.mutable_data();
        for (weft::index a = 0; a < atoms.size(); ++a) turned(atoms.positions.data() + 3 * a, x + 3 * a, 0.7);
        for (std::size_t a = 0; a < 3; ++a) turned(atoms.cell.data() + 3 * a, moved.cell.data() + 3 * a, 0);
        const PotentialResult r = compute(calculator, moved);
        REQUIRE(std::abs(r.energy - energy) <= tolerance);
        for (std::size_t a = 0; a < static_cast<std::size_t>(atoms.size()); ++a) {
            double expected[3];
            turned(forces.data() + 3 * a, expected, 0);
            for (std::size_t k = 0; k < 3; ++k) REQUIRE(std::abs(r.forces[3 * a + k] - expected[k]) <= 1e-9);
        }
    }

    // Atoms in another order.
    auto reversed = atoms;
    const auto n = static_cast<std::size_t>(atoms.size());
    for (std::size_t a = 0; a < n; ++a) {
        reversed.numbers.mutable_data()[a] = atoms.numbers.data()[n - 1 - a];
        std::copy_n(atoms.positions.data() + 3 * (n - 1 - a), 3, reversed.positions.mutable_data() + 3 * a);
    }
    const PotentialResult other = compute(calculator, reversed);
    REQUIRE(std::abs(other.energy - energy) <= tolerance);
    for (std::size_t a = 0; a < n; ++a)
        for (std::size_t k = 0; k < 3; ++k)
            REQUIRE(std::abs(other.forces[3 * a + k] - forces[3 * (n - 1 - a) + k]) <= 1e-10);

    // Twice the cell along the first vector.
    weft::io::Atoms twice = atoms;
    twice.numbers = Tensor<std::int32_t, 1>::empty({2 * atoms.size()});
    twice.positions = Tensor<double, 2>::empty({2 * atoms.size(), 3});
    for (std::size_t a = 0; a < 2 * n; ++a) {
        twice.numbers.mutable_data()[a] = atoms.numbers.data()[a % n];
        for (std::size_t k = 0; k < 3; ++k)
            twice.positions.mutable_data()[3 * a + k] =
                atoms.positions.data()[3 * (a % n) + k] + (a < n ? 0 : atoms.cell[k]);
    }
    for (std::size_t k = 0; k < 3; ++k) twice.cell[k] = 2 * atoms.cell[k];
    const PotentialResult larger = compute(calculator, twice);
    REQUIRE(std::abs(larger.energy - 2 * energy) <= 2 * tolerance);
    for (std::size_t i = 0; i < 6 * n; ++i) REQUIRE(std::abs(larger.forces[i] - forces[i % (3 * n)]) <= 1e-10);
}

TEST_CASE("Calculator: nothing jumps where an atom crosses the cutoff", "[potential]") {
    MaceCalculator calculator(model("mace_a"));
    weft::io::Atoms atoms;
    atoms.numbers = Tensor<std::int32_t, 1>::from({8, 1, 1});
    const auto at = [&](double r) {
        atoms.positions = Tensor<double, 2>::from({{0, 0, 0}, {0.9, 0.3, 0}, {0, 0, r}});
        const PotentialResult result = compute(calculator, atoms);
        return std::pair(result.energy, copied(result.forces));
    };
    const auto [inside, forces_inside] = at(4.5 - 5e-7);
    const auto [outside, forces_outside] = at(4.5 + 5e-7);
    REQUIRE(std::abs(inside - outside) < 1e-6);
    for (std::size_t i = 0; i < 9; ++i) REQUIRE(std::abs(forces_inside[i] - forces_outside[i]) < 1e-6);
}

TEST_CASE("Calculator: no atoms, single atoms, what is wrong", "[potential]") {
    MaceCalculator calculator(model("mace_a"));
    const auto run = [&](std::vector<double> x, std::vector<std::int32_t> species, std::array<double, 9> cell = {},
                         std::array<bool, 3> pbc = {}) { return calculator.compute(x, species, cell, pbc); };
    const PotentialResult nothing = run({}, {});
    REQUIRE(nothing.energy == 0);
    REQUIRE(nothing.forces.empty());
    const double lone = run({1, 2, 3}, {6}).energy;
    REQUIRE(std::isfinite(lone));

    const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
    REQUIRE_THROWS_WITH(run({0, 0, 0}, {79}), ContainsSubstring("79"));
    REQUIRE_THROWS_WITH(run({0, 0}, {6}), ContainsSubstring("3") || ContainsSubstring("three"));
    REQUIRE_THROWS_WITH(run({0, nan, 0}, {6}), ContainsSubstring("finite"));
    REQUIRE_THROWS_WITH(run({0, 0, infinity}, {6}), ContainsSubstring("finite"));
    REQUIRE_THROWS_WITH(run({0, 0, 0, 0, 0, 1e-8}, {6, 8}), ContainsSubstring("atoms"));
    REQUIRE_THROWS_WITH(run({0, 0, 0}, {6}, {1, 0, 0, 2, 0, 0, 0, 0, 1}, {true, true, true}),
                        ContainsSubstring("singular"));
    REQUIRE(run({1, 2, 3}, {6}).energy == lone); // nothing was lost
}

TEST_CASE("Calculator: the same on any number of threads, and whatever was computed before", "[potential]") {
    const auto atoms = frames_of("mace_a_molecules")[0];
    const auto with_threads = [&](int threads) {
        weft::set_thread_count(threads);
        MaceCalculator calculator(model("mace_a"));
        const PotentialResult r = compute(calculator, atoms);
        auto all = copied(r.forces);
        all.push_back(r.energy);
        // Away and back again, with the same list of neighbours.
        auto moved = atoms;
        for (int step = 0; step < 3; ++step) {
            moved.positions.mutable_data()[0] += 0.05;
            (void)compute(calculator, moved);
        }
        const PotentialResult again = compute(calculator, atoms);
        REQUIRE(again.energy == all.back());
        REQUIRE(std::equal(again.forces.begin(), again.forces.end(), all.begin()));
        weft::set_thread_count(0);
        return all;
    };
    REQUIRE(with_threads(1) == with_threads(2));
    REQUIRE(with_threads(1) == with_threads(3));
}

TEST_CASE("predict: structures of a batch as one by one", "[potential]") {
    const auto mace = model("mace_a");
    weft::nn::requires_grad(mace, false);
    auto frames = frames_of("mace_a_molecules");
    for (const auto& more : frames_of("mace_a_crystals")) frames.push_back(more);
    const weft::potential::StructureSet set(frames, mace.cutoff());
    std::vector<weft::index> all(frames.size());
    std::iota(all.begin(), all.end(), 0);
    const auto together = predict(mace, set.batch(mace, all));
    weft::index atom = 0;
    for (const weft::index i : all) {
        const auto alone = predict(mace, set.batch(mace, {&i, 1}));
        REQUIRE(alone.energies(0) == together.energies(i));
        for (weft::index k = 0; k < alone.forces.size(); ++k)
            REQUIRE(std::abs(alone.forces.data()[k] - together.forces.data()[3 * atom + k]) <= 1e-12);
        atom += alone.forces.extent(0);
    }
}

TEST_CASE("Calculator: tables of the radial weights instead of networks", "[potential]") {
    for (const char* const name : {"mace_a", "mace_b", "mace_c"}) {
        const auto exact_model = model(name);
        MaceCalculator exact(exact_model);
        MaceCalculator fast(exact_model.tabulated({.tolerance = 1e-9, .derivative_tolerance = 1e-7}));
        const std::string file = std::string(name) + (name[5] == 'a'   ? "_crystals"
                                                      : name[5] == 'b' ? "_silicon"
                                                                       : "_nacl");
        for (const auto& atoms : frames_of(file)) {
            const PotentialResult a = compute(exact, atoms), b = compute(fast, atoms);
            REQUIRE(std::abs(a.energy - b.energy) < 1e-6);
            for (std::size_t i = 0; i < a.forces.size(); ++i) {
                INFO(name << " component " << i << " of " << a.forces[i]);
                REQUIRE(std::abs(a.forces[i] - b.forces[i]) < 1e-6);
            }
        }
    }
}

TEST_CASE("velocity Verlet with MACE as in the reference", "[potential][golden]") {
    const auto path = golden_path("interatomic-potential", "mace_a_md");
    if (skip_without(path)) return;
    const auto file = SafetensorsFile::read(path);
    MaceCalculator calculator(weft::potential::load_mace<double>(path.parent_path() / "mace_a.safetensors"));
    weft::potential::SimulationState state;
    state.positions = file.get<double, 2>("positions0");
    state.velocities = file.get<double, 2>("velocities0");
    state.masses = file.get<double, 1>("masses");
    state.species = file.get<std::int32_t, 1>("atomic_numbers");
    const auto potential = file.get<double, 1>("potential"), kinetic = file.get<double, 1>("kinetic");
    weft::potential::VelocityVerlet integrator{
        {.dt = file.get<double, 1>("dt").item() * weft::potential::units::time_unit}};
    const auto check = [&](weft::index step, double energy) {
        INFO("step " << step);
        REQUIRE(std::abs(energy - potential(step)) < 1e-9);
        REQUIRE(std::abs(kinetic_energy(state) - kinetic(step)) < 1e-9);
    };
    check(0, integrator.evaluate(calculator, state).energy);
    const auto steps = file.get<std::int32_t, 1>("steps").item();
    for (weft::index step = 1; step <= steps; ++step) check(step, integrator.step(calculator, state).energy);
    for (const auto& [name, values] :
         {std::pair("positions_n", state.positions), std::pair("velocities_n", state.velocities)})
        require_near(values, flat(file, name), 1e-9);
}

TEST_CASE("Calculator: in steady state nothing is asked of the system", "[potential]") {
    auto atoms = frames_of("mace_a_molecules")[0];
    const auto check = [&](auto model) {
        Calculator calculator(std::move(model));
        const auto requests_of = [&](int calls) {
            const std::size_t before = counted_memory.requests;
            for (int k = 0; k < calls; ++k) {
                atoms.positions.mutable_data()[0] += k % 2 == 0 ? 1e-3 : -1e-3;
                (void)compute(calculator, atoms);
            }
            return counted_memory.requests - before;
        };
        weft::set_thread_count(1);
        (void)requests_of(6);
        const std::size_t pool = weft::detail::Pool::instance().system_allocations();
        REQUIRE(requests_of(10) == 0);
        REQUIRE(weft::detail::Pool::instance().system_allocations() == pool);
        // With more threads the pool grows until it has what all may need at a time, which chance decides.
        weft::set_thread_count(2);
        std::size_t least = requests_of(6);
        for (int round = 0; round < 50 && least > 0; ++round) least = std::min(least, requests_of(10));
        weft::set_thread_count(0);
        REQUIRE(calculator.rebuilds() == 1);
        REQUIRE(least == 0);
    };
    const auto mace = weft::potential::load_mace<float>(std::filesystem::path(WEFT_TEST_FOLDER) / "golden" /
                                                        "interatomic-potential" / "mace_a.safetensors");
    check(mace);
    check(mace.tabulated());
    weft::Generator generator{1};
    check(weft::potential::NequIP<float>(
        {.atomic_numbers = {1, 6, 8}, .num_layers = 2, .feature_irreps_hidden = "8x0e+4x1o", .generator = &generator}));
}

TEST_CASE("MACE trained on acetylacetone: errors of the reference on real configurations", "[potential][data]") {
    const auto golden = golden_path("interatomic-potential", "mace_acac_predictions");
    if (skip_without(golden)) return;
    const auto file = SafetensorsFile::read(golden);
    MaceCalculator calculator(
        weft::potential::load_mace<double>(golden.parent_path() / "mace_acac_trained.safetensors"));
    Calculator single(weft::potential::load_mace<float>(golden.parent_path() / "mace_acac_trained.safetensors"));
    for (const std::string name : {"test_MD_300K", "test_MD_600K", "test_dihedral"}) {
        INFO(name);
        const auto frames = weft::io::read_extxyz(data_folder("acac") / (name + ".xyz"));
        const auto energies = file.get<double, 1>(name + ".energy"), metrics = file.get<double, 1>(name + ".metrics");
        const auto forces = file.get<double, 3>(name + ".forces_first20");
        REQUIRE(energies.size() == static_cast<weft::index>(frames.size()));
        double energy_error = 0, force_error = 0, energy_error_single = 0, force_error_single = 0, components = 0;
        for (std::size_t f = 0; f < frames.size(); ++f) {
            const auto at = static_cast<weft::index>(f);
            const PotentialResult r = compute(calculator, frames[f]), s = compute(single, frames[f]);
            REQUIRE(std::abs(r.energy - energies(at)) <= 1e-8);
            for (weft::index i = 0; f < 20 && i < 45; ++i)
                REQUIRE(std::abs(r.forces[static_cast<std::size_t>(i)] - forces.data()[45 * at + i]) <= 1e-9);
            energy_error += std::abs(r.energy - *frames[f].energy());
            energy_error_single += std::abs(s.energy - *frames[f].energy());
            if (const auto truth = frames[f].forces())
                for (std::size_t i = 0; i < r.forces.size(); ++i, ++components) {
                    force_error += std::abs(r.forces[i] - truth->data()[i]);
                    force_error_single += std::abs(s.forces[i] - truth->data()[i]);
                }
        }
        const auto count = static_cast<double>(frames.size());
        REQUIRE(std::abs(1000 * energy_error / count - metrics(0)) <= 0.005 * metrics(0));
        REQUIRE(std::abs(1000 * energy_error_single / count - metrics(0)) <= 0.005 * metrics(0));
        if (metrics(2) == 0) continue; // the reference has no forces there
        REQUIRE(std::abs(1000 * force_error / components - metrics(2)) <= 0.005 * metrics(2));
        REQUIRE(std::abs(1000 * force_error_single / components - metrics(2)) <= 0.005 * metrics(2));
    }
}
