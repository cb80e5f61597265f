// SPDX-License-Identifier: MIT
// Non-linear functions of equivariant features in float: gates, and functions on the sphere.
#include "roofline.hpp"

#include <weft/grad/backward.hpp>
#include <weft/so3/gate.hpp>
#include <weft/so3/sphere_grid.hpp>

namespace {

using namespace weft;
using so3::Function, so3::Irreps, so3::MulIrrep;
using weft::index; // there is a function of that name in the C library
using weft_bench::add_with_backward, weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

/// `layer` and its gradient of rows [n, irreps_in]. `operations` are those of the values; the gradient takes twice as
/// many.
template <class Layer>
void rows(benchmark::State& state, const Layer& layer, index n, bool gradient, double operations) {
    const auto in = static_cast<double>(n * layer.irreps_in().dim()),
               out = static_cast<double>(n * layer.irreps_out().dim());
    const Bytes bytes{4 * (gradient ? 3 * in + 2 * out : in + out)};
    const Operations work{(gradient ? 3 : 1) * operations};
    const auto x = uniform<2>({n, layer.irreps_in().dim()}, 1), dy = uniform<2>({n, layer.irreps_out().dim()}, 99);
    if (!gradient) return repeat(state, bytes, work, [&] { return std::tuple(Tensor<float, 2>(layer(x))); });
    repeat(state, bytes, work, [&] {
        const Var<float, 2> leaf{x};
        backward(layer(leaf), dy);
        return std::tuple(leaf.grad());
    });
}

/// n scalars, and n copies of each of the degrees 1 to 3 with gates of their own.
void gate(benchmark::State& state, index n, index count, bool gradient) {
    const Irreps gated{MulIrrep{n, {1, -1}}, {n, {2, 1}}, {n, {3, -1}}};
    const so3::Gate layer(Irreps{{n, {0, 1}}}, {Function::silu}, Irreps{{3 * n, {0, 1}}}, {Function::sigmoid}, gated);
    // silu of a scalar, sigmoid of a gate, a product for each component it opens.
    rows(state, layer, count, gradient, static_cast<double>(count * n * (4 + 3 * 3 + 3 + 5 + 7)));
}

/// tanh of functions of degrees 0 to lmax, on the smallest grid.
void s2_activation(benchmark::State& state, int lmax, index count, bool gradient) {
    const so3::S2Activation<float> layer(Irreps::spherical_harmonics(lmax), Function::tanh);
    const so3::SphereGrid grid(lmax);
    const double multiplications =
        2 * static_cast<double>(count * grid.components() * grid.res_beta() * grid.res_alpha());
    rows(state, layer, count, gradient, 2 * multiplications);
}

void add_all() {
    for (const index n : {32, 128})
        add_with_backward("gate", "c" + std::to_string(n) + "_n2000",
                          [=](benchmark::State& s, bool gradient) { gate(s, n, 2000, gradient); });
    for (const int l : {3, 6})
        add_with_backward("s2_activation", "l" + std::to_string(l) + "_n20000",
                          [=](benchmark::State& s, bool gradient) { s2_activation(s, l, 20'000, gradient); });
}

} // namespace

int main(int argc, char** argv) {
    add_all();
    return weft_bench::run(argc, argv);
}
