// SPDX-License-Identifier: MIT

/// Trains GIN to classify graphs, with ten-fold cross-validation.

#include "../command_line.hpp"
#include "../mean_and_deviation.hpp"
#include "../status_line.hpp"
#include "training.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name

struct Options {
    std::string data, dataset, predict;
    Recipe recipe;
    std::optional<index> fold;
    std::uint64_t seed = 0;
    int threads = 0;
    bool quiet = false;
};

void declare(CLI::App& app, Options& o) {
    app.add_option("--data", o.data, "Data set: a folder with a safetensors file, or the file")->group("Data");
    app.add_option("--dataset", o.dataset,
                   "Data set: a folder of the folder WEFT_DATA_DIR, mutag or proteins; or trees, which is built in")
        ->excludes("--data")
        ->group("Data");
    app.add_option("--fold", o.fold, "Train for this fold only")
        ->check(CLI::Range(index{0}, index{9999}))
        ->group("Data");
    app.add_option("--layers", o.recipe.layers, "Layers (5)")->check(CLI::Range(index{1}, index{100}))->group("Model");
    app.add_option("--hidden", o.recipe.hidden, "Channels of each layer (32)")->check(positive)->group("Model");
    app.add_option("--epochs", o.recipe.epochs, "Epochs (100)")->check(positive)->group("Training");
    app.add_option("--batch-size", o.recipe.batch_size, "Graphs per step (32)")->check(positive)->group("Training");
    app.add_option("--lr", o.recipe.lr, "Learning rate of Adam (0.01), halved every 50 epochs")
        ->check(not_negative)
        ->group("Training");
    app.add_option("--dropout", o.recipe.dropout, "Part of the readouts that is dropped (0.5)")
        ->check(CLI::Range(0.0, 1.0))
        ->group("Training");
    app.add_option("--seed", o.seed, "Seed of weights, order and dropout (0)")->group("Training");
    app.add_option("--predict", o.predict, "Write what each fold's network predicts for the fold as CSV")
        ->group("Files");
    declare_threads_and_quiet(app, o.threads, o.quiet);
}

io::GraphDataset load_data(const Options& o) {
    std::string path = o.data;
    if (path.empty() && (o.dataset.empty() || o.dataset == "trees")) return trees_and_others();
    if (path.empty()) path = (data_folder("graph_classification", o.dataset) / o.dataset).string();
    return io::load_graph_dataset(path);
}

struct FoldRow {
    index fold;
    FoldResult result;
    double seconds;
};

/// Accuracies of all folds after an epoch, in %.
MeanAndDeviation over_folds(const std::vector<FoldRow>& folds, std::size_t epoch) {
    auto accuracy = Tensor<double, 1>::empty({static_cast<index>(folds.size())});
    for (std::size_t k = 0; k < folds.size(); ++k)
        accuracy(static_cast<index>(k)) = 100 * folds[k].result.accuracy[epoch];
    return MeanAndDeviation(accuracy);
}

void print_table(const std::vector<FoldRow>& folds, index epochs) {
    fmt::print("  fold  graphs  accuracy     loss  seconds\n");
    for (const auto& [fold, result, seconds] : folds)
        fmt::print("{:>6}{:>8}{:>8.1f} %{:>9.4f}{:>9.1f}\n", fold, result.graphs.size(), 100 * result.accuracy.back(),
                   result.train_loss, seconds);
    if (folds.size() < 2) return;
    const auto last = over_folds(folds, static_cast<std::size_t>(epochs - 1));
    fmt::print("mean of the last epoch, {:.1f} % \u00b1 {:.1f}\n", last.mean, last.deviation);
    std::size_t best = 0;
    for (std::size_t epoch = 1; epoch < static_cast<std::size_t>(epochs); ++epoch)
        if (over_folds(folds, epoch).mean > over_folds(folds, best).mean) best = epoch;
    const auto chosen = over_folds(folds, best);
    fmt::print("mean of epoch {}, {:.1f} % \u00b1 {:.1f}, the best mean; the GIN paper reports that, chosen by the "
               "test folds\n",
               best + 1, chosen.mean, chosen.deviation);
}

std::string predictions_csv(const std::vector<FoldRow>& folds, const io::GraphDataset& data) {
    std::string csv = "graph,fold,class,prediction,probability\n";
    for (const auto& [fold, result, seconds] : folds) {
        const Tensor<float, 2> probability = softmax<1>(result.logits);
        const auto prediction = argmax<1>(result.logits);
        for (index k = 0; k < result.graphs.size(); ++k)
            fmt::format_to(std::back_inserter(csv), "{},{},{},{},{:.4f}\n", result.graphs(k), fold,
                           data.y(result.graphs(k)), prediction(k), probability(k, prediction(k)));
    }
    return csv;
}

void run(const Options& o) {
    using Clock = std::chrono::steady_clock;
    if (!o.predict.empty()) const io::AtomicFile probe(o.predict); // what cannot be written is known before training
    set_thread_count(o.threads);
    const io::GraphDataset data = load_data(o);
    if (data.num_features == 0 || data.fold.size() == 0)
        throw error("graph_classification", "{}: its graphs must have node_label and fold", data.name);
    const index num_folds = index{*std::max_element(data.fold.data(), data.fold.data() + data.fold.size())} + 1;
    if (o.fold && *o.fold >= num_folds)
        throw error("graph_classification", "--fold is {}: {} has {} folds", *o.fold, data.name, num_folds);

    std::vector<index> chosen;
    for (index fold = 0; fold < num_folds; ++fold) {
        const auto [train, test] = data.split(fold);
        if (train.size() == 0)
            throw error("graph_classification", "{}: all graphs are in fold {}: there must be some to train with",
                        data.name, fold);
        if (!o.fold || *o.fold == fold) chosen.push_back(fold);
    }

    Generator generator{o.seed};
    fmt::print("{}: {} graphs, {} nodes, {} edges, {} node labels, {} classes; GIN, {} parameters\n", data.name,
               data.num_graphs, data.num_nodes, data.edge_index.extent(1), data.num_features, data.num_classes,
               nn::parameter_count(Gin(data.num_features, data.num_classes, o.recipe, generator)));
    std::fflush(stdout);

    const StatusLine status;
    std::vector<FoldRow> folds;
    const auto begin = Clock::now();
    for (const index fold : chosen) {
        const auto fold_begin = Clock::now();
        double shown = -1;
        const auto report = [&](index epoch, double loss, double accuracy) {
            const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
            const bool last = epoch == o.recipe.epochs;
            if (o.quiet || (status.terminal() ? seconds - shown < 0.1 : !last)) return;
            shown = seconds;
            const double done =
                static_cast<double>(folds.size()) + static_cast<double>(epoch) / static_cast<double>(o.recipe.epochs);
            status.write(fmt::format("fold {}  epoch {}/{}  loss {:.4f}  test {:.1f} %  {} left", fold, epoch,
                                     o.recipe.epochs, loss, 100 * accuracy,
                                     StatusLine::clock(seconds * (static_cast<double>(chosen.size()) / done - 1))));
        };
        FoldResult result = train_fold(data, o.recipe, fold, o.seed, report);
        folds.push_back({fold, std::move(result), std::chrono::duration<double>(Clock::now() - fold_begin).count()});
    }
    if (!o.quiet) status.finish();
    print_table(folds, o.recipe.epochs);
    if (!o.predict.empty()) {
        io::AtomicFile file(o.predict);
        file.write(predictions_csv(folds, data));
        file.commit();
    }
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Classifies graphs with GIN: for each of ten folds, a network is trained on the other nine.\n"
                 "Without a data set: which of 200 random graphs are trees.");
    Options options;
    declare(app, options);
    return run_program("graph_classification", app, argc, argv, [&] { run(options); });
}
