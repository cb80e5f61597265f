// SPDX-License-Identifier: MIT
#pragma once

#include "../../bench/potential/unfused_mace.hpp"
#include "data.hpp"
#include "potential.hpp"

#include <weft/potential/calculator.hpp>
#include <weft/potential/load_mace.hpp>

namespace mace_potential {

template <class Model>
class LoadedPotential final : public AnyPotential {
public:
    using T = typename Model::value_type;

    LoadedPotential(Model model, const ModelOptions& o) : calculator_(std::move(model), {.skin = o.skin}) {}

    PotentialResult compute(std::span<const double> positions, std::span<const std::int32_t> species,
                            const std::array<double, 9>& cell, const std::array<bool, 3>& pbc) override {
        return calculator_.compute(positions, species, cell, pbc);
    }
    std::string description() const override {
        const Model& m = calculator_.model();
        std::string elements;
        for (const std::int64_t z : m.atomic_numbers.values())
            elements += fmt::format("{}{}", elements.empty() ? "" : ", ",
                                    weft::io::chemical_symbols[static_cast<std::size_t>(z)]);
        return fmt::format("MACE of {}: {} parameters, cutoff {} Å, {}{}", elements, weft::nn::parameter_count(m),
                           m.cutoff(), sizeof(T) == 4 ? "float" : "double", m.tables().empty() ? "" : ", tabulated");
    }
    index rebuilds() const override { return calculator_.rebuilds(); }
    index edges() const override { return calculator_.neighbors().graph.num_edges(); }

private:
    weft::potential::Calculator<Model> calculator_;
};

template <class T>
std::unique_ptr<AnyPotential> load(const ModelOptions& o) {
    using namespace weft;
    auto model = potential::load_mace<T>(
        o.file.empty() ? io::SafetensorsFile::parse(std::as_bytes(std::span(acac_safetensors)), "acac.safetensors")
                       : io::SafetensorsFile::read(o.file));
    if (o.unfused)
        return std::make_unique<LoadedPotential<weft_bench::UnfusedMace<T>>>(weft_bench::UnfusedMace<T>(model), o);
    return std::make_unique<LoadedPotential<potential::MACE<T>>>(o.tabulated ? model.tabulated() : std::move(model), o);
}

} // namespace mace_potential
