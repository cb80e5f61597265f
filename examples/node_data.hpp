// SPDX-License-Identifier: MIT
#pragma once

#include "command_line.hpp"

#include <weft/io/karate_club.hpp>
#include <weft/io/node_dataset.hpp>

/// Which nodes are to be classified.
struct NodeOptions {
    std::string path, name;
    weft::index split = 0;
};

inline void declare_nodes(CLI::App& app, NodeOptions& o) {
    app.add_option("--data", o.path, "Data set: a folder with a safetensors file, or the file")->group("Data");
    app.add_option("--dataset", o.name, "Data set: a folder of the folder WEFT_DATA_DIR, or karate, which is built in")
        ->excludes("--data")
        ->group("Data");
    app.add_option("--split", o.split, "Which of several published splits (0)")
        ->check(CLI::Range(weft::index{0}, weft::index{1} << 20))
        ->group("Data");
}

/// The data set of the file or folder `path`; else the one of that name, a folder of the folder WEFT_DATA_DIR, or
/// karate, which is built in. Features are divided by their sum. Errors: it has no features, or no nodes for training.
inline weft::io::NodeDataset load_nodes(const char* program, const NodeOptions& o) {
    using namespace weft;
    if (o.path.empty() && (o.name.empty() || o.name == "karate")) {
        if (o.split != 0) throw error(program, "karate has one split, number {} was asked for", o.split);
        io::NodeDataset data = io::karate_club();
        // The two heads of the quarrel are known; who goes with whom?
        data.train = Tensor<std::int32_t, 1>::from(std::vector<std::int32_t>{0, 33});
        data.test = Tensor<std::int32_t, 1>::empty({data.num_nodes - 2});
        std::int32_t* const test = data.test.mutable_data();
        for (std::int32_t i = 0; i < 32; ++i) test[i] = i + 1;
        return data;
    }
    const std::string file = o.path.empty() ? (data_folder(program, o.name) / o.name).string() : o.path;
    io::NodeDataset data = io::load_node_dataset(file, {.split = o.split, .normalize_features = true});
    if (data.num_features == 0) throw error(program, "{}: the nodes have no features", file);
    if (data.train.size() == 0) throw error(program, "{}: has no nodes for training", file);
    return data;
}
