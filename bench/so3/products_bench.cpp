// SPDX-License-Identifier: MIT
// Equivariant convolutions, tensor products and linear maps in float. Features of C copies of degrees 0
// to l_in of natural parity, harmonics to l_Y, results to l_out; nodes with 50 edges each, from the nodes around them.
#include "roofline.hpp"

#include <weft/grad/backward.hpp>
#include <weft/so3/convolution.hpp>
#include <weft/so3/fully_connected_net.hpp>
#include <weft/so3/linear.hpp>
#include <weft/so3/radial.hpp>
#include <weft/so3/radial_table.hpp>

namespace {

using namespace weft;
using so3::Irreps, so3::MulIrrep;
using weft::index; // there is a function of that name in the C library
using weft_bench::add_with_backward, weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

Irreps copies(index n, int lmax) {
    std::vector<MulIrrep> terms;
    for (int l = 0; l <= lmax; ++l) terms.push_back({n, {l, l % 2 == 0 ? 1 : -1}});
    return terms;
}

struct Shape {
    int l_in, l_harmonics, l_out;
    index copies, edges;
    std::string features() const {
        return "l" + std::to_string(l_in) + std::to_string(l_harmonics) + std::to_string(l_out) + "_c" +
               std::to_string(copies);
    }
    std::string text() const { return features() + "_e" + std::to_string(edges); }
};

struct Convolution {
    static constexpr index hidden_width = 64;
    so3::ConvolutionTensorProduct product;
    Graph graph;
    Tensor<float, 2> x, harmonics, weights, hidden, matrix, dy;

    explicit Convolution(const Shape& s)
        : product(copies(s.copies, s.l_in), Irreps::spherical_harmonics(s.l_harmonics), copies(1, s.l_out)),
          graph(near(s.edges)), x(uniform<2>({graph.num_src(), product.irreps_in1().dim()}, 1)),
          harmonics(uniform<2>({s.edges, product.irreps_in2().dim()}, 2)),
          weights(uniform<2>({s.edges, product.weight_numel()}, 3)), hidden(uniform<2>({s.edges, hidden_width}, 4)),
          matrix(uniform<2>({hidden_width, product.weight_numel()}, 5)),
          dy(uniform<2>({graph.num_dst(), product.irreps_out().dim()}, 99)) {}

    static Graph near(index edges) {
        const index nodes = edges / 50;
        auto ends = Tensor<std::int32_t, 2>::empty({2, edges});
        for (index e = 0; e < edges; ++e) {
            ends.mutable_data()[e] = static_cast<std::int32_t>((e / 50 + 25 * nodes + e % 50 - 25) % nodes);
            ends.mutable_data()[edges + e] = static_cast<std::int32_t>(e / 50);
        }
        return Graph(ends, nodes);
    }
    /// Of some passes over all edges: the row that each brings, its harmonics and its weights (or what they are made
    /// of); the results.
    Bytes bytes(index weight_numbers, double passes) const {
        const index rows = graph.num_edges() * product.irreps_in1().dim();
        return {4 * passes * static_cast<double>(rows + harmonics.size() + weight_numbers + dy.size())};
    }
    /// Multiplications and additions of one pass over all edges: for each path the entries of M that are not always
    /// zero, and the weight.
    double operations() const {
        double count = 0;
        for (const so3::Instruction& i : product.instructions()) {
            const MulIrrep a = product.irreps_in1()[i.in1], b = product.irreps_in2()[i.in2],
                           c = product.irreps_out()[i.out];
            std::vector<bool> used(static_cast<std::size_t>(a.ir.dim() * c.ir.dim()));
            for (const auto& coupling : *so3::detail::couplings(a.ir.l, b.ir.l, c.ir.l))
                used[static_cast<std::size_t>(coupling.i * c.ir.dim() + coupling.k)] = true;
            count += static_cast<double>(a.mul) *
                     static_cast<double>(std::count(used.begin(), used.end(), true) + std::min(a.ir.dim(), c.ir.dim()));
        }
        return 2 * count * static_cast<double>(graph.num_edges());
    }
};

void convolution(benchmark::State& state, const Shape& s, bool gradient) {
    const Convolution c(s);
    weft_bench::add_size(state, "edges", static_cast<double>(s.edges), s.features());
    if (!gradient)
        return repeat(state, c.bytes(c.weights.size(), 1), Operations{c.operations()},
                      [&] { return std::tuple(so3::convolution(c.product, c.graph, c.x, c.harmonics, c.weights)); });
    repeat(state, c.bytes(c.weights.size(), 3), Operations{3.3 * c.operations()}, [&] {
        const Var<float, 2> x{c.x}, harmonics{c.harmonics}, weights{c.weights};
        backward(so3::convolution(c.product, c.graph, x, harmonics, weights), c.dy);
        return std::tuple(x.grad(), harmonics.grad(), weights.grad());
    });
}
/// What the last layer of the radial network takes by itself.
void radial_product(benchmark::State& state, const Shape& s) {
    const Convolution c(s);
    const Bytes bytes{4 * static_cast<double>(c.hidden.size() + c.matrix.size() + c.weights.size())};
    repeat(state, bytes, Operations{2.0 * Convolution::hidden_width * static_cast<double>(c.weights.size())}, [&] {
        const Tensor<float, 2> y = matmul(c.hidden, c.matrix);
        benchmark::DoNotOptimize(y.data());
    });
}
/// With the last layer of the radial network, which is a product of 64 x weights for each edge.
void radial_convolution(benchmark::State& state, const Shape& s, bool gradient) {
    const Convolution c(s);
    const double product = 2.0 * Convolution::hidden_width * static_cast<double>(c.weights.size());
    const Bytes bytes = c.bytes(c.hidden.size() + c.matrix.size(), gradient ? 3 : 1);
    repeat(state, bytes, Operations{gradient ? 3.3 * c.operations() + 5 * product : c.operations() + product}, [&] {
        if (!gradient) {
            const Tensor<float, 2> y = so3::convolution(c.product, c.graph, c.x, c.harmonics, c.hidden, c.matrix);
            benchmark::DoNotOptimize(y.data());
            return;
        }
        const Var<float, 2> x{c.x}, harmonics{c.harmonics}, hidden{c.hidden}, matrix{c.matrix};
        backward(so3::convolution(c.product, c.graph, x, harmonics, hidden, matrix), c.dy);
        benchmark::DoNotOptimize(matrix.grad().data());
    });
}
/// With weights of lengths, from a table of a radial network of three layers of 64: four rows of it for each edge.
void table_convolution(benchmark::State& state, const Shape& s, bool gradient) {
    const Convolution c(s);
    constexpr double r_max = 5;
    Generator generator{1};
    const index width = Convolution::hidden_width;
    const so3::FullyConnectedNet<float> network({8, width, width, width, c.product.weight_numel()}, so3::Function::silu,
                                                {.generator = &generator});
    const auto radial = [&](const auto& r) {
        return network(eval(so3::bessel_basis(r, r_max, 8) * unsqueeze(so3::polynomial_cutoff(r, r_max), 1)));
    };
    const so3::RadialTable<float> table(radial, r_max);
    state.counters["knots"] = static_cast<double>(table.knots());
    const Tensor<float, 1> lengths = 2.75f + 2.25f * uniform<1>({s.edges}, 6);
    const double rows = 8 * static_cast<double>(c.weights.size());
    const Bytes bytes = c.bytes(4 * c.weights.size(), gradient ? 3 : 1);
    repeat(state, bytes, Operations{gradient ? 3.3 * c.operations() + 3 * rows : c.operations() + rows}, [&] {
        if (!gradient) {
            const Tensor<float, 2> y = so3::convolution(c.product, c.graph, c.x, c.harmonics, lengths, table);
            benchmark::DoNotOptimize(y.data());
            return;
        }
        const Var<float, 2> x{c.x}, harmonics{c.harmonics};
        const Var<float, 1> r{lengths};
        backward(so3::convolution(c.product, c.graph, x, harmonics, r, table), c.dy);
        benchmark::DoNotOptimize(r.grad().data());
    });
}

void linear(benchmark::State& state, index n, index rows, bool gradient) {
    const Irreps irreps = copies(n, 3);
    const so3::Linear<float> layer(irreps, irreps);
    const auto x = uniform<2>({rows, irreps.dim()}, 1), dy = uniform<2>(x.shape(), 99);
    const auto weight = uniform<1>({layer.weight_numel()}, 2);
    const double operations = 2 * static_cast<double>(rows * 16 * n * n);
    const Bytes bytes{(gradient ? 12 : 4) * static_cast<double>(2 * x.size() + weight.size())};
    if (!gradient) return repeat(state, bytes, Operations{operations}, [&] { return std::tuple(layer(x, weight)); });
    repeat(state, bytes, Operations{3 * operations}, [&] {
        const Var<float, 2> vx{x};
        const Var<float, 1> vw{weight};
        backward(layer(vx, vw), dy);
        return std::tuple(vx.grad(), vw.grad());
    });
}

void fully_connected(benchmark::State& state, index n, index rows, bool gradient) {
    const so3::FullyConnectedTensorProduct product(copies(n, 2), copies(1, 2), copies(n, 2));
    const auto x = uniform<2>({rows, product.irreps_in1().dim()}, 1), y = uniform<2>({rows, 9}, 2);
    const auto weight = uniform<1>({product.weight_numel()}, 3);
    const auto dy = uniform<2>({rows, product.irreps_out().dim()}, 99);
    double operations = 0;
    for (const so3::Instruction& i : product.instructions())
        operations += 2 * static_cast<double>(rows * n * n * product.irreps_out()[i.out].ir.dim());
    const Bytes bytes{(gradient ? 12 : 4) * static_cast<double>(x.size() + y.size() + weight.size() + dy.size())};
    if (!gradient)
        return repeat(state, bytes, Operations{operations}, [&] { return std::tuple(product(x, y, weight)); });
    repeat(state, bytes, Operations{3 * operations}, [&] {
        const Var<float, 2> vx{x}, vy{y};
        const Var<float, 1> vw{weight};
        backward(product(vx, vy, vw), dy);
        return std::tuple(vx.grad(), vy.grad(), vw.grad());
    });
}

void add_all() {
    for (const index edges : {250, 1000, 16000, 64000})
        add_with_backward("convolution", Shape{1, 3, 3, 32, edges}.text(), [=](benchmark::State& state, bool gradient) {
            convolution(state, {1, 3, 3, 32, edges}, gradient);
        });
    for (const Shape& s : {Shape{1, 3, 3, 32, 4000}, Shape{1, 3, 3, 64, 2000}, Shape{1, 3, 3, 128, 2000},
                           Shape{2, 3, 3, 32, 4000}, Shape{2, 2, 2, 64, 2000}, Shape{3, 3, 3, 32, 4000}}) {
        add_with_backward("convolution", s.text(),
                          [=](benchmark::State& state, bool gradient) { convolution(state, s, gradient); });
        add_with_backward("radial_convolution", s.text(),
                          [=](benchmark::State& state, bool gradient) { radial_convolution(state, s, gradient); });
        benchmark::RegisterBenchmark(("radial_product/" + s.text()).c_str(),
                                     [=](benchmark::State& state) { radial_product(state, s); })
            ->Unit(benchmark::kMicrosecond)
            ->UseRealTime();
        add_with_backward("table_convolution", s.text(),
                          [=](benchmark::State& state, bool gradient) { table_convolution(state, s, gradient); });
    }
    for (const index n : {32, 64, 128})
        add_with_backward("so3_linear", "c" + std::to_string(n) + "_n2000",
                          [=](benchmark::State& state, bool gradient) { linear(state, n, 2000, gradient); });
    add_with_backward("fully_connected_tensor_product", "c32_n2000",
                      [](benchmark::State& state, bool gradient) { fully_connected(state, 32, 2000, gradient); });
}

} // namespace

int main(int argc, char** argv) {
    add_all();
    return weft_bench::run(argc, argv);
}
