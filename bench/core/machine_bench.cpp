// SPDX-License-Identifier: MIT
// What this machine can do: multiply-adds in registers, and triads over arrays that take so many KiB for each thread.
#include "roofline.hpp"

namespace {

void multiply_add(benchmark::State& state) {
    for (auto _ : state) state.counters["GFLOP/s"] = 1e-9 * weft_bench::multiply_add_rate();
}

void triad(benchmark::State& state) {
    const weft::index n = state.range(0) * 1024 / 12 / 64 * 64;
    for (auto _ : state) state.counters["GB/s"] = 1e-9 * weft_bench::triad_rate(n);
}

BENCHMARK(multiply_add)->Name("machine_multiply_add")->Iterations(1);
BENCHMARK(triad)->Name("machine_triad")->RangeMultiplier(2)->Range(6, 6 << 16)->Iterations(1);

} // namespace

int main(int argc, char** argv) { return weft_bench::run(argc, argv); }
