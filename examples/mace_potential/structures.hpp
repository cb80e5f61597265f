// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/atoms.hpp>
#include <weft/potential/potential.hpp>
#include <weft/potential/simulation_state.hpp>

#include <string>
#include <vector>

namespace mace_potential {

using weft::index;
using weft::io::Atoms;
using weft::potential::PotentialResult;
using weft::potential::SimulationState;

/// The structures of an extxyz file; without a name those of acetylacetone that are part of the program. Errors: the
/// file cannot be read, or has none.
std::vector<Atoms> read_structures(const std::string& file);
/// Structure `number`, from 0, of read_structures. Errors: there are fewer.
Atoms read_structure(const std::string& file, index number);
/// What messages and tables call such a file.
inline std::string name_of(const std::string& file) { return file.empty() ? "acetylacetone" : file; }

/// C5H8O2: carbon and hydrogen first, the rest by symbol, as Hill has it.
std::string formula_of(const weft::Tensor<std::int32_t, 1>& species);

/// A frame of a trajectory, as ASE reads it: positions, momenta, forces, energy, and stress where there is a volume.
Atoms frame_of(const SimulationState& state, const PotentialResult& result);

/// Writes a text file as a whole or not at all. Errors: it cannot be written.
void write_text(const std::string& file, const std::string& text);
/// Whether it can be, asked before long work whose result it gets. Errors: not so. No name: nothing is asked.
void require_writable(const std::string& file);

} // namespace mace_potential
