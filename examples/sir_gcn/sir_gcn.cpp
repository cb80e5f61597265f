// SPDX-License-Identifier: MIT

/// Three tasks that ask for messages of both ends of an edge: SIR-GCN beside convolutions that send what the source
/// says alone.

#include "../command_line.hpp"
#include "training.hpp"

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name

struct Options {
    Recipe recipe;
    index graphs = 0, batch_size = 256, classes = 4, keys = 10;
    std::string data;
    index split = 0;
};

/// The options of all tasks, with the task's own values.
void declare(CLI::App& app, Recipe& r) {
    const std::vector<std::string> all{"sir", "gcn", "sage", "gatv2", "gin"};
    app.add_option("--model", r.models,
                   fmt::format("Convolutions to compare: {} ({})", fmt::join(all, ", "), fmt::join(r.models, ", ")))
        ->check(CLI::IsMember(all))
        ->group("Model");
    app.add_option("--hidden", r.net.hidden, fmt::format("Channels ({})", r.net.hidden))
        ->check(positive)
        ->group("Model");
    app.add_option("--epochs", r.epochs, fmt::format("Epochs at most ({})", r.epochs))
        ->check(positive)
        ->group("Training");
    app.add_option("--lr", r.lr, fmt::format("Learning rate of AdamW ({})", r.lr))
        ->check(not_negative)
        ->group("Training");
    app.add_option("--weight-decay", r.weight_decay, fmt::format("Weight decay ({})", r.weight_decay))
        ->check(not_negative)
        ->group("Training");
    app.add_option("--patience", r.patience,
                   fmt::format("Halve the learning rate when the loss has not fallen for more epochs; 0: never ({})",
                               r.patience))
        ->check(CLI::Range(index{0}, index{1} << 20))
        ->group("Training");
    app.add_option("--seed", r.seed, "Seed of weights, dropout, order and random graphs (0)")->group("Training");
    app.add_option("--seeds", r.seeds, "Repeat with so many seeds from --seed on (1)")
        ->check(CLI::Range(index{1}, index{1000}))
        ->group("Training");
    declare_threads_and_quiet(app, r.threads, r.quiet);
}
void declare_graphs(CLI::App& app, Options& o) {
    app.add_option("--graphs", o.graphs, fmt::format("Graphs, of which four in five are for training ({})", o.graphs))
        ->check(CLI::Range(index{5}, index{1} << 20))
        ->group("Data");
    declare(app, o.recipe);
    app.add_option("--batch-size", o.batch_size, fmt::format("Graphs per step ({})", o.batch_size))
        ->check(positive)
        ->group("Training");
}

/// A task of random graphs. `rectify`: whether the features of all convolutions but SIRConv pass a ReLU first.
template <class Activation, class MakeGraphs>
void compare_on_graphs(const Options& o, const std::string& score, MakeGraphs&& make_graphs, bool rectify,
                       const std::function<Activation(Generator&)>& activation, index results) {
    const auto make_task = [&](Generator& generator) {
        auto task = make_graphs(generator);
        task.batch_size = o.batch_size;
        return task;
    };
    compare(o.recipe, score, make_task, [&](const auto& task, const NetOptions& net, Generator& generator) {
        return GraphNet<Activation>(task.x[0].extent(1), results, net, activation(generator),
                                    rectify && net.model != "sir", generator);
    });
}

void declare_edge_count(CLI::App& app, Options& o) {
    app.add_option("--classes", o.classes, fmt::format("Labels of nodes ({})", o.classes))
        ->check(CLI::Range(index{1}, index{1000}))
        ->group("Data");
    declare_graphs(app, o);
}
void run_edge_count(const Options& o) {
    const auto make_graphs = [&](Generator& generator) {
        return hetero_edge_count(o.graphs, 50, o.classes, generator);
    };
    fmt::print("hetero_edge_count: how many edges of a random graph join nodes of different labels, of {}?\n"
               "{} graphs of up to 50 nodes to train with, {} to test\n",
               o.classes, o.graphs * 4 / 5, o.graphs - o.graphs * 4 / 5);
    compare_on_graphs<nn::ReLU>(
        o, "test MSE", make_graphs, false, [](Generator&) { return nn::ReLU{}; }, 1);
}

void declare_lookup(CLI::App& app, Options& o) {
    app.add_option("--keys", o.keys, fmt::format("Keys, and values ({})", o.keys))
        ->check(CLI::Range(index{2}, index{200}))
        ->group("Data");
    declare_graphs(app, o);
}
void run_lookup(const Options& o) {
    using Activation = nn::Sequential<nn::ReLU, nn::Linear<float>, nn::ReLU>;
    fmt::print("dictionary_lookup: which of {} values has a node's key? Guesses are right in {:.4f} of all cases\n"
               "{} permutations to train with, {} to test\n",
               o.keys, 1 / static_cast<double>(o.keys), o.graphs * 4 / 5, o.graphs - o.graphs * 4 / 5);
    compare_on_graphs<Activation>(
        o, "test accuracy", [&](Generator& generator) { return dictionary_lookup(o.graphs, o.keys, generator); }, true,
        [&](Generator& generator) {
            const index h = o.recipe.net.hidden;
            return Activation(nn::ReLU{}, nn::Linear<float>(h, h, {.generator = &generator}), nn::ReLU{});
        },
        o.keys);
}

void declare_minesweeper(CLI::App& app, Options& o) {
    app.add_option("--data", o.data,
                   "Nodes of two classes: a folder with a safetensors file, or the file (minesweeper of the folder\n"
                   "WEFT_DATA_DIR)")
        ->group("Data");
    app.add_option("--split", o.split, "Which of several published splits (0)")
        ->check(CLI::Range(index{0}, index{1} << 20))
        ->group("Data");
    app.add_option("--layers", o.recipe.net.layers, fmt::format("Layers ({})", o.recipe.net.layers))
        ->check(CLI::Range(index{1}, index{100}))
        ->group("Model");
    app.add_option("--dropout", o.recipe.net.dropout,
                   fmt::format("Part of the features that is dropped ({})", o.recipe.net.dropout))
        ->check(CLI::Range(0.0, 1.0))
        ->group("Model");
    declare(app, o.recipe);
}
void run_minesweeper(const Options& o) {
    const std::string path = o.data.empty() ? (data_folder("sir_gcn", "minesweeper") / "minesweeper").string() : o.data;
    const NodeTask task(io::load_node_dataset(path, {.split = o.split}));
    fmt::print("{}: which nodes are of class 1? {} nodes, {} edges, {} features\n"
               "{} nodes to train with, {} to validate, {} to test\n",
               task.data.name, task.data.num_nodes, task.graph.num_edges(), task.data.num_features,
               task.data.train.size(), task.data.validation.size(), task.data.test.size());
    compare(
        o.recipe, "test ROC-AUC", [&](Generator&) { return task; },
        [](const NodeTask& t, const NetOptions& net, Generator& generator) {
            return ResidualNet(t.data.num_features, net, generator);
        });
}

struct Command {
    const char *name, *description;
    void (*declare)(CLI::App&, Options&);
    void (*run)(const Options&);
    Options options;
};

std::vector<Command> commands() {
    Options count, lookup, minesweeper;
    count.graphs = 2000;
    count.recipe.models = {"sir", "gin"};
    count.recipe.net.hidden = 40;
    count.recipe.epochs = 500;
    count.recipe.patience = 10;
    count.recipe.lr = 5e-3;
    lookup.graphs = 5000;
    lookup.recipe.models = {"sir", "gatv2", "gin", "sage", "gcn"};
    lookup.recipe.net.hidden = 40;
    lookup.recipe.epochs = 200;
    lookup.recipe.patience = 10;
    minesweeper.recipe.models = {"sir", "gcn"};
    minesweeper.recipe.net.hidden = 64;
    minesweeper.recipe.net.layers = 3;
    minesweeper.recipe.net.dropout = 0.2;
    minesweeper.recipe.net.aggr = gnn::SIRAggregation::symmetric;
    minesweeper.recipe.epochs = 150;
    minesweeper.recipe.lr = 3e-3;
    return {{"hetero_edge_count", "Random graphs: how many edges join nodes of different labels?", declare_edge_count,
             run_edge_count, count},
            {"dictionary_lookup", "Random dictionaries as graphs: which value has a node's key?", declare_lookup,
             run_lookup, lookup},
            {"minesweeper", "Which cells of a field are mines? Needs data, see --data", declare_minesweeper,
             run_minesweeper, minesweeper}};
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Three tasks that ask for messages of both ends of an edge: SIR-GCN (arXiv 2403.12529) beside\n"
                 "convolutions that send what the source alone says. COMMAND --help describes a task's options.");
    app.require_subcommand(1);
    std::vector<Command> all = commands();
    for (Command& command : all) {
        CLI::App* const sub = app.add_subcommand(command.name, command.description);
        command.declare(*sub, command.options);
        sub->callback([&command] { command.run(command.options); });
    }
    return run_program("sir_gcn", app, argc, argv, [] {});
}
