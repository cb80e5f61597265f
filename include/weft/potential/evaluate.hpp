// SPDX-License-Identifier: MIT
#pragma once

#include <weft/potential/energy_forces_loss.hpp>

#include <numeric>

namespace weft::inline WEFT_ABI::potential {

/// The mean absolute error, and the root of the mean square error.
struct Deviation {
    double mae = 0, rmse = 0;
};

/// How far a model is from the energies and forces of structures.
struct Evaluation {
    Deviation energy;          ///< of structures, in meV
    Deviation energy_per_atom; ///< of energies of structures divided by their numbers of atoms, in meV
    Deviation forces;          ///< of components, in meV/Å

    /// The loss of all structures as one batch, in eV.
    double loss(const EnergyForcesLoss& weights) const {
        const auto square = [](double milli) { return milli * milli * 1e-6; };
        return weights.energy_weight * square(energy_per_atom.rmse) + weights.forces_weight * square(forces.rmse);
    }
};

/// Compares a model with a set. Errors: an element that the model does not know; a batch_size below 1.
template <class Model>
Evaluation evaluate(const Model& model, const StructureSet& set, index batch_size = 10) {
    if (batch_size < 1) throw error("evaluate", "batch_size is {}: must be at least 1", batch_size);
    const Model quiet = nn::clone(model); // whose parameters get no gradients of energies
    nn::requires_grad(quiet, false);
    struct Sum {
        double absolute = 0, square = 0, count = 0;
        void add(double error) {
            absolute += std::abs(error);
            square += error * error;
            ++count;
        }
        Deviation deviation() const {
            const double n = std::max(1.0, count);
            return {1000 * absolute / n, 1000 * std::sqrt(square / n)};
        }
    } energy, energy_per_atom, forces;
    std::vector<index> numbers(static_cast<std::size_t>(set.size()));
    std::iota(numbers.begin(), numbers.end(), index{0});
    for (std::size_t begin = 0; begin < numbers.size(); begin += static_cast<std::size_t>(batch_size)) {
        const std::size_t count = std::min(static_cast<std::size_t>(batch_size), numbers.size() - begin);
        const auto batch = set.batch(quiet, std::span<const index>(numbers).subspan(begin, count));
        const auto p = predict(quiet, batch);
        for (index s = 0; s < p.energies.size(); ++s) {
            const double error = p.energies(s) - batch.energies(s);
            energy.add(error);
            energy_per_atom.add(error / static_cast<double>(batch.sizes(s)));
        }
        for (index i = 0; i < p.forces.size(); ++i)
            forces.add(static_cast<double>(p.forces.data()[i]) - static_cast<double>(batch.forces.data()[i]));
    }
    return {energy.deviation(), energy_per_atom.deviation(), forces.deviation()};
}

} // namespace weft::inline WEFT_ABI::potential
