// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/json.hpp>
#include <weft/potential/known_elements.hpp>
#include <weft/so3/function.hpp>
#include <weft/so3/irreps.hpp>

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

namespace weft::inline WEFT_ABI {
struct Generator;
}

namespace weft::inline WEFT_ABI::potential {

/// The hyper-parameters of a NequIP model, by nequip's names where it has one. Energies in eV, lengths in Å.
struct NequipOptions {
    std::vector<int> atomic_numbers = {}; ///< of the elements it knows
    double r_max = 5;                     ///< atoms further apart do not see each other
    int num_layers = 4;
    int l_max = 1; ///< degree of spherical harmonics
    /// Of a layer's result, if they can be reached: each irrep once, 0e among them. Empty: 32 of each degree up to
    /// l_max and of both parities, 32x0e+32x0o+32x1e+32x1o+...
    so3::Irreps feature_irreps_hidden = "";
    /// Whether the last layer makes only the scalars 0e that the energy is of (nequip from version 0.7), or all
    /// features like the others (before).
    bool scalars_last = true;
    bool resnet = false;                              ///< whether layers whose irreps do not change add to their input
    index num_bessels = 8;                            ///< radial functions
    double polynomial_cutoff_p = 6;                   ///< p of the envelope
    std::vector<index> radial_mlp{64, 64};            ///< hidden layers from radial functions to weights
    double avg_num_neighbors = 1;                     ///< messages are divided by its root
    so3::Function even_scalars = so3::Function::silu; ///< of the features 0e, and in the radial network
    so3::Function odd_scalars = so3::Function::tanh;  ///< of the features 0o, which an odd or even function must be
    so3::Function gates = so3::Function::silu;        ///< of the scalars that features of l > 0 are multiplied by
    index output_features = 16;                       ///< between the two last linear maps; 0: one map
    std::vector<double> atomic_energies = {};         ///< of isolated atoms of each element; empty: 0
    std::vector<double> per_type_energy_scales = {};  ///< of each element; empty: 1
    double scale = 1, shift = 0;                      ///< of all elements
    Generator* generator = nullptr;
};

namespace detail {

/// Options with what may be left out filled in. Errors: what no model can be made of.
inline NequipOptions complete_model(NequipOptions o) {
    const auto require = [](bool holds, const char* what, const auto& value, const char* rule) {
        if (!holds) throw error("NequIP", "{} is {}: {}", what, value, rule);
    };
    const std::size_t elements = o.atomic_numbers.size();
    if (o.per_type_energy_scales.empty()) o.per_type_energy_scales.assign(elements, 1.0);
    if (o.atomic_energies.empty()) o.atomic_energies.assign(elements, 0.0);
    require_elements("NequIP", o.atomic_numbers, o.atomic_energies.size());
    require(o.per_type_energy_scales.size() == elements, "the number of energy scales", o.per_type_energy_scales.size(),
            "there must be one for each element");
    for (const double e : o.atomic_energies) require(std::isfinite(e), "an atomic energy", e, "must be finite");
    for (const double x : o.per_type_energy_scales) require(std::isfinite(x), "an energy scale", x, "must be finite");
    require(std::isfinite(o.scale), "scale", o.scale, "must be finite");
    require(std::isfinite(o.shift), "shift", o.shift, "must be finite");
    require(std::isfinite(o.r_max) && o.r_max > 0, "r_max", o.r_max, "must be positive");
    require(o.num_layers >= 1, "num_layers", o.num_layers, "must be at least 1");
    require(o.l_max >= 0 && o.l_max <= 12, "l_max", o.l_max, "must be from 0 to 12");
    require(o.num_bessels >= 1, "num_bessels", o.num_bessels, "must be at least 1");
    require(std::isfinite(o.polynomial_cutoff_p) && o.polynomial_cutoff_p >= 2, "polynomial_cutoff_p",
            o.polynomial_cutoff_p, "must be at least 2");
    require(std::isfinite(o.avg_num_neighbors) && o.avg_num_neighbors > 0, "avg_num_neighbors", o.avg_num_neighbors,
            "must be positive");
    require(o.output_features >= 0, "output_features", o.output_features, "must not be negative");
    for (const index width : o.radial_mlp) require(width >= 1, "a width of radial_mlp", width, "must be at least 1");

    if (o.feature_irreps_hidden.empty()) {
        std::vector<so3::MulIrrep> all;
        for (int l = 0; l <= o.l_max; ++l)
            for (const int p : {1, -1}) all.push_back({32, {l, p}});
        o.feature_irreps_hidden = all;
    }
    const so3::Irreps& features = o.feature_irreps_hidden;
    bool once = features.contains({0, 1});
    for (const so3::MulIrrep& term : features) once = once && term.mul >= 1 && features.count(term.ir) == term.mul;
    if (!once)
        throw error("NequIP", "feature_irreps_hidden is {}: must have each irrep once, 0e among them",
                    io::detail::quote_name(so3::detail::irreps_text(features)));
    return o;
}

} // namespace detail

/// The options as JSON, as the metadata `config` of a model's file have them.
inline std::string nequip_config(const NequipOptions& options) {
    const NequipOptions o = detail::complete_model(options);
    const auto list = [](const auto& values) { return fmt::format("[{}]", fmt::join(values, ", ")); };
    return fmt::format(
        "{{\"model\": \"NequIP\", \"atomic_numbers\": {}, \"r_max\": {}, \"num_layers\": {}, \"l_max\": {}, "
        "\"feature_irreps_hidden\": \"{}\", \"scalars_last\": {}, \"resnet\": {}, \"num_bessels\": {}, "
        "\"polynomial_cutoff_p\": {}, \"radial_mlp\": {}, \"avg_num_neighbors\": {}, \"even_scalars\": \"{}\", "
        "\"odd_scalars\": \"{}\", \"gates\": \"{}\", \"output_features\": {}, \"per_type_energy_scales\": {}, "
        "\"atomic_energies\": {}, \"scale\": {}, \"shift\": {}}}",
        list(o.atomic_numbers), o.r_max, o.num_layers, o.l_max, so3::detail::irreps_text(o.feature_irreps_hidden),
        o.scalars_last, o.resnet, o.num_bessels, o.polynomial_cutoff_p, list(o.radial_mlp), o.avg_num_neighbors,
        so3::name_of(o.even_scalars), so3::name_of(o.odd_scalars), so3::name_of(o.gates), o.output_features,
        list(o.per_type_energy_scales), list(o.atomic_energies), o.scale, o.shift);
}

/// The options that the JSON text of a file says; what it does not say has the default. Errors, by name: no JSON;
/// another kind of model; a key that is unknown or has another type; no atomic_numbers or r_max; options that no model
/// has.
inline NequipOptions read_nequip_config(std::string_view json, const std::string& file) {
    NequipOptions o;
    std::set<std::string> found;
    io::detail::JsonReader reader(json, file, 0);
    reader.object([&](const std::string& key) {
        const auto list = [&](auto& values, auto&& one) {
            values.clear();
            reader.array([&] { values.push_back(one()); });
        };
        const auto real = [&] { return reader.real(); };
        const auto whole = [&] { return static_cast<int>(std::min<index>(reader.integer(), 1 << 30)); };
        found.insert(key);
        if (key == "model") {
            if (const std::string name = reader.string(); name != "NequIP")
                throw error("NequIP", "{}: the model is {}: must be NequIP", file, io::detail::quote_name(name));
        } else if (key == "atomic_numbers") {
            list(o.atomic_numbers, whole);
        } else if (key == "r_max") {
            o.r_max = reader.real();
        } else if (key == "num_layers") {
            o.num_layers = whole();
        } else if (key == "l_max") {
            o.l_max = whole();
        } else if (key == "feature_irreps_hidden") {
            o.feature_irreps_hidden = reader.string();
        } else if (key == "scalars_last") {
            o.scalars_last = reader.boolean();
        } else if (key == "resnet") {
            o.resnet = reader.boolean();
        } else if (key == "num_bessels") {
            o.num_bessels = reader.integer();
        } else if (key == "polynomial_cutoff_p") {
            o.polynomial_cutoff_p = reader.real();
        } else if (key == "radial_mlp") {
            list(o.radial_mlp, [&] { return reader.integer(); });
        } else if (key == "avg_num_neighbors") {
            o.avg_num_neighbors = reader.real();
        } else if (key == "even_scalars") {
            o.even_scalars = so3::function_named(reader.string());
        } else if (key == "odd_scalars") {
            o.odd_scalars = so3::function_named(reader.string());
        } else if (key == "gates") {
            o.gates = so3::function_named(reader.string());
        } else if (key == "output_features") {
            o.output_features = reader.integer();
        } else if (key == "per_type_energy_scales") {
            list(o.per_type_energy_scales, real);
        } else if (key == "atomic_energies") {
            list(o.atomic_energies, real);
        } else if (key == "scale") {
            o.scale = reader.real();
        } else if (key == "shift") {
            o.shift = reader.real();
        } else {
            throw error("NequIP", "{}: config has {}, which is unknown", file, io::detail::quote_name(key));
        }
    });
    reader.end();
    for (const char* const key : {"model", "atomic_numbers", "r_max"})
        if (!found.contains(key)) throw error("NequIP", "{}: config has no {}", file, key);
    return detail::complete_model(o);
}

} // namespace weft::inline WEFT_ABI::potential
