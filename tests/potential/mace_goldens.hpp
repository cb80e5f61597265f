// SPDX-License-Identifier: MIT
#pragma once

#include "potential/golden_structures.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace weft_test {

/// The files of models, those with a configuration, and the files of data beside each, MODEL_*.safetensors.
struct MaceGolden {
    std::filesystem::path model;
    std::vector<std::filesystem::path> data;
};
inline std::vector<MaceGolden> mace_goldens() {
    std::vector<MaceGolden> all;
    const auto folder = golden_path("interatomic-potential", "any").parent_path();
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const auto& file : files)
        if (weft::io::SafetensorsFile::read(file).metadata().contains("config")) all.push_back({file, {}});
    for (const auto& file : files) {
        MaceGolden* owner = nullptr; // the longest name that fits
        for (MaceGolden& g : all)
            if (file != g.model && file.stem().string().starts_with(g.model.stem().string() + "_"))
                if (!owner || owner->model.stem().string().size() < g.model.stem().string().size()) owner = &g;
        if (owner) owner->data.push_back(file);
    }
    return all;
}

} // namespace weft_test
