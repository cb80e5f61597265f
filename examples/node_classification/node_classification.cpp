// SPDX-License-Identifier: MIT

/// Trains GCN, GraphSAGE, GAT, APPNP or DAGNN to classify the nodes of a graph, from a few labelled ones.

#include "../node_data.hpp"
#include "../node_progress.hpp"
#include "../node_recipe.hpp"
#include "picture.hpp"

#include <fmt/format.h>

#include <charconv>
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
    NodeOptions data;
    std::string model, load, save, predict, svg;
    std::optional<index> hidden, heads, hops, epochs, patience;
    std::optional<double> alpha, lr, weight_decay, dropout;
    std::uint64_t seed = 0;
    int seeds = 1;
    int threads = 0;
    bool quiet = false;
};

void declare(CLI::App& app, Options& o) {
    declare_nodes(app, o.data);
    app.add_option("--model", o.model, "gcn, sage, gat, appnp or dagnn (gcn)")
        ->check(CLI::IsMember({"gcn", "sage", "gat", "appnp", "dagnn"}))
        ->group("Model");
    app.add_option("--hidden", o.hidden, "Hidden channels; with gat of each head")->check(positive)->group("Model");
    app.add_option("--heads", o.heads, "Attention heads of the first layer")->check(positive)->group("Model");
    app.add_option("--hops", o.hops, "appnp and dagnn: how far scores go")
        ->check(CLI::Range(index{0}, index{1} << 20))
        ->group("Model");
    app.add_option("--alpha", o.alpha, "appnp: the part of its own scores that a node keeps in every hop")
        ->check(CLI::Range(0.0, 1.0))
        ->group("Model");
    app.add_option("--epochs", o.epochs, "Epochs at most")->check(positive)->group("Training");
    app.add_option("--lr", o.lr, "Learning rate of Adam")->check(not_negative)->group("Training");
    app.add_option("--weight-decay", o.weight_decay, "Weight decay; with gcn and appnp of the first layer")
        ->check(not_negative)
        ->group("Training");
    app.add_option("--dropout", o.dropout,
                   "Part of the inputs of layers (gat: and attention; appnp: and edges) that is dropped")
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
    app.add_option(
           "--svg", o.svg,
           "Draw the graph, or the hidden layer (appnp, dagnn: the scores) of a large one, with the predictions")
        ->group("Files");
    declare_threads_and_quiet(app, o.threads, o.quiet);
}

/// What the command line says instead.
void change_recipe(Recipe& r, const Options& o, const io::NodeDataset& data) {
    if (o.heads && r.model != "gat") throw failure("--heads is an option of gat, the model is {}", r.model);
    if (o.hops && r.model != "appnp" && r.model != "dagnn")
        throw failure("--hops is an option of appnp and dagnn, the model is {}", r.model);
    if (o.alpha && r.model != "appnp") throw failure("--alpha is an option of appnp, the model is {}", r.model);
    if (o.patience && data.validation.size() == 0) throw failure("--patience: {} has no validation nodes", data.name);
    const auto set = [](auto& value, const auto& given) {
        if (given) value = *given;
    };
    set(r.sizes.hidden, o.hidden);
    set(r.sizes.heads, o.heads);
    set(r.sizes.hops, o.hops);
    set(r.sizes.alpha, o.alpha);
    set(r.sizes.dropout, o.dropout);
    set(r.training.epochs, o.epochs);
    set(r.training.lr, o.lr);
    set(r.training.weight_decay, o.weight_decay);
    set(r.training.patience, o.patience);
}

/// Calls f(name, value, least, most) for what the file of a model says of its architecture.
template <class F>
void for_each_size(Sizes& s, F&& f) {
    constexpr auto most = index{1} << 20;
    f("hidden", s.hidden, index{1}, most);
    f("heads", s.heads, index{1}, most);
    f("output_heads", s.output_heads, index{1}, most);
    f("hops", s.hops, index{0}, most);
    f("alpha", s.alpha, 0.0, 1.0);
}

io::Metadata describe(Recipe r, const io::NodeDataset& data) {
    io::Metadata metadata{{"model", r.model}, {"dataset", data.name}};
    for_each_size(r.sizes, [&](const char* name, const auto& value, const auto&...) {
        metadata.emplace(name, fmt::format("{}", value));
    });
    return metadata;
}

/// The sizes in a file that this program wrote; of another file (a PyTorch one, say) the options must tell.
void read_sizes(Sizes& sizes, const io::Metadata& metadata, const std::string& path) {
    for_each_size(sizes, [&](const char* name, auto& value, const auto least, const auto most) {
        const auto entry = metadata.find(name);
        if (entry == metadata.end()) return;
        const std::string& text = entry->second;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (code != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most))
            throw failure("{}: metadata {} is not a number from {} to {}", path, name, least, most);
    });
}

Recipe make_recipe(const Options& o, const io::NodeDataset& data) {
    io::Metadata metadata;
    if (!o.load.empty()) metadata = io::SafetensorsFile::open(o.load).metadata();
    std::string model = o.model.empty() ? "gcn" : o.model;
    if (const auto found = metadata.find("model"); found != metadata.end()) {
        if (!o.model.empty() && o.model != found->second)
            throw failure("{} is a {} model, --model says {}", o.load, found->second, o.model);
        model = found->second;
    }
    Recipe r = published_recipe(model, data);
    read_sizes(r.sizes, metadata, o.load);
    change_recipe(r, o, data);
    return r;
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
    const auto make_net = [&](std::uint64_t seed) {
        Generator generator{seed};
        return Net(recipe.sizes, generator);
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
        const TrainingOptions& t = recipe.training;
        fmt::print(
            "Adam, learning rate {}, weight decay {}{}, dropout {}, at most {} epochs{}{}; of each run {} counts\n",
            t.lr, t.weight_decay, t.decayed.empty() ? "" : " (first layer)", recipe.sizes.dropout, t.epochs,
            t.patience > 0 ? fmt::format(", patience {}", t.patience) : "",
            t.window > 0
                ? fmt::format(", after half of them while the validation loss is below its mean over {}", t.window)
                : "",
            name_of(t.selection));
        std::fflush(stdout);
        Progress progress(!o.quiet, "", t.epochs, graph.num_edges());
        std::vector<Run> runs;
        std::optional<Run> best;
        const auto save = [&](const Run& run) { io::save_safetensors(o.save, run.weights, describe(recipe, data)); };
        using Clock = std::chrono::steady_clock;
        auto saved = Clock::now();
        for (int s = 0; s < o.seeds; ++s) {
            const std::uint64_t seed = o.seed + static_cast<std::uint64_t>(s);
            if (s > 0) net = make_net(seed);
            Run run = train(net, graph, data, t, seed, [&](const Measures& now, const Run& so_far, bool kept) {
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
        write_text(o.svg, Picture(recipe.model, graph, data, Net::representation_name,
                                  net.representation(graph, data.x), net(graph, data.x))
                              .svg());
}

void run(const Options& o) {
    if (!o.load.empty() && !o.save.empty()) throw failure("--load does not train: there is nothing to --save");
    // What cannot be written is known before training.
    for (const std::string* path : {&o.save, &o.predict, &o.svg})
        if (!path->empty()) const io::AtomicFile probe(*path);
    set_thread_count(o.threads);
    const io::NodeDataset data = load_nodes("node_classification", o.data);
    const Recipe recipe = make_recipe(o, data);
    if (recipe.model == "gcn") return work<Gcn>(o, recipe, data);
    if (recipe.model == "sage") return work<Sage>(o, recipe, data);
    if (recipe.model == "gat") return work<Gat>(o, recipe, data);
    if (recipe.model == "appnp") return work<Appnp>(o, recipe, data);
    if (recipe.model == "dagnn") return work<Dagnn>(o, recipe, data);
    throw failure("{}: unknown model {}", o.load, recipe.model);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Classifies the nodes of a graph with GCN, GraphSAGE, GAT, APPNP or DAGNN and their published\n"
                 "recipes.\n"
                 "Without a data set: who sides with whom in Zachary's karate club.");
    Options options;
    declare(app, options);
    return run_program("node_classification", app, argc, argv, [&] { run(options); });
}
