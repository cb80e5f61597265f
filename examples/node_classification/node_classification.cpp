// SPDX-License-Identifier: MIT

/// Trains GCN, GraphSAGE or GAT to classify the nodes of a graph, from a few labelled ones.

#include "../command_line.hpp"
#include "picture.hpp"
#include "progress.hpp"
#include "training.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name

template <class... Args>
std::runtime_error failure(fmt::format_string<Args...> format, Args&&... args) {
    return std::runtime_error("node_classification: " + fmt::format(format, std::forward<Args>(args)...));
}

/// What the command line says; what is not given is left to the recipe.
struct Options {
    std::string data, dataset, model, load, save, predict, svg;
    std::optional<index> hidden, heads, epochs, patience;
    std::optional<double> lr, weight_decay, dropout;
    std::uint64_t seed = 0;
    int seeds = 1;
    index split = 0;
    int threads = 0;
    bool quiet = false;
};

void declare(CLI::App& app, Options& o) {
    app.add_option("--data", o.data, "Data set: a folder with a safetensors file, or the file")->group("Data");
    app.add_option("--dataset", o.dataset,
                   "Data set: a folder of the folder WEFT_DATA_DIR, or karate, which is built in")
        ->excludes("--data")
        ->group("Data");
    app.add_option("--split", o.split, "Which of several published splits (0)")
        ->check(CLI::Range(index{0}, index{1} << 20))
        ->group("Data");
    app.add_option("--model", o.model, "gcn, sage or gat (gcn)")
        ->check(CLI::IsMember({"gcn", "sage", "gat"}))
        ->group("Model");
    app.add_option("--hidden", o.hidden, "Hidden channels; with gat of each head")->check(positive)->group("Model");
    app.add_option("--heads", o.heads, "Attention heads of the first layer")->check(positive)->group("Model");
    app.add_option("--epochs", o.epochs, "Epochs at most")->check(positive)->group("Training");
    app.add_option("--lr", o.lr, "Learning rate of Adam")->check(not_negative)->group("Training");
    app.add_option("--weight-decay", o.weight_decay, "Weight decay; with gcn of the first layer")
        ->check(not_negative)
        ->group("Training");
    app.add_option("--dropout", o.dropout, "Part of the inputs of layers (gat: also of attention) that is dropped")
        ->check(CLI::Range(0.0, 1.0))
        ->group("Training");
    app.add_option("--patience", o.patience, "Stop after so many epochs without progress; 0: never")
        ->check(CLI::Range(index{0}, index{1} << 20))
        ->group("Training");
    app.add_option("--seed", o.seed, "Seed of weights and dropout (0)")->group("Training");
    app.add_option("--seeds", o.seeds, "Repeat with so many seeds from --seed on (1)")
        ->check(CLI::Range(1, 10000))
        ->group("Training");
    app.add_option("--save", o.save, "Write the best model, also while training, as safetensors with PyTorch's names")
        ->group("Files");
    app.add_option("--load", o.load, "Do not train, but read a model that was saved")->group("Files");
    app.add_option("--predict", o.predict, "Write the predictions as CSV")->group("Files");
    app.add_option("--svg", o.svg, "Draw the graph, or the hidden layer of a large one, with the predictions")
        ->group("Files");
    declare_threads_and_quiet(app, o.threads, o.quiet);
}

io::NodeDataset load_data(const Options& o) {
    std::string path = o.data;
    if (path.empty() && (o.dataset.empty() || o.dataset == "karate")) {
        if (o.split != 0) throw failure("karate has one split, number {} was asked for", o.split);
        io::NodeDataset data = io::karate_club();
        // The two heads of the quarrel are known; who goes with whom?
        data.train = Tensor<std::int32_t, 1>::from(std::vector<std::int32_t>{0, 33});
        data.test = Tensor<std::int32_t, 1>::empty({data.num_nodes - 2});
        std::int32_t* const test = data.test.mutable_data();
        for (std::int32_t i = 0; i < 32; ++i) test[i] = i + 1;
        return data;
    }
    if (path.empty()) path = (data_folder("node_classification", o.dataset) / o.dataset).string();
    io::NodeDataset data = io::load_node_dataset(path, {.split = o.split, .normalize_features = true});
    if (data.num_features == 0) throw failure("{}: the nodes have no features", path);
    if (data.train.size() == 0) throw failure("{}: has no nodes for training", path);
    return data;
}

/// The published recipes, then what the command line says.
Recipe make_recipe(const Options& o, const io::NodeDataset& data) {
    Recipe r;
    r.model = o.model.empty() ? "gcn" : o.model;
    if (r.model == "sage") {
        r.hidden = 64;
        r.decay_first_layer_only = false;
    } else if (r.model == "gat") {
        r = {.model = "gat",
             .hidden = 8,
             .heads = 8,
             .output_heads = data.name == "pubmed" ? 8 : 1,
             .epochs = 1000,
             .lr = 0.005,
             .weight_decay = data.name == "pubmed" ? 1e-3 : 5e-4,
             .decay_first_layer_only = false,
             .dropout = 0.6,
             .patience = 100,
             .selection = Selection::validation_loss_accuracy};
        if (data.name == "pubmed") r.lr = 0.01;
    } else if (o.heads) {
        throw failure("--heads is an option of gat, the model is {}", r.model);
    }
    if (data.validation.size() == 0) {
        if (o.patience) throw failure("--patience: {} has no validation nodes", data.name);
        r.selection = Selection::last;
        r.patience = 0;
        r.epochs = 200;
    }
    const auto set = [](auto& value, const auto& given) {
        if (given) value = *given;
    };
    set(r.hidden, o.hidden);
    set(r.heads, o.heads);
    set(r.epochs, o.epochs);
    set(r.lr, o.lr);
    set(r.weight_decay, o.weight_decay);
    set(r.dropout, o.dropout);
    set(r.patience, o.patience);
    return r;
}

io::Metadata describe(const Recipe& r, const io::NodeDataset& data) {
    return {{"model", r.model},
            {"dataset", data.name},
            {"hidden", fmt::format("{}", r.hidden)},
            {"heads", fmt::format("{}", r.heads)},
            {"output_heads", fmt::format("{}", r.output_heads)}};
}

/// The recipe of a file that this program wrote; of another file (a PyTorch one, say) the options must tell.
void read_description(const io::Metadata& metadata, const Options& o, Recipe& r, const io::NodeDataset& data) {
    const auto found = metadata.find("model");
    if (found == metadata.end()) return;
    if (!o.model.empty() && o.model != found->second)
        throw failure("{} is a {} model, --model says {}", o.load, found->second, o.model);
    Options of_model = o;
    of_model.model = found->second;
    r = make_recipe(of_model, data);
    const auto number = [&](const char* key, index& value) {
        const auto entry = metadata.find(key);
        if (entry == metadata.end()) return;
        const std::string& text = entry->second;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (code != std::errc() || end != text.data() + text.size() || value < 1 || value > 1 << 20)
            throw failure("{}: metadata {} is not a number from 1", o.load, key);
    };
    if (!o.hidden) number("hidden", r.hidden);
    if (!o.heads) number("heads", r.heads);
    number("output_heads", r.output_heads);
}

void write_text(const std::string& path, const std::string& text) {
    io::AtomicFile file(path);
    file.write(text);
    file.commit();
}

std::string predictions_csv(const Tensor<float, 2>& logits, const io::NodeDataset& data) {
    const Tensor<float, 2> probability = softmax<1>(logits);
    const auto prediction = argmax<1>(logits);
    std::vector<const char*> part(static_cast<std::size_t>(data.num_nodes), "");
    const auto mark = [&](const auto& nodes, const char* name) {
        for (const auto node : nodes.values()) part[static_cast<std::size_t>(node)] = name;
    };
    mark(data.train, "train");
    mark(data.validation, "validation");
    mark(data.test, "test");
    mark(data.unlabelled, "unlabelled");
    std::string csv = "node,part,class,prediction,probability\n";
    for (index i = 0; i < data.num_nodes; ++i)
        fmt::format_to(std::back_inserter(csv), "{},{},{},{},{:.4f}\n", i, part[static_cast<std::size_t>(i)], data.y(i),
                       prediction(i), probability(i, prediction(i)));
    return csv;
}

void print_table(const std::vector<Run>& runs) {
    const auto n = static_cast<index>(runs.size());
    auto table = Tensor<double, 2>::empty({n, 6});
    for (index i = 0; i < n; ++i) {
        const Run& r = runs[static_cast<std::size_t>(i)];
        const auto epochs = static_cast<double>(r.epochs);
        const double row[] = {
            static_cast<double>(r.best_epoch), 100 * r.best.train, 100 * r.best.validation, 100 * r.best.test, epochs,
            1e3 * r.seconds / epochs};
        for (index k = 0; k < 6; ++k) table(i, k) = row[k];
    }
    const auto print = [](const std::string& name, const auto& row, int decimals) {
        fmt::print("{:>6}", name);
        constexpr int widths[] = {8, 9, 12, 9, 8, 10}, least_decimals[] = {0, 1, 1, 1, 0, 2};
        for (index k = 0; k < 6; ++k) {
            const double x = row(k);
            fmt::print("{:>{}}", std::isnan(x) ? "-" : fmt::format("{:.{}f}", x, std::max(decimals, least_decimals[k])),
                       widths[k]);
        }
        fmt::print("\n");
    };
    fmt::print("                accuracy in %\n"
               "  seed   epoch    train  validation     test  epochs  ms/epoch\n");
    for (index i = 0; i < n; ++i)
        print(fmt::format("{}", runs[static_cast<std::size_t>(i)].seed), select_index(table, 0, i).tensor(), 0);
    if (n < 2) return;
    print("mean", mean<0>(table), 2);
    print("\u00b1 std", weft::stddev<0>(table), 2);
}

/// Trains with every seed, or loads; then writes what was asked for.
template <class Net>
void work(const Options& o, const Recipe& recipe, const io::NodeDataset& data) {
    const Graph graph(data.edge_index, data.num_nodes);
    const Sizes sizes{data.num_features, recipe.hidden,       data.num_classes,
                      recipe.heads,      recipe.output_heads, recipe.dropout};
    const auto make_net = [&](std::uint64_t seed) {
        Generator generator{seed};
        return Net(sizes, generator);
    };
    Net net = make_net(o.seed);
    fmt::print("{}: {} nodes, {} edges, {} features, {} classes; {}, {} parameters\n", data.name, data.num_nodes,
               graph.num_edges(), data.num_features, data.num_classes, recipe.model, nn::parameter_count(net));

    if (!o.load.empty()) {
        try {
            io::load_safetensors(o.load, net);
        } catch (const Error& cause) {
            throw failure("{} does not fit this model and data set: {}", o.load, cause.what());
        }
        const Measures m = measure(net, graph, data);
        fmt::print("{}: accuracy: training {}, validation {}, test {}\n", o.load, percent(m.train),
                   percent(m.validation), percent(m.test));
    } else {
        fmt::print(
            "Adam, learning rate {}, weight decay {}{}, dropout {}, at most {} epochs{}; of each run {} counts\n",
            recipe.lr, recipe.weight_decay, recipe.decay_first_layer_only ? " (first layer)" : "", recipe.dropout,
            recipe.epochs, recipe.patience > 0 ? fmt::format(", patience {}", recipe.patience) : "",
            name_of(recipe.selection));
        std::fflush(stdout);
        Progress progress(!o.quiet, recipe, graph.num_edges());
        std::vector<Run> runs;
        std::optional<Run> best;
        const auto save = [&](const Run& run) { io::save_safetensors(o.save, run.weights, describe(recipe, data)); };
        using Clock = std::chrono::steady_clock;
        auto saved = Clock::now();
        for (int s = 0; s < o.seeds; ++s) {
            const std::uint64_t seed = o.seed + static_cast<std::uint64_t>(s);
            if (s > 0) net = make_net(seed);
            Run run = train(net, graph, data, recipe, seed, [&](const Measures& now, const Run& so_far, bool kept) {
                progress.update(now, so_far);
                // An interrupted run leaves the best model so far.
                if (!kept || o.save.empty() || Clock::now() - saved < std::chrono::seconds(2)) return;
                if (best && !so_far.better_than(*best)) return;
                save(so_far);
                saved = Clock::now();
            });
            progress.finish();
            if (!best || run.better_than(*best)) best = run;
            runs.push_back(std::move(run));
        }
        print_table(runs);
        nn::load_state_dict(net, best->weights);
        if (!o.save.empty()) save(*best);
    }

    if (!o.predict.empty()) write_text(o.predict, predictions_csv(net(graph, data.x), data));
    if (!o.svg.empty())
        write_text(o.svg, Picture(recipe.model, graph, data, net.hidden(graph, data.x), net(graph, data.x)).svg());
}

void run(const Options& o) {
    if (!o.load.empty() && !o.save.empty()) throw failure("--load does not train: there is nothing to --save");
    // What cannot be written is known before training.
    for (const std::string* path : {&o.save, &o.predict, &o.svg})
        if (!path->empty()) const io::AtomicFile probe(*path);
    set_thread_count(o.threads);
    const io::NodeDataset data = load_data(o);
    Recipe recipe = make_recipe(o, data);
    if (!o.load.empty()) read_description(io::SafetensorsFile::open(o.load).metadata(), o, recipe, data);
    if (recipe.model == "gcn") return work<Gcn>(o, recipe, data);
    if (recipe.model == "sage") return work<Sage>(o, recipe, data);
    if (recipe.model == "gat") return work<Gat>(o, recipe, data);
    throw failure("{}: unknown model {}", o.load, recipe.model);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Classifies the nodes of a graph with GCN, GraphSAGE or GAT and their published recipes.\n"
                 "Without a data set: who sides with whom in Zachary's karate club.");
    Options options;
    declare(app, options);
    return run_program("node_classification", app, argc, argv, [&] { run(options); });
}
