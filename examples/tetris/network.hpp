// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3.hpp>

/// Convolutions of features on the cubes with the spherical harmonics of the edges; the readout of a shape is one
/// pseudo-scalar, which mirror images have with opposite signs, and seven scalars.
template <class T>
struct ShapeNetwork {
    struct Layer {
        weft::so3::WeightedTensorProduct<T> tp;
        weft::so3::Linear<T> lin;
        std::optional<weft::so3::Gate> gate;

        /// `wanted`: what the gate, or the last layer, is to have.
        Layer(const weft::so3::Irreps& in, const weft::so3::Irreps& wanted, const weft::so3::Irreps& harmonics,
              weft::Generator& generator)
            : tp(weft::so3::ConvolutionTensorProduct(in, harmonics, wanted, weft::so3::ConvolutionOrder::unsorted),
                 &generator),
              lin(tp.product.irreps_out(), wanted, {.generator = &generator}) {}

        template <class H, class Y>
        auto operator()(const weft::Graph& g, const H& h, const Y& harmonics) const {
            const auto sum = weft::so3::convolution(tp.product, g, h, harmonics, tp.weight);
            const auto y = lin(weft::eval(sum * T(1 / 1.5)));
            return gate ? (*gate)(y) : y;
        }
        void visit(auto&& v) {
            v("tp", tp);
            v("lin", lin);
        }
    };
    static constexpr int lmax = 2;
    std::vector<Layer> layers;

    /// `hidden`: irreps of the features between the layers. `pseudo_scalars`: whether the readout has one.
    ShapeNetwork(const weft::so3::Irreps& hidden, weft::Generator& generator, bool pseudo_scalars = true) {
        using namespace weft::so3;
        const auto harmonics = Irreps::spherical_harmonics(lmax);
        const Irreps scalars = hidden.up_to(0);
        const Irreps gated = hidden.filter([](const MulIrrep& term) { return term.ir.l > 0; });
        std::vector<Function> functions;
        for (const MulIrrep& term : scalars) functions.push_back(term.ir.p == 1 ? Function::silu : Function::tanh);
        const Irreps gates{MulIrrep{gated.num_irreps(), {0, 1}}};
        const Gate gate(scalars, functions, gates, {Function::sigmoid}, gated);
        layers.emplace_back("1x0e", gate.irreps_in(), harmonics, generator);
        layers.emplace_back(gate.irreps_out(), gate.irreps_in(), harmonics, generator);
        layers.emplace_back(gate.irreps_out(), pseudo_scalars ? "0o+7x0e" : "0x0o+7x0e", harmonics, generator);
        layers[0].gate = layers[1].gate = gate;
    }

    /// Positions [N, 3], which may be a Var, to the readouts [shapes, 8].
    template <class X>
    auto readout(const weft::Graph& g, const weft::Graph& members, const X& positions) const {
        using namespace weft;
        const auto vectors = edges(g, dst(positions) - src(positions));
        const auto harmonics = so3::spherical_harmonics(so3::degrees_up_to(lmax), vectors,
                                                        {.normalization = so3::Normalization::component});
        const auto ones = eval(slice(positions, 1, 0, 1) * T(0) + T(1)); // recorded where the positions are
        auto h = layers[0](g, ones, harmonics);
        for (std::size_t l = 1; l < layers.size(); ++l) h = layers[l](g, h, harmonics);
        return eval(sum_in(members, src(h)) * T(0.5));
    }
    /// From the readouts o, e1, ..., e7: o e1, -o e1, e2, ..., e7, so that a shape and its mirror image differ in the
    /// order of the first two. Without o the two are the same.
    template <class R>
    static auto logits(const R& readouts) {
        using namespace weft;
        const weft::index scalars = readouts.extent(1) - 7;
        const auto first = contiguous(slice(readouts, 1, scalars, scalars + 1));
        const auto others = contiguous(slice(readouts, 1, scalars + 1, scalars + 7));
        if (scalars == 0) return concat(1, first, first, others);
        const auto product = eval(slice(readouts, 1, 0, 1) * first);
        return concat(1, product, eval(-product), others);
    }
    template <class X>
    auto operator()(const weft::Graph& g, const weft::Graph& members, const X& positions) const {
        return logits(readout(g, members, positions));
    }

    void visit(auto&& v) { v("L", layers); }
};
