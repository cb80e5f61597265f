// SPDX-License-Identifier: MIT
// MACE in float: energies and forces of molecules and crystals (`mace`, with the list of neighbours kept), the same
// with tables of the radial weights (`mace_tables`) and one operation after the other (`mace_unfused`); a training step
// (`mace_training`) beside energies and forces of the same batch (`mace_batch`). bench/peers/mace_ratios.py gives the
// model and the structures of the files WEFT_MACE_MODEL and WEFT_MACE_XYZ; without them models have random weights, and
// crystals of two elements 50 neighbours.
#include "roofline.hpp"
#include "unfused_mace.hpp"

#include <weft/io/extxyz.hpp>
#include <weft/nn/adam.hpp>
#include <weft/potential/calculator.hpp>
#include <weft/potential/energy_forces_loss.hpp>
#include <weft/potential/load_mace.hpp>

#include <cstdlib>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using Model = potential::MACE<float>;

Model random_model(index channels) {
    Generator generator{1};
    return Model({.atomic_numbers = {8, 14},
                  .atomic_energies = {-1, -2},
                  .hidden_irreps = so3::Irreps{{channels, {0, 1}}, {channels, {1, -1}}},
                  .avg_num_neighbors = 50,
                  .generator = &generator});
}

/// n^3 atoms a little out of the places of a cubic lattice, periodic.
io::Atoms crystal(index n) {
    constexpr double distance = 2.187;
    io::Atoms a;
    a.numbers = Tensor<std::int32_t, 1>::empty({n * n * n});
    a.positions = Tensor<double, 2>::empty({n * n * n, 3});
    Generator generator{2};
    nn::normal(a.positions, generator, 0, 0.1);
    for (index i = 0; i < n * n * n; ++i) {
        a.numbers.mutable_data()[i] = i % 2 == 0 ? 8 : 14;
        const index place[] = {i / (n * n), i / n % n, i % n};
        for (index k = 0; k < 3; ++k) a.positions.mutable_data()[3 * i + k] += distance * static_cast<double>(place[k]);
    }
    for (std::size_t k = 0; k < 3; ++k) a.cell[4 * k] = distance * static_cast<double>(n);
    a.pbc = {true, true, true};
    return a;
}

struct Case {
    std::string name;
    Model model;
    std::vector<io::Atoms> structures;
};

void report(benchmark::State& state, const potential::PotentialResult& r, index atoms, const std::string& series) {
    double squares = 0;
    for (const double f : r.forces) squares += f * f;
    state.counters["energy"] = r.energy;
    state.counters["force"] = std::sqrt(squares);
    weft_bench::add_size(state, "atoms", static_cast<double>(atoms), series);
    state.counters["us_per_atom"] = benchmark::Counter(
        static_cast<double>(atoms) * 1e-6, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

/// Atoms move a little from call to call, as in molecular dynamics.
void energy_and_forces(benchmark::State& state, const Case& c, bool tables) {
    potential::Calculator calculator(tables ? c.model.tabulated() : c.model);
    auto a = c.structures[0];
    const auto compute = [&] { return calculator.compute(a.positions.values(), a.numbers.values(), a.cell, a.pbc); };
    weft::detail::Pool::instance().trim();
    weft::reset_peak_memory();
    report(state, compute(), a.size(), c.name.substr(0, c.name.find('_')));
    state.counters["bytes_per_atom"] = static_cast<double>(weft::peak_memory()) / static_cast<double>(a.size());
    double move = 1e-3;
    for (auto _ : state) {
        for (double& x : a.positions.mutable_values()) x += move = -move;
        benchmark::DoNotOptimize(compute().energy);
    }
}

struct Batch {
    potential::StructureSet set;
    potential::StructureBatch<float> batch;

    explicit Batch(const Case& c) {
        auto labelled = c.structures;
        for (io::Atoms& a : labelled) {
            if (!a.energy()) a.info["energy"] = 0.0;
            if (!a.forces()) a.arrays["forces"] = Tensor<double, 2>::zeros({a.size(), 3});
        }
        set = potential::StructureSet(labelled, c.model.cutoff());
        std::vector<index> all(labelled.size());
        std::iota(all.begin(), all.end(), 0);
        batch = set.batch(c.model, all);
    }
};

void batch(benchmark::State& state, const Case& c) {
    const Batch b(c);
    nn::requires_grad(c.model, false);
    for (auto _ : state) benchmark::DoNotOptimize(predict(c.model, b.batch).energies.data());
}
void unfused(benchmark::State& state, const Case& c) {
    const Batch b(c);
    nn::requires_grad(c.model, false);
    const weft_bench::UnfusedMace<float> model(c.model);
    const auto compute = [&] {
        const Var<float, 2> vectors{b.batch.vectors};
        const Var<float, 1> energies = model.node_energies(b.batch.atoms, vectors);
        backward(sum(energies));
        const Graph& g = b.batch.atoms.graph;
        const Tensor<float, 2> pull = vectors.grad(), forces = sum_out(g, edge(pull)) - sum_in(g, edge(pull));
        return std::pair(weft::potential::detail::structure_sums(b.batch.members, energies.value()), forces);
    };
    const auto fused = predict(c.model, b.batch);
    const auto [own_energies, own_forces] = compute();
    const auto far = [](const auto& x, const auto& y) {
        double difference = 0, norm = 0;
        for (index i = 0; i < x.size(); ++i) {
            const double d = double(x.data()[i]) - double(y.data()[i]);
            difference += d * d;
            norm += double(y.data()[i]) * double(y.data()[i]);
        }
        return std::sqrt(difference / norm);
    };
    state.counters["differ"] = std::max(far(own_energies, fused.energies), far(own_forces, fused.forces));
    for (auto _ : state) benchmark::DoNotOptimize(compute().first.data());
}
void training(benchmark::State& state, const Case& c) {
    const Batch b(c);
    potential::LossGradient gradient(c.model);
    nn::Adam adam(c.model, {.lr = 0});
    for (auto _ : state) {
        benchmark::DoNotOptimize(gradient(c.model, b.batch, {}));
        adam.step();
    }
}

void add(const Case& c, bool large) {
    const auto one = [&](const char* name, auto run) {
        benchmark::RegisterBenchmark((name + c.name).c_str(), [=](benchmark::State& s) { run(s, c); })
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
    };
    one("mace/", [](auto& s, const Case& at) { energy_and_forces(s, at, false); });
    one("mace_tables/", [](auto& s, const Case& at) { energy_and_forces(s, at, true); });
    if (large) return;
    one("mace_batch/", batch);
    one("mace_unfused/", unfused);
    one("mace_training/", training);
}

void add_all() {
    const char *const model = std::getenv("WEFT_MACE_MODEL"), *const structures = std::getenv("WEFT_MACE_XYZ");
    if (model && structures) {
        add({"file", potential::load_mace<float>(model), io::read_extxyz(structures)}, false);
        return;
    }
    for (const index channels : {32, 128}) {
        const std::string name = "c" + std::to_string(channels) + "_";
        const Model m = random_model(channels);
        add({name + "n64", m, {crystal(4)}}, false);
        add({name + "n512", m, {crystal(8)}}, true);
    }
    for (const index side : {5, 10, 17, 27})
        add({"c32_n" + std::to_string(side * side * side), random_model(32), {crystal(side)}}, true);
}

} // namespace

int main(int argc, char** argv) {
    add_all();
    return weft_bench::run(argc, argv);
}
