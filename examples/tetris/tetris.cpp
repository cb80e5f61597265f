// SPDX-License-Identifier: MIT

/// Learns the eight shapes of four cubes from one orientation of each, and recognises them in any other.

#include "../command_line.hpp"
#include "../status_line.hpp"
#include "network.hpp"
#include "shapes.hpp"

#include <weft/grad/backward.hpp>
#include <weft/nn/adam.hpp>
#include <weft/nn/loss.hpp>

#include <chrono>

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name

struct Options {
    index steps = 150, copies = 8, rotations = 100;
    double lr = 0.02;
    std::uint64_t seed = 0;
    int threads = 0;
    bool quiet = false, without_pseudo_scalars = false;
};

void declare(CLI::App& app, Options& o) {
    app.add_option("--copies", o.copies, "Copies of each irrep 0e, 0o, 1o, 1e, 2e, 2o between the layers (8)")
        ->check(positive)
        ->group("Model");
    app.add_flag("--without-pseudo-scalars", o.without_pseudo_scalars,
                 "No pseudo-scalar in the readout: mirror images look the same then")
        ->group("Model");
    app.add_option("--steps", o.steps, "Steps of Adam (150)")->check(positive)->group("Training");
    app.add_option("--lr", o.lr, "Learning rate (0.02)")->check(not_negative)->group("Training");
    app.add_option("--rotations", o.rotations, "Random rotations of all shapes to test on (100)")
        ->check(positive)
        ->group("Training");
    app.add_option("--seed", o.seed, "Seed of weights and rotations (0)")->group("Training");
    declare_threads_and_quiet(app, o.threads, o.quiet);
}

using Numbers = Tensor<float, 2>;

/// How often each shape is recognised, and as what it is taken where it is not.
struct Recognition {
    index right[Shapes::count] = {}, taken_for[Shapes::count][Shapes::count] = {};
};

Recognition recognise(const ShapeNetwork<float>& network, const Shapes& shapes, const Options& o) {
    Generator generator{o.seed + 1};
    Recognition result;
    auto normal = Tensor<double, 1>::empty({7}); // of a quaternion and a shift
    for (index i = 0; i < o.rotations; ++i) {
        nn::normal(normal, generator);
        const double* const n = normal.data();
        const auto rotation = so3::Rotation::from_quaternion({n[0], n[1], n[2], n[3]});
        const Numbers positions = cast<float>(shapes.turned(rotation, {n[4], n[5], n[6]}));
        const Numbers logits = network(shapes.graph, shapes.members, positions);
        for (index s = 0; s < Shapes::count; ++s) {
            const float* const row = logits.data() + s * Shapes::count;
            const index best = std::max_element(row, row + Shapes::count) - row;
            result.right[s] += best == s;
            ++result.taken_for[s][best];
        }
    }
    return result;
}

void run(const Options& o) {
    if (o.threads > 0) set_thread_count(o.threads);
    const Shapes shapes;
    Generator generator{o.seed};
    std::vector<so3::MulIrrep> hidden;
    for (const so3::Irrep ir : {so3::Irrep{0, 1}, {0, -1}, {1, -1}, {1, 1}, {2, 1}, {2, -1}})
        hidden.push_back({o.copies, ir});
    ShapeNetwork<float> network(hidden, generator, !o.without_pseudo_scalars);
    const Numbers positions = cast<float>(shapes.positions);

    const auto begin = std::chrono::steady_clock::now();
    nn::Adam adam{network, {.lr = o.lr}};
    const StatusLine status;
    float loss_value = 0;
    for (index step = 1; step <= o.steps; ++step) {
        const auto loss = nn::cross_entropy(network(shapes.graph, shapes.members, Var{positions}), shapes.labels);
        loss_value = loss.value().item();
        adam.clear_grad();
        backward(loss);
        adam.step();
        if (!o.quiet && (status.terminal() || step % 25 == 0 || step == o.steps))
            status.write(fmt::format("step {:>4} of {}, loss {:.4f}", step, o.steps, loss_value));
    }
    if (!o.quiet) status.finish();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

    const Recognition result = recognise(network, shapes, o);
    fmt::print("{} parameters, {} steps in {:.2f} s on one orientation, loss {:.2g}\n", nn::parameter_count(network),
               o.steps, seconds, loss_value);
    fmt::print("of {} rotations and shifts recognised:\n", o.rotations);
    index always = 0;
    for (index s = 0; s < Shapes::count; ++s) {
        always += result.right[s] == o.rotations;
        fmt::print("  {:<9}{:>6.1f} %", Shapes::names[s],
                   100 * static_cast<double>(result.right[s]) / static_cast<double>(o.rotations));
        for (index other = 0; other < Shapes::count; ++other)
            if (other != s && result.taken_for[s][other] > 0)
                fmt::print("  {} as {}", result.taken_for[s][other], Shapes::names[other]);
        fmt::print("\n");
    }
    fmt::print("{} of {} shapes in every orientation\n", always, Shapes::count);
}

} // namespace

int main(int argc, char** argv) {
    Options o;
    CLI::App app("Learns the eight shapes that four unit cubes can be joined to, each in one orientation, with an "
                 "E(3)-equivariant network, and recognises them turned and moved at random; two of them are mirror "
                 "images of each other.");
    declare(app, o);
    return run_program("tetris", app, argc, argv, [&] { run(o); });
}
