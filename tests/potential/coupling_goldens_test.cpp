// SPDX-License-Identifier: MIT
#include "golden.hpp"

#include <weft/so3/coupling_basis.hpp>

#include <map>

using namespace weft_test;
using weft::io::SafetensorsFile;

TEST_CASE("coupling_basis: MACE's U matrices", "[potential][golden]") {
    int compared = 0;
    for (const char* const name : {"u_matrices_l2", "u_matrices_l3", "u_matrices_l3c3"}) {
        const auto path = golden_path("interatomic-potential", name);
        if (!std::filesystem::exists(path)) continue;
        INFO(path.string());
        const auto file = SafetensorsFile::read(path);
        const weft::so3::Irreps in(file.metadata().at("irreps_in"));
        for (const std::string& key : file.names()) { // U.<irrep>.<order>.idx, .val, .shape
            if (!key.ends_with(".idx")) continue;
            INFO(key);
            const std::string stem = key.substr(0, key.size() - 4);
            const auto last = stem.rfind('.');
            const int order = std::stoi(stem.substr(last + 1));
            const weft::so3::Irreps out("1x" + stem.substr(2, last - 2));
            const auto basis = weft::so3::coupling_basis(in, out[0].ir, order);
            const auto places = file.get<std::int16_t, 2>(key);
            const auto values = file.get<double, 1>(stem + ".val");
            std::map<std::vector<weft::index>, double> expected, actual;
            for (weft::index i = 0; i < values.size(); ++i) {
                std::vector<weft::index> place;
                for (weft::index k = 0; k < places.extent(1); ++k) place.push_back(places(i, k));
                expected[place] = values(i);
            }
            for (const auto& e : basis.entries) {
                std::vector<weft::index> place{e.component};
                for (const int i : basis.indices(e)) place.push_back(i);
                place.push_back(e.path);
                actual[place] += e.value;
            }
            for (const auto& [place, value] : expected) {
                const auto found = actual.find(place);
                REQUIRE(std::abs((found == actual.end() ? 0 : found->second) - value) < 1e-12);
            }
            for (const auto& [place, value] : actual)
                if (!expected.contains(place)) REQUIRE(std::abs(value) < 1e-12);
            ++compared;
        }
    }
    REQUIRE(compared > 0);
}
