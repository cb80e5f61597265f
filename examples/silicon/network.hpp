// SPDX-License-Identifier: MIT
#pragma once

#include "clusters.hpp"

#include <weft/graph/edge_reduce.hpp>
#include <weft/so3.hpp>

/// What the densities around an atom are made to before the readout: nothing, which leaves a pair potential; all
/// products of three by the couplings of irreps; or powers as functions on the sphere.
enum class Bodies { pairs, contraction, gaunt };

/// A potential with one layer: densities of neighbours in spherical harmonics, products of up to three of them, a
/// linear readout.
template <class T>
struct Potential {
    static constexpr int lmax = 3, correlation = 3;
    static constexpr weft::index channels = 16, basis = 8, hidden = 32;

    Bodies bodies;
    weft::so3::FullyConnectedNet<T> radial; // to the radial function of each channel and degree
    weft::so3::GauntConvolution density{0, lmax, lmax};
    std::optional<weft::so3::SymmetricContraction<T>> contraction;
    std::optional<weft::so3::GauntManyBody<T>> many_body;
    weft::so3::Linear<T> readout;

    Potential(Bodies b, weft::Generator& generator)
        : bodies(b),
          radial({basis, hidden, channels * (lmax + 1)}, weft::so3::Function::silu, {.generator = &generator}),
          readout("16x0e", "1x0e", {.generator = &generator}) {
        if (b == Bodies::contraction)
            contraction.emplace(
                "16x0e+16x1o+16x2e+16x3o", "16x0e",
                weft::so3::SymmetricContractionOptions{.correlation = correlation, .generator = &generator});
        if (b == Bodies::gaunt)
            many_body.emplace(channels, lmax, 0,
                              weft::so3::GauntManyBodyOptions{.correlation = correlation, .generator = &generator});
    }

    /// Positions [atoms, 3], which may be a Var, to the energy of each cluster [clusters, 1].
    template <class X>
    auto operator()(const Batch& batch, const X& positions) const {
        using namespace weft;
        const Graph& g = batch.graph;
        const weft::index atoms = batch.positions.extent(0);
        const auto vectors = edges(g, dst(positions) - src(positions));
        const auto length = eval(sqrt(sum<1>(square(vectors))));
        const auto cut = so3::polynomial_cutoff(length, StillingerWeber::cutoff, 5);
        const auto radii = eval(so3::bessel_basis(length, StillingerWeber::cutoff, basis) * unsqueeze(cut, 1));
        const auto h = reshape(radial(radii), Extents<3>{g.num_edges(), channels, lmax + 1});
        // The product with the function 1 is the filter itself.
        const auto one = Tensor<T, 3>::full({atoms, channels, 1}, T(std::sqrt(4 * std::numbers::pi)));
        const auto a = eval(density(g, as_operand_of(positions, one), vectors, h) * T(1 / std::sqrt(5.0)));
        if (bodies == Bodies::contraction) return energies(batch, (*contraction)(a, batch.element));
        if (bodies == Bodies::gaunt)
            return energies(batch, reshape((*many_body)(a, batch.element), Extents<2>{atoms, channels}));
        return energies(batch, reshape(contiguous(slice(a, 2, 0, 1)), Extents<2>{atoms, channels}));
    }

    void visit(auto&& v) {
        v("radial", radial);
        v("contraction", contraction);
        v("many_body", many_body);
        v("readout", readout);
    }

private:
    template <class X>
    static auto as_operand_of(const X&, const weft::Tensor<T, 3>& constant) {
        if constexpr (weft::kind_of<X> == weft::Kind::var)
            return weft::Var<T, 3>{constant};
        else
            return constant;
    }
    template <class H>
    auto energies(const Batch& batch, const H& scalars) const {
        return weft::eval(weft::sum_in(batch.members, weft::src(readout(scalars))));
    }
};
