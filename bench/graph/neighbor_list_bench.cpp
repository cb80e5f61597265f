// SPDX-License-Identifier: MIT
// Neighbour lists of a liquid, about 60 neighbours for each atom, and Verlet lists of the same whose atoms have moved.
#include "graphs.hpp"

#include <weft/graph/verlet_list.hpp>

namespace {

using namespace weft;

constexpr double cutoff = 5, neighbors = 60, skin = 0.5;

struct Liquid {
    std::vector<double> positions;
    Cell cell;

    explicit Liquid(weft::index atoms) : positions(static_cast<std::size_t>(3 * atoms)) {
        const double volume = 4 * 3.14159265358979 / 3 * cutoff * cutoff * cutoff / neighbors;
        const double side = std::cbrt(volume * static_cast<double>(atoms));
        for (std::size_t k = 0; k < positions.size(); ++k)
            positions[k] = side * static_cast<double>(weft_bench::splitmix64(k) >> 11) * 0x1p-53;
        cell = {{side, 0, 0, 0, side, 0, 0, 0, side}, {true, true, true}};
    }
};

/// Of the shortest call.
void report(benchmark::State& state, weft::index atoms, weft::index pairs, double seconds) {
    weft_bench::add_size(state, "atoms", static_cast<double>(atoms));
    state.counters["ns/atom"] = seconds / static_cast<double>(atoms) * 1e9;
    state.counters["ns/pair"] = seconds / static_cast<double>(pairs) * 1e9;
    state.counters["pairs/atom"] = static_cast<double>(pairs) / static_cast<double>(atoms);
}

/// `linear`: the time of an atom to that in a system of 1000 atoms; 1 where the cost is linear.
void search(benchmark::State& state) {
    const Liquid liquid(state.range(0)), small(1000);
    const auto run = [](const Liquid& l) { return neighbor_list(l.positions, l.cell, cutoff).graph.num_edges(); };
    const weft::index pairs = run(liquid);
    double seconds = 1e30, small_seconds = 1e30;
    for (auto _ : state) {
        seconds = std::min(seconds, weft_bench::shortest(1, [&] { benchmark::DoNotOptimize(run(liquid)); }));
        state.PauseTiming();
        small_seconds = std::min(small_seconds, weft_bench::shortest(3, [&] { run(small); }));
        state.ResumeTiming();
    }
    report(state, state.range(0), pairs, seconds);
    state.counters["linear"] = seconds / small_seconds * 1000 / static_cast<double>(state.range(0));
}
BENCHMARK(search)->Name("neighbor_list")->Arg(1000)->Arg(10'000)->Arg(100'000)->UseRealTime();

/// Atoms go to and fro, within the skin, and some pairs enter or leave each time; `of_search`: the time to that of
/// neighbor_list.
void update(benchmark::State& state) {
    const Liquid liquid(state.range(0));
    Liquid moved = liquid;
    for (std::size_t k = 0; k < moved.positions.size(); ++k)
        moved.positions[k] += 0.05 * skin * (static_cast<double>(weft_bench::splitmix64(~k) >> 11) * 0x1p-53 - 0.5);
    VerletList verlet(cutoff, skin);
    weft::index pairs = verlet.update(liquid.positions, liquid.cell).graph.num_edges();
    bool there = false;
    double seconds = 1e30, search_seconds = 1e30;
    for (auto _ : state) {
        there = !there;
        const Liquid& now = there ? moved : liquid;
        seconds = std::min(seconds, weft_bench::shortest(
                                        1, [&] { pairs = verlet.update(now.positions, now.cell).graph.num_edges(); }));
        state.PauseTiming();
        search_seconds = std::min(search_seconds, weft_bench::shortest(1, [&] {
                                      benchmark::DoNotOptimize(neighbor_list(now.positions, now.cell, cutoff));
                                  }));
        state.ResumeTiming();
    }
    if (verlet.rebuilds() != 1) state.SkipWithError("the wide list was made again");
    report(state, state.range(0), pairs, seconds);
    state.counters["of_search"] = seconds / search_seconds;
}
BENCHMARK(update)->Name("verlet_list")->Arg(1000)->Arg(10'000)->Arg(100'000)->UseRealTime();

} // namespace

int main(int argc, char** argv) { return weft_bench::run(argc, argv); }
