// SPDX-License-Identifier: MIT
#include "structures.hpp"

#include "data.hpp"

#include <weft/io/atomic_file.hpp>
#include <weft/io/elements.hpp>
#include <weft/io/extxyz.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace mace_potential {

using namespace weft;
using weft::index;

std::vector<Atoms> read_structures(const std::string& file) {
    std::vector<Atoms> all =
        file.empty() ? io::parse_extxyz({reinterpret_cast<const char*>(acac_xyz), sizeof(acac_xyz)}, "acac.xyz")
                     : io::read_extxyz(file);
    if (all.empty()) throw error("mace_potential", "{} has no structures", file);
    return all;
}

Atoms read_structure(const std::string& file, index number) {
    std::vector<Atoms> all = read_structures(file);
    if (number >= static_cast<index>(all.size()))
        throw error("mace_potential", "{} has {} structures: there is no number {}", name_of(file), all.size(), number);
    return std::move(all[static_cast<std::size_t>(number)]);
}

std::string formula_of(const Tensor<std::int32_t, 1>& species) {
    std::map<std::string, index> counts;
    for (const std::int32_t z : species.values())
        ++counts[std::string(io::chemical_symbols[static_cast<std::size_t>(z)])];
    std::vector<std::pair<std::string, index>> terms(counts.begin(), counts.end());
    const auto rank = [&](const auto& term) {
        return !counts.contains("C") ? 2 : term.first == "C" ? 0 : term.first == "H" ? 1 : 2;
    };
    std::stable_sort(terms.begin(), terms.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    std::string formula;
    for (const auto& [symbol, count] : terms) formula += count == 1 ? symbol : fmt::format("{}{}", symbol, count);
    return formula;
}

Atoms frame_of(const SimulationState& state, const PotentialResult& result) {
    Atoms frame;
    frame.numbers = state.species;
    frame.positions = state.positions;
    frame.cell = state.cell;
    frame.pbc = state.pbc;
    auto momenta = Tensor<double, 2>::empty(state.velocities.shape());
    for (index i = 0; i < momenta.size(); ++i)
        momenta.mutable_data()[i] = state.masses.data()[i / 3] * state.velocities.data()[i];
    frame.info["energy"] = result.energy;
    const auto& s = result.stress; // symmetric: rows are columns
    if (state.pbc[0] && state.pbc[1] && state.pbc[2]) frame.info["stress"] = std::vector<double>(s.begin(), s.end());
    frame.arrays["momenta"] = momenta;
    frame.arrays["forces"] = Tensor<double, 2>::from(result.forces, momenta.shape());
    return frame;
}

void write_text(const std::string& file, const std::string& text) {
    io::AtomicFile out(file);
    out.write(text);
    out.commit();
}

void require_writable(const std::string& file) {
    if (!file.empty()) io::AtomicFile probe(file);
}

} // namespace mace_potential
