// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/magnet_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
void run(GoldenCase& golden) {
    (void)golden.option<std::string>("layer", "");
    const auto shape = golden.shape("p.weight");
    const auto K = golden.option<weft::index>("K", 1);
    REQUIRE(shape[0] == K + 1);
    gnn::MagNetConv<T> layer(shape[1], shape[2], K,
                             {.q = golden.option("q", 0.25), .lambda_max = golden.option("lambda_max", 2.0)});
    load_parameters<T>(golden, layer);
    const Graph g(golden.shared<std::int32_t, 2>("edge_index"), golden.shape("x_real")[0]);
    const auto w = golden.shared<T, 1>("edge_weight");
    const auto real = golden_input<T, 2>(golden, "x_real"), imag = golden_input<T, 2>(golden, "x_imag");
    const Var<T, 3> y = layer(g, stack(1, *real, *imag), w);
    const Tensor<T, 3> inferred = layer(g, stack(1, real->value(), imag->value()), w);
    REQUIRE(same_bits(y.value(), inferred));
    golden.compare("out_real", Tensor<T, 2>(select_index(inferred, 1, 0)));
    golden.compare("out_imag", Tensor<T, 2>(select_index(inferred, 1, 1)));
    backward(y, Tensor<T, 3>(stack(1, golden.get<T, 2>("r.out_real"), golden.get<T, 2>("r.out_imag"))));
    compare_input_gradient(golden, "x_real", real);
    compare_input_gradient(golden, "x_imag", imag);
    compare_parameter_gradients(golden, layer);
}
bool is_layer(const GoldenCase& golden) { return golden.name().starts_with("conv"); }

struct MagNet {
    std::string name;
    weft::index K = 1;
    gnn::MagNetOptions options{};
    weft::index edge_width = 0;
    weft::index in = 4, out = 5, in_dst = -1; // of the complex features side by side
    bool positive_edges = true;

    template <class T>
    auto make() const {
        return gnn::MagNetConv<T>(in / 2, out, K, options);
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X& edges) const {
        const auto z = reshape(x, Extents<3>{x.extent(0), 2, x.extent(1) / 2});
        const auto flat = [](const auto& y) { return reshape(y, Extents<2>{y.extent(0), 2 * y.extent(2)}); };
        if (edge_width > 0) return X(flat(module(g, z, reshape(edges, Extents<1>{edges.size()}))));
        return X(flat(module(g, z)));
    }
};

const std::vector<MagNet> layers{
    {"K = 1"},
    {"K = 3, weighted", 3, {.q = 0.1}, 1},
    {"trainable charge, weighted, without bias", 2, {.q = 0.15, .trainable_q = true, .bias = false}, 1},
    {"trainable charge, another largest eigenvalue", 2, {.q = 0.2, .trainable_q = true, .lambda_max = 1.7}},
};

} // namespace

TEST_CASE("magnet_conv: golden, double", "[gnn][golden]") {
    for_each_golden_case("directed-graphs", "magnet", run<double>, is_layer);
}
TEST_CASE("magnet_conv: golden, float", "[gnn][golden]") {
    for_each_golden_case("directed-graphs", "magnet", run<float>, is_layer);
}

TEST_CASE("magnet_conv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const MagNet& layer) {
        unsigned seed = 1;
        const auto inside = [&] { // the charge, the last parameter, is not at its bounds
            const auto parameters = layer_inputs(layer, layer_graph(layer, 8, 24), seed).parameters;
            const double q = parameters(parameters.size() - 1);
            return q > 0.02 && q < 0.23;
        };
        while (layer.options.trainable_q && !inside()) ++seed;
        check_gradients(layer, seed);
    });
}
TEST_CASE("magnet_conv: order of nodes and edges, batches, threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](MagNet layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
        check_threads(layer);
        check_empty(layer);
        layer.in *= 4;
        check_edge_order(layer);
    });
}

TEST_CASE("magnet_conv: without charge and imaginary parts, only the bias is imaginary", "[gnn]") {
    const Graph g = random_graph(12, 30);
    gnn::MagNetConv<double> layer(3, 4, 1, {.q = 0});
    const auto b = numbers<double, 1>({4}, 2);
    layer.bias->set_value(b);
    const auto x = numbers<double, 2>({12, 3}, 1);
    const Tensor<double, 3> y = layer(g, stack(1, x, Tensor<double, 2>::zeros({12, 3})));
    REQUIRE(
        same_bits(Tensor<double, 2>(select_index(y, 1, 1)), Tensor<double, 2>(b + Tensor<double, 2>::zeros({12, 4}))));
}

TEST_CASE("magnet_conv: reversed edges conjugate the result of conjugate features", "[gnn]") {
    const Graph g = random_graph(12, 30);
    const gnn::MagNetConv<double> layer(3, 4, 2, {.q = 0.2, .bias = false});
    const auto re = numbers<double, 2>({12, 3}, 1), im = numbers<double, 2>({12, 3}, 2);
    const Tensor<double, 3> y = layer(g, stack(1, re, im)), z = layer(g.reverse(), stack(1, re, -im));
    require_near("real", Tensor<double, 2>(select_index(z, 1, 0)), Tensor<double, 2>(select_index(y, 1, 0)), 1e-13);
    require_near("imag", Tensor<double, 2>(select_index(z, 1, 1)), Tensor<double, 2>(-select_index(y, 1, 1)), 1e-13);
}

TEST_CASE("magnet_conv: a trained charge stays in its range, and comes back", "[gnn]") {
    const Graph g = random_graph(12, 30);
    gnn::MagNetConv<double> layer(3, 4, 1, {.q = 0.25, .trainable_q = true}), fixed(3, 4, 1, {.q = 0.25});
    fixed.weight = layer.weight;
    layer.q->set_value(Tensor<double, 1>::full({1}, 0.4));
    const auto x = numbers<double, 3>({12, 2, 3}, 1);
    const Var<double, 3> y = layer(g, Var(x));
    require_near("out", y.value(), Tensor<double, 3>(fixed(g, x)), 1e-13);
    backward(Var(sum(y * numbers<double, 3>({12, 2, 4}, 2))));
    REQUIRE(layer.q->has_grad());
    REQUIRE(layer.q->grad()(0) != 0);
}

TEST_CASE("magnet_conv: complex_relu keeps what has a real part that is not negative", "[gnn]") {
    const auto z = Tensor<float, 3>::from({{{1, -1, 0}, {-3, 5, 2}}});
    REQUIRE(same_bits(Tensor<float, 3>(gnn::complex_relu(z)), Tensor<float, 3>::from({{{1, 0, 0}, {-3, 0, 2}}})));
    expect_grad([](const auto& a) { return gnn::complex_relu(a); }, numbers<double, 3>({5, 2, 3}, 1));
}

TEST_CASE("magnet_conv: errors name the argument", "[gnn]") {
    using Layer = gnn::MagNetConv<float>;
    REQUIRE_THROWS_WITH(Layer(3, 2, 0), ContainsSubstring("K is 0"));
    REQUIRE_THROWS_WITH(Layer(3, 2, 1, {.q = 0.6}), ContainsSubstring("q is 0.6: must be in [0, 1/2]"));
    REQUIRE_THROWS_WITH(Layer(3, 2, 1, {.q = 0.3, .trainable_q = true}), ContainsSubstring("[0, 1/4]"));
    REQUIRE_THROWS_WITH(Layer(3, 2, 1, {.lambda_max = 0}), ContainsSubstring("lambda_max is 0"));
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    REQUIRE_THROWS_WITH(Layer(3, 2, 1)(g, Tensor<float, 3>::zeros({3, 2, 4})), ContainsSubstring("x is [3, 2, 4]"));
    const auto x = Tensor<float, 3>::zeros({3, 2, 3});
    REQUIRE_THROWS_WITH(Layer(3, 2, 1)(g, x, Tensor<float, 1>::ones({5})), ContainsSubstring("edge_weight"));
    REQUIRE_THROWS_WITH(Layer(3, 2, 1)(Graph::from_edges({}, 3, 2), x), ContainsSubstring("num_nodes"));
}
