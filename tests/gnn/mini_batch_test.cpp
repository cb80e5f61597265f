// SPDX-License-Identifier: MIT
#include "weft_test.hpp"

#include <weft/gnn/sage_conv.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/neighbor_loader.hpp>
#include <weft/io/node_dataset.hpp>
#include <weft/nn.hpp>

using namespace weft;
using namespace weft_test;

namespace {

struct Net {
    gnn::SAGEConv<float> conv1, conv2;
    nn::Dropout dropout{0.5};
    auto operator()(const Graph& g, const auto& x) const { return conv2(g, dropout(eval(relu(conv1(g, dropout(x)))))); }
    /// The rows of the seeds, each layer on no more than it needs.
    auto operator()(const NeighborSample& s, const auto& x) const {
        const Graph first = s.layer_graph(0), second = s.layer_graph(1);
        const auto h = dropout(x);
        const auto y = dropout(eval(relu(conv1(first, h, slice(h, 0, 0, first.num_dst())))));
        return conv2(second, y, slice(y, 0, 0, second.num_dst()));
    }
    void visit(auto&& v) {
        v("conv1", conv1);
        v("dropout", dropout);
        v("conv2", conv2);
    }
};

} // namespace

TEST_CASE("mini_batch: GraphSAGE learns Cora from sampled neighbourhoods", "[gnn][data]") {
    const auto data = io::load_node_dataset(data_folder("cora"), {.normalize_features = true});
    const Graph graph(data.edge_index, data.num_nodes);
    NeighborLoader loader(graph, data.train, {10, 10}, {.batch_size = 32, .seed = 1});
    const bool trimmed = GENERATE(false, true);
    INFO((trimmed ? "layers on what they need" : "layers on the whole sample"));

    Generator generator{1};
    Net net{{data.num_features, 64, {.generator = &generator}}, {64, data.num_classes, {.generator = &generator}}};
    nn::reset_parameters(net, generator);
    nn::Adam optimizer{net, {.lr = 0.005, .weight_decay = 5e-4}};
    for (int epoch = 0; epoch < 40; ++epoch)
        for (const NeighborSample& batch : loader.epoch(epoch)) {
            const Var x{gather(data.x, batch.nodes)};
            const auto y = gather(data.y, slice(batch.nodes, 0, 0, batch.batch_size()));
            const auto logits = trimmed ? eval(net(batch, x)) : eval(slice(net(batch.graph, x), 0, 0, y.size()));
            backward(nn::cross_entropy(logits, y));
            optimizer.step();
        }
    const Tensor<float, 2> logits = net(graph, data.x);
    const double accuracy = nn::accuracy(logits, data.y, data.test);
    INFO("test accuracy " << accuracy);
    REQUIRE(accuracy > 0.78);
}
