// SPDX-License-Identifier: MIT
// softmax and log_softmax along the last axis, and their gradients. The twin called _hand is the loop one would write.
#include "roofline.hpp"

#include <weft/core/softmax.hpp>
#include <weft/grad/backward.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::uniform;

using P = Packet<float>;

/// Of passes over all numbers.
template <class F>
void repeat(benchmark::State& state, index rows, index columns, double passes, double operations, const F& f) {
    const auto n = static_cast<double>(rows * columns);
    weft_bench::add_size(state, "elements", n, "of " + std::to_string(columns));
    weft_bench::repeat(state, Bytes{4 * passes * n}, Operations{operations * n}, f);
}

struct Plain {
    auto operator()(const auto& x) const { return softmax(x); }
};
struct Logarithm {
    auto operator()(const auto& x) const { return log_softmax(x); }
};

template <class F>
void softmax_value(benchmark::State& state, index rows, index columns) {
    const auto x = uniform<2>({rows, columns}, 1);
    repeat(state, rows, columns, 2, 5, [&] {
        const Tensor<float, 2> y = F{}(x);
        benchmark::DoNotOptimize(y.data());
    });
}

template <class F>
void softmax_gradient(benchmark::State& state, index rows, index columns) {
    const auto x = uniform<2>({rows, columns}, 1);
    const auto dy = uniform<2>({rows, columns}, 99);
    repeat(state, rows, columns, 5, 9, [&] {
        const Var<float, 2> v{x};
        const Var<float, 2> y = F{}(v);
        backward(y, dy);
        benchmark::DoNotOptimize(v.grad().data());
    });
}

void softmax_hand(benchmark::State& state, index rows, index columns) { // columns: a multiple of the lanes
    const auto x = uniform<2>({rows, columns}, 1);
    repeat(state, rows, columns, 2, 5, [&] {
        auto y = Tensor<float, 2>::empty({rows, columns});
        float* const out = y.mutable_data();
        parallel_for_ranges(rows, 64, [&](index begin, index end) {
            for (index r = begin; r < end; ++r) {
                const float* const from = x.data() + r * columns;
                float* const to = out + r * columns;
                P largest = load_packet(from), total(0.0f);
                for (index i = lanes<float>; i < columns; i += lanes<float>)
                    largest = xsimd::max(largest, load_packet(from + i));
                float lane[64];
                store_packet(lane, largest);
                const P shift(*std::max_element(lane, lane + lanes<float>));
                for (index i = 0; i < columns; i += lanes<float>) {
                    const P e = math::exp(P(load_packet(from + i) - shift));
                    store_packet(to + i, e);
                    total = total + e;
                }
                const P scale(1.0f / sum_lanes<float>(total));
                for (index i = 0; i < columns; i += lanes<float>) store_packet(to + i, P(load_packet(to + i) * scale));
            }
        });
        benchmark::DoNotOptimize(out);
    });
}

void add(const char* name, void (*f)(benchmark::State&, index, index), index rows, index columns) {
    const std::string full = std::string(name) + "/" + std::to_string(rows) + "x" + std::to_string(columns);
    benchmark::RegisterBenchmark(full.c_str(), f, rows, columns)->UseRealTime();
}

} // namespace

int main(int argc, char** argv) {
    for (const weft::index rows : {1, 4, 16, 64, 256, 1024, 16384}) add("softmax", &softmax_value<Plain>, rows, 1024);
    for (const auto& [rows, columns] : {std::pair<weft::index, weft::index>{4096, 1024}, {20000, 40}, {20000, 8}}) {
        add("softmax", &softmax_value<Plain>, rows, columns);
        add("softmax_backward", &softmax_gradient<Plain>, rows, columns);
        add("log_softmax", &softmax_value<Logarithm>, rows, columns);
        add("log_softmax_backward", &softmax_gradient<Logarithm>, rows, columns);
    }
    add("softmax_hand", &softmax_hand, 4096, 1024);
    return weft_bench::run(argc, argv);
}
