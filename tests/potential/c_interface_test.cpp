// SPDX-License-Identifier: MIT
#include "potential/mace_goldens.hpp"

#include <weft/potential/c_interface.hpp>

using namespace weft_test;

namespace {

std::string model_path() {
    return (std::filesystem::path(WEFT_TEST_FOLDER) / "golden" / "interatomic-potential" / "mace_a.safetensors")
        .string();
}

} // namespace

TEST_CASE("the C interface computes what Calculator does", "[potential]") {
    const auto file = weft::io::SafetensorsFile::read(std::filesystem::path(WEFT_TEST_FOLDER) / "golden" /
                                                      "interatomic-potential" / "mace_a_crystals.safetensors");
    const auto atoms = structures_of(file, "energy", "forces")[0];
    const int pbc[3] = {1, 1, 1};
    for (const int tabulated : {0, 1}) {
        const weft_potential_options options{1, tabulated, 0.4};
        weft_potential* const p = weft_potential_load(model_path().c_str(), &options);
        REQUIRE(p != nullptr);
        REQUIRE(weft_potential_cutoff(p) == 4.5);
        REQUIRE(weft_potential_knows(p, 6) == 1);
        REQUIRE(weft_potential_knows(p, 79) == 0);
        double energy = 0, stress[9] = {};
        std::vector<double> forces(static_cast<std::size_t>(3 * atoms.size())), nodes(forces.size() / 3);
        REQUIRE(weft_potential_compute(p, static_cast<int>(atoms.size()), atoms.positions.data(), atoms.numbers.data(),
                                       atoms.cell.data(), pbc, &energy, forces.data(), stress, nodes.data()) == 0);
        const double tolerance = tabulated ? 1e-3 : 1e-9;
        REQUIRE(std::abs(energy - *atoms.energy()) < tolerance);
        double sum = 0;
        for (const double node : nodes) sum += node;
        REQUIRE(std::abs(sum - energy) < 1e-9);
        for (std::size_t i = 0; i < forces.size(); ++i)
            REQUIRE(std::abs(forces[i] - atoms.forces()->data()[i]) < tolerance);
        REQUIRE(std::abs(stress[4] - flat(file, "stress")(4)) < tolerance);
        weft_potential_free(p);
    }
}

TEST_CASE("the C interface tells what is wrong and goes on", "[potential]") {
    REQUIRE(weft_potential_load("there is no such file", nullptr) == nullptr);
    REQUIRE_THAT(weft_potential_error(nullptr), ContainsSubstring("there is no such file"));
    REQUIRE(weft_potential_load(nullptr, nullptr) == nullptr);

    weft_potential* const p = weft_potential_load(model_path().c_str(), nullptr);
    REQUIRE(p != nullptr);
    const double water[9] = {0, 0, 0, 0.96, 0, 0, -0.24, 0.93, 0};
    const int species[3] = {8, 1, 1}, gold[3] = {79, 1, 1};
    double energy = 1, again = 2;
    REQUIRE(weft_potential_compute(p, 3, water, species, nullptr, nullptr, &energy, nullptr, nullptr, nullptr) == 0);
    REQUIRE(weft_potential_compute(p, 3, water, gold, nullptr, nullptr, &again, nullptr, nullptr, nullptr) != 0);
    REQUIRE(again == 2);
    REQUIRE_THAT(weft_potential_error(p), ContainsSubstring("79"));
    REQUIRE(weft_potential_compute(p, -1, water, species, nullptr, nullptr, &again, nullptr, nullptr, nullptr) != 0);
    REQUIRE(weft_potential_compute(p, 3, nullptr, species, nullptr, nullptr, &again, nullptr, nullptr, nullptr) != 0);
    REQUIRE(weft_potential_compute(p, 3, water, species, nullptr, nullptr, &again, nullptr, nullptr, nullptr) == 0);
    REQUIRE(again == energy);
    REQUIRE(weft_potential_compute(p, 0, nullptr, nullptr, nullptr, nullptr, &again, nullptr, nullptr, nullptr) == 0);
    REQUIRE(again == 0);
    weft_potential_free(p);
    weft_potential_free(nullptr);
}
