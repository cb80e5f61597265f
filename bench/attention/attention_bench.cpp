// SPDX-License-Identifier: MIT
// Attention of one batch of H heads, N queries and keys of depth D; causal; of the naive chain of matrix products; a
// step of decoding. `of_sgemm` is the share of what a product of two matrices of 512 x 512 reaches in this process.
#include "roofline.hpp"

#include <weft/attention/kv_cache.hpp>
#include <weft/core/ops/multiply.hpp>
#include <weft/core/ops/where.hpp>
#include <weft/core/softmax.hpp>
#include <weft/grad/backward.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

double sgemm_rate() {
    static const double rate = [] {
        const auto a = uniform<2>({512, 512}, 1), b = uniform<2>({512, 512}, 2);
        const double seconds = weft_bench::shortest(30, [&] {
            const Tensor<float, 2> c = matmul(a, b);
            benchmark::DoNotOptimize(c.data());
        });
        return 2.0 * 512 * 512 * 512 / seconds;
    }();
    return rate;
}
void add_share(benchmark::State& state) { state.counters["of_sgemm"] = state.counters["GFLOP/s"] * 1e9 / sgemm_rate(); }

struct Fused {
    static constexpr double score_passes = 0; // over a matrix of scores in memory
    bool causal;
    auto operator()(const auto& q, const auto& k, const auto& v) const {
        AttentionOptions options;
        if (causal) options.causal = Causal::top_left;
        return attention(q, k, v, options);
    }
};
/// The matrix of scores in memory, twice.
struct Naive {
    static constexpr double score_passes = 4;
    bool causal;
    auto operator()(const auto& q, const auto& k, const auto& v) const {
        const float scale = 1 / std::sqrt(static_cast<float>(q.extent(3)));
        return matmul(softmax(matmul(q, transpose(k)) * scale), v);
    }
};

template <class F>
void attend(benchmark::State& state, index heads, index n, index depth, bool causal, bool gradient) {
    const Extents<4> shape{1, heads, n, depth};
    const auto q = uniform<4>(shape, 1), k = uniform<4>(shape, 2), v = uniform<4>(shape, 3), dy = uniform<4>(shape, 99);
    const double scores = static_cast<double>(heads * n) * static_cast<double>(causal ? n + 1 : 2 * n) / 2;
    const Operations operations{scores * static_cast<double>(depth) * (gradient ? 14 : 4)};
    const double passes = F::score_passes * static_cast<double>(heads * n * n);
    const Bytes bytes{4 * (gradient ? 3 : 1) * (4 * static_cast<double>(q.size()) + passes)};
    weft_bench::add_size(state, "pairs", scores, "d" + std::to_string(depth));
    if (gradient)
        repeat(state, bytes, operations, [&] {
            const Var<float, 4> a{q}, b{k}, c{v};
            const Var<float, 4> y = F{causal}(a, b, c);
            backward(y, dy);
            return std::tuple(a.grad(), b.grad(), c.grad());
        });
    else
        repeat(state, bytes, operations, [&] { return std::tuple(Tensor<float, 4>(F{causal}(q, k, v))); });
    add_share(state);
}

void decode_step(benchmark::State& state, index length, index kv_heads, index group, index depth) {
    const Extents<4> shape{1, kv_heads, length, depth};
    KVCache<half> cache(1, kv_heads, length, depth);
    cache.append(uniform<4>(shape, 2), uniform<4>(shape, 3));
    const auto q = uniform<4>({1, kv_heads * group, 1, depth}, 1);
    const auto numbers = static_cast<double>(2 * kv_heads * length * depth);
    repeat(state, Bytes{2 * numbers}, Operations{2 * static_cast<double>(group) * numbers}, [&] {
        const auto y = decode(q, cache);
        benchmark::DoNotOptimize(y.data());
    });
}

std::string size_of(index heads, index n, index depth) {
    return "h" + std::to_string(heads) + "_n" + std::to_string(n) + "_d" + std::to_string(depth);
}

void add(index heads, index n, index depth) {
    const std::string size = size_of(heads, n, depth);
    for (const bool causal : {false, true})
        weft_bench::add_with_backward(causal ? "attention_causal" : "attention", size, [=](auto& state, bool gradient) {
            attend<Fused>(state, heads, n, depth, causal, gradient);
        });
    weft_bench::add_with_backward("attention_naive", size, [=](auto& state, bool gradient) {
        attend<Naive>(state, heads, n, depth, false, gradient);
    });
}

const bool registered = [] {
    for (const index n : {64, 128, 256, 512, 1024, 2048, 4096}) add(8, n, 64);
    add(8, 1024, 16);
    add(8, 1024, 32);
    add(1, 4096, 64);
    for (const index length : {4096, 65536})
        benchmark::RegisterBenchmark(("decode/t" + std::to_string(length) + "_kv2_g4_d64").c_str(),
                                     [=](benchmark::State& state) { decode_step(state, length, 2, 4, 64); })
            ->Unit(benchmark::kMicrosecond)
            ->UseRealTime();
    return true;
}();

} // namespace

int main(int argc, char** argv) { return weft_bench::run(argc, argv); }
