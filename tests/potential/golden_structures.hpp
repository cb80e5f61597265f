// SPDX-License-Identifier: MIT
#pragma once

#include "golden.hpp"

#include <weft/core/views.hpp>
#include <weft/io/atoms.hpp>
#include <weft/potential/energy_forces_loss.hpp>

#include <cmath>
#include <numeric>
#include <set>

/// Files of reference results of potentials: structures one behind the other, atoms `ptr` to the next each.
namespace weft_test {

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

template <class Model>
weft::potential::StructureBatch<typename Model::value_type> batch_of_all(const Model& model,
                                                                         std::span<const weft::io::Atoms> structures) {
    std::vector<weft::index> all(structures.size());
    std::iota(all.begin(), all.end(), 0);
    return weft::potential::StructureSet(structures, model.cutoff()).batch(model, all);
}

/// Requires the `loss` of the file with regard to `ref_energy` and `ref_forces`, and its gradient `grad.NAME` by every
/// parameter.
template <template <class> class Model>
void require_loss_gradient(const Model<double>& model, const weft::io::SafetensorsFile& file) {
    weft::potential::LossGradient gradient(model);
    const auto structures = structures_of(file, "ref_energy", "ref_forces");
    const double loss = gradient(
        model, batch_of_all(model, structures),
        {.energy_weight = flat(file, "energy_weight").item(), .forces_weight = flat(file, "forces_weight").item()});
    REQUIRE(std::abs(loss - flat(file, "loss").item()) <= 1e-10 * loss);
    std::set<std::string> compared;
    weft::nn::for_each_parameter(model, [&](std::string_view name, const auto& p) {
        const std::string key = "grad." + std::string(name);
        INFO(key);
        const auto expected = flat(file, key);
        const auto actual = p.has_grad() ? weft::Tensor<double, 1>(weft::flatten(p.grad()))
                                         : weft::Tensor<double, 1>::zeros(expected.shape());
        require_near(actual, expected, 1e-8 * largest(expected) + 1e-300);
        compared.insert(key);
    });
    for (const std::string& key : file.names()) {
        INFO(key);
        if (key.starts_with("grad.")) REQUIRE(compared.contains(key));
    }
}

} // namespace weft_test
