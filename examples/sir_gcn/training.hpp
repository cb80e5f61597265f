// SPDX-License-Identifier: MIT
#pragma once

#include "../mean_and_deviation.hpp"
#include "../status_line.hpp"
#include "tasks.hpp"

#include <chrono>
#include <cmath>

struct Recipe {
    NetOptions net;
    std::vector<std::string> models = {"sir"};
    weft::index epochs = 100;
    weft::index patience = 0; ///< epochs without a lower loss until the learning rate is halved; 0: it never is
    double lr = 1e-3, weight_decay = 0;
    double enough = 1e-3; ///< a run ends when its loss is below
    std::uint64_t seed = 0;
    weft::index seeds = 1;
    int threads = 0;
    bool quiet = false;
};

/// A run on its way, or at its end.
struct Run {
    Scores scores; ///< after the epoch of the best validation score, or the last one
    double loss = 0;
    weft::index epochs = 0;
    double seconds = 0;
};

/// `report(run, last)` is called after every epoch.
template <class Net, class Task, class Report>
Run train(const Net& net, const Task& task, const Recipe& recipe, weft::Generator& generator, Report&& report) {
    using namespace weft;
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    nn::AdamW optimizer{net, {.lr = recipe.lr, .weight_decay = recipe.weight_decay}};
    nn::ReduceLROnPlateau schedule{optimizer, {.factor = 0.5, .patience = recipe.patience}};
    Run run;
    for (bool last = false; !last;) {
        double sum = 0, steps = 0;
        task.epoch(net, generator, [&](const Var<float, 0>& loss) {
            backward(loss);
            optimizer.step();
            sum += static_cast<double>(loss.item());
            ++steps;
        });
        run.loss = sum / steps;
        ++run.epochs;
        if (!std::isfinite(run.loss))
            throw error("train", "the loss is not finite after epoch {}: choose a lower --lr", run.epochs);
        if (recipe.patience > 0) schedule.step(run.loss);
        const Scores scores = task.scores(net);
        if (run.epochs == 1 || !(scores.validation <= run.scores.validation)) run.scores = scores;
        last = run.epochs == recipe.epochs || run.loss < recipe.enough;
        run.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        report(run, last);
    }
    return run;
}

/// Trains every network with every seed and prints a line for each network. `score` says what the task measures. For
/// each seed there is a task make_task(generator) and a network make_net(task, options, generator).
template <class MakeTask, class MakeNet>
void compare(const Recipe& recipe, const std::string& score, MakeTask&& make_task, MakeNet&& make_net) {
    using namespace weft;
    set_thread_count(recipe.threads);
    const StatusLine status;
    fmt::print("  network  parameters{:>24}  epochs  seconds a run\n", score);
    for (const std::string& model : recipe.models) {
        NetOptions options = recipe.net;
        options.model = model;
        std::vector<double> scores;
        double epochs = 0, seconds = 0;
        weft::index parameters = 0;
        for (weft::index s = 0; s < recipe.seeds; ++s) {
            const std::uint64_t seed = recipe.seed + static_cast<std::uint64_t>(s);
            Generator of_data{seed, 0, 0}, of_net{seed, 1, 0};
            const auto task = make_task(of_data);
            const auto net = make_net(task, options, of_net);
            parameters = nn::parameter_count(net);
            const Run run = train(net, task, recipe, of_net, [&](const Run& now, bool last) {
                if (recipe.quiet || !(last || status.terminal())) return;
                const double left =
                    now.seconds * (static_cast<double>(recipe.epochs) / static_cast<double>(now.epochs) - 1);
                status.write(fmt::format("{}  seed {}  epoch {}/{}  loss {:.4f}  {} {:.4f}  at most {} left", model,
                                         seed, now.epochs, recipe.epochs, now.loss, score, now.scores.test,
                                         StatusLine::clock(left)));
            });
            scores.push_back(run.scores.test);
            epochs += static_cast<double>(run.epochs);
            seconds += run.seconds;
        }
        if (!recipe.quiet) status.finish();
        const auto runs = static_cast<double>(recipe.seeds);
        const MeanAndDeviation result(scores);
        fmt::print("{:>9}{:>12}{:>15.4f} \u00b1 {:<6.4f}{:>8.0f}{:>15.1f}\n", model, parameters, result.mean,
                   result.deviation, epochs / runs, seconds / runs);
        std::fflush(stdout);
    }
}
