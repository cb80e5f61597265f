// SPDX-License-Identifier: MIT
// Attention over the edges of a random graph. GB/s counts the rows of keys and values that the edges bring, once,
// of_copy is the share of a copy's bandwidth; medians both.
#include "graphs.hpp"

#include <weft/attention/graph_attention.hpp>
#include <weft/grad/backward.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::uniform;

constexpr index nodes = 100'000;

void attend(benchmark::State& state, index degree, index heads, index width, bool gradient) {
    const Graph g = weft_bench::random_graph(nodes, nodes * degree);
    const auto q = uniform<3>({nodes, heads, width}, 1), k = uniform<3>({nodes, heads, width}, 2),
               v = uniform<3>({nodes, heads, width}, 3), dy = uniform<3>({nodes, heads, width}, 99);
    const double bytes = static_cast<double>(g.num_edges() * 2 * width * heads * 4);
    std::vector<double> seconds;
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
    for (auto _ : state) seconds.push_back(weft_bench::shortest(1, run));
    std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
    const double median = seconds[seconds.size() / 2];
    // Scores and sums; their gradients, and the scores once more; and of a score its exponential.
    const double operations = static_cast<double>(g.num_edges() * heads * ((gradient ? 14 : 4) * width + 5));
    weft_bench::add_rates(state, {bytes}, {operations}, median);
    state.counters["of_copy"] = bytes / median / weft_bench::copy_bandwidth(16 << 20);
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
