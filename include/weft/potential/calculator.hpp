// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/edge_vectors.hpp>
#include <weft/graph/verlet_list.hpp>
#include <weft/nn/module.hpp>
#include <weft/potential/atom_graph.hpp>
#include <weft/potential/potential.hpp>

#include <optional>
#include <vector>

namespace weft::inline WEFT_ABI::potential {

/// Options of `Calculator`.
struct CalculatorOptions {
    /// In Å: pairs that are so much further apart than the cutoff are listed too, so that the list of neighbours is
    /// made anew only when an atom has moved by half of it. Results do not depend on it.
    double skin = 0.5;
};

/// Energies, forces and stresses of structures by a model: what simulations ask (see Potential). The model, MACE or
/// NequIP, gives the energy of each atom as a function of the vectors to its neighbours; forces and stress are its
/// gradient. Nothing is asked of the system while the list of neighbours stays the same. Not to be called from two
/// threads at once; itself it uses all.
template <class Model>
class Calculator {
public:
    using T = typename Model::value_type;

    /// Shares the model's parameters, which get no gradients from here on. Errors: a skin that is negative or not
    /// finite.
    explicit Calculator(Model model, const CalculatorOptions& options = {})
        : model_(std::move(model)), list_(model_.cutoff(), options.skin) {
        nn::requires_grad(model_, false);
    }

    /// The model, as it is used.
    const Model& model() const { return model_; }
    /// Within the cutoff at the positions last computed.
    const NeighborList& neighbors() const { return *neighbors_; }
    /// How often the list of neighbours was made.
    index rebuilds() const { return list_.rebuilds(); }

    /// For positions [n, 3] in Å, species [n] as atomic numbers, the rows of cell [3, 3] as lattice vectors in Å and
    /// pbc [3], along which of them it repeats. The result is valid until the next call. Errors: sizes that do not fit;
    /// what is not finite; an element that the model does not know; two atoms in the same place; a singular cell. Then
    /// the next call works as if this had not been made.
    PotentialResult compute(std::span<const double> positions, std::span<const std::int32_t> species,
                            const std::array<double, 9>& cell, const std::array<bool, 3>& pbc) {
        if (positions.size() != 3 * species.size())
            throw error("compute", "there are {} coordinates of {} atoms: must be three for each", positions.size(),
                        species.size());
        take_species(species);
        const Cell box{cell, pbc};
        neighbors_ = &list_.update(positions, box);
        const Graph& graph = neighbors_->graph;
        if (!graph.same_as(atoms_graph_) || elements_changed_) {
            atoms_ = model_.atom_graph(*neighbors_, element_);
            atoms_graph_ = graph;
            elements_changed_ = false;
        }
        const auto n = static_cast<index>(species.size());
        const Tensor<double, 2> exact = edge_vectors(*neighbors_, positions, box);
        require_apart(*neighbors_, exact);
        const Var<T, 2> vectors{Tensor<T, 2>(cast<T>(exact))};
        const Var<T, 1> energies = model_.node_energies(atoms_, vectors);
        result_ = {};
        take_energies(energies.value(), n);
        backward(sum(energies));
        take_forces(vectors, exact, n, box);
        return result_;
    }

private:
    void take_species(std::span<const std::int32_t> species) {
        if (element_.size() == static_cast<index>(species.size()) &&
            std::equal(species.begin(), species.end(), species_.begin()))
            return;
        auto element = model_.elements_of(species);
        species_.assign(species.begin(), species.end());
        element_ = std::move(element);
        elements_changed_ = true;
    }

    void take_energies(const Tensor<T, 1>& interaction, index n) {
        node_energies_.resize(static_cast<std::size_t>(n));
        for (index i = 0; i < n; ++i) {
            double& energy = node_energies_[static_cast<std::size_t>(i)];
            energy = model_.atomic_energy(element_.data()[i]) + static_cast<double>(interaction.data()[i]);
            result_.energy += energy;
        }
        result_.node_energies = node_energies_;
    }
    /// An edge's gradient pulls its two atoms; with its vector it makes the virial.
    void take_forces(const Var<T, 2>& vectors, const Tensor<double, 2>& exact, index n, const Cell& cell) {
        forces_.assign(static_cast<std::size_t>(3 * n), 0.0);
        result_.forces = forces_;
        if (!vectors.has_grad()) return;
        const Graph& g = neighbors_->graph;
        const Tensor<T, 2> gradient = vectors.grad();
        const T* const pull = gradient.data();
        const double* const vector = exact.data();
        const std::int32_t *const from = g.sources().data(), *const at = g.destinations().data();
        std::array<double, 9> sums{};
        for (index e = 0; e < g.num_edges(); ++e)
            for (std::size_t k = 0; k < 3; ++k) {
                const auto slope = static_cast<double>(pull[3 * e + static_cast<index>(k)]);
                forces_[static_cast<std::size_t>(3 * from[e]) + k] += slope;
                forces_[static_cast<std::size_t>(3 * at[e]) + k] -= slope;
                for (std::size_t l = 0; l < 3; ++l) sums[3 * l + k] += vector[3 * e + static_cast<index>(l)] * slope;
            }
        const double volume = cell.volume();
        for (std::size_t k = 0; k < 3; ++k)
            for (std::size_t l = 0; l < 3; ++l) {
                const double slope = 0.5 * (sums[3 * k + l] + sums[3 * l + k]);
                result_.virial[3 * k + l] = -slope;
                result_.stress[3 * k + l] = volume > 0 ? slope / volume : 0;
            }
    }

    Model model_;
    VerletList list_;
    const NeighborList* neighbors_ = nullptr;
    std::vector<std::int32_t> species_;
    Tensor<std::int32_t, 1> element_;
    bool elements_changed_ = true;
    AtomGraph atoms_;
    Graph atoms_graph_;
    std::vector<double> node_energies_, forces_;
    PotentialResult result_;
};

} // namespace weft::inline WEFT_ABI::potential
