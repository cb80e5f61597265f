// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>
#include <weft/core/tensor.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>
#include <tuple>
#include <vector>

/// What every benchmark has in common: the number of threads from WEFT_THREADS, inputs, and how near a result is to
/// what the machine can do, measured in the same process.
namespace weft_bench {

/// Inputs of float in [-1, 1), from the position by SplitMix64, as bench/peers/inputs.py makes them.
template <int N>
weft::Tensor<float, N> uniform(const weft::Extents<N>& extents, std::uint64_t stream) {
    auto x = weft::Tensor<float, N>::empty(extents);
    std::uint64_t counter = stream << 40;
    for (float& v : x.mutable_values()) {
        std::uint64_t z = ++counter * 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        v = static_cast<float>((z ^ (z >> 31)) >> 40) * 0x1p-23f - 1.0f;
    }
    return x;
}

/// The shortest of some calls of f, in seconds.
template <class F>
double shortest(int calls, const F& f) {
    double best = 1e30;
    for (int i = 0; i < calls; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        f();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
}

/// Bytes per second of a[i] = b[i] + s c[i] (STREAM's triad, counted as 12 bytes per float), with weft's threads, each
/// over arrays of its own of n floats, a multiple of 64.
inline double triad_rate(weft::index n) {
    const weft::index threads = weft::thread_count(), rounds = std::max<weft::index>(1, (1 << 20) / n);
    auto a = weft::Tensor<float, 1>::zeros({threads * n});
    const auto b = weft::Tensor<float, 1>::ones({threads * n}), c = weft::Tensor<float, 1>::ones({threads * n});
    float* const to = a.mutable_data();
    const double seconds = shortest(20, [&] {
        weft::parallel_for(threads, [&](weft::index thread) {
            const auto s = weft::splat(3.0f);
            for (weft::index round = 0; round < rounds; ++round) {
                for (weft::index i = thread * n; i < (thread + 1) * n; i += weft::lanes<float>)
                    weft::store_packet(to + i, weft::multiply_add(weft::load_packet(c.data() + i), s,
                                                                  weft::load_packet(b.data() + i)));
                benchmark::ClobberMemory();
            }
        });
    });
    return 12.0 * static_cast<double>(threads * n * rounds) / seconds;
}

/// The rate over 3 x 64 MiB. Measured once.
inline double triad_bandwidth() {
    static const double bandwidth = triad_rate((16 << 20) / weft::thread_count() / 64 * 64);
    return bandwidth;
}

/// Bytes per second, counted as 8 per float, of a copy of n floats into memory from the pool, as a result is: the
/// median of 31, with weft's threads.
inline double copy_bandwidth(weft::index n) {
    const auto x = uniform<1>({n}, 1);
    std::vector<double> seconds(31);
    for (double& s : seconds)
        s = shortest(1, [&] {
            auto y = weft::Tensor<float, 1>::empty({n});
            float* const to = y.mutable_data();
            weft::parallel_for_ranges(n, 1 << 16, [&](weft::index begin, weft::index end) {
                for (weft::index i = begin; i < end; i += weft::lanes<float>)
                    weft::store_packet(to + i, weft::load_packet(x.data() + i));
            });
            benchmark::DoNotOptimize(to);
        });
    std::nth_element(seconds.begin(), seconds.begin() + 15, seconds.end());
    return 8.0 * static_cast<double>(n) / seconds[15];
}

/// x[k] = a x[k] + b for all of them; unrolled, so that they stay in registers.
template <std::size_t... K>
WEFT_ALWAYS_INLINE void multiply_add_all(weft::Packet<float>* x, const weft::Packet<float>& a,
                                         const weft::Packet<float>& b, std::index_sequence<K...>) {
    ((x[K] = weft::multiply_add(x[K], a, b)), ...);
}

/// Floating-point operations per second of independent multiply-adds in registers, with weft's threads.
inline double multiply_add_rate() {
    constexpr weft::index rounds = 200000, chains = 12;
    const weft::index chunks = weft::thread_count();
    weft::Tensor<float, 1> sink = weft::Tensor<float, 1>::zeros({chunks * 64});
    float* const to = sink.mutable_data();
    const double seconds = shortest(20, [&] {
        weft::parallel_for(chunks, [&](weft::index chunk) {
            weft::Packet<float> x[chains];
            for (auto& v : x) v = weft::splat(1.0f);
            const auto a = weft::splat(0.999f), b = weft::splat(0.001f);
            for (weft::index i = 0; i < rounds; ++i) multiply_add_all(x, a, b, std::make_index_sequence<chains>{});
            for (weft::index k = 1; k < chains; ++k) x[0] = x[0] + x[k];
            weft::store_packet(to + 64 * chunk, x[0]);
        });
        benchmark::ClobberMemory();
    });
    return 2.0 * static_cast<double>(rounds * chains * weft::lanes<float> * chunks) / seconds;
}

/// The same, measured once.
inline double multiply_add_peak() {
    static const double peak = multiply_add_rate();
    return peak;
}

/// What one call moves where no number is in a cache before: what it reads and writes at least, and rows of nodes for
/// each edge.
struct Bytes {
    double count;
};
/// What one call computes, in floating-point operations: a multiply-add is two, a function such as exp is one.
struct Operations {
    double count;
};

/// Two numbers of each tensor: its norm, and its product with random numbers. bench/peers/peers.py makes the same of
/// what a peer computes, so that ratios.py, which sets WEFT_PROBES, can tell whether both computed the same.
template <class... Tensors>
void add_probes(benchmark::State& state, const Tensors&... results) {
    int number = 0;
    const auto add = [&](const auto& x) {
        const auto random = uniform<1>({x.size()}, 98);
        double product = 0, squares = 0;
        for (weft::index i = 0; i < x.size(); ++i) {
            const double v = x.data()[i];
            product += v * random.data()[i];
            squares += v * v;
        }
        state.counters["probe" + std::to_string(number)] = product;
        state.counters["norm" + std::to_string(number++)] = std::sqrt(squares);
    };
    (add(results), ...);
}

/// Adds what a call does, what it comes to in `seconds`, and what share of this machine's rates that is.
inline void add_rates(benchmark::State& state, Bytes bytes, Operations operations, double seconds) {
    state.counters["bytes"] = bytes.count;
    state.counters["operations"] = operations.count;
    state.counters["GB/s"] = bytes.count / seconds * 1e-9;
    state.counters["GFLOP/s"] = operations.count / seconds * 1e-9;
    state.counters["of_triad"] = bytes.count / seconds / triad_bandwidth();
    state.counters["of_peak"] = operations.count / seconds / multiply_add_peak();
}

/// Says how large the problem is, so many of `unit`, among those of a series that are the same but for this.
inline void add_size(benchmark::State& state, const char* unit, double count, const std::string& series = "") {
    state.counters[unit] = count;
    if (!series.empty()) state.SetLabel(series);
}

/// Times f, after one call that is not timed, and adds its rates. Where f returns a tuple of tensors, and WEFT_PROBES
/// is set, adds probes of them.
template <class F>
void repeat(benchmark::State& state, Bytes bytes, Operations operations, const F& f) {
    f();
    const auto begin = std::chrono::steady_clock::now();
    for (auto _ : state) f();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    add_rates(state, bytes, operations, seconds / static_cast<double>(state.iterations()));
    if constexpr (!std::is_void_v<decltype(f())>)
        if (std::getenv("WEFT_PROBES")) std::apply([&](const auto&... results) { add_probes(state, results...); }, f());
}

/// Registers run(state, false) as name/size, and run(state, true), with gradients, as name_backward/size.
template <class F>
void add_with_backward(const std::string& name, const std::string& size, F run) {
    for (const bool gradient : {false, true})
        benchmark::RegisterBenchmark((name + (gradient ? "_backward/" : "/") + size).c_str(),
                                     [=](benchmark::State& state) { run(state, gradient); })
            ->Unit(benchmark::kMicrosecond)
            ->UseRealTime();
}

/// The main function of a benchmark program.
inline int run(int argc, char** argv) {
    if (const char* const threads = std::getenv("WEFT_THREADS")) weft::set_thread_count(std::atoi(threads));
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

} // namespace weft_bench
