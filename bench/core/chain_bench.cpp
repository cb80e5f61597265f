// SPDX-License-Identifier: MIT
// relu(a * b + c) * d - e, and its five gradients. The twins called _hand are the loops one would write.
#include "roofline.hpp"

#include <weft/core/ops.hpp>
#include <weft/grad/backward.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::uniform;

constexpr double item = sizeof(float);
using P = Packet<float>;
constexpr index grain = 1 << 18;

/// Of passes over n numbers.
template <class F>
void repeat(benchmark::State& state, double passes, double operations, const F& f) {
    const auto n = static_cast<double>(state.range(0));
    weft_bench::add_size(state, "elements", n);
    weft_bench::repeat(state, Bytes{passes * item * n}, Operations{operations * n}, f);
}

std::array<Tensor<float, 1>, 5> inputs(index n) {
    std::array<Tensor<float, 1>, 5> x;
    for (std::size_t k = 0; k < 5; ++k) x[k] = uniform<1>({n}, k);
    return x;
}

void chain(benchmark::State& state) {
    const index n = state.range(0);
    const auto x = inputs(n);
    repeat(state, 6, 5, [&] {
        const Tensor<float, 1> y = relu(x[0] * x[1] + x[2]) * x[3] - x[4];
        benchmark::DoNotOptimize(y.data());
    });
}

void chain_hand(benchmark::State& state) {
    const index n = state.range(0);
    const auto x = inputs(n);
    repeat(state, 6, 5, [&] {
        auto y = Tensor<float, 1>::empty({n});
        float* const to = y.mutable_data();
        const auto body = [&](index begin, index end) {
            for (index i = begin; i < end; i += lanes<float>) {
                const auto at = [&](std::size_t k) { return load_packet(x[k].data() + i); };
                const P s = xsimd::max(multiply_add(at(0), at(1), at(2)), P(0.0f));
                store_packet(to + i, P(s * at(3) - at(4)));
            }
        };
        parallel_for_ranges(n, grain, body);
        benchmark::DoNotOptimize(to);
    });
}

void chain_backward(benchmark::State& state) {
    const index n = state.range(0);
    const auto x = inputs(n);
    const auto dy = uniform<1>({n}, 99);
    repeat(state, 16, 14, [&] {
        const Var<float, 1> a{x[0]}, b{x[1]}, c{x[2]}, d{x[3]}, e{x[4]};
        const Var<float, 1> y = relu(a * b + c) * d - e;
        backward(y, dy);
        benchmark::DoNotOptimize(e.grad().data());
    });
}

void chain_backward_hand(benchmark::State& state) {
    const index n = state.range(0);
    const auto x = inputs(n);
    const auto dy = uniform<1>({n}, 99);
    repeat(state, 16, 14, [&] {
        Tensor<float, 1> out[6];
        float* to[6];
        for (int k = 0; k < 6; ++k) {
            out[k] = Tensor<float, 1>::empty({n});
            to[k] = out[k].mutable_data();
        }
        const auto value = [&](index begin, index end) {
            for (index i = begin; i < end; i += lanes<float>) {
                const auto at = [&](std::size_t k) { return load_packet(x[k].data() + i); };
                const P s = xsimd::max(multiply_add(at(0), at(1), at(2)), P(0.0f));
                store_packet(to[5] + i, P(s * at(3) - at(4)));
            }
        };
        const auto gradient = [&](index begin, index end) {
            for (index i = begin; i < end; i += lanes<float>) {
                const auto at = [&](std::size_t k) { return load_packet(x[k].data() + i); };
                const P a = at(0), b = at(1), g = load_packet(dy.data() + i);
                const P s = multiply_add(a, b, at(2));
                const P inner = xsimd::select(s > P(0.0f), P(g * at(3)), P(0.0f));
                store_packet(to[0] + i, P(inner * b));
                store_packet(to[1] + i, P(inner * a));
                store_packet(to[2] + i, inner);
                store_packet(to[3] + i, P(g * xsimd::max(s, P(0.0f))));
                store_packet(to[4] + i, P(-g));
            }
        };
        parallel_for_ranges(n, grain, value);
        parallel_for_ranges(n, grain, gradient);
        benchmark::DoNotOptimize(to[0]);
    });
}

BENCHMARK(chain)->RangeMultiplier(4)->Range(1 << 10, 1 << 24)->UseRealTime();
BENCHMARK(chain_hand)->RangeMultiplier(4)->Range(1 << 10, 1 << 24)->UseRealTime();
BENCHMARK(chain_backward)->RangeMultiplier(4)->Range(1 << 10, 1 << 24)->UseRealTime();
BENCHMARK(chain_backward_hand)->RangeMultiplier(4)->Range(1 << 10, 1 << 24)->UseRealTime();

} // namespace

int main(int argc, char** argv) { return weft_bench::run(argc, argv); }
