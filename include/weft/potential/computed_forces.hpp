// SPDX-License-Identifier: MIT
#pragma once

#include <weft/potential/potential.hpp>
#include <weft/potential/simulation_state.hpp>

#include <algorithm>
#include <vector>

namespace weft::inline WEFT_ABI::potential::detail {

/// Whether two tensors are equal; at once where they share memory, which neither can change alone.
template <class T, int N>
bool same_values(const Tensor<T, N>& a, const Tensor<T, N>& b) {
    return a.shape() == b.shape() && (a.data() == b.data() || std::equal(a.data(), a.data() + a.size(), b.data()));
}

/// The last result of a potential, kept until it is asked for something else.
class ComputedForces {
public:
    /// The potential at `positions` of the atoms of `state`; its spans stay valid until the next call. Errors: wrong
    /// shapes, positions, energy or forces that are not finite. Then the last result stays.
    template <Potential P>
    PotentialResult at(std::string_view operation, P& potential, const Tensor<double, 2>& positions,
                       const SimulationState& state) {
        if (potential_ == &potential && same_values(positions_, positions) && same_values(species_, state.species) &&
            cell_ == state.cell && pbc_ == state.pbc)
            return result();
        check_atoms(operation, positions, state.species);
        const PotentialResult result =
            potential.compute(positions.values(), state.species.values(), state.cell, state.pbc);
        if (static_cast<index>(result.forces.size()) != positions.size())
            throw error(operation, "the potential gives {} components of forces for {} atoms", result.forces.size(),
                        positions.shape()[0]);
        if (!std::isfinite(result.energy)) throw error(operation, "the energy is {}: must be finite", result.energy);
        require_finite(operation, "force", result.forces);

        forces_.assign(result.forces.begin(), result.forces.end());
        node_energies_.assign(result.node_energies.begin(), result.node_energies.end());
        result_ = result;
        potential_ = &potential;
        positions_ = positions;
        species_ = state.species;
        cell_ = state.cell;
        pbc_ = state.pbc;
        return this->result();
    }
    void forget() noexcept { potential_ = nullptr; }

private:
    PotentialResult result() const {
        PotentialResult result = result_;
        result.forces = forces_;
        result.node_energies = node_energies_;
        return result;
    }

    const void* potential_ = nullptr;
    Tensor<double, 2> positions_;
    Tensor<std::int32_t, 1> species_;
    std::array<double, 9> cell_{};
    std::array<bool, 3> pbc_{};
    std::vector<double> forces_, node_energies_;
    PotentialResult result_; // but for its spans
};

} // namespace weft::inline WEFT_ABI::potential::detail
