// SPDX-License-Identifier: MIT
// Training steps of single parts of networks.
#include "roofline.hpp"

#include <weft/core/ops.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn.hpp>

using weft::Generator, weft::Parameter, weft::Tensor, weft::Var;
using weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat;
namespace nn = weft::nn;

namespace {

Tensor<float, 2> values(weft::index rows, weft::index columns) {
    auto x = Tensor<float, 2>::empty({rows, columns});
    Generator generator{1};
    nn::normal(x, generator);
    return x;
}

void triad(benchmark::State& state) {
    const auto a = values(state.range(0), 1000), b = values(state.range(0), 1000);
    const auto count = static_cast<double>(a.size());
    repeat(state, Bytes{12 * count}, Operations{2 * count}, [&] {
        const Tensor<float, 2> c = a + 3.0f * b;
        benchmark::DoNotOptimize(c.data());
    });
}

void linear(benchmark::State& state) {
    const auto n = state.range(0), in = state.range(1), out = state.range(2);
    const nn::Linear<float> layer{in, out};
    const auto x = values(n, in);
    const auto dy = Tensor<float, 2>::ones({n, out});
    const Bytes bytes{12 * static_cast<double>(n * in + in * out + n * out)};
    repeat(state, bytes, Operations{6 * static_cast<double>(n * in * out)}, [&] {
        const Var input{x};
        const Var y = layer(input);
        weft::backward(y, dy);
        nn::clear_grad(layer);
    });
}

void cross_entropy(benchmark::State& state) {
    const auto n = state.range(0), classes = state.range(1);
    const Var logits{values(n, classes)};
    auto labels = Tensor<std::int32_t, 1>::zeros({n});
    for (weft::index i = 0; i < n; ++i) labels(i) = static_cast<std::int32_t>(i % classes);
    const auto count = static_cast<double>(n * classes);
    repeat(state, Bytes{12 * count}, Operations{7 * count}, [&] {
        const Var loss = nn::cross_entropy(logits, labels);
        weft::backward(loss);
        Var(logits).clear_grad();
    });
}

/// A step uses up the gradient, which is put there anew before each.
void adam(benchmark::State& state) {
    Parameter<float, 2> weight{values(state.range(0), 1000)};
    nn::Adam optimizer{weight};
    const auto gradient = values(state.range(0), 1000);
    double seconds = 0;
    for (auto _ : state) {
        std::copy_n(gradient.data(), gradient.size(), weight.node()->gradient_to_update());
        const double step = weft_bench::shortest(1, [&] { optimizer.step(); });
        state.SetIterationTime(step);
        seconds += step;
    }
    const auto count = static_cast<double>(gradient.size());
    weft_bench::add_rates(state, {28 * count}, {12 * count}, seconds / static_cast<double>(state.iterations()));
}

// Features of Cora at every epoch.
void dropout(benchmark::State& state) {
    const Var x{values(2708, 1433)};
    Generator generator{1};
    const auto count = static_cast<double>(x.size());
    repeat(state, Bytes{8 * count}, Operations{2 * count}, [&] {
        const Var y = nn::dropout(x, 0.5, generator);
        benchmark::DoNotOptimize(y.data());
    });
}

} // namespace

BENCHMARK(triad)->Arg(40)->Arg(8000)->UseRealTime();
BENCHMARK(linear)->Args({2708, 1433, 16})->Args({2708, 64, 64})->Args({512, 1024, 1024})->UseRealTime();
BENCHMARK(cross_entropy)->Args({2708, 7})->Args({20000, 64})->Args({512, 32000})->UseRealTime();
BENCHMARK(adam)->Arg(23)->Arg(8000)->UseManualTime();
BENCHMARK(dropout)->Name("dropout/2708x1433")->UseRealTime();

int main(int argc, char** argv) { return weft_bench::run(argc, argv); }
