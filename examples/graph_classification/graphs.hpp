// SPDX-License-Identifier: MIT
#pragma once

#include <weft/weft.hpp>

#include <filesystem>
#include <string>
#include <vector>

/// Graphs with a class each, whose nodes have labels.
struct LabelledGraphs {
    std::string name;
    std::vector<weft::Graph> graphs;
    std::vector<weft::Tensor<float, 2>> x; ///< per graph [nodes, labels], 1 at the node's label
    weft::Tensor<std::int32_t, 1> y;       ///< [graphs] classes
    weft::Tensor<std::int32_t, 1> fold;    ///< [graphs] the test set each one is in; -1: in none
    weft::index num_labels = 0, num_classes = 0, num_folds = 0;
};

/// One more than the largest; labels count from 0. Errors: a negative one, or one so large that it is a mistake.
inline weft::index count_labels(const weft::Tensor<std::int32_t, 1>& labels, const char* what, std::int32_t lowest) {
    std::int32_t largest = -1;
    for (const std::int32_t label : labels.values()) {
        if (label < lowest || label > 10000)
            throw weft::error("graph_classification", "{} is {}: must be from {} to 10000", what, label, lowest);
        largest = std::max(largest, label);
    }
    return largest + 1;
}

inline void require_size(const weft::Tensor<std::int32_t, 1>& values, weft::index size, const char* what) {
    if (values.size() != size)
        throw weft::error("graph_classification", "{} has {} elements: must have {}", what, values.size(), size);
}

/// From `edge_index` [2, E], `graph_indicator` [N] (sorted), `node_label` [N], `graph_label` and `fold` [graphs] of a
/// safetensors file, or of the only one in a folder.
inline LabelledGraphs load_graphs(std::filesystem::path path) {
    using namespace weft;
    if (std::filesystem::is_directory(path)) {
        std::vector<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator(path))
            if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
        if (files.size() != 1)
            throw error("graph_classification", "{} has {} safetensors files: must have one", path.string(),
                        files.size());
        path = files[0];
    }
    const auto file = io::SafetensorsFile::open(path);
    LabelledGraphs data;
    data.name = path.stem().string();
    data.y = file.get<std::int32_t, 1>("graph_label");
    data.fold = file.get<std::int32_t, 1>("fold");
    const auto indicator = file.get<std::int32_t, 1>("graph_indicator"),
               label = file.get<std::int32_t, 1>("node_label");
    require_size(data.fold, data.y.size(), "fold");
    require_size(label, indicator.size(), "node_label");
    data.num_classes = count_labels(data.y, "graph_label", 0);
    data.num_labels = count_labels(label, "node_label", 0);
    data.num_folds = count_labels(data.fold, "fold", -1);

    const Graph all(file.get<std::int32_t, 2>("edge_index"), indicator.size());
    const GraphBatch batch(all, indicator, data.y.size());
    data.graphs = unbatch(batch);
    for (const auto& rows : unbatch(batch, one_hot(label, data.num_labels))) data.x.emplace_back(rows);
    return data;
}

/// 200 random trees, to half of which (class 1) three edges were added.
inline LabelledGraphs trees_and_others() {
    using namespace weft;
    constexpr weft::index count = 200;
    LabelledGraphs data;
    data.name = "trees";
    data.num_labels = 1;
    data.num_classes = 2;
    data.num_folds = 10;
    data.y = data.fold = Tensor<std::int32_t, 1>::zeros({count});
    Generator generator{1};
    for (weft::index i = 0; i < count; ++i) {
        const auto nodes = static_cast<weft::index>(uniform_integer(generator, 8, 25));
        std::vector<std::pair<weft::index, weft::index>> edges;
        const auto connect = [&](weft::index a, weft::index b) {
            edges.emplace_back(a, b);
            edges.emplace_back(b, a);
        };
        const auto node_below = [&](weft::index n) {
            return static_cast<weft::index>(uniform_integer(generator, 0, n));
        };
        for (weft::index v = 1; v < nodes; ++v) connect(v, node_below(v));
        data.y(i) = static_cast<std::int32_t>(i % 2);
        for (int extra = 0; extra < 3 * data.y(i); ++extra) connect(node_below(nodes), node_below(nodes));
        data.graphs.push_back(Graph::from_edges(edges, nodes));
        data.x.push_back(Tensor<float, 2>::ones({nodes, 1}));
        data.fold(i) = static_cast<std::int32_t>(i / 2 % 10);
    }
    return data;
}
