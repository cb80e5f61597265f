// SPDX-License-Identifier: MIT
#include "weft_test.hpp"

#include <weft/core/ops.hpp>
#include <weft/gnn/sage_conv.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/neighbor_loader.hpp>
#include <weft/io/karate_club.hpp>
#include <weft/io/node_dataset.hpp>
#include <weft/nn.hpp>

using namespace weft_test;
using weft::Generator, weft::Graph, weft::SampledSubgraph, weft::Tensor, weft::Var;
namespace nn = weft::nn;

namespace {

struct Sage {
    weft::gnn::SAGEConv<float> conv1, conv2;
    nn::Dropout dropout{0.5};

    auto operator()(const Graph& g, const auto& x) const {
        return conv2(g, dropout(weft::eval(weft::relu(conv1(g, dropout(x))))));
    }
    // Every layer on what the layers after it need, [num_seeds, classes].
    auto operator()(const SampledSubgraph& s, const auto& x) const {
        const Graph first = s.layer(0), second = s.layer(1);
        const auto part = [](const auto& h, weft::index rows) { return weft::eval(weft::slice(h, 0, 0, rows)); };
        const auto in = dropout(x);
        const auto hidden = dropout(weft::eval(weft::relu(conv1(first, in, part(in, first.num_dst())))));
        return conv2(second, hidden, part(hidden, second.num_dst()));
    }
    void visit(auto&& v) {
        v("conv1", conv1);
        v("conv2", conv2);
        v("dropout", dropout);
    }
};

} // namespace

TEST_CASE("GraphSAGE on a sample with all neighbours computes what it does on the whole graph", "[gnn]") {
    const auto data = weft::io::karate_club();
    const Graph g(data.edge_index, data.num_nodes);
    Generator generator{1};
    const Sage net{{data.num_features, 8, {.generator = &generator}}, {8, data.num_classes, {.generator = &generator}}};
    const auto nodes = Tensor<std::int32_t, 1>::from({16, 24});
    weft::NeighborSampler all(g, {.fan_outs = {-1, -1}});
    const SampledSubgraph s = all(nodes, generator);
    REQUIRE(s.nodes.size() < data.num_nodes);
    const Tensor<float, 2> part = net(s, Tensor<float, 2>(gather(data.x, s.nodes)));
    const Tensor<float, 2> whole = gather(Tensor<float, 2>(net(g, data.x)), nodes);
    REQUIRE(part.shape() == whole.shape());
    for (weft::index i = 0; i < part.size(); ++i)
        REQUIRE(part.data()[i] == Approx(whole.data()[i]).epsilon(1e-4).margin(1e-5));
}

TEST_CASE("GraphSAGE learns the classes of Cora from mini-batches of sampled neighbourhoods", "[gnn][data]") {
    const auto data = weft::io::load_node_dataset(data_folder("cora"), {.normalize_features = true});
    const Graph g(data.edge_index, data.num_nodes);
    Generator generator{1};
    Sage net{{data.num_features, 64, {.generator = &generator}}, {64, data.num_classes, {.generator = &generator}}};
    nn::reset_parameters(net, generator);
    nn::Adam optimizer{net, {.lr = 0.01, .weight_decay = 5e-4}};

    weft::NeighborLoader loader(g, data.train, {.fan_outs = {10, 10}, .batch_size = 32, .seed = 1});
    for (int epoch = 0; epoch < 60; ++epoch)
        for (const SampledSubgraph& batch : loader) {
            const Tensor<std::int32_t, 1> seeds = weft::slice(batch.nodes, 0, 0, batch.num_seeds());
            const Var x{Tensor<float, 2>(gather(data.x, batch.nodes))};
            backward(nn::cross_entropy(net(batch, x), Tensor<std::int32_t, 1>(gather(data.y, seeds))));
            optimizer.step();
        }
    const double accuracy = nn::accuracy(Tensor<float, 2>(net(g, data.x)), data.y, data.test);
    INFO("accuracy " << accuracy);
    REQUIRE(accuracy > 0.78);
}
