// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/batch.hpp>
#include <weft/graph/edge_vectors.hpp>
#include <weft/graph/neighbor_list.hpp>
#include <weft/io/atoms.hpp>
#include <weft/io/zip.hpp>
#include <weft/potential/atom_graph.hpp>

#include <cmath>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace weft::inline WEFT_ABI::potential {

/// Under which names the structures have their energies (in eV) and forces (in eV/Å).
struct LabelKeys {
    std::string energy = "energy", forces = "forces";
};

/// Several structures as one graph, with what a model should say of them.
template <class T>
struct StructureBatch {
    AtomGraph atoms;
    Graph members;              ///< edges from each atom to its structure
    Tensor<T, 2> vectors;       ///< [edges, 3], from sender to receiver
    Tensor<double, 1> energies; ///< [structures], beyond those of isolated atoms
    Tensor<T, 2> forces;        ///< [atoms, 3]
    Tensor<T, 1> sizes;         ///< [structures], numbers of atoms

    /// Structures.
    index num_structures() const { return members.num_dst(); }
    /// Atoms of all structures.
    index num_atoms() const { return members.num_src(); }
};

/// Structures with energies and forces, and the neighbours in each, found once: for training and testing a model.
class StructureSet {
public:
    /// One structure with what is known of it.
    struct Structure {
        Tensor<std::int32_t, 1> species; ///< atomic numbers
        NeighborList neighbors;
        Tensor<double, 2> vectors; ///< [edges, 3]
        double energy = 0;
        Tensor<double, 2> forces; ///< [atoms, 3]

        /// Whether it is one atom without neighbours.
        bool is_isolated_atom() const { return species.size() == 1 && neighbors.graph.num_edges() == 0; }
    };
    std::vector<Structure> structures;

    StructureSet() = default;
    /// `cutoff` in Å. A structure of one atom needs no forces: they are 0, whatever its periodic images. Errors: a
    /// structure without energy or forces, or with some that are not finite, or whose neighbours cannot be listed; each
    /// with its number.
    StructureSet(std::span<const io::Atoms> atoms, double cutoff, const LabelKeys& keys = {}) : cutoff_(cutoff) {
        for (std::size_t i = 0; i < atoms.size(); ++i) {
            const auto energy = atoms[i].energy(keys.energy);
            auto forces = atoms[i].forces(keys.forces);
            if (!forces && atoms[i].size() == 1) forces = Tensor<double, 2>::zeros({1, 3});
            if (!energy || !forces)
                throw error("StructureSet", "structure {} has no {}", i, energy ? keys.forces : keys.energy);
            const auto finite = [](double x) { return std::isfinite(x); };
            if (!finite(*energy) || !std::all_of(forces->values().begin(), forces->values().end(), finite))
                throw error("StructureSet", "structure {}: {} must be finite", i,
                            finite(*energy) ? keys.forces : keys.energy);
            const Cell cell{atoms[i].cell, atoms[i].pbc};
            Structure s{atoms[i].numbers, neighbor_list(atoms[i].positions, cell, cutoff), {}, *energy, *forces};
            s.vectors = edge_vectors(s.neighbors, atoms[i].positions, cell);
            require_apart(i, s);
            structures.push_back(std::move(s));
        }
    }

    index size() const { return static_cast<index>(structures.size()); }
    /// Neighbours are at most so far away, in Å.
    double cutoff() const { return cutoff_; }
    /// CRC-32 of all that a model can learn: it tells other structures, and other labels.
    std::uint32_t checksum() const {
        std::uint32_t crc = 0;
        const auto add = [&](const auto& values) { crc = io::detail::crc32(std::as_bytes(std::span(values)), crc); };
        for (const Structure& s : structures) {
            add(s.species.values());
            add(s.neighbors.graph.sources().values());
            add(s.neighbors.graph.destinations().values());
            add(s.vectors.values());
            add(std::span(&s.energy, 1));
            add(s.forces.values());
        }
        return crc;
    }
    /// The others: of isolated atoms a model has the energies already.
    StructureSet without_isolated_atoms() const {
        StructureSet others = *this;
        std::erase_if(others.structures, [](const Structure& s) { return s.is_isolated_atom(); });
        return others;
    }

    /// Of the elements that are there, ascending.
    std::vector<int> atomic_numbers() const {
        std::set<int> numbers;
        for (const Structure& s : structures) numbers.insert(s.species.values().begin(), s.species.values().end());
        return {numbers.begin(), numbers.end()};
    }
    /// Neighbours of an atom, on average.
    double avg_num_neighbors() const {
        double edges = 0, atoms = 0;
        for (const Structure& s : structures) {
            edges += static_cast<double>(s.neighbors.graph.num_edges());
            atoms += static_cast<double>(s.species.size());
        }
        return atoms > 0 ? edges / atoms : 0;
    }
    /// The root of the mean square of the components of forces, in eV/Å.
    double forces_rms() const {
        double squares = 0, count = 0;
        for (const Structure& s : structures)
            for (const double f : s.forces.values()) squares += f * f, ++count;
        return count > 0 ? std::sqrt(squares / count) : 0;
    }

    /// Some of the structures, by number, as one graph. Errors: an element that the model does not know.
    template <class Model>
    auto batch(const Model& model, std::span<const index> numbers) const {
        using T = typename Model::value_type;
        index atoms = 0, edges = 0;
        for (const index i : numbers) {
            const Structure& s = structures[static_cast<std::size_t>(i)];
            atoms += s.species.size();
            edges += s.neighbors.graph.num_edges();
        }
        auto species = Tensor<std::int32_t, 1>::empty({atoms}), structure = species;
        auto sources = Tensor<std::int32_t, 1>::empty({edges}), destinations = sources;
        auto shifts = Tensor<std::int32_t, 2>::empty({edges, 3});
        StructureBatch<T> b;
        b.vectors = Tensor<T, 2>::empty({edges, 3});
        b.forces = Tensor<T, 2>::empty({atoms, 3});
        b.energies = Tensor<double, 1>::empty({static_cast<index>(numbers.size())});
        b.sizes = Tensor<T, 1>::empty(b.energies.shape());
        index atom = 0, edge = 0, at = 0;
        for (const index i : numbers) {
            const Structure& s = structures[static_cast<std::size_t>(i)];
            const index n = s.species.size(), m = s.neighbors.graph.num_edges();
            std::copy_n(s.species.data(), n, species.mutable_data() + atom);
            std::fill_n(structure.mutable_data() + atom, n, static_cast<std::int32_t>(at));
            std::copy_n(s.forces.data(), 3 * n, b.forces.mutable_data() + 3 * atom);
            std::copy_n(s.vectors.data(), 3 * m, b.vectors.mutable_data() + 3 * edge);
            std::copy_n(s.neighbors.shifts.data(), 3 * m, shifts.mutable_data() + 3 * edge);
            const auto moved = [&](std::int32_t node) { return node + static_cast<std::int32_t>(atom); };
            std::transform(s.neighbors.graph.sources().data(), s.neighbors.graph.sources().data() + m,
                           sources.mutable_data() + edge, moved);
            std::transform(s.neighbors.graph.destinations().data(), s.neighbors.graph.destinations().data() + m,
                           destinations.mutable_data() + edge, moved);
            b.energies.mutable_data()[at] = interaction_energy(model, s);
            b.sizes.mutable_data()[at++] = static_cast<T>(n);
            atom += n;
            edge += m;
        }
        b.atoms = model.atom_graph(NeighborList{Graph::unchecked(sources, destinations, atoms, atoms), shifts},
                                   model.elements_of(species.values()));
        b.members = graph_members(structure, at);
        return b;
    }

private:
    template <class Model>
    static double interaction_energy(const Model& model, const Structure& s) {
        double energy = s.energy;
        const auto elements = model.elements_of(s.species.values());
        for (const std::int32_t element : elements.values()) energy -= model.atomic_energy(element);
        return energy;
    }
    static void require_apart(std::size_t number, const Structure& s) {
        try {
            potential::require_apart(s.neighbors, s.vectors);
        } catch (const Error& e) {
            throw error("StructureSet", "structure {}: {}", number, e.what());
        }
    }

    double cutoff_ = 0;
};

} // namespace weft::inline WEFT_ABI::potential
