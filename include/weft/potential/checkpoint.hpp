// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/safetensors.hpp>
#include <weft/potential/simulation_state.hpp>

#include <charconv>

namespace weft::inline WEFT_ABI::potential {

/// Writes a simulation to a safetensors file, from which it goes on with the same bits: the state as tensors of the
/// names of its members, and as metadata the integrator's name and options. The file appears as a whole or not at all.
/// Errors: it cannot be written; a state with which no run can go on: wrong shapes, numbers that are not finite, masses
/// that are not positive. Then a file that was there stays.
template <class I>
void save_checkpoint(const std::filesystem::path& path, const SimulationState& state, const I& integrator) {
    detail::check_motion("save_checkpoint", state);
    detail::check_atoms("save_checkpoint", state.positions, state.species);
    io::Metadata words{{"format", "simulation 1"}, {"integrator", I::name}};
    typename I::Options(integrator.options()).for_each([&](const std::string& option, const auto& value) {
        words["options." + option] = fmt::format("{}", value); // doubles too are read back as they were
    });
    io::save_safetensors(path,
                         {{"positions", state.positions},
                          {"velocities", state.velocities},
                          {"masses", state.masses},
                          {"cell", Tensor<double, 2>::from(std::span<const double>(state.cell), {3, 3})},
                          {"steps", Tensor<std::int64_t, 0>(state.steps)},
                          {"species", state.species},
                          {"pbc", Tensor<bool, 1>::from(std::span<const bool>(state.pbc), {3})}},
                         words);
}

/// A state and the integrator that goes on from it.
template <class I>
struct Checkpoint {
    SimulationState state;
    I integrator;
};

/// What save_checkpoint wrote of an integrator I. Errors name the file: it is no checkpoint, or of another integrator;
/// shapes that do not fit each other, options or numbers out of range.
template <class I>
Checkpoint<I> checkpoint(const io::SafetensorsFile& file) {
    const std::string operation = "load_checkpoint: " + file.file();
    const auto word = [&](const std::string& key) -> const std::string& {
        const auto found = file.metadata().find(key);
        if (found == file.metadata().end()) throw error(operation, "is no checkpoint: it has no {}", key);
        return found->second;
    };
    if (word("format") != "simulation 1")
        throw error(operation, "is of format {}, must be simulation 1", io::detail::quote_name(word("format")));
    if (word("integrator") != I::name)
        throw error(operation, "is of the integrator {}, asked for {}", io::detail::quote_name(word("integrator")),
                    I::name);
    typename I::Options options;
    options.for_each([&](const std::string& option, auto& value) {
        const std::string& text = word("options." + option);
        const char* const end = text.data() + text.size();
        const auto [stop, problem] = std::from_chars(text.data(), end, value);
        if (problem != std::errc() || stop != end)
            throw error(operation, "the option {} is {}: must be a number", option, io::detail::quote_name(text));
    });

    SimulationState state{.positions = file.get<double, 2>("positions"),
                          .velocities = file.get<double, 2>("velocities"),
                          .masses = file.get<double, 1>("masses"),
                          .species = file.get<std::int32_t, 1>("species"),
                          .steps = file.get<std::int64_t, 0>("steps")};
    const auto cell = file.get<double, 2>("cell", {3, 3});
    const auto pbc = file.get<bool, 1>("pbc", {3});
    std::copy_n(cell.data(), 9, state.cell.begin());
    std::copy_n(pbc.data(), 3, state.pbc.begin());
    detail::check_motion(operation, state);
    detail::check_atoms(operation, state.positions, state.species);
    try {
        return {std::move(state), I(options)};
    } catch (const Error& problem) {
        throw error(operation, "{}", problem.what());
    }
}

/// The same of the file of that path: `auto [state, integrator] = load_checkpoint<Langevin>("run.safetensors");`
template <class I>
Checkpoint<I> load_checkpoint(const std::filesystem::path& path) {
    return checkpoint<I>(io::SafetensorsFile::read(path));
}

} // namespace weft::inline WEFT_ABI::potential
