// SPDX-License-Identifier: MIT
#pragma once

#include "graphs.hpp"

#include <cmath>

struct Recipe {
    weft::index layers = 5;
    weft::index hidden = 32;
    weft::index epochs = 100;
    weft::index batch_size = 32; ///< graphs per step
    double lr = 0.01;            ///< halved every 50 epochs
    double dropout = 0.5;        ///< of the readouts
};

/// Graph isomorphism network: Xu et al., How Powerful are Graph Neural Networks? (arXiv 1810.00826). Every layer is a
/// GINConv with batch normalisation; the sums over the nodes of each graph of all layers, and of the input, make the
/// scores [graphs, classes].
struct Gin {
    using Perceptron = weft::nn::Sequential<weft::nn::Linear<float>, weft::nn::BatchNorm<float>, weft::nn::ReLU,
                                            weft::nn::Linear<float>>;

    std::vector<weft::gnn::GINConv<float, Perceptron>> convs;
    std::vector<weft::nn::BatchNorm<float>> norms;
    weft::gnn::JumpingKnowledge<float> jump{weft::gnn::Jump::cat};
    weft::nn::Linear<float> out;
    weft::nn::Dropout dropout;

    Gin(weft::index labels, weft::index classes, const Recipe& r, weft::Generator& generator) : dropout(r.dropout) {
        using namespace weft;
        for (weft::index l = 0; l < r.layers; ++l) {
            const nn::LinearOptions from{.generator = &generator};
            Perceptron perceptron(nn::Linear<float>(l == 0 ? labels : r.hidden, r.hidden, from),
                                  nn::BatchNorm<float>(r.hidden), nn::ReLU{},
                                  nn::Linear<float>(r.hidden, r.hidden, from));
            convs.emplace_back(std::move(perceptron));
            norms.emplace_back(r.hidden);
        }
        out = nn::Linear<float>(labels + r.layers * r.hidden, classes, {.generator = &generator});
        dropout.reset_parameters(generator);
    }

    auto operator()(const weft::GraphBatch& batch, const auto& x) const {
        const auto layer = [&](std::size_t l, const auto& h) {
            return eval(relu(norms[l](convs[l](batch.graph(), h))));
        };
        const auto sums = [&](const auto& h) {
            return weft::gnn::readout(batch.members(), h, weft::gnn::Aggregation::add);
        };
        decltype(layer(0, x)) h(x);
        std::vector readouts{sums(h)};
        for (std::size_t l = 0; l < convs.size(); ++l) {
            h = layer(l, h);
            readouts.push_back(sums(h));
        }
        return out(dropout(jump(readouts)));
    }

    void visit(auto&& v) {
        v("convs", convs);
        v("norms", norms);
        v("out", out);
    }
};

/// Some graphs of a data set as one.
struct Sample {
    weft::GraphBatch batch;
    weft::Tensor<float, 2> x;
    weft::Tensor<std::int32_t, 1> y;

    Sample(const weft::io::GraphDataset& data, const weft::Tensor<std::int32_t, 1>& graphs) {
        const auto part = data.select(graphs);
        batch = weft::GraphBatch(weft::Graph(part.edge_index, part.num_nodes), part.batch, part.num_graphs);
        x = part.x;
        y = part.y;
    }
};

/// A network trained on all graphs but those of one fold, and what it says about these.
struct FoldResult {
    std::vector<double> accuracy; ///< of the fold after each epoch, in [0, 1]
    double train_loss = 0;        ///< mean of the last epoch
    weft::Tensor<std::int32_t, 1> graphs;
    weft::Tensor<float, 2> logits;
};

/// `report(epoch, loss, accuracy)` is called after every epoch.
template <class Report>
FoldResult train_fold(const weft::io::GraphDataset& data, const Recipe& recipe, weft::index fold, std::uint64_t seed,
                      Report&& report) {
    using namespace weft;
    Generator generator{seed, static_cast<std::uint64_t>(fold), 0};
    Gin net(data.num_features, data.num_classes, recipe, generator);
    nn::Adam optimizer{net, {.lr = recipe.lr}};
    nn::Schedule schedule{optimizer, nn::StepLR{.step_size = 50, .gamma = 0.5}};

    const auto [train, tested] = data.split(fold);
    const Sample test(data, tested);
    FoldResult result;
    result.graphs = tested;
    for (weft::index epoch = 0; epoch < recipe.epochs; ++epoch) {
        const auto order = Tensor<weft::index, 1>::from(permutation(generator, train.size()));
        const auto shuffled = gather(train, order);
        double loss_sum = 0;
        for (weft::index begin = 0; begin < train.size(); begin += recipe.batch_size) {
            const weft::index end = std::min(train.size(), begin + recipe.batch_size);
            const Sample sample(data, Tensor<std::int32_t, 1>(slice(shuffled, 0, begin, end)));
            const Var loss = nn::cross_entropy(net(sample.batch, Var{sample.x}), sample.y);
            backward(loss);
            optimizer.step();
            loss_sum += static_cast<double>(loss.item()) * static_cast<double>(end - begin);
        }
        schedule.step();
        result.train_loss = loss_sum / static_cast<double>(train.size());
        if (!std::isfinite(result.train_loss))
            throw error("train", "the loss is not finite after epoch {}: choose a lower --lr", epoch + 1);
        result.logits = net(test.batch, test.x);
        result.accuracy.push_back(nn::accuracy(result.logits, test.y));
        report(epoch + 1, result.train_loss, result.accuracy.back());
    }
    return result;
}
