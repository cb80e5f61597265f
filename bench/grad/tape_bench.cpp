// SPDX-License-Identifier: MIT
// What recording costs when the numbers are few: relu(a * b + c) of 16 elements.
#include "roofline.hpp"

#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::uniform;

void tape_value(benchmark::State& state) {
    const auto a = uniform<1>({16}, 1), b = uniform<1>({16}, 2), c = uniform<1>({16}, 3);
    for (auto _ : state) {
        const Tensor<float, 1> y = relu(a * b + c);
        benchmark::DoNotOptimize(y.data());
    }
}

void tape_record(benchmark::State& state) {
    const Var<float, 1> a{uniform<1>({16}, 1)}, b{uniform<1>({16}, 2)}, c{uniform<1>({16}, 3)};
    for (auto _ : state) {
        const Var<float, 1> y = relu(a * b + c);
        benchmark::DoNotOptimize(y.data());
    }
}

/// New leaves, one fused node, a sum, the sweep, and the end of all of them.
void tape_step(benchmark::State& state) {
    const auto x = uniform<1>({16}, 1), y = uniform<1>({16}, 2), z = uniform<1>({16}, 3);
    for (auto _ : state) {
        const Var<float, 1> a{x}, b{y}, c{z};
        backward(sum(relu(a * b + c)));
        benchmark::DoNotOptimize(c.grad().data());
    }
}

BENCHMARK(tape_value)->Name("tape_value/16");
BENCHMARK(tape_record)->Name("tape_record/16");
BENCHMARK(tape_step)->Name("tape_step/16");

} // namespace

int main(int argc, char** argv) { return weft_bench::run(argc, argv); }
