// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/ops.hpp>
#include <weft/grad/backward.hpp>
#include <weft/io/karate_club.hpp>
#include <weft/nn.hpp>

using namespace weft_test;
using weft::Generator, weft::Tensor, weft::Var;
namespace nn = weft::nn;

namespace {

// Two graph convolutions by the dense normalised adjacency; features are the identity matrix.
struct Net {
    nn::Linear<float> conv1, conv2;
    nn::Dropout dropout{0.2};
    auto operator()(const Tensor<float, 2>& adjacency, const auto& x) const {
        const auto h = weft::eval(weft::relu(matmul(adjacency, conv1(x))));
        return matmul(adjacency, conv2(dropout(h)));
    }
    void visit(auto&& v) {
        v("conv1", conv1);
        v("dropout", dropout);
        v("conv2", conv2);
    }
};

Tensor<float, 2> normalised_adjacency(const weft::io::NodeDataset& data) {
    const weft::index n = data.num_nodes;
    auto a = Tensor<float, 2>::zeros({n, n});
    for (weft::index i = 0; i < n; ++i) a(i, i) = 1;
    for (weft::index e = 0; e < data.edge_index.extent(1); ++e) a(data.edge_index(1, e), data.edge_index(0, e)) = 1;
    const Tensor<float, 1> degree = weft::sum<1>(a);
    const Tensor<float, 1> scale = weft::rsqrt(degree);
    return a * weft::unsqueeze(scale, 0) * weft::unsqueeze(scale, 1);
}

} // namespace

TEST_CASE("train: the karate club falls into its classes from the labels of its two leaders", "[nn]") {
    const auto data = weft::io::karate_club();
    const auto adjacency = normalised_adjacency(data);
    const auto n = data.num_nodes;
    const auto leaders = Tensor<std::int32_t, 1>::from({0, 33});

    const auto run = [&] {
        Generator generator{7};
        Net net{{n, 16, {.generator = &generator}}, {16, data.num_classes, {.generator = &generator}}};
        nn::reset_parameters(net, generator);
        nn::Adam optimizer{net, {.lr = 0.02}};
        optimizer.add_group(net.conv1, {.lr = 0.02, .weight_decay = 5e-4});
        const double before = static_cast<double>(nn::cross_entropy(net(adjacency, data.x), data.y).item());
        for (int epoch = 0; epoch < 100; ++epoch) {
            const Var loss = nn::cross_entropy(net(adjacency, Var{data.x}), data.y, leaders);
            weft::backward(loss);
            optimizer.step();
        }
        const Tensor<float, 2> logits = net(adjacency, data.x);
        REQUIRE(nn::cross_entropy(logits, data.y).item() < 0.5 * before);
        REQUIRE(nn::accuracy(logits, data.y, leaders) == 1);
        REQUIRE(nn::accuracy(logits, data.y) > 0.85);
        return logits;
    };
    require_thread_independent(run);
}
