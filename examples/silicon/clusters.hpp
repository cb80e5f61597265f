// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/dual.hpp>
#include <weft/graph/graph.hpp>
#include <weft/nn/init.hpp>

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

/// The potential of Stillinger and Weber for silicon (Physical Review B 31, 5262, 1985), in electron volts and
/// angstroms: of pairs, and of angles between two bonds of an atom.
struct StillingerWeber {
    static constexpr double epsilon = 2.1683, sigma = 2.0951, A = 7.049556277, B = 0.6022245584, a = 1.8, lambda = 21,
                            gamma = 1.2, cutoff = a * sigma;

    template <class T>
    static T energy(const std::vector<std::array<T, 3>>& positions) {
        struct Bond {
            std::array<T, 3> direction;
            T decay;
        };
        T sum(0);
        for (std::size_t i = 0; i < positions.size(); ++i) {
            std::vector<Bond> bonds;
            for (std::size_t j = 0; j < positions.size(); ++j) {
                if (j == i) continue;
                std::array<T, 3> d;
                for (std::size_t k = 0; k < 3; ++k) d[k] = positions[j][k] - positions[i][k];
                const T length = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]), r = length * T(1 / sigma);
                if (r >= T(a)) continue;
                const T inverse = T(1) / (r - T(a)), r2 = r * r;
                sum = sum + T(0.5 * A) * (T(B) / (r2 * r2) - T(1)) * exp(inverse); // each pair twice
                for (T& x : d) x = x / length;
                bonds.push_back({d, exp(T(gamma) * inverse)});
            }
            for (std::size_t j = 0; j < bonds.size(); ++j)
                for (std::size_t k = 0; k < j; ++k) {
                    const auto &p = bonds[j].direction, &q = bonds[k].direction;
                    const T bend = p[0] * q[0] + p[1] * q[1] + p[2] * q[2] + T(1.0 / 3);
                    sum = sum + T(lambda) * bend * bend * bonds[j].decay * bonds[k].decay;
                }
        }
        return T(epsilon) * sum;
    }
};

struct Cluster {
    std::vector<std::array<double, 3>> positions, forces;
    double energy = 0;
};

/// 8 to 12 atoms, each beside one that is there, none nearer to another than the bonds in the crystal are long, about.
inline Cluster random_cluster(weft::Generator& generator) {
    using Number = weft::Dual<double>;
    auto uniform = [&, numbers = weft::Tensor<double, 1>::empty({64}), next = weft::index{64}]() mutable {
        if (next == numbers.size()) {
            weft::nn::uniform(numbers, generator, 0, 1);
            next = 0;
        }
        return numbers.data()[next++];
    };
    Cluster c{{{0, 0, 0}}, {}, 0};
    const auto atoms = static_cast<std::size_t>(8 + 5 * uniform());
    while (c.positions.size() < atoms) {
        const auto& beside = c.positions[static_cast<std::size_t>(uniform() * static_cast<double>(c.positions.size()))];
        const double up = 2 * uniform() - 1, around = 2 * std::acos(-1.0) * uniform(), r = 2.2 + 0.5 * uniform();
        const double flat = std::sqrt(1 - up * up);
        const std::array<double, 3> at{beside[0] + r * flat * std::sin(around), beside[1] + r * up,
                                       beside[2] + r * flat * std::cos(around)};
        bool free = true;
        for (const auto& other : c.positions)
            free = free && std::hypot(at[0] - other[0], at[1] - other[1], at[2] - other[2]) >= 2.2;
        if (free) c.positions.push_back(at);
    }
    std::vector<std::array<Number, 3>> moving(atoms);
    for (std::size_t i = 0; i < atoms; ++i)
        for (std::size_t k = 0; k < 3; ++k) moving[i][k] = Number(c.positions[i][k]);
    c.forces.resize(atoms);
    for (std::size_t i = 0; i < atoms; ++i)
        for (std::size_t k = 0; k < 3; ++k) {
            moving[i][k].tangent = 1;
            const Number energy = StillingerWeber::energy(moving);
            moving[i][k].tangent = 0;
            c.forces[i][k] = -energy.tangent;
            c.energy = energy.value;
        }
    return c;
}

/// Several clusters as one graph, with an edge each way between atoms that the potential sees.
struct Batch {
    weft::Graph graph, members;               // members: from atoms to their cluster
    weft::Tensor<float, 2> positions, forces; // [atoms, 3]
    weft::Tensor<float, 1> energies, atoms;   // of each cluster
    weft::Tensor<std::int32_t, 1> element;    // all the same

    Batch(const Cluster* first, const Cluster* last) {
        std::vector<std::pair<weft::index, weft::index>> near, of_cluster;
        std::vector<float> at, force, energy, count;
        weft::index begin = 0;
        for (const Cluster* c = first; c != last; ++c) {
            const auto n = static_cast<weft::index>(c->positions.size());
            for (weft::index i = 0; i < n; ++i) {
                const auto& p = c->positions[static_cast<std::size_t>(i)];
                for (std::size_t k = 0; k < 3; ++k) {
                    at.push_back(static_cast<float>(p[k]));
                    force.push_back(static_cast<float>(c->forces[static_cast<std::size_t>(i)][k]));
                }
                of_cluster.push_back({begin + i, c - first});
                for (weft::index j = 0; j < n; ++j) {
                    const auto& q = c->positions[static_cast<std::size_t>(j)];
                    if (i != j && std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]) < StillingerWeber::cutoff)
                        near.push_back({begin + j, begin + i});
                }
            }
            energy.push_back(static_cast<float>(c->energy));
            count.push_back(static_cast<float>(n));
            begin += n;
        }
        const auto clusters = static_cast<weft::index>(last - first);
        graph = weft::Graph::from_edges(near, begin);
        members = weft::Graph::from_edges(of_cluster, begin, clusters);
        positions = weft::Tensor<float, 2>::from(std::span<const float>(at), {begin, 3});
        forces = weft::Tensor<float, 2>::from(std::span<const float>(force), {begin, 3});
        energies = weft::Tensor<float, 1>::from(std::span<const float>(energy), {clusters});
        atoms = weft::Tensor<float, 1>::from(std::span<const float>(count), {clusters});
        element = weft::Tensor<std::int32_t, 1>::zeros({begin});
    }
};
