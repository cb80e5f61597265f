// SPDX-License-Identifier: MIT
// Functions of one argument: nanoseconds per element of 4096 in the cache, on one thread, beside xsimd's function of
// the same name where it has one; and some on 16 million elements beside a copy of them.
#include "roofline.hpp"

#include <weft/core/ops.hpp>

#include <cmath>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library

// Seconds per element of f on packets.
template <class T, class F>
double seconds_per_element(const F& f) {
    constexpr index n = 4096;
    auto x = Tensor<T, 1>::empty({n});
    const auto u = weft_bench::uniform<1>({n}, 1);
    for (index i = 0; i < n; ++i) x.mutable_data()[i] = T(3) * T(u(i)) + T(3.01); // where logarithms are defined
    auto y = Tensor<T, 1>::empty({n});
    const T* const from = x.data();
    T* const to = y.mutable_data();
    return weft_bench::shortest(200,
                                [&] {
                                    for (index i = 0; i < n; i += lanes<T>)
                                        store_packet(to + i, f(load_packet(from + i)));
                                    benchmark::ClobberMemory();
                                }) /
           n;
}

struct None {};

template <class T, class Op, class Peer>
void function(benchmark::State& state, Peer peer) {
    for (auto _ : state) {
        const double own = seconds_per_element<T>([](const Packet<T>& x) { return Op::value(x); });
        state.counters["ns"] = 1e9 * own;
        if constexpr (!std::is_same_v<Peer, None>) {
            const double its = seconds_per_element<T>(peer);
            state.counters["ns_xsimd"] = 1e9 * its;
            state.counters["of_xsimd"] = own / its;
        }
    }
}

template <class Op, class Peer = None>
void add(Peer peer = {}) {
    const auto with = [&](const char* type, auto run) {
        benchmark::RegisterBenchmark((std::string(Op::name) + "/" + type).c_str(), run, peer)->Iterations(1);
    };
    with("float", &function<float, Op, Peer>);
    with("double", &function<double, Op, Peer>);
}

// 2^24 elements: read once, written once.
template <class F>
void large(benchmark::State& state, double operations, F f) {
    constexpr index n = 1 << 24;
    const auto x = weft_bench::uniform<1>({n}, 1);
    const auto copy = [&] {
        auto y = Tensor<float, 1>::empty({n});
        float* const to = y.mutable_data();
        parallel_for_ranges(n, 1 << 18, [&](index begin, index end) {
            for (index i = begin; i < end; i += lanes<float>) store_packet(to + i, load_packet(x.data() + i));
        });
        benchmark::DoNotOptimize(to);
    };
    const auto apply_function = [&] {
        const Tensor<float, 1> y = f(x);
        benchmark::DoNotOptimize(y.data());
    };
    for (auto _ : state) {
        double own = 1e30, its = 1e30;
        for (int i = 0; i < 10; ++i) { // in turns: other programs come and go
            its = std::min(its, weft_bench::shortest(2, copy));
            own = std::min(own, weft_bench::shortest(2, apply_function));
        }
        weft_bench::add_rates(state, {8.0 * n}, {operations * n}, own);
        state.counters["of_copy"] = its / own;
    }
}

template <class F>
void add_large(const char* name, double operations, F f) {
    benchmark::RegisterBenchmark((std::string(name) + "/16777216").c_str(), &large<F>, operations, f)->Iterations(1);
}

void add_all() {
    add<Exp>([](const auto& x) { return xsimd::exp(x); });
    add<Expm1>([](const auto& x) { return xsimd::expm1(x); });
    add<Log>([](const auto& x) { return xsimd::log(x); });
    add<Log1p>([](const auto& x) { return xsimd::log1p(x); });
    add<Sin>([](const auto& x) { return xsimd::sin(x); });
    add<Cos>([](const auto& x) { return xsimd::cos(x); });
    add<Tan>([](const auto& x) { return xsimd::tan(x); });
    add<Tanh>([](const auto& x) { return xsimd::tanh(x); });
    add<Erf>([](const auto& x) { return xsimd::erf(x); });
    add<Erfc>([](const auto& x) { return xsimd::erfc(x); });
    add<Sqrt>([](const auto& x) { return xsimd::sqrt(x); });
    add<Relu>();
    add<Sigmoid>();
    add<Silu>();
    add<QuickGelu>();
    add<Gelu>();
    add<GeluTanh>();
    add<Mish>();
    add<Softplus>();
    add<LogSigmoid>();
    add<Selu>();
    add<Hardswish>();
    add<Softsign>();
    add_large("relu", 1, [](const auto& x) { return relu(x); });
    add_large("silu", 4, [](const auto& x) { return silu(x); });
    add_large("gelu", 5, [](const auto& x) { return gelu(x); });
    add_large("gelu_tanh", 9, [](const auto& x) { return gelu_tanh(x); });
    add_large("mish", 4, [](const auto& x) { return mish(x); });
}

} // namespace

int main(int argc, char** argv) {
    add_all();
    return weft_bench::run(argc, argv);
}
