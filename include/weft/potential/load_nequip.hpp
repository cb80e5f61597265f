// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/state_dict.hpp>
#include <weft/potential/model_config.hpp>
#include <weft/potential/nequip.hpp>

#include <filesystem>

namespace weft::inline WEFT_ABI::potential {

/// A model as safetensors have it: its parameters by name, and the options as JSON in the metadata `config` (see
/// nequip_config). Weights may be F32 or F64. Errors: no file of this kind; no configuration, or one that no model has;
/// keys that are missing, have another shape or are unknown, by name.
template <class T>
NequIP<T> load_nequip(const std::filesystem::path& path) {
    const auto file = io::SafetensorsFile::read(path);
    NequIP<T> model(read_nequip_config(detail::model_config(file, "load_nequip"), path.string()));
    io::NamedTensors dict;
    for (const std::string& key : file.names()) dict.emplace_back(key, file.any(key));
    nn::load_state_dict(model, dict);
    return model;
}

/// Writes a model as load_nequip reads it, weights in the type T.
template <class T>
void save_nequip(const std::filesystem::path& path, const NequIP<T>& model, io::Metadata metadata = {}) {
    metadata["config"] = nequip_config(model.options());
    metadata.emplace("format", "nequip state_dict");
    io::save_safetensors(path, nn::state_dict(model), metadata);
}

} // namespace weft::inline WEFT_ABI::potential
