// SPDX-License-Identifier: MIT
// Training steps of single parts of networks. `bytes_per_second` counts what must be read and written at least; the
// bound is that of `triad`, in the same run. Linear also counts operations.
#include <weft/core/ops.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn.hpp>

#include <benchmark/benchmark.h>

using weft::Generator, weft::Parameter, weft::Tensor, weft::Var;
namespace nn = weft::nn;

namespace {

Tensor<float, 2> values(weft::index rows, weft::index columns) {
    auto x = Tensor<float, 2>::empty({rows, columns});
    Generator generator{1};
    nn::normal(x, generator);
    return x;
}

void set_bytes(benchmark::State& state, double bytes) {
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes * static_cast<double>(state.iterations())));
}

void triad(benchmark::State& state) {
    const auto a = values(state.range(0), 1000), b = values(state.range(0), 1000);
    for (auto _ : state) {
        const Tensor<float, 2> c = a + 3.0f * b;
        benchmark::DoNotOptimize(c.data());
    }
    set_bytes(state, 12.0 * static_cast<double>(a.size()));
}

void linear(benchmark::State& state) {
    const auto n = state.range(0), in = state.range(1), out = state.range(2);
    const nn::Linear<float> layer{in, out};
    const auto x = values(n, in);
    const auto dy = Tensor<float, 2>::ones({n, out});
    for (auto _ : state) {
        const Var input{x};
        const Var y = layer(input);
        weft::backward(y, dy);
        nn::clear_grad(layer);
    }
    state.counters["flops"] =
        benchmark::Counter(6.0 * static_cast<double>(n * in * out), benchmark::Counter::kIsIterationInvariantRate);
}

void cross_entropy(benchmark::State& state) {
    const auto n = state.range(0), classes = state.range(1);
    const Var logits{values(n, classes)};
    auto labels = Tensor<std::int32_t, 1>::zeros({n});
    for (weft::index i = 0; i < n; ++i) labels(i) = static_cast<std::int32_t>(i % classes);
    for (auto _ : state) {
        const Var loss = nn::cross_entropy(logits, labels);
        weft::backward(loss);
        Var(logits).clear_grad();
    }
    set_bytes(state, 12.0 * static_cast<double>(n * classes));
}

void adam(benchmark::State& state) {
    Parameter<float, 2> weight{values(state.range(0), 1000)};
    nn::Adam optimizer{weight};
    const auto gradient = values(state.range(0), 1000);
    for (auto _ : state) {
        state.PauseTiming();
        std::copy_n(gradient.data(), gradient.size(), weight.node()->gradient_to_update());
        state.ResumeTiming();
        optimizer.step();
    }
    set_bytes(state, 28.0 * static_cast<double>(gradient.size()));
}

// Features of Cora at every epoch.
void dropout(benchmark::State& state) {
    const Var x{values(2708, 1433)};
    Generator generator{1};
    for (auto _ : state) {
        const Var y = nn::dropout(x, 0.5, generator);
        benchmark::DoNotOptimize(y.data());
    }
    set_bytes(state, 8.0 * static_cast<double>(x.size()));
}

} // namespace

BENCHMARK(triad)->Arg(40)->Arg(8000)->UseRealTime();
BENCHMARK(linear)->Args({2708, 1433, 16})->Args({2708, 64, 64})->Args({512, 1024, 1024})->UseRealTime();
BENCHMARK(cross_entropy)->Args({2708, 7})->Args({20000, 64})->Args({512, 32000})->UseRealTime();
BENCHMARK(adam)->Arg(23)->Arg(8000)->UseRealTime();
BENCHMARK(dropout)->UseRealTime();

BENCHMARK_MAIN();
