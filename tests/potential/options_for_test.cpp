// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/potential/mace_options.hpp>
#include <weft/potential/options_for.hpp>

using namespace weft_test;
using weft::Tensor;
using weft::io::Atoms;
using weft::potential::atomic_energies, weft::potential::MaceOptions, weft::potential::StructureSet;

namespace {

/// Atoms in a row, 1 Å apart, with forces of the given size along it.
Atoms row_of(const std::vector<int>& numbers, double energy, double force = 0) {
    Atoms atoms;
    const auto n = static_cast<weft::index>(numbers.size());
    atoms.numbers = Tensor<std::int32_t, 1>::empty({n});
    atoms.positions = Tensor<double, 2>::zeros({n, 3});
    auto forces = atoms.positions;
    for (weft::index i = 0; i < n; ++i) {
        atoms.numbers(i) = numbers[static_cast<std::size_t>(i)];
        atoms.positions(i, 0) = static_cast<double>(i);
        forces(i, 0) = i % 2 == 0 ? force : -force;
    }
    atoms.info["energy"] = energy;
    if (n > 1) atoms.arrays["forces"] = forces;
    return atoms;
}

void require_energies(const std::vector<double>& actual, const std::vector<double>& expected) {
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) REQUIRE(actual[i] == Approx(expected[i]).epsilon(1e-12));
}

} // namespace

TEST_CASE("atomic energies: of isolated atoms, or least squares", "[potential]") {
    const std::vector<int> numbers{1, 8};
    const auto energies_of = [&](const std::vector<Atoms>& atoms) {
        return atomic_energies(StructureSet(atoms, 1.5), numbers);
    };
    require_energies(energies_of({row_of({8}, -2000), row_of({1, 8, 1}, -2030), row_of({1}, -13)}), {-13, -2000});
    // Hydrogen from what oxygen leaves: 2 h = -30, 2 h = -34.
    require_energies(energies_of({row_of({8}, -2000), row_of({1, 8, 1}, -2030), row_of({1, 1}, -34)}), {-16, -2000});
    // Three equations for two energies: 5 h + o = -12, h + 5 o = -24.
    require_energies(energies_of({row_of({1, 1}, -2), row_of({8, 8}, -8), row_of({1, 8}, -8)}), {-1.5, -4.5});
    // One molecule: e (2, 1) . (2, 1) = -10, the shortest.
    require_energies(energies_of({row_of({1, 8, 1}, -10), row_of({1, 8, 1}, -10)}), {-4, -2});
    // Isolated atoms only, one of them twice.
    require_energies(energies_of({row_of({8}, -2000), row_of({8}, -2000)}), {0, -2000});
    // None of an element.
    require_energies(energies_of({row_of({8, 8}, -10)}), {0, -5});
    REQUIRE_THAT(error_of([&] {
                     energies_of({row_of({8}, -2000), row_of({8}, -2001)});
                 }),
                 ContainsSubstring("an isolated atom of the atomic number 8 has the energy -2001: another has -2000"));
    REQUIRE_THAT(error_of([&] { energies_of({row_of({6}, -1000)}); }),
                 ContainsSubstring("an isolated atom of the atomic number 6 has the energy -1000: the element is not"));
    REQUIRE_THAT(error_of([&] {
                     energies_of({row_of({1, 6}, -1000)});
                 }),
                 ContainsSubstring("structure 0 has an atom of the atomic number 6: must be one of 1, 8"));
}

TEST_CASE("options_for: what depends on the data", "[potential]") {
    const std::vector<Atoms> atoms{row_of({8}, -2000), row_of({1, 8, 1}, -2029, 0.3), row_of({1}, -13),
                                   row_of({1, 1}, -28, 0.3)};
    const StructureSet set(atoms, 1.5);
    const auto o = options_for(set, MaceOptions{.r_max = 1.5, .max_ell = 2});
    REQUIRE(o.max_ell == 2);
    REQUIRE(o.atomic_numbers == std::vector<int>{1, 8});
    require_energies(o.atomic_energies, {-13, -2000});
    REQUIRE(o.avg_num_neighbors == Approx(6.0 / 5).epsilon(1e-14));
    REQUIRE(o.scale == Approx(std::sqrt(5 * 0.09 / 15)).epsilon(1e-14));
    REQUIRE(o.shift == Approx((-3.0 / 3 - 2.0 / 2) / 2).epsilon(1e-12));

    const auto given = options_for(
        set, MaceOptions{.atomic_numbers = {8, 6, 1}, .atomic_energies = {-2001, -1000, -12}, .r_max = 1.5});
    REQUIRE(given.atomic_numbers == std::vector<int>{8, 6, 1});
    REQUIRE(given.atomic_energies == std::vector<double>{-2001, -1000, -12});
    REQUIRE(given.shift == Approx((-4.0 / 3 - 4.0 / 2) / 2).epsilon(1e-12));
    // No forces: no unit for the energies but 1.
    REQUIRE(options_for(StructureSet(std::vector{row_of({1, 1}, -28)}, 1.5), MaceOptions{.r_max = 1.5}).scale == 1);

    REQUIRE_THAT(error_of([&] { options_for(set, MaceOptions{.r_max = 5}); }),
                 ContainsSubstring("the set has neighbours up to 1.5 Å, the model up to r_max = 5: must be equal"));
    REQUIRE_THAT(error_of([&] { options_for(StructureSet(), MaceOptions{.r_max = 0}); }),
                 ContainsSubstring("there are no atoms with neighbours among 0 structures"));
    REQUIRE_THAT(error_of([&] { options_for(StructureSet(std::vector{atoms[0]}, 1.5), MaceOptions{.r_max = 1.5}); }),
                 ContainsSubstring("there are no atoms with neighbours among 1 structures"));
    REQUIRE_THAT(error_of([&] { options_for(set, MaceOptions{.atomic_energies = {1}, .r_max = 1.5}); }),
                 ContainsSubstring("1 atomic energies are given for 2 elements"));
    REQUIRE_THAT(error_of([&] { options_for(set, MaceOptions{.atomic_numbers = {1}, .r_max = 1.5}); }),
                 ContainsSubstring("an isolated atom of the atomic number 8"));
}

TEST_CASE("structure set: isolated atoms, labels, checksum", "[potential]") {
    std::vector<Atoms> atoms{row_of({8}, -2000), row_of({1, 8, 1}, -2029, 0.3)};
    const StructureSet set(atoms, 1.5);
    REQUIRE(set.cutoff() == 1.5);
    REQUIRE(set.structures[0].forces.size() == 3);
    REQUIRE(set.without_isolated_atoms().size() == 1);
    REQUIRE(set.without_isolated_atoms().structures[0].energy == -2029);
    REQUIRE(set.without_isolated_atoms().cutoff() == 1.5);
    REQUIRE(set.checksum() == StructureSet(atoms, 1.5).checksum());
    const auto changed = [&](auto&& change) {
        auto others = atoms;
        change(others);
        return StructureSet(others, 1.5).checksum() != set.checksum();
    };
    REQUIRE(changed([](auto& a) { std::swap(a[0], a[1]); }));
    REQUIRE(changed([](auto& a) { a[1].numbers(0) = 2; }));
    REQUIRE(changed([](auto& a) { a[1].positions(0, 1) += 1e-9; }));
    REQUIRE(changed([](auto& a) { a[0].info["energy"] = -2000.0000001; }));
    REQUIRE(changed([](auto& a) { a[1].arrays["forces"] = Tensor<double, 2>::zeros({3, 3}); }));

    atoms[1].info["energy"] = std::nan("");
    REQUIRE_THAT(error_of([&] { StructureSet(atoms, 1.5); }), ContainsSubstring("structure 1: energy must be finite"));
    atoms[1] = row_of({1, 1}, 0, HUGE_VAL);
    REQUIRE_THAT(error_of([&] { StructureSet(atoms, 1.5); }), ContainsSubstring("structure 1: forces must be finite"));
    atoms[1].arrays.erase("forces");
    REQUIRE_THAT(error_of([&] { StructureSet(atoms, 1.5); }), ContainsSubstring("structure 1 has no forces"));
}
