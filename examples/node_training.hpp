// SPDX-License-Identifier: MIT
#pragma once

#include <weft/weft.hpp>

#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

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

/// Adam, and when it ends.
struct TrainingOptions {
    weft::index epochs = 200;
    double lr = 0.01;
    double weight_decay = 5e-4;
    std::string decayed = "conv1."; ///< only parameters whose names begin so have weight decay
    weft::index patience = 0;       ///< epochs without progress before a run stops; 0: it never does
    /// In the second half of the epochs, a run stops when the validation loss is above its mean over so many epochs
    /// before; 0: it never does.
    weft::index window = 0;
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

/// Says of each epoch whether it is kept, and whether it is the last.
class Selector {
public:
    explicit Selector(const TrainingOptions& options) : options_(options) {}

    bool keeps(const Measures& m) {
        losses_.push_back(m.validation_loss);
        if (options_.selection == Selection::last) return true;
        const bool lower = m.validation_loss <= lowest_, higher = m.validation >= highest_;
        lowest_ = std::min(lowest_, m.validation_loss);
        highest_ = std::max(highest_, m.validation);
        const bool both = options_.selection == Selection::validation_loss_accuracy;
        stale_ = lower || (both && higher) ? 0 : stale_ + 1;
        return lower && (higher || !both);
    }
    bool stops() const {
        const auto epochs = static_cast<weft::index>(losses_.size());
        if (epochs == options_.epochs || (options_.patience > 0 && stale_ >= options_.patience)) return true;
        if (options_.window == 0 || epochs <= options_.epochs / 2) return false;
        const weft::index before = std::min(options_.window, epochs - 1);
        return losses_.back() * static_cast<double>(before) >
               std::accumulate(losses_.end() - 1 - before, losses_.end() - 1, 0.0);
    }

private:
    const TrainingOptions& options_;
    double lowest_ = std::numeric_limits<double>::infinity();
    double highest_ = 0;
    weft::index stale_ = 0;
    std::vector<double> losses_;
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

/// Trains from new weights. `report(measures, run, kept)` is called after every epoch.
template <class Net, class Report>
Run train(Net& net, const weft::Graph& graph, const weft::io::NodeDataset& data, const TrainingOptions& options,
          std::uint64_t seed, Report&& report) {
    using namespace weft;
    nn::Adam optimizer{net, {.lr = options.lr}};
    optimizer.add_group([&](std::string_view name) { return name.starts_with(options.decayed); },
                        {.lr = options.lr, .weight_decay = options.weight_decay});

    Run run{.seed = seed};
    Selector selector(options);
    const auto begin = std::chrono::steady_clock::now();
    while (!selector.stops()) {
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
    }
    nn::load_state_dict(net, run.weights);
    return run;
}
