// SPDX-License-Identifier: MIT
// The network of examples/tetris, trained as the reference trained it, number by number.
#include "../../examples/tetris/network.hpp"
#include "../../examples/tetris/shapes.hpp"
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/nn/adam.hpp>
#include <weft/nn/loss.hpp>

using namespace weft_test;
using weft::Graph, weft::Tensor, weft::Var;
namespace so3 = weft::so3;

TEST_CASE("a classifier of shapes: 15 steps of training", "[so3][golden]") {
    with_golden_case("equivariant-core", "tetris_training", "", [](GoldenCase& g) {
        const Tolerance tolerance{.relative = 1e-8, .absolute = 1e-8};
        const auto positions = g.get<double, 2>("pos");
        const auto labels = g.get<std::int64_t, 1>("label");
        const weft::index nodes = positions.extent(0), shapes = labels.size();
        const Graph graph(g.get<std::int64_t, 1>("edge_src"), g.get<std::int64_t, 1>("edge_dst"), nodes, nodes);
        auto owners = Tensor<std::int64_t, 1>::empty({nodes}), all = Tensor<std::int64_t, 1>::empty({nodes});
        for (weft::index i = 0; i < nodes; ++i) {
            owners.mutable_data()[i] = i / (nodes / shapes);
            all.mutable_data()[i] = i;
        }
        const Graph members(all, owners, nodes, shapes);

        weft::Generator generator{0};
        ShapeNetwork<double> network(so3::Irreps(std::string_view(g.metadata().at("hidden"))), generator);
        for (std::size_t l = 0; l < network.layers.size(); ++l) {
            const std::string layer = "layer" + std::to_string(l);
            const auto& product = network.layers[l].tp.product;
            REQUIRE(irreps_of(g, layer + ".tp.irreps_in1") == product.irreps_in1());
            REQUIRE(irreps_of(g, layer + ".tp.irreps_out") == product.irreps_out());
            REQUIRE(irreps_of(g, layer + ".linear.irreps_out") == network.layers[l].lin.irreps_out());
            const auto expected = g.get<std::int64_t, 2>(layer + ".tp.instructions");
            REQUIRE(expected.extent(0) == static_cast<weft::index>(product.instructions().size()));
            for (weft::index i = 0; i < expected.extent(0); ++i) {
                const so3::Instruction& own = product.instructions()[static_cast<std::size_t>(i)];
                REQUIRE(expected(i, 0) == own.in1);
                REQUIRE(expected(i, 1) == own.in2);
                REQUIRE(expected(i, 2) == own.out);
            }
            g.compare(layer + ".tp.path_coeff",
                      Tensor<double, 1>::from(std::span<const double>(product.path_coefficients()),
                                              {static_cast<weft::index>(product.path_coefficients().size())}));
        }
        weft::nn::for_each_parameter(network, [&]<int N>(std::string_view name, weft::Parameter<double, N>& p) {
            p.set_value(g.get<double, N>("init." + std::string(name)));
        });
        g.compare("readout_step0", network.readout(graph, members, positions), tolerance);
        g.compare("logits_step0", Tensor<double, 2>(network(graph, members, positions)), tolerance);

        weft::nn::Adam adam{network, {.lr = 0.02}};
        const auto expected = g.get<double, 1>("losses");
        auto losses = Tensor<double, 1>::empty(expected.shape());
        for (weft::index step = 0; step < losses.size(); ++step) {
            const auto loss = weft::nn::cross_entropy(network(graph, members, Var{positions}), labels);
            losses.mutable_data()[step] = loss.value().item();
            adam.clear_grad();
            weft::backward(loss);
            if (step == 0)
                weft::nn::for_each_parameter(network, [&](std::string_view name, const auto& p) {
                    g.compare("grad0." + std::string(name), p.grad(), tolerance);
                });
            adam.step();
        }
        g.compare("losses", losses, tolerance);
        g.compare("logits_after15", Tensor<double, 2>(network(graph, members, positions)), tolerance);
    });
}

TEST_CASE("a classifier of shapes: logits follow no rotation, mirror images change places", "[so3]") {
    const Shapes shapes;
    weft::Generator generator{1};
    const ShapeNetwork<double> network("2x0e+2x0o+2x1o+2x1e+1x2e+1x2o", generator);
    const Tensor<double, 2> before = network(shapes.graph, shapes.members, shapes.positions);
    const auto rotation = so3::Rotation::from_angles({0.4, 1.2, -2});
    const Tensor<double, 2> after = network(shapes.graph, shapes.members, shapes.turned(rotation, {1, 2, 3}));
    const Tensor<double, 2> mirrored =
        network(shapes.graph, shapes.members, shapes.turned(rotation * so3::Rotation::inversion(), {0, 0, 0}));
    for (weft::index s = 0; s < Shapes::count; ++s)
        for (weft::index c = 0; c < 8; ++c) {
            REQUIRE(after(s, c) == Approx(before(s, c)).margin(1e-10));
            REQUIRE(mirrored(s, c) == Approx(before(s, c < 2 ? 1 - c : c)).margin(1e-10));
        }
}
