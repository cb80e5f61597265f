// SPDX-License-Identifier: MIT

/// Do the directions of edges matter? Compares networks that ignore the graph, its directions, or nothing, and says
/// what directions have to do with the classes of nodes.

#include "../command_line.hpp"
#include "../mean_and_deviation.hpp"
#include "../status_line.hpp"
#include "networks.hpp"

#include <weft/gnn/laplacian_encoding.hpp>
#include <weft/gnn/magnetic_encoding.hpp>

#include <chrono>
#include <filesystem>

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name
using Clock = std::chrono::steady_clock;

struct Options {
    std::string data, dataset;
    std::vector<std::string> models = {"mlp", "gcn", "dir_gcn", "magnet"};
    NetOptions net;
    index splits = 10, epochs = 200, patience = 50, encoding = 4;
    double lr = 0.01, weight_decay = 5e-4;
    int threads = 0;
    bool quiet = false;
};

void declare(CLI::App& app, Options& o) {
    app.add_option("--data", o.data, "Data set: a safetensors file, see weft/io/node_dataset.hpp")->group("Data");
    app.add_option("--dataset", o.dataset,
                   "Data set: a file of the folders of the folder WEFT_DATA_DIR, by the beginning of its name: texas,\n"
                   "wisconsin, cornell, chameleon, squirrel; or cycle, which is built in")
        ->excludes("--data")
        ->group("Data");
    app.add_option("--splits", o.splits, "Runs of each network, with the splits 0, 1, ... (10)")
        ->check(CLI::Range(index{1}, index{1000}))
        ->group("Data");
    app.add_option(
           "--model", o.models,
           "Networks to compare: mlp, gcn on the graph without directions, gcn_in on edges as they are, gcn_out\n"
           "on reversed ones, dir_gcn, magnet (all but gcn_in and gcn_out)")
        ->check(CLI::IsMember({"mlp", "gcn", "gcn_in", "gcn_out", "dir_gcn", "magnet"}))
        ->group("Model");
    app.add_option("--hidden", o.net.hidden, "Channels (64)")->check(positive)->group("Model");
    app.add_option("--layers", o.net.layers, "Layers; magnet has two (3)")
        ->check(CLI::Range(index{1}, index{100}))
        ->group("Model");
    app.add_option("--dropout", o.net.dropout, "Part of the features that is dropped (0.5)")
        ->check(CLI::Range(0.0, 1.0))
        ->group("Model");
    app.add_option("--alpha", o.net.alpha, "dir_gcn: part of the edges that leave a node (0.5)")
        ->check(CLI::Range(0.0, 1.0))
        ->group("Model");
    app.add_option("--q", o.net.q, "magnet and its encoding: how much directions count, from 0 to 1/2 (0.25)")
        ->check(CLI::Range(0.0, 0.5))
        ->group("Model");
    app.add_option("--encoding", o.encoding, "cycle: eigenvectors of the Laplacian that are the features (4)")
        ->check(CLI::Range(index{1}, index{64}))
        ->group("Model");
    app.add_option("--epochs", o.epochs, "Epochs at most (200)")->check(positive)->group("Training");
    app.add_option("--patience", o.patience, "Stop after so many epochs without progress (50)")
        ->check(positive)
        ->group("Training");
    app.add_option("--lr", o.lr, "Learning rate of Adam (0.01)")->check(CLI::Range(0.0, 10.0))->group("Training");
    app.add_option("--weight-decay", o.weight_decay, "Weight decay (0.0005)")
        ->check(CLI::Range(0.0, 10.0))
        ->group("Training");
    declare_threads_and_quiet(app, o.threads, o.quiet);
}

struct Split {
    Tensor<std::int32_t, 1> train, validation, test;
};
/// Nodes with classes, whose features are given in one or more ways.
struct Data {
    std::string name;
    Graph graph;
    Tensor<std::int32_t, 1> y;
    index num_classes = 0;
    std::vector<std::pair<std::string, Tensor<float, 2>>> features;
    std::vector<Split> splits;
};

Data from_file(const std::string& path, const Options& o) {
    Data data;
    for (index s = 0; s < o.splits; ++s) {
        const auto file = io::load_node_dataset(path, {.split = s, .dense_features = s == 0});
        data.splits.push_back({file.train, file.validation, file.test});
        if (s > 0) continue;
        data.name = file.name;
        data.graph = Graph(file.edge_index, file.num_nodes);
        data.y = file.y;
        data.num_classes = file.num_classes;
        data.features.emplace_back("given", file.x);
    }
    return data;
}

/// Columns of eigenvectors, of which each has the norm 1, with elements around 1.
Tensor<float, 2> scaled(const Tensor<float, 2>& encoding) {
    return encoding * std::sqrt(static_cast<float>(encoding.extent(0)));
}

/// Three classes of nodes in a circle: edges lead to the next class ten times as often as back, and within a class just
/// so often that without directions all pairs of nodes are alike. There are no features but where nodes are.
Data cycle(const Options& o) {
    constexpr index nodes = 600, classes = 3, labelled = 120, validation = 80;
    Generator generator{1};
    Data data;
    data.name = "cycle";
    data.num_classes = classes;
    data.y = Tensor<std::int32_t, 1>::empty({nodes});
    for (index i = 0; i < nodes; ++i) data.y(i) = static_cast<std::int32_t>(i % classes);
    data.graph = block_model(generator, data.y, cyclic_block_probabilities(classes, 0.04, 0.004, 0.022));
    data.features.emplace_back("laplacian", scaled(gnn::laplacian_encoding(to_undirected(data.graph), o.encoding)));
    data.features.emplace_back("magnetic", scaled(gnn::magnetic_encoding(data.graph, o.net.q, o.encoding)));
    for (index s = 0; s < o.splits; ++s) {
        const auto order = Tensor<index, 1>::from(permutation(generator, nodes));
        const auto part = [&](index begin, index end) { return Tensor<std::int32_t, 1>(slice(order, 0, begin, end)); };
        data.splits.push_back(
            {part(0, labelled), part(labelled, labelled + validation), part(labelled + validation, nodes)});
    }
    return data;
}

/// The file below WEFT_DATA_DIR whose name begins with `name`.
std::string find(const std::string& name) {
    namespace fs = std::filesystem;
    const fs::path root = data_folder("directed", name);
    std::vector<std::string> found;
    for (const auto& folder : fs::directory_iterator(root)) {
        if (!folder.is_directory()) continue;
        for (const auto& file : fs::directory_iterator(folder))
            if (file.path().extension() == ".safetensors" && file.path().filename().string().starts_with(name))
                found.push_back(file.path().string());
    }
    if (found.size() != 1)
        throw error("directed", "--dataset {}: {} files of {} begin so", name, found.size(), root.string());
    return found[0];
}

struct Run {
    double validation = -1, test = 0; ///< accuracies after the epoch of the best validation accuracy
    index epochs = 0;
    double seconds = 0;
};

template <class Net, class Report>
Run train(Net net, const Graph& graph, const Tensor<float, 2>& x, const Data& data, const Split& split,
          const Options& o, Report&& report) {
    const auto begin = Clock::now();
    nn::Adam optimizer{net, {.lr = o.lr, .weight_decay = o.weight_decay}};
    Run run;
    double lowest = std::numeric_limits<double>::infinity();
    index best = 0;
    while (run.epochs < o.epochs && run.epochs - best < o.patience) {
        const Var loss = nn::cross_entropy(net(graph, Var{x}), data.y, split.train);
        backward(loss);
        optimizer.step();
        ++run.epochs;
        const Tensor<float, 2> logits = net(graph, x);
        const double validation_loss = nn::cross_entropy(logits, data.y, split.validation).item();
        if (!std::isfinite(validation_loss))
            throw error("train", "the loss is not finite after epoch {}: choose a lower --lr", run.epochs);
        const double validation = nn::accuracy(logits, data.y, split.validation);
        if (validation > run.validation || (validation == run.validation && validation_loss < lowest)) {
            run.validation = validation;
            run.test = nn::accuracy(logits, data.y, split.test);
            lowest = validation_loss;
            best = run.epochs;
        }
        report(run, static_cast<double>(loss.item()));
    }
    run.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return run;
}

void describe(const Data& data) {
    const Graph& g = data.graph;
    const auto strong = strong_components(g);
    fmt::print("{}: {} nodes in {} classes, {} edges, of which {:.1f} % also go the other way; {} strong components\n",
               data.name, g.num_nodes(), data.num_classes, g.num_edges(), 100 * reciprocity(g), strong.count);
    const auto homophily = directed_homophily(g, data.y);
    const auto undirected = directed_homophily(to_undirected(g), data.y);
    fmt::print("\nWhere one or two edges lead, and how equal classes go with it:\n"
               "           edges  equal classes  squared correlation\n");
    const auto row = [](const std::string& edges, const PatternHomophily& p) {
        fmt::print("{:>16}{:>13.1f} %{:>21.5f}\n", edges, 100 * p.homophily, p.correlation * p.correlation);
    };
    for (const auto& p : homophily.patterns) row(p.pattern, p);
    row("undirected, one", undirected.patterns[0]);
    row("undirected, two", undirected.patterns[2]);
    fmt::print("Squared correlations of two directed edges differ by {:.5f}.\n\n", homophily.score);
    std::fflush(stdout);
}

void run(const Options& o) {
    set_thread_count(o.threads);
    const Data data = !o.data.empty()                             ? from_file(o.data, o)
                      : o.dataset.empty() || o.dataset == "cycle" ? cycle(o)
                                                                  : from_file(find(o.dataset), o);
    describe(data);
    const Graph undirected = to_undirected(data.graph);
    const StatusLine status;
    fmt::print("  features   network  parameters  test accuracy  epochs  seconds a run\n");
    for (const auto& [name, features] : data.features)
        for (const std::string& model : o.models) {
            const Tensor<float, 2>& x = features;
            const std::string& kind = name;
            auto accuracy = Tensor<double, 1>::empty({o.splits});
            double seconds = 0, epochs = 0;
            index parameters = 0;
            for (index s = 0; s < o.splits; ++s) {
                Generator generator{static_cast<std::uint64_t>(s)};
                const auto report = [&](const Run& so_far, double loss) {
                    if (o.quiet || !(status.terminal() || so_far.epochs % 50 == 0)) return;
                    status.write(fmt::format("{}  {}  split {}/{}  epoch {}/{}  loss {:.4f}  validation {:.1f} %", kind,
                                             model, s + 1, o.splits, so_far.epochs, o.epochs, loss,
                                             100 * so_far.validation));
                };
                const auto with = [&](const Graph& graph, auto net) {
                    parameters = nn::parameter_count(net);
                    return train(std::move(net), graph, x, data, data.splits[static_cast<std::size_t>(s)], o, report);
                };
                const auto stacked = [&](const Graph& graph, auto make) {
                    using Conv = decltype(make(index{}, index{}));
                    return with(graph, Stacked<Conv>(x.extent(1), data.num_classes, o.net, generator, make));
                };
                const auto gcn = [&](index in, index out) {
                    return gnn::GCNConv<float>(in, out, {.generator = &generator});
                };
                Run result;
                if (model == "mlp")
                    result = stacked(data.graph, [&](index in, index out) {
                        return Alone{nn::Linear<float>(in, out, {.generator = &generator})};
                    });
                else if (model == "gcn")
                    result = stacked(undirected, gcn);
                else if (model == "gcn_in")
                    result = stacked(data.graph, gcn);
                else if (model == "gcn_out")
                    result = stacked(data.graph.reverse(), gcn);
                else if (model == "dir_gcn")
                    result = stacked(data.graph, [&](index in, index out) {
                        return gnn::DirGCNConv<float>(in, out, {.alpha = o.net.alpha, .generator = &generator});
                    });
                else
                    result = with(data.graph, MagNet(x.extent(1), data.num_classes, o.net, generator));
                accuracy(s) = 100 * result.test;
                seconds += result.seconds;
                epochs += static_cast<double>(result.epochs);
            }
            if (!o.quiet) status.finish();
            const auto runs = static_cast<double>(o.splits);
            const MeanAndDeviation result_of_splits(accuracy);
            fmt::print("{:>10}{:>10}{:>12}{:>8.1f} \u00b1 {:<4.1f}{:>8.0f}{:>15.2f}\n", kind, model, parameters,
                       result_of_splits.mean, result_of_splits.deviation, epochs / runs, seconds / runs);
            std::fflush(stdout);
        }
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app(
        "Do the directions of edges matter? Compares a network that sees no graph, one that sees no directions,\n"
        "and two that see them, and says what directions have to do with the classes of nodes.\n"
        "Without a data set: three classes in a circle, of which only directions know.");
    Options options;
    declare(app, options);
    return run_program("directed", app, argc, argv, [&] { run(options); });
}
