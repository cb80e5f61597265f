// SPDX-License-Identifier: MIT
#include "io_test.hpp"

#include <weft/io/elements.hpp>

#include <set>

using namespace weft;
using namespace weft_test;

TEST_CASE("elements: symbols and atomic numbers", "[io]") {
    REQUIRE(io::chemical_symbols[0] == "X");
    REQUIRE(io::chemical_symbols[6] == "C");
    REQUIRE(io::chemical_symbols[118] == "Og");
    REQUIRE(std::set(io::chemical_symbols.begin(), io::chemical_symbols.end()).size() == 119);
    for (std::size_t z = 0; z < 119; ++z)
        REQUIRE(io::atomic_number(io::chemical_symbols[z]) == static_cast<std::int32_t>(z));
    for (const char* text : {"", "c", "CL", "Qq", "A", "Cll", "C ", "C\xff", "[a", "1"}) {
        INFO(text);
        CHECK_THAT(message([&] { io::atomic_number(text); }), ContainsSubstring("atomic_number: \""));
    }
    CHECK_THAT(message([] { io::atomic_number("Qq"); }), ContainsSubstring("atomic_number: \"Qq\" is no element"));
}

TEST_CASE("elements: texts that are no symbols", "[io]") {
    for (const char* text : {"", "h", "{", "@", "H{", "H`", "HE", "Hee", "Qq"})
        CHECK(io::detail::find_atomic_number(text) == -1);
}

TEST_CASE("elements: radii and masses of ASE", "[io][golden]") {
    const auto file = io::SafetensorsFile::read(golden_folder("interatomic-potential") / "elements.safetensors");
    const auto radii = file.get<double, 1>("covalent_radii"), masses = file.get<double, 1>("atomic_masses");
    REQUIRE(radii.shape() == Extents<1>{119});
    REQUIRE(masses.shape() == Extents<1>{119});
    for (weft::index z = 0; z < 119; ++z) {
        CAPTURE(z);
        CHECK(io::covalent_radii[static_cast<std::size_t>(z)] == radii(z));
        CHECK(io::atomic_masses[static_cast<std::size_t>(z)] == masses(z));
    }
}
