// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/potential/mace_options.hpp>

#include <limits>

using namespace weft::potential;
using weft_test::error_of;
namespace so3 = weft::so3;

namespace {

MaceOptions some() {
    return {.atomic_numbers = {1, 118}, .atomic_energies = {-13.5, 2e-7}, .hidden_irreps = "8x0e+8x1o"};
}
std::string text() { return mace_config(some()); }
/// The configuration with further members in front, which count only where they are not there again.
MaceOptions read(const std::string& more, std::string config = text()) {
    return read_mace_config(config.insert(1, more), "model");
}
std::string refusal(const std::string& more) {
    return error_of([&] { read(more); });
}
std::string refusal(const MaceOptions& options) {
    return error_of([&] { read_mace_config(mace_config(options), "model"); });
}

} // namespace

TEST_CASE("mace_options: what is written is read again", "[potential]") {
    MaceOptions all = some();
    all.atomic_numbers = {8, 1};
    all.r_max = 4.25;
    all.num_bessel = 7;
    all.num_polynomial_cutoff = 6;
    all.max_ell = 12;
    all.num_interactions = 3;
    all.interaction_first = {false, true};
    all.interaction = {true, true};
    all.mlp_irreps = "5x0e+2x0e";
    all.correlation = 2;
    all.radial_mlp = {16, 32};
    all.avg_num_neighbors = 12.5;
    all.scale = 0.1;
    all.shift = -0.25;
    all.pair_repulsion = all.agnesi = true;
    for (const auto gate : {so3::Function::silu, so3::Function::tanh, so3::Function::none})
        for (const bool scale_shift : {true, false}) {
            all.gate = gate;
            all.scale_shift = scale_shift;
            const MaceOptions again = read_mace_config(mace_config(all), "model");
            CHECK(mace_config(again) == mace_config(all));
            CHECK(again.gate == gate);
            CHECK(again.scale_shift == scale_shift);
            CHECK(again.interaction_first == all.interaction_first);
            CHECK(again.interaction == all.interaction);
            CHECK(again.atomic_energies == all.atomic_energies);
            CHECK(again.radial_mlp == all.radial_mlp);
        }
}

TEST_CASE("mace_options: members that change nothing", "[potential]") {
    for (const char* more :
         {"", "\"gate\": null,", "\"gate\": \"silu\",", "\"r_max\": null,", "\"distance_transform\": \"None\",",
          "\"radial_type\": \"bessel\",", "\"heads\": [\"default\"],", "\"heads\": [],",
          "\"unknown\": [1, {\"a\": null}],", "\"heads\": null,"}) {
        INFO(more);
        std::string config = text();
        if (std::string_view(more).starts_with("\"r_max")) // twice is an error, of a null too
            CHECK_THAT(refusal(more), ContainsSubstring("\"r_max\" is there twice"));
        else
            CHECK(mace_config(read(more)) == config);
    }
    CHECK(read("\"distance_transform\": \"Agnesi\",").agnesi);
    CHECK(read("\"pair_repulsion\": true,").pair_repulsion);
    CHECK(!read("\"pair_repulsion\": false,").pair_repulsion);
}

TEST_CASE("mace_options: models of another kind", "[potential]") {
    CHECK_THAT(refusal("\"gate\": \"relu\","), ContainsSubstring("gate is \"relu\": silu, tanh and None"));
    CHECK_THAT(refusal("\"distance_transform\": \"Soft\","),
               ContainsSubstring("model: distance_transform is \"Soft\": None and Agnesi"));
    CHECK_THAT(refusal("\"radial_type\": \"chebyshev\","), ContainsSubstring("radial_type is \"chebyshev\": bessel"));
    CHECK_THAT(refusal("\"heads\": [\"a\", \"b\"],"), ContainsSubstring("the model has 2 heads: one is supported"));
    CHECK_THAT(refusal("\"edge_irreps\": \"8x0e\","), ContainsSubstring("the model has edge_irreps, which"));
    CHECK_THAT(refusal("\"embedding_specs\": {},"), ContainsSubstring("the model has embedding_specs, which"));
    const auto changed = [](const std::string& from, const std::string& to) {
        std::string config = text();
        config.replace(config.find(from), from.size(), to);
        return error_of([&] { read_mace_config(config, "model"); });
    };
    CHECK_THAT(changed("ScaleShiftMACE", "BOTNet"), ContainsSubstring("the model is \"BOTNet\""));
    CHECK_THAT(changed("Residual", "Attention"), ContainsSubstring("only RealAgnostic[Density][Residual]Interaction"));
    for (const char* key : {"model", "atomic_numbers", "atomic_energies", "r_max", "num_bessel",
                            "num_polynomial_cutoff", "max_ell", "num_interactions", "interaction", "interaction_first",
                            "hidden_irreps", "MLP_irreps", "correlation", "radial_MLP", "avg_num_neighbors"})
        CHECK_THAT(changed(fmt::format("\"{}\"", key), "\"other\""),
                   ContainsSubstring(fmt::format("model: config has no {}", key)));
    CHECK_THAT(changed("\"r_max\": 5", "\"r_max\": 1e999"), ContainsSubstring("the number 1e999 is out of range"));
    CHECK_THAT(changed("\"num_bessel\": 8", "\"num_bessel\": 99999999999999999999"), ContainsSubstring("is too large"));
    CHECK_THAT(changed("\"scale\"", "\"pair_repulsion\": tru, \"scale\""), ContainsSubstring("byte"));
    CHECK_THAT(error_of([] { read_mace_config("{\"pair_repulsion\":", "model"); }), ContainsSubstring("byte"));
}

TEST_CASE("mace_options: numbers that no model has", "[potential]") {
    const auto refused = [](auto change) {
        MaceOptions options = some();
        change(options);
        return refusal(options);
    };
    using O = MaceOptions;
    CHECK(refused([](O&) {}) == "nothing was thrown");
    CHECK_THAT(refused([](O& o) { o.atomic_numbers = {}; }), ContainsSubstring("the number of elements is 0"));
    CHECK_THAT(refused([](O& o) { o.atomic_numbers = {1, 0}; }), ContainsSubstring("an atomic number is 0"));
    CHECK_THAT(refused([](O& o) { o.atomic_numbers = {1, 119}; }), ContainsSubstring("an atomic number is 119"));
    CHECK_THAT(refused([](O& o) { o.atomic_numbers = {6, 6}; }), ContainsSubstring("6: must not be there twice"));
    CHECK_THAT(refused([](O& o) { o.atomic_energies = {1}; }), ContainsSubstring("the number of atomic energies is 1"));
    CHECK_THAT(refused([](O& o) { o.r_max = 0; }), ContainsSubstring("r_max is 0: must be positive"));
    CHECK_THAT(refused([](O& o) { o.num_bessel = 0; }), ContainsSubstring("num_bessel is 0"));
    CHECK_THAT(refused([](O& o) { o.num_polynomial_cutoff = 1; }), ContainsSubstring("num_polynomial_cutoff is 1"));
    CHECK(refused([](O& o) { o.num_polynomial_cutoff = 2; }) == "nothing was thrown");
    CHECK(refused([](O& o) { o.max_ell = 0; }) == "nothing was thrown");
    CHECK_THAT(refused([](O& o) { o.max_ell = 13; }), ContainsSubstring("max_ell is 13: must be from 0 to 12"));
    CHECK_THAT(error_of([] { detail::require_model({.atomic_numbers = {1}, .atomic_energies = {0}, .max_ell = -1}); }),
               ContainsSubstring("max_ell is -1"));
    CHECK_THAT(refused([](O& o) { o.num_interactions = 0; }), ContainsSubstring("num_interactions is 0"));
    CHECK_THAT(refused([](O& o) { o.correlation = 0; }), ContainsSubstring("correlation is 0"));
    CHECK_THAT(refused([](O& o) { o.correlation = 4; }), ContainsSubstring("correlation is 4"));
    CHECK_THAT(refused([](O& o) { o.avg_num_neighbors = 0; }), ContainsSubstring("avg_num_neighbors is 0"));
    CHECK_THAT(refused([](O& o) { o.radial_mlp = {64, 0}; }), ContainsSubstring("a width of radial_MLP is 0"));
    for (const char* irreps : {"", "8x1o", "8x0o", "0x0e"})
        CHECK_THAT(refused([&](O& o) { o.hidden_irreps = irreps; }), ContainsSubstring("must begin with scalars 0e"));
    for (const char* irreps : {"8x0e+4x1o", "8x0e+8x1e", "8x0e+8x2o", "8x0e+8x2e+8x1o", "8x0e+8x0e"})
        CHECK_THAT(refused([&](O& o) { o.hidden_irreps = irreps; }), ContainsSubstring("the same multiplicity in all"));
    CHECK_THAT(refused([](O& o) { o.mlp_irreps = "16x0e+1x1o"; }), ContainsSubstring("scalars 0e are supported"));
}
