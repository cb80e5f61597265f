// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/nn/dual_module.hpp>
#include <weft/potential/structure_set.hpp>

namespace weft::inline WEFT_ABI::potential {

/// What a model says of the structures of a batch.
template <class T>
struct Prediction {
    Tensor<double, 1> energies; ///< [structures], beyond those of isolated atoms, in eV
    Tensor<T, 2> forces;        ///< [atoms, 3], in eV/Å
};

namespace detail {

/// The sums over the atoms of each structure, in double.
template <class T>
Tensor<double, 1> structure_sums(const Graph& members, const Tensor<T, 1>& of_atoms) {
    auto sums = Tensor<double, 1>::zeros({members.num_dst()});
    double* const to = sums.mutable_data();
    for (index a = 0; a < of_atoms.size(); ++a)
        to[members.destinations().data()[a]] += static_cast<double>(of_atoms.data()[a]);
    return sums;
}

} // namespace detail

/// Energies, and forces as their gradient. Parameters must not require gradients, else they get those of the energies.
template <class Model>
auto predict(const Model& model, const StructureBatch<typename Model::value_type>& batch) {
    using T = typename Model::value_type;
    const Var<T, 2> vectors{batch.vectors};
    const Var<T, 1> energies = model.node_energies(batch.atoms, vectors);
    Prediction<T> p{detail::structure_sums(batch.members, energies.value()), {}};
    backward(sum(energies));
    const Graph& g = batch.atoms.graph;
    if (vectors.has_grad()) {
        const Tensor<T, 2> pull = vectors.grad();
        p.forces = sum_out(g, edge(pull)) - sum_in(g, edge(pull));
    } else {
        p.forces = Tensor<T, 2>::zeros(batch.forces.shape());
    }
    return p;
}

/// energy_weight x the mean over structures of ((E - E') / atoms)^2 + forces_weight x the mean over components of (F -
/// F')^2: mace.modules.WeightedEnergyForcesLoss.
struct EnergyForcesLoss {
    double energy_weight = 1, forces_weight = 100;

    /// The loss of a prediction for a batch, added in double.
    template <class T>
    double operator()(const Prediction<T>& p, const StructureBatch<T>& batch) const {
        double energy = 0, force = 0;
        for (index s = 0; s < p.energies.size(); ++s) {
            const double error = (p.energies(s) - batch.energies(s)) / static_cast<double>(batch.sizes(s));
            energy += error * error;
        }
        for (index i = 0; i < p.forces.size(); ++i) {
            const double error = static_cast<double>(p.forces.data()[i]) - static_cast<double>(batch.forces.data()[i]);
            force += error * error;
        }
        return energy_weight * energy / std::max<double>(1, static_cast<double>(p.energies.size())) +
               forces_weight * force / std::max<double>(1, static_cast<double>(p.forces.size()));
    }
};

/// The gradient of that loss by the parameters of a model, which takes second derivatives of the energy: the derivative
/// of its gradient by the parameters in one direction of the positions, the errors of the forces, by forward mode over
/// reverse mode. It keeps a twin of the model over numbers with a tangent; `Model` is MACE or NequIP.
template <template <class> class Model, class T>
class LossGradient {
public:
    /// The parameters of the model will get gradients from here only.
    explicit LossGradient(const Model<T>& model) : dual_(model.template over<Dual<T>>()) {
        nn::requires_grad(model, false);
    }

    /// Adds the gradient of the loss to the gradients of the parameters; gives the loss.
    double operator()(const Model<T>& model, const StructureBatch<T>& batch, const EnergyForcesLoss& loss) {
        const Prediction<T> p = predict(model, batch);
        const double structures = static_cast<double>(p.energies.size());
        // The sum of <dL/dF, F> is the derivative of the energy in the direction -dL/dF.
        const Tensor<T, 2> direction =
            (batch.forces - p.forces) *
            static_cast<T>(2 * loss.forces_weight / std::max<double>(1, static_cast<double>(p.forces.size())));
        auto slopes = Tensor<T, 1>::empty({batch.num_atoms()}); // of the loss by the energy of each atom
        for (index a = 0; a < slopes.size(); ++a) {
            const index s = batch.members.destinations().data()[a];
            const auto atoms = static_cast<double>(batch.sizes(s));
            slopes.mutable_data()[a] = static_cast<T>(2 * loss.energy_weight / structures *
                                                      (p.energies(s) - batch.energies(s)) / (atoms * atoms));
        }
        nn::set_values_of_dual(model, dual_);
        const Tensor<T, 2> turned = edges(batch.atoms.graph, dst(direction) - src(direction));
        const Var<Dual<T>, 2> vectors{with_tangent(batch.vectors, turned)};
        backward(dual_.node_energies(batch.atoms, vectors), with_tangent(Tensor<T, 1>::ones(slopes.shape()), slopes));
        nn::add_tangents_of_gradients(dual_, model);
        return loss(p, batch);
    }

private:
    Model<Dual<T>> dual_;
};

} // namespace weft::inline WEFT_ABI::potential
