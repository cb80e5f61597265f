// SPDX-License-Identifier: MIT

/// How far can a node see? GCN sees one hop further with each layer, and soon cannot tell nodes apart; DAGNN, which
/// transforms first and propagates afterwards, can.

#include "../mean_and_deviation.hpp"
#include "../node_data.hpp"
#include "../node_progress.hpp"
#include "../node_recipe.hpp"

#include <weft/gnn/smoothness.hpp>

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name

struct Options {
    NodeOptions data;
    std::vector<index> layers = {2, 6, 10}, hops = {2, 6, 10, 20, 50};
    index hidden = 64;
    std::optional<index> epochs;
    double lr = 0.01;
    std::uint64_t seed = 0;
    index seeds = 3;
    int threads = 0;
    bool quiet = false;
};

void declare(CLI::App& app, Options& o) {
    declare_nodes(app, o.data);
    app.add_option("--layers", o.layers, fmt::format("Layers of GCN ({})", fmt::join(o.layers, ", ")))
        ->check(CLI::Range(index{1}, index{1000}))
        ->group("Model");
    app.add_option("--hops", o.hops, fmt::format("Hops of DAGNN ({})", fmt::join(o.hops, ", ")))
        ->check(CLI::Range(index{0}, index{1000}))
        ->group("Model");
    app.add_option("--hidden", o.hidden, "Hidden channels (64)")->check(positive)->group("Model");
    app.add_option("--epochs", o.epochs, "Epochs at most (of GCN 200, of DAGNN 1000)")
        ->check(positive)
        ->group("Training");
    app.add_option("--lr", o.lr, "Learning rate of Adam (0.01)")->check(not_negative)->group("Training");
    app.add_option("--seed", o.seed, "Seed of weights and dropout (0)")->group("Training");
    app.add_option("--seeds", o.seeds, "Repeat with so many seeds from --seed on (3)")
        ->check(CLI::Range(index{1}, index{1000}))
        ->group("Training");
    declare_threads_and_quiet(app, o.threads, o.quiet);
}

/// Graph convolutions one on another, without residual connections.
struct DeepGcn {
    std::vector<gnn::GCNConv<float>> convs;
    nn::Dropout dropout;

    DeepGcn(index layers, const Sizes& s, Generator& generator) : dropout(s.dropout) {
        for (index l = 0; l < layers; ++l)
            convs.emplace_back(l == 0 ? s.features : s.hidden, l == layers - 1 ? s.classes : s.hidden,
                               gnn::GCNOptions{.generator = &generator});
        dropout.reset_parameters(generator);
    }

    template <class X>
    auto operator()(const Graph& g, const X& x) const {
        auto h = convs.at(0)(g, dropout(x));
        for (std::size_t l = 1; l < convs.size(); ++l) h = convs[l](g, dropout(relu(h)));
        return h;
    }
    void visit(auto&& v) { v("convs", convs); }
};

/// Trains the network make_net(generator) with every seed and prints its line of the table.
template <class MakeNet>
void compare(const Options& o, const std::string& name, const io::NodeDataset& data, const Graph& graph,
             const TrainingOptions& training, MakeNet&& make_net) {
    Progress progress(!o.quiet, name + "  ", training.epochs, graph.num_edges());
    std::vector<double> accuracy, smoothness;
    double epochs = 0, seconds = 0;
    index parameters = 0;
    for (index s = 0; s < o.seeds; ++s) {
        const std::uint64_t seed = o.seed + static_cast<std::uint64_t>(s);
        Generator generator{seed};
        auto net = make_net(generator);
        parameters = nn::parameter_count(net);
        const Run run = train(net, graph, data, training, seed,
                              [&](const Measures& now, const Run& so_far, bool) { progress.update(now, so_far); });
        progress.finish();
        accuracy.push_back(100 * run.best.test);
        // What a node's scores have in common says nothing about its class.
        const Tensor<float, 2> scores = net(graph, data.x);
        smoothness.push_back(gnn::smoothness(scores - mean<1>(scores, keepdim)));
        epochs += static_cast<double>(run.epochs);
        seconds += run.seconds;
    }
    const MeanAndDeviation right(accuracy), smooth(smoothness);
    fmt::print("{:<17}{:>10}{:>10.1f} \u00b1 {:<4.1f}{:>10.3f} \u00b1 {:<5.3f}{:>8.0f}{:>10.2f}\n", name, parameters,
               right.mean, right.deviation, smooth.mean, smooth.deviation, epochs / static_cast<double>(o.seeds),
               1e3 * seconds / epochs);
    std::fflush(stdout);
}

void run(const Options& o) {
    set_thread_count(o.threads);
    const io::NodeDataset data = load_nodes("deep_propagation", o.data);
    const Graph graph(data.edge_index, data.num_nodes);
    fmt::print("{}: {} nodes, {} edges, {} features, {} classes\n"
               "Smoothness: how far apart the scores of two nodes point in the mean, from 0 (all are alike) to 1\n\n"
               "network          parameters  test accuracy       smoothness  epochs  ms/epoch\n",
               data.name, data.num_nodes, graph.num_edges(), data.num_features, data.num_classes);
    std::fflush(stdout);
    const auto recipe_of = [&](const std::string& model) {
        Recipe r = published_recipe(model, data);
        r.sizes.hidden = o.hidden;
        r.training.lr = o.lr;
        if (o.epochs) r.training.epochs = *o.epochs;
        return r;
    };
    Recipe gcn = recipe_of("gcn"), dagnn = recipe_of("dagnn");
    gcn.training.decayed = "convs.0.";
    for (const index layers : o.layers)
        compare(o, fmt::format("GCN, {} layer{}", layers, layers == 1 ? "" : "s"), data, graph, gcn.training,
                [&](Generator& generator) { return DeepGcn(layers, gcn.sizes, generator); });
    for (const index hops : o.hops) {
        dagnn.sizes.hops = hops;
        compare(o, fmt::format("DAGNN, {} hop{}", hops, hops == 1 ? "" : "s"), data, graph, dagnn.training,
                [&](Generator& generator) { return Dagnn(dagnn.sizes, generator); });
    }
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app(
        "How far can a node see? Deep networks of GCN, whose every layer mixes nodes and transforms them, beside\n"
        "DAGNN (arXiv 2007.09296), which transforms nodes first and mixes them afterwards.\n"
        "Without a data set: who sides with whom in Zachary's karate club.");
    Options options;
    declare(app, options);
    return run_program("deep_propagation", app, argc, argv, [&] { run(options); });
}
