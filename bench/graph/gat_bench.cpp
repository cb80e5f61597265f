// SPDX-License-Identifier: MIT
// Graph attention of 8 heads of 8 channels without its dense layers: the softmax of leaky_relu(a_j + b_i) over the
// edges from j to i weighs the sum of z_j. The twin called _hand is the loop one would write for this size.
#include "graphs.hpp"

#include <weft/core/math.hpp>
#include <weft/core/ops.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/edge_softmax.hpp>

#include <cmath>
#include <vector>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::GraphSize, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

constexpr index heads = 8, width = 8;
constexpr float slope = 0.2f;

struct Inputs {
    Graph graph;
    Tensor<float, 3> z;
    Tensor<float, 2> a, b;
    Tensor<float, 3> dy;
    explicit Inputs(const GraphSize& s)
        : graph(weft_bench::random_graph(s.nodes, s.edges)), z(uniform<3>({s.nodes, heads, width}, 1)),
          a(uniform<2>({s.nodes, heads}, 2)), b(uniform<2>({s.nodes, heads}, 3)),
          dy(uniform<3>({s.nodes, heads, width}, 99)) {}
};

/// For each edge and head the score and its softmax, and a multiply-add for each channel; with the gradients three
/// times as many.
Operations operations(const GraphSize& s) {
    return {static_cast<double>(s.edges * heads) * static_cast<double>(7 + 2 * width)};
}

void attention(benchmark::State& state, GraphSize s) {
    const Inputs in(s);
    weft_bench::add_size(state, "edges", static_cast<double>(s.edges));
    repeat(state, Bytes{weft_bench::attention_bytes(s, heads)}, operations(s), [&] {
        const Tensor<float, 3> y = sum_in(in.graph, softmax_in(leaky_relu(src(in.a) + dst(in.b), slope)) * src(in.z));
        benchmark::DoNotOptimize(y.data());
    });
}

void attention_backward(benchmark::State& state, GraphSize s) {
    const Inputs in(s);
    weft_bench::add_size(state, "edges", static_cast<double>(s.edges));
    const double bytes = weft_bench::attention_bytes(s, heads) + weft_bench::attention_backward_bytes(s, heads);
    repeat(state, Bytes{bytes}, Operations{3 * operations(s).count}, [&] {
        const Var<float, 3> z{in.z};
        const Var<float, 2> a{in.a}, b{in.b};
        backward(sum_in(in.graph, softmax_in(leaky_relu(src(a) + dst(b), slope)) * src(z)), in.dy);
        benchmark::DoNotOptimize(z.grad().data());
        benchmark::DoNotOptimize(a.grad().data());
        benchmark::DoNotOptimize(b.grad().data());
    });
}

/// The rows [begin, end) of the result. `score` has room for the edges of the longest row, and for a packet more.
#ifdef __AVX512F__
void attend_rows(const Csr& in, const float* a, const float* b, const float* z, float* y, index begin, index end,
                 float* score) {
    const std::int32_t *const rows = in.row_ptr.data(), *const columns = in.col.data();
    const index last_edge = in.col.size() - 1;
    const __m512i low = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const __m512i spread[4] = {low, _mm512_add_epi32(low, _mm512_set1_epi32(2)),
                               _mm512_add_epi32(low, _mm512_set1_epi32(4)),
                               _mm512_add_epi32(low, _mm512_set1_epi32(6))};
    const __m256 tilt = _mm256_set1_ps(slope);
    for (index i = begin; i < end; ++i) {
        const index first = rows[i], degree = rows[i + 1] - first;
        const __m256 to = _mm256_loadu_ps(b + heads * i);
        __m256 top = _mm256_set1_ps(-INFINITY);
        for (index p = 0; p < degree; ++p) {
            const index ahead = heads * width * columns[std::min(first + p + 32, last_edge)];
            _mm_prefetch(reinterpret_cast<const char*>(a + ahead / width), _MM_HINT_T0);
            for (index k = 0; k < 64; k += 16) _mm_prefetch(reinterpret_cast<const char*>(z + ahead + k), _MM_HINT_T0);
            const __m256 sum = _mm256_add_ps(_mm256_loadu_ps(a + heads * columns[first + p]), to);
            const __m256 s = _mm256_max_ps(sum, _mm256_mul_ps(tilt, sum));
            top = _mm256_max_ps(top, s);
            _mm256_storeu_ps(score + heads * p, s);
        }
        const __m512 shift = _mm512_insertf32x8(_mm512_castps256_ps512(top), top, 1);
        __m256 total = _mm256_setzero_ps();
        for (index p = 0; p < degree; p += 2) {
            const Packet<float> weight =
                math::exp(Packet<float>(_mm512_sub_ps(_mm512_loadu_ps(score + heads * p), shift)));
            const __m512 w = weight;
            _mm512_storeu_ps(score + heads * p, w);
            total = _mm256_add_ps(total, _mm512_castps512_ps256(w));
            if (p + 1 < degree) total = _mm256_add_ps(total, _mm512_extractf32x8_ps(w, 1));
        }
        __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
        for (index p = 0; p < degree; ++p) {
            const __m512 w = _mm512_castps256_ps512(_mm256_loadu_ps(score + heads * p));
            const float* const row = z + heads * width * columns[first + p];
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k)
                sum[k] = _mm512_fmadd_ps(_mm512_permutexvar_ps(spread[k], w), _mm512_loadu_ps(row + 16 * k), sum[k]);
        }
        const __m256 one = _mm256_set1_ps(1.0f);
        const __m512 scale = _mm512_castps256_ps512(
            _mm256_blendv_ps(one, _mm256_div_ps(one, total), _mm256_cmp_ps(total, _mm256_setzero_ps(), _CMP_GT_OQ)));
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k)
            _mm512_storeu_ps(y + heads * width * i + 16 * k,
                             _mm512_mul_ps(_mm512_permutexvar_ps(spread[k], scale), sum[k]));
    }
}
#else
void attend_rows(const Csr& in, const float* a, const float* b, const float* z, float* y, index begin, index end,
                 float* score) {
    const std::int32_t *const rows = in.row_ptr.data(), *const columns = in.col.data();
    for (index i = begin; i < end; ++i) {
        const index first = rows[i], degree = rows[i + 1] - first;
        float top[heads], total[heads] = {}, sum[heads][width] = {};
        for (float& t : top) t = -INFINITY;
        for (index p = 0; p < degree; ++p)
            for (index h = 0; h < heads; ++h) {
                const float s = a[heads * columns[first + p] + h] + b[heads * i + h];
                score[heads * p + h] = s > 0 ? s : slope * s;
                top[h] = std::max(top[h], score[heads * p + h]);
            }
        for (index p = 0; p < degree; ++p) {
            const float* const row = z + heads * width * columns[first + p];
            for (index h = 0; h < heads; ++h) {
                const float weight = std::exp(score[heads * p + h] - top[h]);
                total[h] += weight;
                for (index c = 0; c < width; ++c) sum[h][c] += weight * row[h * width + c];
            }
        }
        for (index h = 0; h < heads; ++h)
            for (index c = 0; c < width; ++c)
                y[heads * width * i + h * width + c] = total[h] > 0 ? sum[h][c] / total[h] : 0;
    }
}
#endif

Tensor<float, 3> attend_by_hand(const Inputs& in) {
    auto y = Tensor<float, 3>::empty(in.z.shape());
    float* const to = y.mutable_data();
    const Csr& csr = in.graph.in();
    parallel_for_ranges(in.graph.num_dst(), 256, [&](index begin, index end) {
        const std::int32_t* const rows = csr.row_ptr.data();
        index longest = 0;
        for (index i = begin; i < end; ++i) longest = std::max<index>(longest, rows[i + 1] - rows[i]);
        std::vector<float> score(static_cast<std::size_t>(heads * longest + 16));
        attend_rows(csr, in.a.data(), in.b.data(), in.z.data(), to, begin, end, score.data());
    });
    return y;
}

void attention_hand(benchmark::State& state, GraphSize s) {
    const Inputs in(s);
    weft_bench::add_size(state, "edges", static_cast<double>(s.edges));
    const Tensor<float, 3> expected =
        sum_in(in.graph, softmax_in(leaky_relu(src(in.a) + dst(in.b), slope)) * src(in.z));
    const Tensor<float, 3> found = attend_by_hand(in);
    for (index k = 0; k < found.size(); ++k)
        if (!(std::abs(found.data()[k] - expected.data()[k]) < 1e-4f))
            return state.SkipWithError("the loop by hand and the library differ");
    repeat(state, Bytes{weft_bench::attention_bytes(s, heads)}, operations(s),
           [&] { benchmark::DoNotOptimize(attend_by_hand(in).data()); });
}

void add(const char* name, void (*f)(benchmark::State&, GraphSize), const GraphSize& s) {
    const std::string size = std::to_string(s.nodes) + "x" + std::to_string(s.edges) + "/8x8";
    benchmark::RegisterBenchmark((std::string(name) + "/" + size).c_str(), f, s)->UseRealTime();
}

} // namespace

int main(int argc, char** argv) {
    for (const weft::index nodes : {20, 200, 2'000, 20'000, 200'000}) {
        const GraphSize s{nodes, 15 * nodes, 64};
        add("attention", &attention, s);
        add("attention_hand", &attention_hand, s);
        add("attention_backward", &attention_backward, s);
    }
    return weft_bench::run(argc, argv);
}
