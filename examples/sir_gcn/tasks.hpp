// SPDX-License-Identifier: MIT
#pragma once

#include "networks.hpp"

#include <functional>
#include <limits>
#include <numeric>

/// What a network achieves on nodes or graphs that it was not trained with.
struct Scores {
    double test = 0;
    double validation = std::numeric_limits<double>::quiet_NaN(); ///< the larger the better; NaN: there is none
};

/// Many graphs, of which the first `train` are to be learnt from. Rows of results belong to a graph as those of y.
template <class Target>
struct GraphTask {
    std::vector<weft::Graph> graphs;
    std::vector<weft::Tensor<float, 2>> x; ///< [nodes of the graph, features], of zeros and ones
    std::vector<weft::Tensor<Target, 1>> y;
    std::function<weft::Graph(const weft::GraphBatch&)> readout; ///< edges from nodes to the rows of the result
    weft::index train = 0, batch_size = 256;

    /// Some of the graphs as one.
    struct Sample {
        weft::Graph graph, readout;
        weft::Tensor<float, 2> x;
        weft::Tensor<Target, 1> y;
    };
    template <class Numbers>
    Sample sample(const Numbers& numbers) const {
        std::vector<weft::Graph> some;
        std::vector<weft::Tensor<float, 2>> features;
        std::vector<weft::Tensor<Target, 1>> targets;
        for (const auto number : numbers) {
            const auto i = static_cast<std::size_t>(number);
            some.push_back(graphs[i]);
            features.push_back(x[i]);
            targets.push_back(y[i]);
        }
        const auto together = weft::batch(some);
        return {together.graph(), readout(together), weft::concat_rows(features), weft::concat_rows(targets)};
    }

    /// Calls step(loss) for each mini-batch of an epoch.
    template <class Net, class Step>
    void epoch(const Net& net, weft::Generator& generator, Step&& step) const {
        const auto order = weft::permutation(generator, train);
        for (auto begin = order.begin(); begin != order.end();) {
            const auto end = begin + std::min<std::ptrdiff_t>(batch_size, order.end() - begin);
            const Sample s = sample(std::span(begin, end));
            step(loss(net(s.graph, s.readout, weft::Var{s.x}), s.y));
            begin = end;
        }
    }
    template <class Net>
    Scores scores(const Net& net) const {
        return {.test = score(net(test().graph, test().readout, test().x), test().y)};
    }

private:
    const Sample& test() const {
        if (test_.x.size() == 0) {
            std::vector<weft::index> numbers(graphs.size() - static_cast<std::size_t>(train));
            std::iota(numbers.begin(), numbers.end(), train);
            test_ = sample(numbers);
        }
        return test_;
    }

    static auto loss(const auto& result, const weft::Tensor<float, 1>& y) {
        return weft::nn::mse_loss(squeeze(result, 1), y);
    }
    static auto loss(const auto& result, const weft::Tensor<std::int32_t, 1>& y) {
        return weft::nn::cross_entropy(result, y);
    }
    static double score(const auto& result, const weft::Tensor<float, 1>& y) { return loss(result, y).item(); }
    static double score(const auto& result, const weft::Tensor<std::int32_t, 1>& y) {
        return weft::nn::accuracy(result, y);
    }

    mutable Sample test_;
};

/// Random graphs of 2 to `nodes` nodes with one of `classes` labels each: between how many ends of edges do these
/// differ? A graph of n nodes has n^2 / 4 to n^2 edges.
inline GraphTask<float> hetero_edge_count(weft::index count, weft::index nodes, weft::index classes,
                                          weft::Generator& generator) {
    using namespace weft;
    GraphTask<float> task;
    for (weft::index k = 0; k < count; ++k) {
        const auto n = uniform_integer(generator, 2, nodes + 1), m = uniform_integer(generator, n * n / 4, n * n + 1);
        auto labels = Tensor<std::int32_t, 1>::empty({n});
        fill_integers(generator, labels.mutable_data(), n, 0, static_cast<std::int32_t>(classes));
        const auto pairs = permutation(generator, n * n);
        std::vector<std::pair<weft::index, weft::index>> edges;
        float different = 0;
        for (const auto pair : std::span(pairs).first(static_cast<std::size_t>(m))) {
            edges.emplace_back(pair / n, pair % n);
            different += labels(pair / n) != labels(pair % n);
        }
        task.graphs.push_back(Graph::from_edges(edges, n));
        task.x.push_back(one_hot<float>(labels, classes));
        task.y.push_back(Tensor<float, 1>::full({1}, different));
    }
    task.train = count * 4 / 5;
    task.readout = [](const GraphBatch& batch) { return batch.members(); };
    return task;
}

/// Nodes 0 to keys - 1 ask what belongs to their key; all other nodes, which have a key and a value, tell them: Brody
/// et al., How Attentive are Graph Attention Networks? (arXiv 2105.14491). Features: a 1 in the column of the key, and
/// one in that of the value, where askers have none.
inline GraphTask<std::int32_t> dictionary_lookup(weft::index count, weft::index keys, weft::Generator& generator) {
    using namespace weft;
    std::vector<std::pair<weft::index, weft::index>> edges;
    for (weft::index value = 0; value < keys; ++value)
        for (weft::index key = 0; key < keys; ++key) edges.emplace_back(keys + value, key);
    GraphTask<std::int32_t> task;
    task.graphs.assign(static_cast<std::size_t>(count), Graph::from_edges(edges, 2 * keys));
    for (weft::index k = 0; k < count; ++k) {
        const auto values = permutation(generator, keys);
        auto x = Tensor<float, 2>::zeros({2 * keys, keys + (keys + 1)});
        auto y = Tensor<std::int32_t, 1>::empty({keys});
        for (weft::index key = 0; key < keys; ++key) {
            const auto value = values[static_cast<std::size_t>(key)];
            x(key, key) = x(keys + key, key) = x(key, 2 * keys) = x(keys + key, keys + value) = 1;
            y(key) = static_cast<std::int32_t>(value);
        }
        task.x.push_back(x);
        task.y.push_back(y);
    }
    task.train = count * 4 / 5;
    task.readout = [keys](const GraphBatch& batch) {
        auto askers = Tensor<std::int32_t, 1>::empty({batch.num_graphs() * keys});
        for (weft::index row = 0; row < askers.size(); ++row)
            askers(row) = static_cast<std::int32_t>(row / keys * 2 * keys + row % keys);
        return Graph(askers, arange<std::int32_t>(askers.size()), batch.graph().num_nodes(), askers.size());
    };
    return task;
}

/// Which nodes of one graph are of class 1?
struct NodeTask {
    weft::Graph graph;
    weft::io::NodeDataset data;

    explicit NodeTask(weft::io::NodeDataset from) : graph(from.edge_index, from.num_nodes), data(std::move(from)) {
        if (data.num_classes != 2 || data.num_features == 0)
            throw weft::error("sir_gcn", "{} has {} classes and {} features: there must be two classes, and features",
                              data.name, data.num_classes, data.num_features);
    }

    template <class Net, class Step>
    void epoch(const Net& net, weft::Generator&, Step&& step) const {
        const weft::Tensor<float, 1> y = weft::cast<float>(gather(data.y, data.train));
        step(weft::nn::binary_cross_entropy_with_logits(gather(net(graph, weft::Var{data.x}), data.train), y));
    }
    template <class Net>
    Scores scores(const Net& net) const {
        const weft::Tensor<float, 1> logits = net(graph, data.x);
        return {.test = weft::nn::roc_auc(logits, data.y, data.test),
                .validation = weft::nn::roc_auc(logits, data.y, data.validation)};
    }
};
