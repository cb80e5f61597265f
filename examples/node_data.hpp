// SPDX-License-Identifier: MIT
#pragma once

#include "command_line.hpp"

#include <weft/io/karate_club.hpp>
#include <weft/io/node_dataset.hpp>

/// The data set to classify: of the file or folder `path`; else the one of that name, a folder of the folder
/// WEFT_DATA_DIR, or karate, which is built in. Features are divided by their sum. Errors: it has no features, or no
/// nodes for training.
inline weft::io::NodeDataset load_nodes(const char* program, const std::string& path, const std::string& name,
                                        weft::index split) {
    using namespace weft;
    if (path.empty() && (name.empty() || name == "karate")) {
        if (split != 0) throw error(program, "karate has one split, number {} was asked for", split);
        io::NodeDataset data = io::karate_club();
        // The two heads of the quarrel are known; who goes with whom?
        data.train = Tensor<std::int32_t, 1>::from(std::vector<std::int32_t>{0, 33});
        data.test = Tensor<std::int32_t, 1>::empty({data.num_nodes - 2});
        std::int32_t* const test = data.test.mutable_data();
        for (std::int32_t i = 0; i < 32; ++i) test[i] = i + 1;
        return data;
    }
    const std::string file = path.empty() ? (data_folder(program, name) / name).string() : path;
    io::NodeDataset data = io::load_node_dataset(file, {.split = split, .normalize_features = true});
    if (data.num_features == 0) throw error(program, "{}: the nodes have no features", file);
    if (data.train.size() == 0) throw error(program, "{}: has no nodes for training", file);
    return data;
}
