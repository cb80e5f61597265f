// SPDX-License-Identifier: MIT
// One training step on Cora with the published hyper-parameters: forward with dropout, loss on the training nodes,
// backward, Adam. Cora comes from $WEFT_DATA_DIR/cora; without it, a random graph of its size stands in. An epoch of
// DAGNN is a step and an evaluation; its twin has products that do not skip zeros, and stores every message and hop.
#include "graphs.hpp"

#include <weft/core/ops.hpp>
#include <weft/gnn/dagnn.hpp>
#include <weft/gnn/gat_conv.hpp>
#include <weft/gnn/gcn_conv.hpp>
#include <weft/grad/backward.hpp>
#include <weft/io/node_dataset.hpp>
#include <weft/nn/adam.hpp>
#include <weft/nn/loss.hpp>

#include <numeric>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat;

/// A graph of Cora's size: bag-of-words features, classes in turn.
io::NodeDataset stand_in() {
    constexpr index nodes = 2708, pairs = 5278, features = 1433, nonzeros = 49216, classes = 7;
    io::NodeDataset data;
    data.num_nodes = nodes;
    data.num_features = features;
    data.num_classes = classes;

    std::vector<index> order(static_cast<std::size_t>(nodes * features));
    std::iota(order.begin(), order.end(), index{0});
    std::nth_element(order.begin(), order.begin() + nonzeros, order.end(), [](index a, index b) {
        return weft_bench::splitmix64(static_cast<std::uint64_t>(a)) <
               weft_bench::splitmix64(static_cast<std::uint64_t>(b));
    });
    data.x = Tensor<float, 2>::zeros({nodes, features});
    float* const x = data.x.mutable_data();
    std::vector<float> words(static_cast<std::size_t>(nodes));
    for (index k = 0; k < nonzeros; ++k)
        ++words[static_cast<std::size_t>(order[static_cast<std::size_t>(k)] / features)];
    for (index k = 0; k < nonzeros; ++k) {
        const index place = order[static_cast<std::size_t>(k)];
        x[place] = 1 / words[static_cast<std::size_t>(place / features)];
    }

    const auto one_way = weft_bench::random_edges(nodes, pairs);
    data.edge_index = Tensor<std::int32_t, 2>::empty({2, 2 * pairs});
    std::int32_t* const ends = data.edge_index.mutable_data();
    for (index e = 0; e < pairs; ++e) {
        ends[e] = ends[3 * pairs + e] = one_way.data()[e];
        ends[pairs + e] = ends[2 * pairs + e] = one_way.data()[pairs + e];
    }

    data.y = Tensor<std::int32_t, 1>::empty({nodes});
    std::int32_t* const y = data.y.mutable_data();
    for (index i = 0; i < nodes; ++i) y[i] = static_cast<std::int32_t>(i % classes);
    data.train = Tensor<std::int32_t, 1>::empty({20 * classes});
    std::iota(data.train.mutable_data(), data.train.mutable_data() + 20 * classes, 0);
    return data;
}

io::NodeDataset cora() {
    const char* const folder = std::getenv("WEFT_DATA_DIR");
    return folder ? io::load_node_dataset(std::filesystem::path(folder) / "cora", {.normalize_features = true})
                  : stand_in();
}

template <class Layer>
struct Net {
    Layer conv1, conv2;
    void visit(auto&& v) {
        v("conv1", conv1);
        v("conv2", conv2);
    }
};

/// The features are read once, by the product that finds what is not zero in them; a dropout reads and writes them too.
double feature_bytes(const io::NodeDataset& data, double dropout) {
    return (dropout > 0 ? 3 : 1) * 4.0 * static_cast<double>(data.x.size());
}

double nonzeros(const io::NodeDataset& data) {
    return static_cast<double>(data.x.size() - std::ranges::count(data.x.values(), 0.0f));
}

/// Of a step of two layers of these widths: the product with what is not zero in the features and its gradient for the
/// weight, the product with the hidden layer and both its gradients, weighted sums over edges and loops there and back.
Operations step_operations(const io::NodeDataset& data, double dropout, double hidden, double out) {
    const auto nodes = static_cast<double>(data.num_nodes), edges = static_cast<double>(data.edge_index.extent(1));
    return {4 * (1 - dropout) * nonzeros(data) * hidden + 6 * nodes * hidden * out +
            4 * (nodes + edges) * (hidden + out)};
}

template <class Layer, class Activation>
void train(benchmark::State& state, Net<Layer>& net, nn::Adam& optimizer, const io::NodeDataset& data, double p,
           Operations operations, const Activation& activation) {
    const Graph graph(data.edge_index, data.num_nodes);
    const nn::Dropout dropout(p, Generator{1});
    repeat(state, Bytes{feature_bytes(data, p)}, operations, [&] {
        const Var h = activation(net.conv1(graph, dropout(Var{data.x})));
        const Var out = net.conv2(graph, dropout(h));
        backward(nn::cross_entropy(out, data.y, data.train));
        optimizer.step();
    });
}

void gcn_epoch(benchmark::State& state, double dropout) {
    const io::NodeDataset data = cora();
    Generator generator{0};
    using Layer = gnn::GCNConv<float>;
    Net<Layer> net{Layer(data.num_features, 16, {.generator = &generator}),
                   Layer(16, data.num_classes, {.generator = &generator})};
    nn::Adam optimizer(net, {.lr = 0.01});
    optimizer.add_group(net.conv1, {.lr = 0.01, .weight_decay = 5e-4});
    train(state, net, optimizer, data, dropout,
          step_operations(data, dropout, 16, static_cast<double>(data.num_classes)),
          [](const auto& x) { return relu(x); });
}

void gat_epoch(benchmark::State& state, double dropout) {
    const io::NodeDataset data = cora();
    Generator generator{0};
    using Layer = gnn::GATConv<float>;
    Net<Layer> net{Layer(data.num_features, 8, {.heads = 8, .dropout = dropout, .generator = &generator}),
                   Layer(64, data.num_classes, {.concat = false, .dropout = dropout, .generator = &generator})};
    nn::Adam optimizer(net, {.lr = 0.005, .weight_decay = 5e-4});
    train(state, net, optimizer, data, dropout,
          step_operations(data, dropout, 64, 8 * static_cast<double>(data.num_classes)),
          [](const auto& x) { return elu(x); });
}

/// x W^T + b with all zeros of x multiplied.
struct DenseAffine {
    static constexpr auto name = "dense_affine";
    using Matrix = Tensor<float, 2>;

    Matrix forward(const Matrix& x, const Matrix& w, const Tensor<float, 1>& b) const {
        auto y = Matrix::empty({x.extent(0), w.extent(0)});
        multiply(y, {x.data(), x.extent(1), 1}, {w.data(), 1, w.extent(1)}, x.extent(1), b.data());
        return y;
    }
    template <class Sink>
    void backward(const Matrix& dy, const Matrix&, Sink& sink, const Matrix& x, const Matrix& w,
                  const Tensor<float, 1>&) const {
        if (sink.template wants<0>()) {
            auto dx = Matrix::empty(x.shape());
            multiply(dx, {dy.data(), dy.extent(1), 1}, {w.data(), w.extent(1), 1}, dy.extent(1));
            sink.template add<0>(dx);
        }
        auto dw = Matrix::empty(w.shape());
        multiply(dw, {dy.data(), 1, dy.extent(1)}, {x.data(), x.extent(1), 1}, dy.extent(0));
        sink.template add<1>(dw);
        sink.template add<2>(sum<0>(dy));
    }

private:
    static void multiply(Matrix& y, const weft::detail::Strided<const float>& a,
                         const weft::detail::Strided<const float>& b, index inner, const float* row = nullptr) {
        weft::detail::blocked_product(y.extent(0), y.extent(1), inner, a, b, y.mutable_data(),
                                      weft::detail::Into::replace, row);
    }
};

/// DAGNN as one writes it without the library's sums over edges: weights of edges in every call, a message for every
/// edge, all hops stacked.
struct UnfusedDAGNN : gnn::DAGNN<float> {
    using DAGNN::DAGNN;

    template <class X>
    auto operator()(const Graph& g, const X& x) const {
        const auto h = apply_operation(DenseAffine(), dropout(x), lin1.weight, *lin1.bias);
        auto hop = eval(lin2(dropout(relu(h))));
        const auto norm = gcn_norm(g, Tensor<float, 1>::ones({g.num_edges()}));
        const auto weight = unsqueeze(norm.weight, 1);
        std::vector hops{eval(unsqueeze(hop, 1))};
        for (index k = 0; k < prop.K; ++k) {
            const auto messages = eval(weight * gather(hop, norm.graph.sources()));
            hop = scatter(messages, norm.graph.destinations(), g.num_nodes());
            hops.push_back(unsqueeze(hop, 1));
        }
        const auto all = concat(1, hops);
        const auto retained = eval(sigmoid(prop.proj(all)));
        return sum<1>(retained * all);
    }
};

/// Seconds of an epoch, the shortest of some; or a benchmark's loop over epochs.
template <class Model, class Loop>
auto dagnn_epochs(const io::NodeDataset& data, const Loop& loop) {
    const Graph graph(data.edge_index, data.num_nodes);
    Generator generator{0};
    Model net(data.num_features, 64, data.num_classes, {.generator = &generator});
    net.dropout.reset_parameters(generator);
    nn::Adam optimizer(net, {.lr = 0.01, .weight_decay = 5e-3});
    return loop([&] {
        const Var loss = nn::cross_entropy(net(graph, Var{data.x}), data.y, data.train);
        backward(loss); // the features have no name any more: no gradient of theirs
        optimizer.step();
        const Tensor<float, 2> scores = net(graph, data.x);
        benchmark::DoNotOptimize(nn::cross_entropy(scores, data.y, data.validation).item());
        benchmark::DoNotOptimize(nn::accuracy(scores, data.y, data.test));
    });
}

void dagnn_epoch(benchmark::State& state) {
    const io::NodeDataset data = cora();
    const auto time = [](const auto& epoch) { return weft_bench::shortest(20, epoch); };
    const double unfused = dagnn_epochs<UnfusedDAGNN>(data, time);
    const double fused = dagnn_epochs<gnn::DAGNN<float>>(data, time);
    dagnn_epochs<gnn::DAGNN<float>>(data, [&](const auto& epoch) {
        // a dropout, a product with it, one without; of the second product two gradients; ten hops there, back, and
        // there
        const auto nodes = static_cast<double>(data.num_nodes), classes = static_cast<double>(data.num_classes);
        const double products = 6 * nonzeros(data) * 64 + 8 * nodes * 64 * classes;
        const double hops = 3 * 10 * 2 * static_cast<double>(data.edge_index.extent(1)) * classes;
        repeat(state, Bytes{4 * feature_bytes(data, 0)}, Operations{products + hops}, epoch);
        return 0;
    });
    state.counters["speedup"] = unfused / fused;
}

BENCHMARK_CAPTURE(gcn_epoch, cora, 0.5)->Name("gcn_epoch/cora")->UseRealTime();
BENCHMARK_CAPTURE(gat_epoch, cora, 0.6)->Name("gat_epoch/cora")->UseRealTime();
BENCHMARK_CAPTURE(gcn_epoch, cora, 0.0)->Name("gcn_epoch_without_dropout/cora")->UseRealTime();
BENCHMARK_CAPTURE(gat_epoch, cora, 0.0)->Name("gat_epoch_without_dropout/cora")->UseRealTime();
BENCHMARK(dagnn_epoch)->Name("dagnn_epoch/cora")->UseRealTime();

} // namespace

int main(int argc, char** argv) { return weft_bench::run(argc, argv); }
