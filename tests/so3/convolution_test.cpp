// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/core/views.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/convolution.hpp>
#include <weft/so3/wigner_d.hpp>

using namespace weft_test;
using weft::Extents, weft::Graph, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Instruction, so3::Irreps, so3::ProductMode;

namespace {

/// The edges' products one by one, then their sums.
template <class T>
Tensor<T, 2> by_edges(const so3::TensorProduct& product, const Graph& g, const Tensor<T, 2>& x, const Tensor<T, 2>& y,
                      const Tensor<T, 2>& w) {
    auto gathered = Tensor<T, 2>::empty({g.num_edges(), x.extent(1)});
    for (weft::index e = 0; e < g.num_edges(); ++e)
        std::copy_n(x.data() + g.sources().data()[e] * x.extent(1), x.extent(1),
                    gathered.mutable_data() + e * x.extent(1));
    const Tensor<T, 2> messages = product(gathered, y, w);
    auto sums = Tensor<T, 2>::zeros({g.num_dst(), messages.extent(1)});
    for (weft::index e = 0; e < g.num_edges(); ++e)
        for (weft::index c = 0; c < messages.extent(1); ++c)
            sums.mutable_data()[g.destinations().data()[e] * messages.extent(1) + c] += messages(e, c);
    return sums;
}

Graph some_graph(weft::index sources, weft::index destinations, weft::index edges) {
    auto ends = Tensor<std::int32_t, 2>::empty({2, edges});
    std::uint32_t state = 12345;
    const auto next = [&](weft::index n) {
        state = state * 1664525u + 1013904223u;
        return static_cast<std::int32_t>((state >> 8) % static_cast<std::uint32_t>(n));
    };
    for (weft::index e = 0; e < edges; ++e) {
        ends.mutable_data()[e] = next(sources);
        ends.mutable_data()[edges + e] = next(destinations);
    }
    return Graph(ends, sources, destinations);
}

} // namespace

TEST_CASE("convolution: as in e3nn", "[so3][golden]") {
    with_golden_case("equivariant-core", "conv_scatter", "", [](GoldenCase& g) {
        const auto instructions = g.get<std::int64_t, 2>("instructions");
        std::vector<Instruction> list;
        for (weft::index i = 0; i < instructions.extent(0); ++i)
            list.push_back({instructions(i, 0), instructions(i, 1), instructions(i, 2),
                            static_cast<ProductMode>(instructions(i, 3)), instructions(i, 4) != 0});
        const so3::TensorProduct product(irreps_of(g, "irreps_in1"), irreps_of(g, "irreps_in2"),
                                         irreps_of(g, "irreps_out"), list);
        g.compare("path_coeff", Tensor<double, 1>::from(std::span<const double>(product.path_coefficients()),
                                                        {static_cast<weft::index>(list.size())}));
        const auto nodes = g.number<std::int64_t>("num_nodes");
        const Graph graph(g.get<std::int64_t, 1>("edge_src"), g.get<std::int64_t, 1>("edge_dst"), nodes, nodes);
        check_derivatives(
            g, [&](const auto& x, const auto& y, const auto& w) { return so3::convolution(product, graph, x, y, w); },
            Input<2>{"node"}, Input<2>{"edge_attr"}, Input<2>{"edge_weight"});
        // The builder of such products finds the same paths.
        const so3::ConvolutionTensorProduct built(irreps_of(g, "irreps_in1"), irreps_of(g, "irreps_in2"));
        REQUIRE(built.irreps_out() == product.irreps_out());
    });
}

TEST_CASE("convolution: the sums of the edges' products", "[so3]") {
    const auto check = [](const char* features, const char* harmonics, const std::optional<Irreps>& filter,
                          const Graph& g) {
        INFO(features << " x " << harmonics);
        const so3::ConvolutionTensorProduct product(features, harmonics, filter);
        const auto x = numbers<double, 2>({g.num_src(), product.irreps_in1().dim()});
        const auto y = numbers<double, 2>({g.num_edges(), product.irreps_in2().dim()}, 2);
        const auto w = numbers<double, 2>({g.num_edges(), product.weight_numel()}, 3);
        const Tensor<double, 2> sums = so3::convolution(product, g, x, y, w), expected = by_edges(product, g, x, y, w);
        for (weft::index i = 0; i < sums.size(); ++i) REQUIRE(std::abs(sums.data()[i] - expected.data()[i]) < 1e-11);

        // Gradients against those of the product of all edges.
        const auto dy = numbers<double, 2>(sums.shape(), 5);
        const Var vx{x}, vy{y}, vw{w};
        weft::backward(so3::convolution(product, g, vx, vy, vw), dy);
        const auto along = [&](const Tensor<double, 2>& t, unsigned seed, auto&& value) {
            const auto direction = numbers<double, 2>(t.shape(), seed);
            const double h = 1e-4;
            const Tensor<double, 2> up = t + h * direction, down = t - h * direction;
            return std::pair(direction, (value(up) - value(down)) / (2 * h));
        };
        const auto compare = [&](const Tensor<double, 2>& gradient, const Tensor<double, 2>& at, auto&& value) {
            const auto [direction, slope] = along(at, 9, value);
            REQUIRE(weft::sum(gradient * direction).item() == Approx(slope).epsilon(1e-6).margin(1e-6));
        };
        const auto dot = [&](const Tensor<double, 2>& result) { return weft::sum(result * dy).item(); };
        compare(vx.grad(), x, [&](const auto& t) { return dot(by_edges(product, g, t, y, w)); });
        compare(vy.grad(), y, [&](const auto& t) { return dot(by_edges(product, g, x, t, w)); });
        compare(vw.grad(), w, [&](const auto& t) { return dot(by_edges(product, g, x, y, t)); });

        // Weights that are made on the way.
        const auto hidden = numbers<double, 2>({g.num_edges(), 6}, 6);
        const auto matrix = numbers<double, 2>({6, product.weight_numel()}, 7);
        const Tensor<double, 2> made = matmul(hidden, matrix);
        const Tensor<double, 2> radial = so3::convolution(product, g, x, y, hidden, matrix);
        const Tensor<double, 2> stored = so3::convolution(product, g, x, y, made);
        for (weft::index i = 0; i < radial.size(); ++i) REQUIRE(std::abs(radial.data()[i] - stored.data()[i]) < 1e-11);
        const Var rx{x}, ry{y}, rh{hidden}, rm{matrix}, sx{x}, sy{y}, sh{hidden}, sm{matrix};
        weft::backward(so3::convolution(product, g, rx, ry, rh, rm), dy);
        weft::backward(so3::convolution(product, g, sx, sy, matmul(sh, sm)), dy);
        const auto same = [](const Tensor<double, 2>& one, const Tensor<double, 2>& other) {
            for (weft::index i = 0; i < one.size(); ++i)
                REQUIRE(std::abs(one.data()[i] - other.data()[i]) < 1e-10 * (1 + std::abs(other.data()[i])));
        };
        same(rx.grad(), sx.grad());
        same(ry.grad(), sy.grad());
        same(rh.grad(), sh.grad());
        same(rm.grad(), sm.grad());
    };
    const Graph graph = some_graph(13, 9, 170), hub = some_graph(40, 1, 200);
    check("8x0e+8x1o", "0e+1o+2e+3o", {}, graph);
    check("3x0e+9x1o+2x1e+1x2o", "0e+1o+2e", {}, graph);
    check("40x0e+17x1o+70x2e", "0e+1o", Irreps("0e+1o+2e"), hub);
    check("5x3o+2x4e", "0e+1o+4e", Irreps("0e+3o+4e+5o"), graph);
    check("4x1o", "1o", Irreps("0e"), some_graph(5, 6, 0));
    check("0x1o+4x0e", "1o", {}, graph);
}

TEST_CASE("convolution: float, dual numbers, threads", "[so3]") {
    const Graph g = some_graph(300, 300, 6000);
    const so3::ConvolutionTensorProduct product("32x0e+32x1o", "0e+1o+2e+3o", Irreps("0e+1o+2e+3o"));
    const auto x = numbers<float, 2>({300, product.irreps_in1().dim()});
    const auto y = numbers<float, 2>({6000, 16}, 2), w = numbers<float, 2>({6000, product.weight_numel()}, 3);
    const Tensor<float, 2> sums = so3::convolution(product, g, x, y, w), expected = by_edges(product, g, x, y, w);
    for (weft::index i = 0; i < sums.size(); ++i) REQUIRE(std::abs(sums.data()[i] - expected.data()[i]) < 2e-4f);
    const auto dy = numbers<float, 2>(sums.shape(), 4);
    const auto gradient = [&](auto choose) {
        require_thread_independent([&] {
            const Var vx{x}, vy{y}, vw{w};
            weft::backward(so3::convolution(product, g, vx, vy, vw), dy);
            return choose(vx, vy, vw).grad();
        });
    };
    gradient([](const auto& a, const auto&, const auto&) { return a; });
    gradient([](const auto&, const auto& b, const auto&) { return b; });
    gradient([](const auto&, const auto&, const auto& c) { return c; });
}

TEST_CASE("convolution: with its radial layer, second order and threads", "[so3]") {
    const Graph g = some_graph(5, 4, 12);
    const so3::ConvolutionTensorProduct product("2x0e+1x1o", "0e+1o");
    weft::expect_grad([&](const auto& x, const auto& y, const auto& h,
                          const auto& m) { return so3::convolution(product, g, x, y, h, m); },
                      numbers<double, 2>({5, 5}), numbers<double, 2>({12, 4}, 2), numbers<double, 2>({12, 3}, 3),
                      numbers<double, 2>({3, product.weight_numel()}, 4));

    const Graph many = some_graph(200, 200, 5000);
    const auto x = numbers<float, 2>({200, 5}), y = numbers<float, 2>({5000, 4}, 2),
               h = numbers<float, 2>({5000, 8}, 3);
    const auto m = numbers<float, 2>({8, product.weight_numel()}, 4);
    const auto dy = numbers<float, 2>({200, product.irreps_out().dim()}, 5);
    const auto gradient = [&](auto choose) {
        require_thread_independent([&] {
            const Var vx{x}, vy{y}, vh{h}, vm{m};
            weft::backward(so3::convolution(product, many, vx, vy, vh, vm), dy);
            return choose(vx, vy, vh, vm).grad();
        });
    };
    gradient([](const auto& a, const auto&, const auto&, const auto&) { return a; });
    gradient([](const auto&, const auto& b, const auto&, const auto&) { return b; });
    gradient([](const auto&, const auto&, const auto& c, const auto&) { return c; });
    gradient([](const auto&, const auto&, const auto&, const auto& d) { return d; });
}

TEST_CASE("convolution: equivariant under rotations and the inversion", "[so3]") {
    const Graph g = some_graph(11, 11, 60);
    const so3::ConvolutionTensorProduct product("3x0e+2x0o+4x1o+1x2e", "0e+1o+2e");
    const auto x = numbers<double, 2>({11, product.irreps_in1().dim()}), y = numbers<double, 2>({60, 9}, 2);
    const auto w = numbers<double, 2>({60, product.weight_numel()}, 3);
    const auto rotation = so3::Rotation::from_angles({1, 2, 3}) * so3::Rotation::inversion();
    const auto rotated = [&](const Tensor<double, 2>& rows, const Irreps& irreps) {
        return Tensor<double, 2>(matmul(rows, transpose(so3::wigner_d(irreps, rotation))));
    };
    const auto a = so3::convolution(product, g, rotated(x, product.irreps_in1()), rotated(y, product.irreps_in2()), w);
    const auto b = rotated(so3::convolution(product, g, x, y, w), product.irreps_out());
    for (weft::index i = 0; i < a.size(); ++i) REQUIRE(std::abs(a.data()[i] - b.data()[i]) < 1e-10);
}

TEST_CASE("convolution: errors", "[so3]") {
    const Graph g = some_graph(4, 5, 6);
    const so3::ConvolutionTensorProduct product("2x0e", "0e+1o");
    const auto x = numbers<double, 2>({4, 2}), y = numbers<double, 2>({6, 4}), w = numbers<double, 2>({6, 4});
    REQUIRE(error_of([&] { (void)so3::convolution(product, g, y, y, w); }) ==
            "weft: convolution: x is [6, 4]: must be [4, 2]");
    REQUIRE(error_of([&] { (void)so3::convolution(product, g, x, x, w); }) ==
            "weft: convolution: harmonics is [4, 2]: must be [6, 4]");
    REQUIRE(error_of([&] { (void)so3::convolution(product, g, x, y, x); }) ==
            "weft: convolution: weights is [4, 2]: must be [6, 4]");
    const so3::FullTensorProduct full("2x0e", "0e+1o");
    REQUIRE_THAT(error_of([&] { (void)so3::convolution(full, g, x, y, w); }),
                 ContainsSubstring("in mode uvuv without weights: must be uvu"));
}
