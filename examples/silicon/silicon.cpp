// SPDX-License-Identifier: MIT

/// Learns the potential of Stillinger and Weber from energies and forces of small silicon clusters, with a pair
/// potential and with products of three densities, coupled as irreps and as functions on the sphere.

#include "../command_line.hpp"
#include "../status_line.hpp"
#include "network.hpp"
#include "picture.hpp"

#include <weft/grad/backward.hpp>
#include <weft/nn/adam.hpp>
#include <weft/nn/dual_module.hpp>
#include <weft/nn/schedule.hpp>

#include <chrono>
#include <cstdio>

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name
using Number = Dual<float>;
using Clock = std::chrono::steady_clock;

struct Options {
    index train = 300, test = 100, epochs = 100, batch = 10;
    double lr = 0.02, energy_weight = 10;
    std::uint64_t seed = 0;
    int threads = 0;
    std::string svg;
    bool quiet = false;
};

void declare(CLI::App& app, Options& o) {
    app.add_option("--train", o.train, "Clusters to learn from (300)")->check(positive)->group("Data");
    app.add_option("--test", o.test, "Clusters to test on (100)")->check(positive)->group("Data");
    app.add_option("--epochs", o.epochs, "Passes over the clusters (100)")->check(positive)->group("Training");
    app.add_option("--batch", o.batch, "Clusters of a step (10)")->check(positive)->group("Training");
    app.add_option("--lr", o.lr, "Learning rate, which falls to 0 along a cosine (0.02)")
        ->check(not_negative)
        ->group("Training");
    app.add_option("--energy-weight", o.energy_weight,
                   "Weight of the squared error of energies per atom, beside that of forces (10)")
        ->check(not_negative)
        ->group("Training");
    app.add_option("--seed", o.seed, "Seed of clusters and weights (0)")->group("Training");
    app.add_option("--svg", o.svg, "Draw predicted forces over true ones")->group("Files");
    declare_threads_and_quiet(app, o.threads, o.quiet);
}

struct Data {
    std::vector<Batch> train, test;

    explicit Data(const Options& o) {
        Generator generator{o.seed};
        std::vector<Cluster> clusters;
        for (index i = 0; i < o.train + o.test; ++i) clusters.push_back(random_cluster(generator));
        const auto batches = [&](index begin, index end) {
            std::vector<Batch> all;
            for (index b = begin; b < end; b += o.batch)
                all.emplace_back(clusters.data() + b, clusters.data() + std::min(end, b + o.batch));
            return all;
        };
        train = batches(0, o.train);
        test = batches(o.train, o.train + o.test);
    }
};

struct Prediction {
    Tensor<float, 1> energies;
    Tensor<float, 2> forces;
};
/// Forces are the negative gradient of the energy by the positions.
Prediction predict(const Potential<float>& potential, const Batch& batch) {
    const Var<float, 2> positions{batch.positions};
    const auto energies = potential(batch, positions);
    backward(sum(energies));
    return {reshape(energies.value(), {batch.energies.size()}), Tensor<float, 2>(-positions.grad())};
}

/// Gradients of weight mean((E - E')^2 / atoms^2) + mean((F - F')^2) by all parameters. That of the second term is the
/// derivative, in the direction of the errors of the forces, of the gradient of the energy by the parameters: the
/// tangents of the gradients of `dual`, the same potential in numbers with a tangent. That of the first term is the
/// gradient by a cotangent of the energies, which becomes theirs.
void differentiate_loss(Potential<float>& potential, Potential<Number>& dual, const Batch& batch, float weight) {
    const Prediction p = predict(potential, batch);
    const Tensor<float, 2> direction = (batch.forces - p.forces) * (2 / static_cast<float>(batch.forces.size()));
    const Tensor<float, 1> d_energy =
        (p.energies - batch.energies) * (2 * weight / static_cast<float>(batch.energies.size())) / square(batch.atoms);

    nn::set_values_of_dual(potential, dual);
    nn::clear_grad(potential);
    const Var<Number, 2> positions{with_tangent(batch.positions, direction)};
    const Extents<2> shape{batch.energies.size(), 1};
    backward(dual(batch, positions),
             with_tangent(Tensor<float, 2>::ones(shape), Tensor<float, 2>(reshape(d_energy, shape))));
    nn::add_tangents_of_gradients(dual, potential);
}

struct Result {
    double energy_error = 0, force_error = 0, seconds = 0; // mean absolute errors, of energies per atom
    index parameters = 0;
    std::vector<Point> forces; // true and predicted
};

Result train(const Options& o, const Data& data, Bodies bodies, const char* name) {
    Generator generator{o.seed + 1}, unused{0};
    Potential<float> potential(bodies, generator);
    Potential<Number> dual(bodies, unused); // its parameters are set each step
    nn::Adam adam{potential, {.lr = o.lr}};
    const StatusLine status;
    const auto begin = Clock::now();
    const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
    nn::Schedule schedule{adam, nn::CosineAnnealingLR{.t_max = o.epochs}};
    for (index epoch = 0; epoch < o.epochs; ++epoch) {
        for (const Batch& batch : data.train) {
            differentiate_loss(potential, dual, batch, static_cast<float>(o.energy_weight));
            adam.step();
        }
        schedule.step();
        if (!o.quiet && (status.terminal() || (epoch + 1) % 10 == 0 || epoch + 1 == o.epochs))
            status.write(fmt::format("{}: epoch {:>3} of {}, {} left", name, epoch + 1, o.epochs,
                                     StatusLine::clock(seconds() / static_cast<double>(epoch + 1) *
                                                       static_cast<double>(o.epochs - epoch - 1))));
    }
    if (!o.quiet) status.finish();

    Result r;
    r.seconds = seconds();
    r.parameters = nn::parameter_count(potential);
    double clusters = 0, components = 0;
    for (const Batch& batch : data.test) {
        const Prediction p = predict(potential, batch);
        for (index i = 0; i < p.energies.size(); ++i, ++clusters)
            r.energy_error += std::abs(p.energies(i) - batch.energies(i)) / batch.atoms(i);
        for (index i = 0; i < p.forces.size(); ++i, ++components) {
            const float truth = batch.forces.data()[i], predicted = p.forces.data()[i];
            r.force_error += std::abs(truth - predicted);
            r.forces.push_back({truth, predicted});
        }
    }
    r.energy_error /= clusters;
    r.force_error /= components;
    return r;
}

void run(const Options& o) {
    if (o.threads > 0) set_thread_count(o.threads);
    const Data data(o);
    struct Model {
        const char* name;
        Bodies bodies;
    };
    constexpr Model models[] = {
        {"pairs", Bodies::pairs}, {"Clebsch-Gordan", Bodies::contraction}, {"Gaunt", Bodies::gaunt}};
    std::vector<Result> results;
    std::vector<Panel> panels;
    for (const Model& m : models) {
        results.push_back(train(o, data, m.bodies, m.name));
        panels.push_back(
            {fmt::format("{}: {:.0f} meV/Å", m.name, 1000 * results.back().force_error), results.back().forces});
    }
    fmt::print("{} clusters learnt from, {} to test on; mean absolute errors\n", o.train, o.test);
    fmt::print("{:<16}{:>12}{:>18}{:>18}{:>12}\n", "products", "parameters", "energy, meV/atom", "force, meV/Å",
               "seconds");
    for (std::size_t m = 0; m < results.size(); ++m)
        fmt::print("{:<16}{:>12}{:>18.2f}{:>18.1f}{:>12.1f}\n", models[m].name, results[m].parameters,
                   1000 * results[m].energy_error, 1000 * results[m].force_error, results[m].seconds);
    fmt::print("errors of forces, Gaunt / Clebsch-Gordan: {:.2f}; pairs / Gaunt: {:.1f}\n",
               results[2].force_error / results[1].force_error, results[0].force_error / results[2].force_error);
    fmt::print("time, Gaunt / Clebsch-Gordan: {:.2f}\n", results[2].seconds / results[1].seconds);
    if (o.svg.empty()) return;
    std::FILE* const file = std::fopen(o.svg.c_str(), "w");
    if (!file) throw error("silicon", "cannot write {}", o.svg);
    const std::string text = parity_picture("Forces on silicon atoms, eV/Å", panels);
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (std::fclose(file) != 0 || !written) throw error("silicon", "cannot write {}", o.svg);
}

} // namespace

int main(int argc, char** argv) {
    Options o;
    CLI::App app(
        "Learns the potential of Stillinger and Weber from energies and forces of random silicon clusters of 8 "
        "to 12 atoms, made here, with three networks that differ in how they multiply the densities around an "
        "atom: not at all (a pair potential), three at a time by Clebsch-Gordan couplings (MACE's symmetric "
        "contraction), and as powers of functions on the sphere (Gaunt).");
    declare(app, o);
    return run_program("silicon", app, argc, argv, [&] { run(o); });
}
