// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/state_dict.hpp>
#include <weft/potential/mace.hpp>
#include <weft/potential/model_config.hpp>

#include <filesystem>
#include <string>

namespace weft::inline WEFT_ABI::potential {

namespace detail {

/// Whether a key of MACE's state dict says nothing that the configuration does not: masks, tables of constants.
inline bool is_derived_key(std::string_view key, const io::AnyTensor& tensor) {
    return key.ends_with("output_mask") || key.find("_w3j_") != key.npos || key.ends_with("_zeroed") ||
           key.ends_with("covalent_radii") || (tensor.size() == 0 && key.ends_with("bias"));
}

/// Without the extents of 1 that versions of MACE have or lack in front: numbers as [1], the energies of atoms as [Z].
inline io::AnyTensor without_head(const std::string& key, const io::AnyTensor& tensor) {
    const bool number = tensor.rank() == 0;
    const bool one_head = key == "atomic_energies_fn.atomic_energies" && tensor.rank() == 2 && tensor.shape()[0] == 1;
    if (!number && !one_head) return tensor;
    return {tensor.dtype(), {tensor.size()}, tensor.storage(), tensor.bytes().data()};
}

} // namespace detail

/// A model as safetensors have it: the keys of MACE's state dict, and the options as JSON in the metadata `config`.
/// Weights may be F32 or F64; couplings U_matrix_n that the file has are used instead of those that MACE makes without
/// them. Errors: no configuration, or one of a model that is not supported; keys that are missing, have another shape
/// or are unknown, by name; numbers that contradict the configuration.
template <class T>
MACE<T> load_mace(const io::SafetensorsFile& file) {
    const MaceOptions options = read_mace_config(detail::model_config(file, "load_mace"), file.file());

    io::NamedTensors dict, couplings;
    for (const std::string& key : file.names()) {
        const io::AnyTensor tensor = file.any(key);
        if (key.find(".U_matrix_") != key.npos)
            couplings.emplace_back(key, tensor);
        else if (!detail::is_derived_key(key, tensor))
            dict.emplace_back(key, detail::without_head(key, tensor));
    }
    MACE<T> model(options, couplings);
    nn::load_state_dict(model, dict);
    model.require_buffers(file.file());
    return model;
}

/// The same of the file of that path.
template <class T>
MACE<T> load_mace(const std::filesystem::path& path) {
    return load_mace<T>(io::SafetensorsFile::read(path));
}

/// Writes a model as load_mace reads it, weights in the type T.
template <class T>
void save_mace(const std::filesystem::path& path, const MACE<T>& model, io::Metadata metadata = {}) {
    metadata["config"] = model.config();
    metadata.emplace("format", "MACE state_dict");
    io::NamedTensors dict = nn::state_dict(model);
    for (const auto& coupling : model.couplings()) dict.push_back(coupling);
    io::save_safetensors(path, dict, metadata);
}

} // namespace weft::inline WEFT_ABI::potential
