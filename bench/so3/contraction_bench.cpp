// SPDX-License-Identifier: MIT
// Symmetric contractions of MACE in float: products of up to three times the features of degrees 0 to 3 of a node, to
// degrees 0 and 1, channel by channel, with weights for each of three elements.
#include "roofline.hpp"

#include <weft/grad/backward.hpp>
#include <weft/so3/symmetric_contraction.hpp>

namespace {

using namespace weft;
using so3::MulIrrep;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

constexpr index elements = 3;

struct Contraction {
    so3::SymmetricContraction<float> layer;
    Tensor<float, 3> x, weights;
    Tensor<float, 2> dy;
    Tensor<index, 1> element;

    Contraction(index channels, index rows)
        : layer({MulIrrep{channels, {0, 1}}, {channels, {1, -1}}, {channels, {2, 1}}, {channels, {3, -1}}},
                {MulIrrep{channels, {0, 1}}, {channels, {1, -1}}}, {.correlation = 3, .num_elements = elements}),
          x(uniform<3>({rows, channels, 16}, 1)), weights(uniform<3>({elements, layer.weight_paths(), channels}, 2)),
          dy(uniform<2>({rows, layer.irreps_out().dim()}, 99)), element(Tensor<index, 1>::empty({rows})) {
        for (index i = 0; i < rows; ++i) element.mutable_data()[i] = i % elements;
    }
    /// Of reading and writing everything some times.
    Bytes bytes(double times) const { return {4 * times * static_cast<double>(x.size() + weights.size() + dy.size())}; }
    double operations() const { return 2 * static_cast<double>(x.extent(0) * layer.multiplications()); }
};

void forward(benchmark::State& state, index channels, index rows) {
    const Contraction c(channels, rows);
    repeat(state, c.bytes(1), Operations{c.operations()},
           [&] { return std::tuple(c.layer(c.x, c.element, c.weights)); });
}
/// The gradients of the features, as forces need them.
void force(benchmark::State& state, index channels, index rows) {
    const Contraction c(channels, rows);
    repeat(state, c.bytes(3), Operations{3 * c.operations()}, [&] {
        const Var<float, 3> x{c.x};
        backward(c.layer(x, c.element, c.weights), c.dy);
        return std::tuple(x.grad());
    });
}
void gradient(benchmark::State& state, index channels, index rows) {
    const Contraction c(channels, rows);
    repeat(state, c.bytes(3), Operations{4 * c.operations()}, [&] {
        const Var<float, 3> x{c.x}, weights{c.weights};
        backward(c.layer(x, c.element, weights), c.dy);
        return std::tuple(x.grad(), weights.grad());
    });
}

void add_all() {
    for (const index rows : {100, 2000}) {
        const std::string size = "/c128_n" + std::to_string(rows);
        const auto add = [&](const char* name, auto run) {
            benchmark::RegisterBenchmark((name + size).c_str(), [=](benchmark::State& s) { run(s, 128, rows); })
                ->Unit(benchmark::kMicrosecond)
                ->UseRealTime();
        };
        add("symmetric_contraction", forward);
        add("symmetric_contraction_force", force);
        add("symmetric_contraction_backward", gradient);
    }
}

} // namespace

int main(int argc, char** argv) {
    add_all();
    return weft_bench::run(argc, argv);
}
