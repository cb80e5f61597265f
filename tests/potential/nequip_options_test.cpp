// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/potential/nequip_options.hpp>

#include <limits>

using namespace weft::potential;
using weft_test::error_of;
namespace so3 = weft::so3;

namespace {

NequipOptions some() { return {.atomic_numbers = {1, 118}, .r_max = 4.5, .atomic_energies = {-13.5, 2e-7}}; }

} // namespace

TEST_CASE("nequip_options: what is written is read again", "[potential]") {
    NequipOptions all = some();
    all.num_layers = 3;
    all.l_max = 12;
    all.feature_irreps_hidden = "5x0e+3x1o+2x1e";
    all.scalars_last = false;
    all.resnet = true;
    all.num_bessels = 7;
    all.polynomial_cutoff_p = 2;
    all.radial_mlp = {16, 1};
    all.avg_num_neighbors = 12.5;
    all.even_scalars = so3::Function::tanh;
    all.odd_scalars = so3::Function::abs;
    all.gates = so3::Function::none;
    all.output_features = 0;
    all.per_type_energy_scales = {0.5, 2};
    all.scale = 0.1;
    all.shift = -0.25;
    const NequipOptions again = read_nequip_config(nequip_config(all), "model");
    CHECK(nequip_config(again) == nequip_config(all));
    CHECK(again.l_max == 12);
    CHECK(again.odd_scalars == so3::Function::abs);
    CHECK(again.radial_mlp == all.radial_mlp);
    CHECK(again.per_type_energy_scales == all.per_type_energy_scales);
}

TEST_CASE("nequip_options: what is left out", "[potential]") {
    const NequipOptions o =
        read_nequip_config("{\"model\": \"NequIP\", \"atomic_numbers\": [6, 1], \"r_max\": 4, \"l_max\": 1}", "model");
    CHECK(o.atomic_energies == std::vector<double>{0, 0});
    CHECK(o.per_type_energy_scales == std::vector<double>{1, 1});
    CHECK(so3::detail::irreps_text(o.feature_irreps_hidden) == "32x0e+32x0o+32x1e+32x1o");
    for (const char* key : {"model", "atomic_numbers", "r_max"}) {
        std::string config = nequip_config(some());
        const auto begin = config.find(fmt::format("\"{}\"", key));
        const auto end = config.find(", \"", begin) + 2;
        CHECK_THAT(error_of([&] { read_nequip_config(config.erase(begin, end - begin), "model"); }),
                   ContainsSubstring(fmt::format("model: config has no {}", key)));
    }
    CHECK_THAT(error_of([] { read_nequip_config("{\"model\": \"Allegro\"}", "model"); }),
               ContainsSubstring("the model is \"Allegro\": must be NequIP"));
    CHECK_THAT(error_of([] { read_nequip_config("{\"layers\": 3}", "model"); }),
               ContainsSubstring("config has \"layers\", which is unknown"));
}

TEST_CASE("nequip_options: numbers that no model has", "[potential]") {
    const auto refused = [](auto change) {
        NequipOptions options = some();
        change(options);
        return error_of([&] { (void)nequip_config(options); });
    };
    using O = NequipOptions;
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(refused([](O&) {}) == "nothing was thrown");
    CHECK_THAT(refused([](O& o) { o.atomic_energies = {1, NAN}; }), ContainsSubstring("an atomic energy is nan"));
    CHECK_THAT(refused([&](O& o) {
                   o.per_type_energy_scales = {1, infinity};
               }),
               ContainsSubstring("an energy scale is inf"));
    CHECK_THAT(refused([&](O& o) { o.scale = infinity; }), ContainsSubstring("scale is inf: must be finite"));
    CHECK_THAT(refused([](O& o) { o.shift = NAN; }), ContainsSubstring("shift is nan: must be finite"));
    CHECK_THAT(refused([&](O& o) { o.r_max = infinity; }), ContainsSubstring("r_max is inf: must be positive"));
    CHECK_THAT(refused([](O& o) { o.r_max = 0; }), ContainsSubstring("r_max is 0: must be positive"));
    CHECK_THAT(refused([](O& o) { o.num_layers = 0; }), ContainsSubstring("num_layers is 0"));
    CHECK_THAT(refused([](O& o) { o.l_max = -1; }), ContainsSubstring("l_max is -1: must be from 0 to 12"));
    CHECK_THAT(refused([](O& o) { o.l_max = 13; }), ContainsSubstring("l_max is 13: must be from 0 to 12"));
    CHECK_THAT(refused([](O& o) { o.num_bessels = 0; }), ContainsSubstring("num_bessels is 0"));
    CHECK_THAT(refused([](O& o) { o.polynomial_cutoff_p = NAN; }), ContainsSubstring("polynomial_cutoff_p is nan"));
    CHECK_THAT(refused([](O& o) { o.polynomial_cutoff_p = 1.5; }), ContainsSubstring("polynomial_cutoff_p is 1.5"));
    CHECK_THAT(refused([](O& o) { o.avg_num_neighbors = 0; }), ContainsSubstring("avg_num_neighbors is 0"));
    CHECK_THAT(refused([&](O& o) { o.avg_num_neighbors = infinity; }), ContainsSubstring("avg_num_neighbors is inf"));
    CHECK_THAT(refused([](O& o) { o.output_features = -1; }), ContainsSubstring("output_features is -1"));
    CHECK_THAT(refused([](O& o) { o.radial_mlp = {64, 0}; }), ContainsSubstring("a width of radial_mlp is 0"));
    for (const char* irreps : {"4x0o+2x1o", "4x0e+2x1o+1x1o", "4x0e+0x1o"})
        CHECK_THAT(refused([&](O& o) { o.feature_irreps_hidden = irreps; }),
                   ContainsSubstring("must have each irrep once, 0e among them"));
}
