// SPDX-License-Identifier: MIT

/// Classifies the nodes of one type in a graph of several types of nodes and edges, and compares networks that see
/// more or less of it.

#include "../command_line.hpp"
#include "../mean_and_deviation.hpp"
#include "../status_line.hpp"
#include "networks.hpp"

#include <chrono>
#include <filesystem>

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name
using Clock = std::chrono::steady_clock;

struct Options {
    std::string data, dataset;
    std::vector<std::string> models = {"mlp", "rgcn", "hgt"};
    NetOptions net;
    index epochs = 60, seeds = 3;
    double lr = 0.005, weight_decay = 1e-4;
    int threads = 0;
    bool quiet = false;
};

void declare(CLI::App& app, Options& o) {
    app.add_option("--data", o.data, "Data set: a folder with a safetensors file, or the file")->group("Data");
    app.add_option("--dataset", o.dataset,
                   "Data set: a folder of the folder WEFT_DATA_DIR, acm; or library, which is built in")
        ->excludes("--data")
        ->group("Data");
    app.add_option("--model", o.models, "Networks to compare: mlp, rgcn, hgt (all)")
        ->check(CLI::IsMember({"mlp", "rgcn", "hgt"}))
        ->group("Model");
    app.add_option("--hidden", o.net.hidden, "Channels (64)")->check(positive)->group("Model");
    app.add_option("--layers", o.net.layers, "Layers (2)")->check(CLI::Range(index{1}, index{100}))->group("Model");
    app.add_option("--heads", o.net.heads, "Heads of attention (4)")->check(positive)->group("Model");
    app.add_option("--dropout", o.net.dropout, "Part of the features that is dropped (0.5)")
        ->check(CLI::Range(0.0, 1.0))
        ->group("Model");
    app.add_option("--epochs", o.epochs, "Epochs (60)")->check(positive)->group("Training");
    app.add_option("--lr", o.lr, "Learning rate of Adam (0.005)")->check(CLI::Range(0.0, 10.0))->group("Training");
    app.add_option("--weight-decay", o.weight_decay, "Weight decay (0.0001)")
        ->check(CLI::Range(0.0, 10.0))
        ->group("Training");
    app.add_option("--seeds", o.seeds, "Runs of each network, with seeds 0, 1, ... (3)")
        ->check(CLI::Range(index{1}, index{1000}))
        ->group("Training");
    declare_threads_and_quiet(app, o.threads, o.quiet);
}

/// Every fifth of the training nodes becomes a validation node.
void split_off_validation(Data& data) {
    std::vector<std::int32_t> train, validation;
    for (index k = 0; k < data.train.size(); ++k) (k % 5 == 4 ? validation : train).push_back(data.train(k));
    data.train = Tensor<std::int32_t, 1>::from(train, {static_cast<index>(train.size())});
    data.validation = Tensor<std::int32_t, 1>::from(validation, {static_cast<index>(validation.size())});
}

Data from_file(const std::string& path) {
    const auto file = io::load_hetero_dataset(path, {.reverse_relations = true, .identity_features = true});
    Data data;
    data.name = file.name;
    data.target = file.target;
    data.y = file.y;
    data.train = file.train;
    data.validation = file.validation;
    data.test = file.test;
    data.num_classes = file.num_classes;
    std::map<std::string, index> counts;
    for (const auto& [type, nodes] : file.nodes) {
        counts[type] = nodes.count;
        data.x[type] = nodes.x;
    }
    std::vector<std::pair<EdgeType, Graph>> relations;
    for (const auto& [type, ends] : file.edge_index)
        relations.emplace_back(type, Graph(ends, counts.at(type.src), counts.at(type.dst)));
    data.graph = HeteroGraph(counts, relations);
    if (data.validation.size() == 0) split_off_validation(data);
    return data;
}

/// 600 books in three fields by 200 authors, each of one field. A book's own features hardly tell its field; its
/// authors' say it together.
Data library() {
    constexpr index books = 600, authors = 200, fields = 3, width = 16;
    Generator generator{7};
    Data data;
    data.name = "library";
    data.target = "book";
    data.num_classes = fields;
    data.y = Tensor<std::int32_t, 1>::empty({books});
    for (index i = 0; i < books; ++i) data.y(i) = static_cast<std::int32_t>(uniform_integer(generator, 0, fields));
    const auto features = [&](index count, auto field_of, float strength) {
        auto x = Tensor<float, 2>::empty({count, width});
        fill_normal(generator, x.mutable_data(), x.size());
        for (index i = 0; i < count; ++i) x(i, field_of(i)) = x(i, field_of(i)) + strength;
        return x;
    };
    data.x["book"] = features(
        books, [&](index i) { return index{data.y(i)}; }, 0.5f);
    data.x["author"] = features(
        authors, [](index a) { return a % fields; }, 1.0f);
    std::vector<std::pair<index, index>> wrote;
    for (index i = 0; i < books; ++i)
        for (int k = 0; k < 4; ++k) { // one in eight authors writes outside of the own field
            const bool own = uniform_integer(generator, 0, 8) > 0;
            const index a = uniform_integer(generator, 0, authors / fields) * fields;
            wrote.emplace_back(a + (own ? data.y(i) : uniform_integer(generator, 0, fields)), i);
        }
    const Graph by = Graph::from_edges(wrote, authors, books);
    data.graph = HeteroGraph({{"author", authors}, {"book", books}},
                             {{{"author", "wrote", "book"}, by}, {{"book", "rev_wrote", "author"}, by.reverse()}});
    std::vector<std::int32_t> train, test;
    for (std::int32_t i = 0; i < books; ++i) (i < 150 ? train : test).push_back(i);
    data.train = Tensor<std::int32_t, 1>::from(train, {static_cast<index>(train.size())});
    data.test = Tensor<std::int32_t, 1>::from(test, {static_cast<index>(test.size())});
    split_off_validation(data);
    return data;
}

Data load_data(const Options& o) {
    if (!o.data.empty()) return from_file(o.data);
    if (o.dataset.empty() || o.dataset == "library") return library();
    return from_file((data_folder("heterogeneous", o.dataset) / o.dataset).string());
}

struct Run {
    double accuracy = 0; ///< of the test nodes, after the epoch of the lowest validation loss
    double seconds = 0;
};

template <class Net, class Report>
Run train(Net net, const Data& data, const Options& o, Report&& report) {
    const auto begin = Clock::now();
    nn::Adam optimizer{net, {.lr = o.lr, .weight_decay = o.weight_decay}};
    const auto loss_of_training = [&] {
        RecordedFeatures x; // gone before the backward, which then computes no gradient of it
        for (const auto& [type, features] : data.x) x.emplace(type, Var<float, 2>(features));
        return Var<float, 0>(nn::cross_entropy(net(data, x), data.y, data.train));
    };
    Run run;
    double lowest = std::numeric_limits<double>::infinity();
    for (index epoch = 1; epoch <= o.epochs; ++epoch) {
        const Var<float, 0> loss = loss_of_training();
        backward(loss);
        optimizer.step();
        const Tensor<float, 2> logits = net(data, data.x);
        const double validation = nn::cross_entropy(logits, data.y, data.validation).item();
        if (!std::isfinite(validation))
            throw error("train", "the loss is not finite after epoch {}: choose a lower --lr", epoch);
        const double accuracy = nn::accuracy(logits, data.y, data.test);
        if (validation < lowest) {
            lowest = validation;
            run.accuracy = accuracy;
        }
        report(epoch, static_cast<double>(loss.item()), accuracy);
    }
    run.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return run;
}

void run(const Options& o) {
    set_thread_count(o.threads);
    const Data data = load_data(o);
    fmt::print("{}: {} has {} classes, {} nodes to train with, {} to validate, {} to test\n", data.name, data.target,
               data.num_classes, data.train.size(), data.validation.size(), data.test.size());
    for (const std::string& type : data.graph.node_types())
        fmt::print("  {} {} with {} features\n", data.graph.num_nodes(type), type, data.x.at(type).extent(1));
    for (const EdgeType& type : data.graph.edge_types())
        fmt::print("  {} edges {} {} {}\n", data.graph.graph(type).num_edges(), type.src, type.relation, type.dst);
    std::fflush(stdout);

    const StatusLine status;
    fmt::print("  network  parameters  test accuracy  seconds a run\n");
    for (const std::string& model : o.models) {
        auto accuracy = Tensor<double, 1>::empty({o.seeds});
        double seconds = 0;
        index parameters = 0;
        for (index seed = 0; seed < o.seeds; ++seed) {
            Generator generator{static_cast<std::uint64_t>(seed)};
            const auto report = [&](index epoch, double loss, double test) {
                if (o.quiet || (!status.terminal() && epoch != o.epochs)) return;
                status.write(fmt::format("{}  seed {}  epoch {}/{}  loss {:.4f}  test {:.1f} %", model, seed, epoch,
                                         o.epochs, loss, 100 * test));
            };
            const auto with = [&](auto net) {
                nn::reset_parameters(net.dropout, generator);
                parameters = nn::parameter_count(net);
                return train(std::move(net), data, o, report);
            };
            const Run result = model == "mlp"    ? with(Perceptron(data, o.net, generator))
                               : model == "rgcn" ? with(RGCN(data, o.net, generator))
                                                 : with(HGT(data, o.net, generator));
            accuracy(seed) = 100 * result.accuracy;
            seconds += result.seconds;
        }
        if (!o.quiet) status.finish();
        const MeanAndDeviation result(accuracy);
        fmt::print("{:>9}{:>12}{:>8.1f} % \u00b1 {:.1f}{:>13.1f}\n", model, parameters, result.mean, result.deviation,
                   seconds / static_cast<double>(o.seeds));
        std::fflush(stdout);
    }
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Classifies nodes of one type in a graph of several types of nodes and edges: a perceptron on their\n"
                 "own features, a relational graph convolution, and a heterogeneous graph transformer.\n"
                 "Without a data set: books, and the authors who tell their fields.");
    Options options;
    declare(app, options);
    return run_program("heterogeneous", app, argc, argv, [&] { run(options); });
}
