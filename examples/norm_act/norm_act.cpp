// SPDX-License-Identifier: MIT

/// Normalisation and activation layers compared: small networks on handwritten digits, trained with each layer.

#include "../command_line.hpp"
#include "../mean_and_deviation.hpp"
#include "../status_line.hpp"
#include "digits.hpp"
#include "layers.hpp"
#include "networks.hpp"

#include <weft/grad/backward.hpp>
#include <weft/nn/loss.hpp>
#include <weft/nn/schedule.hpp>
#include <weft/nn/sgd.hpp>

#include <chrono>

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name
using namespace norm_act;

struct Options {
    std::string data;
    std::vector<std::string> layers = layer_names, networks = {"res", "mob", "eff"};
    index steps = 100, batch_size = 64, seeds = 3;
    double lr = 0.05;
    std::uint64_t seed = 0;
    LayerOptions layer;
    int threads = 0;
    bool quiet = false;
};

/// What one run came to.
struct Result {
    double accuracy = 0, seconds = 0, megabytes = 0;
};

/// Trains with SGD (Nesterov momentum 0.9, weight decay 1e-4), its rate falling along a cosine to 0. The memory is the
/// most that the steps held beside the network and the data.
template <class Net, class Report>
Result train(const Net& net, const Digits& digits, const Tensor<float, 4>& inputs, const Options& o,
             Generator& generator, Report&& report) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    nn::SGD optimizer{net, {.lr = o.lr, .momentum = 0.9, .weight_decay = 1e-4, .nesterov = true}};
    nn::Schedule schedule{optimizer, nn::CosineAnnealingLR{.t_max = o.steps}};
    const std::size_t before = memory_in_use();
    reset_peak_memory();
    Result result;
    std::vector<std::int64_t> order;
    for (index step = 0, at = 0; step < o.steps; ++step, at += o.batch_size) {
        if (order.empty() || at + o.batch_size > digits.train) {
            order = permutation(generator, digits.train);
            at = 0;
        }
        const index n = std::min(o.batch_size, digits.train);
        const auto rows = Tensor<std::int64_t, 1>::from(
            std::span(order).subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(n)), {n});
        const Var loss = nn::cross_entropy(net(Var{gather(inputs, rows)}), gather(digits.labels, rows));
        backward(loss);
        optimizer.step();
        schedule.step();
        report(step, static_cast<double>(loss.item()));
    }
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    result.megabytes = static_cast<double>(peak_memory() - before) * 1e-6;
    const index all = inputs.extent(0);
    const Tensor<float, 2> logits = net(Tensor<float, 4>(slice(inputs, 0, digits.train, all)));
    result.accuracy = nn::accuracy(logits, Tensor<std::int64_t, 1>(slice(digits.labels, 0, digits.train, all)));
    return result;
}

template <class F>
void with_network(const std::string& name, const LayerOptions& layer, Generator& generator, F&& f) {
    const Factory factory{[&](index channels) { return make_layer(layer, channels); }, generator, layer.layout};
    if (name == "res")
        f(ResidualNetwork<NormAct>(factory, Digits::classes));
    else
        f(MobileNetwork<NormAct>(factory, Digits::classes, name == "eff"));
}

void compare(const Options& o) {
    set_thread_count(o.threads);
    const Digits digits = !o.data.empty()                ? read_digits(o.data)
                          : std::getenv("WEFT_DATA_DIR") ? read_digits(data_folder("norm_act", "digits") / "digits")
                                                         : draw_digits(1797, Generator{1});
    const Tensor<float, 4> inputs = digits.inputs(o.layer.layout);
    const StatusLine status;
    fmt::print("{} images for training, {} for testing; {} steps, {} seeds\n", digits.train,
               inputs.extent(0) - digits.train, o.steps, o.seeds);
    fmt::print("{:<12}", "layer");
    for (const std::string& network : o.networks) fmt::print("{:>17}", network + " accuracy %");
    fmt::print("{:>15}{:>10}\n", "seconds a run", "MB");
    for (const std::string& name : o.layers) {
        fmt::print("{:<12}", name);
        LayerOptions layer = o.layer;
        layer.name = name;
        std::vector<double> seconds, megabytes;
        for (const std::string& network : o.networks) {
            std::vector<double> accuracies;
            for (index s = 0; s < o.seeds; ++s) {
                const std::uint64_t seed = o.seed + static_cast<std::uint64_t>(s);
                Generator of_order{seed, 0, 0}, of_net{seed, 1, 0};
                with_network(network, layer, of_net, [&](const auto& net) {
                    const Result r = train(net, digits, inputs, o, of_order, [&](index step, double loss) {
                        if (!o.quiet && ((step + 1) % 20 == 0 || step + 1 == o.steps))
                            status.write(fmt::format("{}  {}  seed {}  step {}  loss {:.3f}", name, network, seed,
                                                     step + 1, loss));
                    });
                    accuracies.push_back(100 * r.accuracy);
                    seconds.push_back(r.seconds);
                    megabytes.push_back(r.megabytes);
                });
            }
            const MeanAndDeviation m(accuracies);
            if (!o.quiet) status.finish();
            fmt::print("{:>10.1f} +- {:<3.1f}", m.mean, m.deviation);
            std::fflush(stdout);
        }
        fmt::print("{:>15.2f}{:>10.1f}\n", MeanAndDeviation(seconds).mean,
                   *std::max_element(megabytes.begin(), megabytes.end()));
    }
}

} // namespace

int main(int argc, char** argv) {
    Options o;
    bool channels_first = false;
    CLI::App app("Trains small networks on handwritten digits (8 x 8 pixels), a residual one (res), one of inverted "
                 "bottlenecks (mob), and that with squeeze and excitation (eff), with each normalisation-activation "
                 "layer, and prints the accuracy on images of other writers, the time and the memory of training.");
    app.add_option("--data", o.data,
                   "Folder with digits.safetensors; else the one in WEFT_DATA_DIR, else digits of a small font")
        ->check(CLI::ExistingDirectory);
    app.add_option("--layer", o.layers, fmt::format("Layers to compare: {} (all)", fmt::join(layer_names, ", ")))
        ->check(CLI::IsMember(layer_names))
        ->group("Model");
    app.add_option("--network", o.networks, "Networks: res, mob, eff (all)")
        ->check(CLI::IsMember({"res", "mob", "eff"}))
        ->group("Model");
    app.add_option("--groups", o.layer.groups, fmt::format("Groups of channels, where there are ({})", o.layer.groups))
        ->check(positive)
        ->group("Model");
    app.add_option("--eps", o.layer.eps, fmt::format("Added to variances ({})", o.layer.eps))
        ->check(CLI::PositiveNumber)
        ->group("Model");
    app.add_flag("--channels-first", channels_first, "Images as [N, C, H, W] in memory and not as [N, H, W, C]")
        ->group("Model");
    app.add_option("--steps", o.steps, fmt::format("Steps ({})", o.steps))->check(positive)->group("Training");
    app.add_option("--batch-size", o.batch_size, fmt::format("Images per step ({})", o.batch_size))
        ->check(positive)
        ->group("Training");
    app.add_option("--lr", o.lr, fmt::format("Learning rate at first ({})", o.lr))
        ->check(not_negative)
        ->group("Training");
    app.add_option("--seed", o.seed, "Seed of weights and order (0)")->group("Training");
    app.add_option("--seeds", o.seeds, fmt::format("Repeat with so many seeds from --seed on ({})", o.seeds))
        ->check(CLI::Range(weft::index{1}, weft::index{1000}))
        ->group("Training");
    declare_threads_and_quiet(app, o.threads, o.quiet);
    return run_program("norm_act", app, argc, argv, [&] {
        o.layer.layout = channels_first ? Layout::channels_first : Layout::channels_last;
        compare(o);
    });
}
