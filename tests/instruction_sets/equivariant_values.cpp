// SPDX-License-Identifier: MIT
#include "kernel_values.hpp"

#include <weft/core.hpp>
#include <weft/grad.hpp>
#include <weft/graph.hpp>
#include <weft/potential/calculator.hpp>
#include <weft/potential/mace.hpp>
#include <weft/so3.hpp>

#include <vector>

using namespace weft;

namespace {

template <class T>
void add_harmonics(KernelValues& values) {
    const Var<T, 2> x{numbers<T, 2>({45, 3}, 50)};
    const auto y = so3::spherical_harmonics({0, 1, 2, 3, 4, 5, 6}, x);
    values.add_with_gradients("spherical_harmonics", y, x);
}

template <class T>
void add_convolution(KernelValues& values) {
    constexpr weft::index nodes = 23, count = 117;
    Generator generator{52};
    auto ends = Tensor<std::int32_t, 2>::empty({2, count});
    fill_integers(generator, ends.mutable_data(), ends.size(), 0, nodes);
    const Graph g(ends, nodes);
    const so3::ConvolutionTensorProduct product("5x0e+5x1o+3x2e", "0e+1o+2e");
    const Var<T, 2> x{numbers<T, 2>({nodes, product.irreps_in1().dim()}, 53)};
    const Var<T, 2> y{numbers<T, 2>({count, product.irreps_in2().dim()}, 54)};
    const Var<T, 2> w{numbers<T, 2>({count, product.weight_numel()}, 55)};
    values.add_with_gradients("convolution", so3::convolution(product, g, x, y, w), x, y, w);
}

template <class T>
void add_contraction(KernelValues& values) {
    Generator generator{57};
    const so3::SymmetricContraction<T> layer("7x0e+7x1o+7x2e", "7x0e+7x1o",
                                             {.correlation = 3, .num_elements = 2, .generator = &generator});
    auto element = Tensor<weft::index, 1>::empty({9});
    for (weft::index i = 0; i < element.size(); ++i) element.mutable_data()[i] = i % 2;
    const Var<T, 3> x{numbers<T, 3>({9, 7, 9}, 58)};
    values.add_with_gradients("symmetric_contraction", layer(x, element), x);
}

/// A small MACE of given, not learnt, weights on some atoms in a cell.
void add_potential(KernelValues& values) {
    Generator generator{60};
    potential::Calculator model{potential::MACE<double>({.atomic_numbers = {1, 8},
                                                         .atomic_energies = {-13, -2000},
                                                         .r_max = 3,
                                                         .num_bessel = 6,
                                                         .max_ell = 2,
                                                         .hidden_irreps = "8x0e+8x1o",
                                                         .radial_mlp = {16, 16},
                                                         .avg_num_neighbors = 5,
                                                         .generator = &generator})};
    constexpr weft::index atoms = 12;
    std::vector<double> positions;
    std::vector<std::int32_t> species;
    const auto moved = numbers<double, 2>({atoms, 3}, 61);
    for (weft::index i = 0; i < atoms; ++i) {
        for (weft::index k = 0; k < 3; ++k) {
            const weft::index place = k == 0 ? i % 2 : k == 1 ? i / 2 % 2 : i / 4;
            positions.push_back(1.5 * static_cast<double>(place) + 0.25 * moved(i, k));
        }
        species.push_back(i % 3 == 0 ? 8 : 1);
    }
    const auto result = model.compute(positions, species, {4, 0, 0, 0.5, 4, 0, 0, 0, 6}, {true, true, false});
    const auto tensor = [](std::span<const double> x) {
        return Tensor<double, 1>::from(x, {static_cast<weft::index>(x.size())});
    };
    values.add("mace_forces", tensor(result.forces));
    values.add("mace_virial", tensor(result.virial));
    // Energies of isolated atoms are thousands of times those of bonds.
    std::vector<double> bonds(result.node_energies.begin(), result.node_energies.end());
    for (std::size_t i = 0; i < bonds.size(); ++i) bonds[i] += species[i] == 8 ? 2000 : 13;
    values.add("mace_energies", tensor(bonds));
}

} // namespace

void add_equivariant_values(KernelValues& values) {
    add_harmonics<float>(values);
    add_harmonics<double>(values);
    add_convolution<float>(values);
    add_convolution<double>(values);
    add_contraction<float>(values);
    add_contraction<double>(values);
    add_potential(values);
}
