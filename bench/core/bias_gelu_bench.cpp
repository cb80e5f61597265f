// SPDX-License-Identifier: MIT
// gelu(x + b) in its tanh form, and the gradients of x and b. The twins called _hand are the loops one would write.
#include "roofline.hpp"

#include <weft/core/ops.hpp>
#include <weft/grad/backward.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

using P = Packet<float>;
constexpr index rows = 4096, columns = 1024;
constexpr double bytes = sizeof(float) * rows * columns;
constexpr Operations value_operations{10.0 * rows * columns}, all_operations{31.0 * rows * columns};
constexpr float root = 0.7978845608028654f, cubic = 0.044715f;

void bias_gelu(benchmark::State& state) {
    const auto x = uniform<2>({rows, columns}, 1);
    const auto b = uniform<1>({columns}, 2);
    repeat(state, Bytes{2 * bytes}, value_operations, [&] {
        const Tensor<float, 2> y = gelu_tanh(x + b);
        benchmark::DoNotOptimize(y.data());
    });
}

void bias_gelu_hand(benchmark::State& state) {
    const auto x = uniform<2>({rows, columns}, 1);
    const auto b = uniform<1>({columns}, 2);
    repeat(state, Bytes{2 * bytes}, value_operations, [&] {
        auto y = Tensor<float, 2>::empty({rows, columns});
        float* const to = y.mutable_data();
        parallel_for_ranges(rows, 64, [&](index begin, index end) {
            for (index r = begin; r < end; ++r)
                for (index i = 0; i < columns; i += lanes<float>) {
                    const P a = load_packet(x.data() + r * columns + i) + load_packet(b.data() + i);
                    const P t = math::tanh(P(P(root) * a * multiply_add(P(P(cubic) * a), a, P(1.0f))));
                    store_packet(to + r * columns + i, P(P(0.5f) * a * (P(1.0f) + t)));
                }
        });
        benchmark::DoNotOptimize(to);
    });
}

void bias_gelu_backward(benchmark::State& state) {
    const auto x = uniform<2>({rows, columns}, 1), dy = uniform<2>({rows, columns}, 99);
    const auto b = uniform<1>({columns}, 2);
    repeat(state, Bytes{5 * bytes}, all_operations, [&] {
        const Var<float, 2> vx{x};
        const Var<float, 1> vb{b};
        const Var<float, 2> y = gelu_tanh(vx + vb);
        backward(y, dy);
        benchmark::DoNotOptimize(vb.grad().data());
    });
}

void bias_gelu_backward_hand(benchmark::State& state) {
    const auto x = uniform<2>({rows, columns}, 1), dy = uniform<2>({rows, columns}, 99);
    const auto b = uniform<1>({columns}, 2);
    constexpr index grain = 64;
    repeat(state, Bytes{5 * bytes}, all_operations, [&] {
        auto y = Tensor<float, 2>::empty({rows, columns}), dx = Tensor<float, 2>::empty({rows, columns});
        auto partial = Tensor<float, 2>::zeros({rows / grain, columns});
        float *const to = y.mutable_data(), *const dx_to = dx.mutable_data(), *const sums = partial.mutable_data();
        parallel_for_ranges(rows, grain, [&](index begin, index end) {
            for (index r = begin; r < end; ++r)
                for (index i = 0; i < columns; i += lanes<float>) {
                    const P a = load_packet(x.data() + r * columns + i) + load_packet(b.data() + i);
                    const P t = math::tanh(P(P(root) * a * multiply_add(P(P(cubic) * a), a, P(1.0f))));
                    store_packet(to + r * columns + i, P(P(0.5f) * a * (P(1.0f) + t)));
                }
        });
        parallel_for_ranges(rows, grain, [&](index begin, index end) {
            float* const db = sums + begin / grain * columns;
            for (index r = begin; r < end; ++r)
                for (index i = 0; i < columns; i += lanes<float>) {
                    const P a = load_packet(x.data() + r * columns + i) + load_packet(b.data() + i);
                    const P t = math::tanh(P(P(root) * a * multiply_add(P(P(cubic) * a), a, P(1.0f))));
                    const P inner = P(root) * multiply_add(P(P(3 * cubic) * a), a, P(1.0f));
                    const P slope = P(0.5f) * (P(1.0f) + t) + P(0.5f) * a * (P(1.0f) - t * t) * inner;
                    const P g = load_packet(dy.data() + r * columns + i) * slope;
                    store_packet(dx_to + r * columns + i, g);
                    store_packet(db + i, P(load_packet(db + i) + g));
                }
        });
        for (index c = 1; c < rows / grain; ++c)
            for (index i = 0; i < columns; ++i) sums[i] += sums[c * columns + i];
        benchmark::DoNotOptimize(sums);
    });
}

BENCHMARK(bias_gelu)->Name("bias_gelu/4096x1024")->UseRealTime();
BENCHMARK(bias_gelu_hand)->Name("bias_gelu_hand/4096x1024")->UseRealTime();
BENCHMARK(bias_gelu_backward)->Name("bias_gelu_backward/4096x1024")->UseRealTime();
BENCHMARK(bias_gelu_backward_hand)->Name("bias_gelu_backward_hand/4096x1024")->UseRealTime();

} // namespace

int main(int argc, char** argv) { return weft_bench::run(argc, argv); }
