// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/safetensors.hpp>

#include <string>

namespace weft::inline WEFT_ABI::potential::detail {

/// What the metadata of a model's file say of its options. Errors: nothing.
inline const std::string& model_config(const io::SafetensorsFile& file, const char* operation) {
    const auto config = file.metadata().find("config");
    if (config == file.metadata().end())
        throw error(operation, "{}: the metadata has no \"config\", which says what the model is", file.file());
    return config->second;
}

} // namespace weft::inline WEFT_ABI::potential::detail
