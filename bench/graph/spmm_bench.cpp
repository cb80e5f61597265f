// SPDX-License-Identifier: MIT
// y_i = sum over the edges e from j to i of w_e x_j, and its gradients. The twins called _hand are the loops one would
// write for 64 channels.
#include "graphs.hpp"

#include <weft/core/ops.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/edge_reduce.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::GraphSize, weft_bench::Operations, weft_bench::uniform;

struct Inputs {
    Graph graph;
    Tensor<float, 2> x;
    Tensor<float, 1> w;
    Tensor<float, 2> dy;
    explicit Inputs(const GraphSize& s)
        : graph(weft_bench::random_graph(s.nodes, s.edges)), x(uniform<2>({s.nodes, s.channels}, 1)),
          w(uniform<1>({s.edges}, 2)), dy(uniform<2>({s.nodes, s.channels}, 99)) {}
};

/// Of some sums over the edges, which read the weights too, and some gradients of the weights, each of which is a sum
/// over a row of both ends.
template <class F>
void repeat(benchmark::State& state, const GraphSize& s, int sums, int weight_gradients, const F& f) {
    const auto edges = static_cast<double>(s.edges), rows = edges * static_cast<double>(s.channels);
    weft_bench::add_size(state, "edges", edges);
    weft_bench::repeat(state, Bytes{sums * (weft_bench::edge_sum_bytes(s) + 4 * edges) + weight_gradients * 4 * edges},
                       Operations{2 * (sums + weight_gradients) * rows}, f);
}

void spmm(benchmark::State& state, GraphSize s) {
    const Inputs in(s);
    repeat(state, s, 1, 0, [&] {
        const Tensor<float, 2> y = sum_in(in.graph, src(in.x) * edge(in.w));
        benchmark::DoNotOptimize(y.data());
    });
}

void spmm_backward(benchmark::State& state, GraphSize s) {
    const Inputs in(s);
    repeat(state, s, 2, 0, [&] {
        const Var<float, 2> x{in.x};
        backward(sum_in(in.graph, src(x) * edge(in.w)), in.dy);
        benchmark::DoNotOptimize(x.grad().data());
    });
}

void spmm_weighted_backward(benchmark::State& state, GraphSize s) {
    const Inputs in(s);
    repeat(state, s, 2, 1, [&] {
        const Var<float, 2> x{in.x};
        const Var<float, 1> w{in.w};
        backward(sum_in(in.graph, src(x) * edge(w)), in.dy);
        benchmark::DoNotOptimize(x.grad().data());
        benchmark::DoNotOptimize(w.grad().data());
    });
}

/// Row i of the result is the sum over row i of the matrix; 64 channels in registers.
void multiply_by_hand(const Csr& matrix, const float* w, const float* x, float* y) {
    using P = Packet<float>;
    constexpr index channels = 64, width = lanes<float>, packets = channels / width;
    const std::int32_t *const rows = matrix.row_ptr.data(), *const columns = matrix.col.data();
    const std::int32_t* const edges = matrix.eid.data();
    const index last = matrix.col.size() - 1;
    parallel_for_ranges(matrix.row_ptr.size() - 1, 256, [&](index begin, index end) {
        for (index i = begin; i < end; ++i) {
            P sum[packets];
            for (P& s : sum) s = P(0.0f);
            for (index p = rows[i]; p < rows[i + 1]; ++p) {
                const float* const ahead = x + channels * columns[std::min(p + 32, last)];
                for (index f = 0; f < channels; f += 16) __builtin_prefetch(ahead + f);
                __builtin_prefetch(w + edges[std::min(p + 32, last)]);
                const float* const row = x + channels * columns[p];
                const P weight = splat(w[edges[p]]);
#pragma GCC unroll 16
                for (index f = 0; f < packets; ++f) sum[f] = multiply_add(weight, load_packet(row + f * width), sum[f]);
            }
#pragma GCC unroll 16
            for (index f = 0; f < packets; ++f) store_packet(y + i * channels + f * width, sum[f]);
        }
    });
}

void spmm_hand(benchmark::State& state, GraphSize s) {
    const Inputs in(s);
    repeat(state, s, 1, 0, [&] {
        auto y = Tensor<float, 2>::empty(in.x.shape());
        multiply_by_hand(in.graph.in(), in.w.data(), in.x.data(), y.mutable_data());
        benchmark::DoNotOptimize(y.data());
    });
}

void spmm_backward_hand(benchmark::State& state, GraphSize s) {
    const Inputs in(s);
    repeat(state, s, 2, 0, [&] {
        auto y = Tensor<float, 2>::empty(in.x.shape()), dx = Tensor<float, 2>::empty(in.x.shape());
        multiply_by_hand(in.graph.in(), in.w.data(), in.x.data(), y.mutable_data());
        multiply_by_hand(in.graph.out(), in.w.data(), in.dy.data(), dx.mutable_data());
        benchmark::DoNotOptimize(y.data());
        benchmark::DoNotOptimize(dx.data());
    });
}

void add(const char* name, void (*f)(benchmark::State&, GraphSize), const GraphSize& s) {
    benchmark::RegisterBenchmark((std::string(name) + "/" + s.text()).c_str(), f, s)->UseRealTime();
}

} // namespace

int main(int argc, char** argv) {
    for (const weft::index nodes : {20, 200, 2'000, 20'000, 200'000}) {
        const GraphSize s{nodes, 15 * nodes, 64};
        add("spmm", &spmm, s);
        add("spmm_hand", &spmm_hand, s);
        add("spmm_backward", &spmm_backward, s);
        add("spmm_backward_hand", &spmm_backward_hand, s);
        add("spmm_weighted_backward", &spmm_weighted_backward, s);
    }
    return weft_bench::run(argc, argv);
}
