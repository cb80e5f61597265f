// SPDX-License-Identifier: MIT
#pragma once

#include "node_networks.hpp"
#include "node_training.hpp"

/// How to build a network and to train it.
struct Recipe {
    std::string model;
    Sizes sizes{};
    TrainingOptions training{};
};

/// The published recipe of a model: gcn, sage, gat, appnp or dagnn. Without validation nodes, 200 epochs and the last
/// one counts.
inline Recipe published_recipe(const std::string& model, const weft::io::NodeDataset& data) {
    Recipe r{.model = model};
    Sizes& s = r.sizes;
    TrainingOptions& t = r.training;
    const bool citeseer = data.name == "citeseer", pubmed = data.name == "pubmed";
    if (r.model == "sage") {
        s.hidden = 64;
        t.decayed = "";
    } else if (r.model == "gat") {
        s = {.hidden = 8, .heads = 8, .output_heads = pubmed ? 8 : 1, .dropout = 0.6};
        t = {.epochs = 1000,
             .lr = pubmed ? 0.01 : 0.005,
             .weight_decay = pubmed ? 1e-3 : 5e-4,
             .decayed = "",
             .patience = 100,
             .selection = Selection::validation_loss_accuracy};
    } else if (r.model == "appnp") {
        s.hidden = 64;
        t = {.epochs = 10000,
             .weight_decay = 5e-3,
             .decayed = "lin1.weight",
             .patience = 100,
             .selection = Selection::validation_loss_accuracy};
    } else if (r.model == "dagnn") {
        s = {.hidden = 64, .hops = pubmed ? 20 : 10, .dropout = citeseer ? 0.5 : 0.8};
        t = {.epochs = 1000, .weight_decay = citeseer ? 0.02 : 0.005, .decayed = "", .window = 100};
    }
    s.features = data.num_features;
    s.classes = data.num_classes;
    if (data.validation.size() == 0) {
        t.selection = Selection::last;
        t.patience = t.window = 0;
        t.epochs = 200;
    }
    return r;
}
