// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/json.hpp>
#include <weft/potential/known_elements.hpp>
#include <weft/so3/function.hpp>
#include <weft/so3/irreps.hpp>

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

namespace weft::inline WEFT_ABI {
struct Generator;
}

namespace weft::inline WEFT_ABI::potential {

/// How an interaction of MACE makes messages: with a self-connection added to the result (residual) or the elements'
/// weights applied to the messages; divided by 1 + a learnt density of neighbours, or by their average number.
struct MaceInteraction {
    bool residual = true, density = false;

    friend bool operator==(const MaceInteraction&, const MaceInteraction&) = default;
};

/// The hyper-parameters of a MACE model, by the names of mace.modules.MACE and ScaleShiftMACE. Energies in eV, lengths
/// in Å.
struct MaceOptions {
    std::vector<int> atomic_numbers = {};     ///< of the elements it knows
    std::vector<double> atomic_energies = {}; ///< of isolated atoms of these
    double r_max = 5;                         ///< atoms further apart do not see each other
    index num_bessel = 8;                     ///< radial functions
    int num_polynomial_cutoff = 5;            ///< p of the envelope
    int max_ell = 3;                          ///< degree of spherical harmonics
    int num_interactions = 2;
    MaceInteraction interaction_first{}, interaction{}; ///< of the first layer, and of the others
    so3::Irreps hidden_irreps = "128x0e+128x1o";        ///< all of the same multiplicity, the first 0e
    so3::Irreps mlp_irreps = "16x0e";                   ///< between the two maps of the last readout
    so3::Function gate = so3::Function::silu;           ///< of the last readout
    int correlation = 3;                                ///< features in a product, at most
    std::vector<index> radial_mlp{64, 64, 64};          ///< hidden layers from radial functions to weights
    double avg_num_neighbors = 1;
    bool scale_shift = true; ///< whether the model is a ScaleShiftMACE
    double scale = 1, shift = 0;
    bool pair_repulsion = false; ///< Ziegler, Biersack and Littmark's
    bool agnesi = false;         ///< whether distances are transformed, by the radii of the two elements
    Generator* generator = nullptr;
};

namespace detail {

inline std::string interaction_name(const MaceInteraction& i) {
    return fmt::format("RealAgnostic{}{}InteractionBlock", i.density ? "Density" : "", i.residual ? "Residual" : "");
}
inline MaceInteraction interaction_of(const std::string& key, const std::string& name) {
    for (const bool density : {false, true})
        for (const bool residual : {false, true})
            if (interaction_name({residual, density}) == name) return {residual, density};
    throw error("MACE", "{} is {}: only RealAgnostic[Density][Residual]InteractionBlock is supported", key,
                io::detail::quote_name(name));
}
inline so3::Function gate_of(const std::string& name) {
    if (name == "silu") return so3::Function::silu;
    if (name == "tanh") return so3::Function::tanh;
    if (name == "None") return so3::Function::none;
    throw error("MACE", "gate is {}: silu, tanh and None are supported", io::detail::quote_name(name));
}

/// Errors: what no model can be made of, or what this one does not have.
inline void require_model(const MaceOptions& o) {
    const auto require = [](bool holds, const char* what, const auto& value, const char* rule) {
        if (!holds) throw error("MACE", "{} is {}: {}", what, value, rule);
    };
    require_elements("MACE", o.atomic_numbers, o.atomic_energies.size());
    require(o.r_max > 0, "r_max", o.r_max, "must be positive");
    require(o.num_bessel >= 1, "num_bessel", o.num_bessel, "must be at least 1");
    require(o.num_polynomial_cutoff >= 2, "num_polynomial_cutoff", o.num_polynomial_cutoff, "must be at least 2");
    require(o.max_ell >= 0 && o.max_ell <= 12, "max_ell", o.max_ell, "must be from 0 to 12");
    require(o.num_interactions >= 1, "num_interactions", o.num_interactions, "must be at least 1");
    require(o.correlation >= 1 && o.correlation <= 3, "correlation", o.correlation, "1, 2 and 3 are supported");
    require(o.avg_num_neighbors > 0, "avg_num_neighbors", o.avg_num_neighbors, "must be positive");
    for (const index width : o.radial_mlp) require(width >= 1, "a width of radial_MLP", width, "must be at least 1");
    const so3::Irreps& hidden = o.hidden_irreps;
    if (hidden.empty() || !hidden[0].ir.is_scalar() || hidden[0].mul < 1)
        throw error("MACE", "hidden_irreps is {}: must begin with scalars 0e",
                    io::detail::quote_name(so3::detail::irreps_text(hidden)));
    for (index i = 0; i < hidden.size(); ++i) {
        const so3::Irrep ir = hidden[i].ir;
        if (hidden[i].mul != hidden[0].mul || ir.p != (ir.l % 2 == 0 ? 1 : -1) || (i > 0 && !(hidden[i - 1].ir < ir)))
            throw error("MACE",
                        "hidden_irreps is {}: must have the same multiplicity in all terms, parity (-1)^l, and the "
                        "terms in order",
                        io::detail::quote_name(so3::detail::irreps_text(hidden)));
    }
    for (const so3::MulIrrep& term : o.mlp_irreps)
        if (!term.ir.is_scalar())
            throw error("MACE", "MLP_irreps is {}: scalars 0e are supported",
                        io::detail::quote_name(so3::detail::irreps_text(o.mlp_irreps)));
}

} // namespace detail

/// The options as JSON, as the metadata `config` of a model's file have them.
inline std::string mace_config(const MaceOptions& o) {
    const auto list = [](const auto& values) { return fmt::format("[{}]", fmt::join(values, ", ")); };
    std::string text = fmt::format(
        "{{\"model\": \"{}\", \"atomic_numbers\": {}, \"r_max\": {}, \"num_bessel\": {}, \"num_polynomial_cutoff\": "
        "{}, "
        "\"max_ell\": {}, \"interaction\": \"{}\", \"interaction_first\": \"{}\", \"num_interactions\": {}, "
        "\"hidden_irreps\": \"{}\", \"MLP_irreps\": \"{}\", \"atomic_energies\": {}, \"avg_num_neighbors\": {}, "
        "\"correlation\": {}, \"radial_MLP\": {}",
        o.scale_shift ? "ScaleShiftMACE" : "MACE", list(o.atomic_numbers), o.r_max, o.num_bessel,
        o.num_polynomial_cutoff, o.max_ell, detail::interaction_name(o.interaction),
        detail::interaction_name(o.interaction_first), o.num_interactions, so3::detail::irreps_text(o.hidden_irreps),
        so3::detail::irreps_text(o.mlp_irreps), list(o.atomic_energies), o.avg_num_neighbors, o.correlation,
        list(o.radial_mlp));
    if (o.gate != so3::Function::silu) // which is what no gate says
        text += fmt::format(", \"gate\": \"{}\"", o.gate == so3::Function::tanh ? "tanh" : "None");
    if (o.scale_shift) text += fmt::format(", \"scale\": {}, \"shift\": {}", o.scale, o.shift);
    if (o.pair_repulsion) text += ", \"pair_repulsion\": true";
    if (o.agnesi) text += ", \"distance_transform\": \"Agnesi\"";
    return text + "}";
}

/// The options that the JSON text of a file says. Errors, by name: no JSON; a key that is missing or has another type;
/// a model of another kind (several heads, other interactions, edge_irreps, joint embeddings, ...).
inline MaceOptions read_mace_config(std::string_view json, const std::string& file) {
    MaceOptions o;
    std::optional<std::string> model;
    std::set<std::string> found;
    io::detail::JsonReader reader(json, file, 0);
    reader.object([&](const std::string& key) {
        const auto list = [&](auto& values, auto&& one) {
            values.clear();
            reader.array([&] { values.push_back(one()); });
        };
        const auto whole = [&] { return static_cast<int>(std::min<index>(reader.integer(), 1 << 30)); };
        if (reader.null()) return;
        found.insert(key);
        if (key == "model")
            model = reader.string();
        else if (key == "atomic_numbers")
            list(o.atomic_numbers, whole);
        else if (key == "atomic_energies")
            list(o.atomic_energies, [&] { return reader.real(); });
        else if (key == "r_max")
            o.r_max = reader.real();
        else if (key == "num_bessel")
            o.num_bessel = reader.integer();
        else if (key == "num_polynomial_cutoff")
            o.num_polynomial_cutoff = whole();
        else if (key == "max_ell")
            o.max_ell = whole();
        else if (key == "num_interactions")
            o.num_interactions = whole();
        else if (key == "interaction")
            o.interaction = detail::interaction_of(key, reader.string());
        else if (key == "interaction_first")
            o.interaction_first = detail::interaction_of(key, reader.string());
        else if (key == "hidden_irreps")
            o.hidden_irreps = reader.string();
        else if (key == "MLP_irreps")
            o.mlp_irreps = reader.string();
        else if (key == "gate")
            o.gate = detail::gate_of(reader.string());
        else if (key == "correlation")
            o.correlation = whole();
        else if (key == "radial_MLP")
            list(o.radial_mlp, [&] { return reader.integer(); });
        else if (key == "avg_num_neighbors")
            o.avg_num_neighbors = reader.real();
        else if (key == "scale")
            o.scale = reader.real();
        else if (key == "shift")
            o.shift = reader.real();
        else if (key == "pair_repulsion")
            o.pair_repulsion = reader.boolean();
        else if (key == "distance_transform") {
            const std::string name = reader.string();
            o.agnesi = name == "Agnesi";
            if (!o.agnesi && name != "None")
                throw error("MACE", "{}: distance_transform is {}: None and Agnesi are supported", file,
                            io::detail::quote_name(name));
        } else if (key == "radial_type") {
            if (const std::string name = reader.string(); name != "bessel")
                throw error("MACE", "{}: radial_type is {}: bessel is supported", file, io::detail::quote_name(name));
        } else if (key == "heads") {
            index heads = 0;
            reader.array([&] { reader.skip(), ++heads; });
            if (heads > 1) throw error("MACE", "{}: the model has {} heads: one is supported", file, heads);
        } else if (key == "edge_irreps" || key == "embedding_specs") {
            throw error("MACE", "{}: the model has {}, which are not supported", file, key);
        } else {
            reader.skip();
        }
    });
    reader.end();
    for (const char* const key :
         {"model", "atomic_numbers", "atomic_energies", "r_max", "num_bessel", "num_polynomial_cutoff", "max_ell",
          "num_interactions", "interaction", "interaction_first", "hidden_irreps", "MLP_irreps", "correlation",
          "radial_MLP", "avg_num_neighbors"})
        if (!found.contains(key)) throw error("MACE", "{}: config has no {}", file, key);
    if (*model != "MACE" && *model != "ScaleShiftMACE")
        throw error("MACE", "{}: the model is {}: MACE and ScaleShiftMACE are supported", file,
                    io::detail::quote_name(*model));
    o.scale_shift = *model == "ScaleShiftMACE";
    detail::require_model(o);
    return o;
}

} // namespace weft::inline WEFT_ABI::potential
