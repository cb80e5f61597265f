// SPDX-License-Identifier: MIT
#pragma once

#include "networks.hpp"

#include <chrono>
#include <cmath>
#include <limits>
#include <string>

/// Which epoch's weights a run keeps, and when it stops early.
enum class Selection {
    validation_loss,          ///< the lowest validation loss
    validation_loss_accuracy, ///< validation loss and accuracy both the best so far; GAT's rule
    last,                     ///< the last epoch; for data without validation nodes
};

inline std::string name_of(Selection selection) {
    switch (selection) {
    case Selection::validation_loss:
        return "the epoch of the lowest validation loss";
    case Selection::validation_loss_accuracy:
        return "the last epoch whose validation loss and accuracy are both the best";
    case Selection::last:
        break;
    }
    return "the last epoch";
}

struct Recipe {
    std::string model = "gcn";
    weft::index hidden = 16;
    weft::index heads = 1;
    weft::index output_heads = 1;
    weft::index epochs = 200;
    double lr = 0.01;
    double weight_decay = 5e-4;
    bool decay_first_layer_only = true;
    double dropout = 0.5;
    weft::index patience = 0; ///< epochs without progress before a run stops; 0: it never does
    Selection selection = Selection::validation_loss;
};

/// What is known about an epoch. Accuracies are in [0, 1]; NaN where there are no nodes.
struct Measures {
    double train_loss = 0;
    double validation_loss = 0;
    double train = 0;
    double validation = 0;
    double test = 0;
};

/// A finished run, or one on the way.
struct Run {
    std::uint64_t seed = 0;
    weft::index epochs = 0;     ///< that were run
    weft::index best_epoch = 0; ///< the one that was kept, from 1
    Measures best{};
    weft::io::NamedTensors weights{};
    double seconds = 0;

    /// Better than a run with another seed, judged without test nodes.
    bool better_than(const Run& other) const {
        if (std::isnan(best.validation)) return best.train_loss < other.best.train_loss;
        return best.validation != other.best.validation ? best.validation > other.best.validation
                                                        : best.validation_loss < other.best.validation_loss;
    }
};

/// Says of each epoch whether it is kept, and counts the epochs without progress.
class Selector {
public:
    explicit Selector(Selection selection) : selection_(selection) {}

    bool keeps(const Measures& m) {
        if (selection_ == Selection::last) return true;
        const bool lower = m.validation_loss <= lowest_, higher = m.validation >= highest_;
        lowest_ = std::min(lowest_, m.validation_loss);
        highest_ = std::max(highest_, m.validation);
        const bool both = selection_ == Selection::validation_loss_accuracy;
        stale_ = lower || (both && higher) ? 0 : stale_ + 1;
        return lower && (higher || !both);
    }
    weft::index epochs_without_progress() const { return stale_; }

private:
    Selection selection_;
    double lowest_ = std::numeric_limits<double>::infinity();
    double highest_ = 0;
    weft::index stale_ = 0;
};

template <class Net>
Measures measure(const Net& net, const weft::Graph& graph, const weft::io::NodeDataset& data) {
    namespace nn = weft::nn;
    const weft::Tensor<float, 2> logits = net(graph, data.x);
    const auto loss = [&](const auto& nodes) {
        return static_cast<double>(nn::cross_entropy(logits, data.y, nodes).item());
    };
    const auto accuracy = [&](const auto& nodes) { return nn::accuracy(logits, data.y, nodes); };
    return {.train_loss = loss(data.train),
            .validation_loss = loss(data.validation),
            .train = accuracy(data.train),
            .validation = accuracy(data.validation),
            .test = accuracy(data.test)};
}

/// Trains from new weights. `report(epoch, measures, run, kept)` is called after every epoch.
template <class Net, class Report>
Run train(Net& net, const weft::Graph& graph, const weft::io::NodeDataset& data, const Recipe& recipe,
          std::uint64_t seed, Report&& report) {
    using namespace weft;
    nn::Adam optimizer{net, {.lr = recipe.lr, .weight_decay = recipe.weight_decay}};
    if (recipe.decay_first_layer_only) optimizer.add_group(net.conv2, {.lr = recipe.lr});

    Run run{.seed = seed};
    Selector selector(recipe.selection);
    const auto begin = std::chrono::steady_clock::now();
    while (run.epochs < recipe.epochs) {
        const Var loss = nn::cross_entropy(net(graph, Var{data.x}), data.y, data.train);
        backward(loss);
        optimizer.step();

        const Measures now = measure(net, graph, data);
        if (!std::isfinite(now.train_loss))
            throw error("train", "the loss is not finite after epoch {}: choose a lower --lr", run.epochs + 1);
        ++run.epochs;
        const bool kept = selector.keeps(now);
        if (kept) {
            run.best_epoch = run.epochs;
            run.best = now;
            run.weights = nn::state_dict(net);
        }
        run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        report(now, run, kept);
        if (recipe.patience > 0 && selector.epochs_without_progress() >= recipe.patience) break;
    }
    nn::load_state_dict(net, run.weights);
    return run;
}
