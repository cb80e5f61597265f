// SPDX-License-Identifier: MIT
// Attention over the edges of a random graph, beside a copy: "of_copy" is the share of the bandwidth of a copy of as
// much memory as the rows of keys and values that all edges bring.
#include "graphs.hpp"

#include <weft/attention/graph_attention.hpp>
#include <weft/grad/backward.hpp>

#include <algorithm>
#include <string>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::uniform;

constexpr index nodes = 100'000;

/// STREAM's copy of 3 x 64 MiB. Measured once.
double copy_bandwidth() {
    static const double bandwidth = weft_bench::copy_bandwidth(16 << 20);
    return bandwidth;
}

void attend(benchmark::State& state, index degree, index heads, index width, bool gradient) {
    const Graph g = weft_bench::random_graph(nodes, nodes * degree);
    const auto q = uniform<3>({nodes, heads, width}, 1), k = uniform<3>({nodes, heads, width}, 2),
               v = uniform<3>({nodes, heads, width}, 3), dy = uniform<3>({nodes, heads, width}, 99);
    const double bytes = static_cast<double>(g.num_edges() * 2 * width * heads * 4);
    double shortest = 1e30;
    const auto run = [&] {
        if (!gradient) {
            benchmark::DoNotOptimize(graph_attention(g, q, k, v).data());
            return;
        }
        const Var<float, 3> a{q}, b{k}, c{v};
        backward(graph_attention(g, a, b, c), dy);
        benchmark::DoNotOptimize(a.grad().data());
        benchmark::DoNotOptimize(b.grad().data());
        benchmark::DoNotOptimize(c.grad().data());
    };
    run();
    for (auto _ : state) shortest = std::min(shortest, weft_bench::shortest(1, run));
    state.counters["best_ms"] = shortest * 1e3;
    state.counters["GB/s"] = bytes / shortest * 1e-9;
    state.counters["of_copy"] = bytes / shortest / copy_bandwidth();
}

} // namespace

int main(int argc, char** argv) {
    struct Heads {
        weft::index count, width;
    };
    for (const weft::index degree : {8, 32})
        for (const Heads h : {Heads{8, 8}, Heads{4, 16}, Heads{1, 64}})
            weft_bench::add_with_backward(
                "graph_attention",
                std::to_string(nodes) + "x" + std::to_string(degree) + "/" + std::to_string(h.count) + "x" +
                    std::to_string(h.width),
                [=](benchmark::State& state, bool gradient) { attend(state, degree, h.count, h.width, gradient); });
    return weft_bench::run(argc, argv);
}
