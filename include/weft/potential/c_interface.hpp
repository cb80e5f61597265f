// SPDX-License-Identifier: MIT
#pragma once

#include <weft/potential/calculator.hpp>
#include <weft/potential/load_mace.hpp>
#include <weft/potential/weft_potential.h>

#include <exception>
#include <memory>
#include <string>
#include <variant>

/// The definitions of weft_potential.h, which a source that includes this file exports. Several sources may.

// Inline, so that several sources agree, and emitted although only C calls them.
#define WEFT_C_FUNCTION extern "C" __attribute__((used)) inline

/// What the handle of the C interface points at.
struct weft_potential {
    using Single = weft::potential::Calculator<weft::potential::MACE<float>>;
    using Double = weft::potential::Calculator<weft::potential::MACE<double>>;
    std::unique_ptr<std::variant<Single, Double>> calculator;
    std::string error;
};

namespace weft::inline WEFT_ABI::potential::detail {

inline std::string& loading_error() {
    thread_local std::string text;
    return text;
}

template <class T>
Calculator<MACE<T>> c_calculator(const char* path, bool tabulated, double skin) {
    const MACE<T> model = load_mace<T>(path);
    return Calculator<MACE<T>>(tabulated ? model.tabulated() : model, {.skin = skin < 0 ? 0.5 : skin});
}

/// Runs f(); an exception becomes its message and a status that is not 0.
template <class F>
int guarded(std::string& message, F&& f) noexcept {
    try {
        f();
        return 0;
    } catch (const std::exception& e) {
        try {
            message = e.what();
        } catch (...) {
            message.clear(); // no memory for it
        }
    } catch (...) {
        message.clear();
    }
    return 1;
}

} // namespace weft::inline WEFT_ABI::potential::detail

WEFT_C_FUNCTION weft_potential* weft_potential_load(const char* path, const weft_potential_options* options) {
    namespace detail = weft::potential::detail;
    auto made = std::unique_ptr<weft_potential>();
    const weft_potential_options o = options ? *options : weft_potential_options{0, 0, -1};
    const int failed = detail::guarded(detail::loading_error(), [&] {
        if (!path) throw weft::error("weft_potential_load", "the path is NULL");
        made = std::make_unique<weft_potential>();
        using Any = std::variant<weft_potential::Single, weft_potential::Double>;
        made->calculator = o.double_precision
                               ? std::make_unique<Any>(detail::c_calculator<double>(path, o.tabulated != 0, o.skin))
                               : std::make_unique<Any>(detail::c_calculator<float>(path, o.tabulated != 0, o.skin));
    });
    return failed ? nullptr : made.release();
}

WEFT_C_FUNCTION void weft_potential_free(weft_potential* potential) { delete potential; }

WEFT_C_FUNCTION double weft_potential_cutoff(const weft_potential* potential) {
    return std::visit([](const auto& c) { return c.model().cutoff(); }, *potential->calculator);
}

WEFT_C_FUNCTION int weft_potential_knows(const weft_potential* potential, int atomic_number) {
    return std::visit(
        [&](const auto& c) {
            for (const auto known : c.model().atomic_numbers.values())
                if (known == atomic_number) return 1;
            return 0;
        },
        *potential->calculator);
}

WEFT_C_FUNCTION int weft_potential_compute(weft_potential* potential, int n, const double* positions,
                                           const int* species, const double* cell, const int* pbc, double* energy,
                                           double* forces, double* stress, double* node_energies) {
    return weft::potential::detail::guarded(potential->error, [&] {
        if (n < 0 || (n > 0 && (!positions || !species)) || !energy)
            throw weft::error("weft_potential_compute", "{} atoms: positions, species and energy must not be NULL", n);
        std::array<double, 9> vectors{};
        std::array<bool, 3> periodic{};
        if (cell) std::copy_n(cell, 9, vectors.begin());
        if (pbc)
            for (std::size_t k = 0; k < 3; ++k) periodic[k] = pbc[k] != 0;
        const auto count = static_cast<std::size_t>(n);
        const auto result = std::visit(
            [&](auto& c) {
                return c.compute({positions, 3 * count}, {species, count}, vectors, periodic);
            },
            *potential->calculator);
        *energy = result.energy;
        if (forces) std::copy(result.forces.begin(), result.forces.end(), forces);
        if (stress) std::copy(result.stress.begin(), result.stress.end(), stress);
        if (node_energies) std::copy(result.node_energies.begin(), result.node_energies.end(), node_energies);
    });
}

WEFT_C_FUNCTION const char* weft_potential_error(const weft_potential* potential) {
    return potential ? potential->error.c_str() : weft::potential::detail::loading_error().c_str();
}

#undef WEFT_C_FUNCTION
