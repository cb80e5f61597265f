// SPDX-License-Identifier: MIT
#pragma once

#include "golden.hpp"

#include <weft/core/views.hpp>
#include <weft/io/atoms.hpp>

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

inline double largest(const weft::Tensor<double, 1>& x) {
    double most = 0;
    for (const double v : x.values()) most = std::max(most, std::abs(v));
    return most;
}
/// The elements of a tensor whatever its rank.
inline weft::Tensor<double, 1> flat(const weft::io::SafetensorsFile& file, const std::string& name) {
    const auto any = file.any(name);
    return weft::io::AnyTensor(any.dtype(), {any.size()}, any.storage(), any.bytes().data())
        .to<double, 1>(weft::io::Conversion::rounding, name);
}
template <class T, int N>
void require_near(const weft::Tensor<T, N>& actual, const weft::Tensor<double, 1>& expected, double tolerance) {
    REQUIRE(actual.size() == expected.size());
    for (weft::index i = 0; i < actual.size(); ++i) {
        INFO("element " << i << " is " << double(actual.data()[i]) << ", the reference " << expected.data()[i]);
        if (!(std::abs(double(actual.data()[i]) - expected.data()[i]) <= tolerance)) FAIL("differs");
    }
    SUCCEED();
}

/// The structures of a file, with energies and forces.
inline std::vector<weft::io::Atoms> structures_of(const weft::io::SafetensorsFile& file, const std::string& energy,
                                                  const std::string& forces) {
    const auto ptr = file.get<std::int32_t, 1>("ptr"), numbers = file.get<std::int32_t, 1>("atomic_numbers");
    const auto x = file.get<double, 2>("positions"), f = file.get<double, 2>(forces);
    const auto cells = file.get<double, 3>("cell");
    const auto pbc = file.get<std::uint8_t, 2>("pbc");
    const auto energies = flat(file, energy);
    std::vector<weft::io::Atoms> all;
    for (weft::index g = 0; g + 1 < ptr.size(); ++g) {
        weft::io::Atoms& atoms = all.emplace_back();
        atoms.numbers = weft::slice(numbers, 0, ptr(g), ptr(g + 1));
        atoms.positions = weft::slice(x, 0, ptr(g), ptr(g + 1));
        std::copy_n(cells.data() + 9 * g, 9, atoms.cell.begin());
        for (std::size_t k = 0; k < 3; ++k) atoms.pbc[k] = pbc(g, static_cast<weft::index>(k)) != 0;
        atoms.info["energy"] = energies(g);
        atoms.arrays["forces"] = weft::Tensor<double, 2>(weft::slice(f, 0, ptr(g), ptr(g + 1)));
    }
    return all;
}

} // namespace weft_test
