// SPDX-License-Identifier: MIT
// Ten mini-batches of 1024 nodes: 15 neighbours of each, then 10 of each of these.
#include "graphs.hpp"

#include <weft/graph/neighbor_loader.hpp>

namespace {

using namespace weft;

constexpr weft::index nodes = 20'000, edges = 200'000, batch = 1024, batches = 10;

void neighbor_sampling(benchmark::State& state) {
    const Graph graph = weft_bench::random_graph(nodes, edges);
    NeighborLoader loader(graph, arange<std::int32_t>(batches * batch),
                          {.fan_outs = {15, 10}, .batch_size = batch, .shuffle = false});
    std::int64_t drawn = 0;
    for (auto _ : state)
        for (const SampledSubgraph& sample : loader) drawn += sample.edges.size();
    state.counters["edges/s"] = benchmark::Counter(static_cast<double>(drawn), benchmark::Counter::kIsRate);
}
BENCHMARK(neighbor_sampling)->Name("neighbor_sampling/20000x200000")->UseRealTime();

} // namespace

int main(int argc, char** argv) { return weft_bench::run(argc, argv); }
