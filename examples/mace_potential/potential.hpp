// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/index.hpp>
#include <weft/potential/potential.hpp>

#include <memory>
#include <string>

namespace mace_potential {

using weft::index;
using weft::potential::PotentialResult;

struct ModelOptions {
    std::string file; ///< empty: the model that is part of the program
    std::string precision = "float";
    bool tabulated = false; ///< whether the weights of messages are read from tables
    bool unfused = false;   ///< whether it is computed one operation after the other, with all between in memory
    double skin = 0.5;      ///< see weft::potential::CalculatorOptions
};

/// A model in either precision, which is a weft::potential::Potential. Only two files compile it, each in one of them.
class AnyPotential {
public:
    AnyPotential() = default;
    AnyPotential(const AnyPotential&) = delete;
    AnyPotential& operator=(const AnyPotential&) = delete;
    virtual ~AnyPotential() = default;

    virtual PotentialResult compute(std::span<const double> positions, std::span<const std::int32_t> species,
                                    const std::array<double, 9>& cell, const std::array<bool, 3>& pbc) = 0;
    /// What it is, in a line.
    virtual std::string description() const = 0;
    /// How often neighbours were listed.
    virtual index rebuilds() const = 0;
    /// Edges of the structure last computed.
    virtual index edges() const = 0;
};

/// Errors: see weft::potential::load_mace; a skin that is negative or not finite.
template <class T>
std::unique_ptr<AnyPotential> load(const ModelOptions& options);
extern template std::unique_ptr<AnyPotential> load<float>(const ModelOptions&);
extern template std::unique_ptr<AnyPotential> load<double>(const ModelOptions&);

inline std::unique_ptr<AnyPotential> load_potential(const ModelOptions& options) {
    return options.precision == "float" ? load<float>(options) : load<double>(options);
}

} // namespace mace_potential
