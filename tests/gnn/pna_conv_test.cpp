// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/pna_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

using gnn::PNAAggregator, gnn::PNAScaler;

template <class Kind>
std::vector<Kind> kinds(const GoldenCase& golden, const std::string& option, const std::map<std::string, Kind>& names) {
    std::vector<Kind> found;
    for (const auto& name : golden.option<std::vector<std::string>>(option, {})) {
        REQUIRE(names.contains(name));
        found.push_back(names.at(name));
    }
    return found;
}

// The gradient of a standard deviation is that of a square root: float loses digits near 0.
template <class T>
void run(GoldenCase& golden) {
    const gnn::PNAOptions options{.aggregators = kinds<PNAAggregator>(golden, "aggregators",
                                                                      {{"sum", PNAAggregator::sum},
                                                                       {"mean", PNAAggregator::mean},
                                                                       {"min", PNAAggregator::min},
                                                                       {"max", PNAAggregator::max},
                                                                       {"var", PNAAggregator::variance},
                                                                       {"std", PNAAggregator::standard_deviation}}),
                                  .scalers = kinds<PNAScaler>(golden, "scalers",
                                                              {{"identity", PNAScaler::identity},
                                                               {"amplification", PNAScaler::amplification},
                                                               {"attenuation", PNAScaler::attenuation},
                                                               {"linear", PNAScaler::linear},
                                                               {"inverse_linear", PNAScaler::inverse_linear}}),
                                  .towers = golden.option<weft::index>("towers", 1),
                                  .pre_layers = golden.option<weft::index>("pre_layers", 1),
                                  .post_layers = golden.option<weft::index>("post_layers", 1),
                                  .edge_dim = golden.option<weft::index>("edge_dim", 0),
                                  .divide_input = golden.option("divide_input", false)};
    const auto histogram = golden.get<weft::index, 1>("deg_hist");
    gnn::PNAConv<T> conv(golden.shape("x")[1], golden.shape("out")[1], histogram, options);
    load_parameters<T>(golden, conv);
    nn::for_each_buffer(conv, [&](std::string_view name, Tensor<T, 1>& buffer) {
        const auto kept = golden.get<T, 1>("b." + std::string(name));
        REQUIRE(std::abs(buffer.item() - kept.item()) < 1e-6); // kept in float
        buffer = kept;
    });
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x"), e = golden_input<T, 2>(golden, "edge_attr");
    if (e)
        compare_output(golden, Tensor<T, 2>(conv(g, x->value(), e->value())), Var<T, 2>(conv(g, *x, *e)));
    else
        compare_output(golden, Tensor<T, 2>(conv(g, x->value())), Var<T, 2>(conv(g, *x)));
    const auto& all = options.aggregators;
    const bool root = std::find(all.begin(), all.end(), PNAAggregator::standard_deviation) != all.end();
    const double float_tolerance = root ? 1e-3 : 3e-5;
    compare_gradient(golden, "x", *x, float_tolerance);
    if (e) compare_gradient(golden, "edge_attr", *e, float_tolerance);
    compare_parameter_gradients(golden, conv, float_tolerance);
}

struct PNA {
    std::string name;
    weft::index towers = 1, pre_layers = 1, post_layers = 1, edge_width = 0;
    bool divide_input = false;
    weft::index in_dst = -1, in = 4, out = 6;
    bool positive_edges = false;

    template <class T>
    auto make() const {
        return gnn::PNAConv<T>(in, out, Tensor<weft::index, 1>::from({1, 2, 3, 4}),
                               {.scalers = {PNAScaler::identity, PNAScaler::amplification, PNAScaler::attenuation,
                                            PNAScaler::linear, PNAScaler::inverse_linear},
                                .towers = towers,
                                .pre_layers = pre_layers,
                                .post_layers = post_layers,
                                .edge_dim = edge_width,
                                .divide_input = divide_input});
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X& edges) const {
        return edge_width > 0 ? X(module(g, x, edges)) : X(module(g, x));
    }
};

const std::vector<PNA> layers{
    {"one tower"},
    {"two towers, deeper", 2, 2, 2},
    {"edges, divided", 2, 1, 1, 3, true},
};

} // namespace

TEST_CASE("PNAConv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "pna", run<double>); }
TEST_CASE("PNAConv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "pna", run<float>); }

TEST_CASE("PNAConv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const PNA& layer) { check_gradients(layer); });
}
TEST_CASE("PNAConv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const PNA& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("PNAConv: threads, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const PNA& layer) {
        check_empty(layer);
        if (layer.edge_width == 0) check_threads(layer);
    });
}

TEST_CASE("PNAConv: the variance of large, nearly equal messages does not cancel", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 3}, {1, 3}, {2, 3}}, 4);
    const auto x = Tensor<float, 2>::from({{10000}, {10001}, {10002}, {0}});
    const Tensor<float, 3> y = statistics_in(g, src(x));
    REQUIRE(y(3, 0, 0) == 10001);
    REQUIRE(std::abs(y(3, 1, 0) - 2.0f / 3) < 1e-6f);
    REQUIRE(y(3, 2, 0) == 10000);
    REQUIRE(y(3, 3, 0) == 10002);
}

TEST_CASE("PNAConv: errors name the argument", "[gnn]") {
    using Conv = gnn::PNAConv<float>;
    const auto histogram = Tensor<weft::index, 1>::from({1, 2, 3});
    REQUIRE_THROWS_WITH(Conv(4, 5, histogram, {.towers = 2}), ContainsSubstring("towers is 2"));
    REQUIRE_THROWS_WITH(Conv(5, 4, histogram, {.towers = 2, .divide_input = true}), ContainsSubstring("towers is 2"));
    REQUIRE_THROWS_WITH(Conv(4, 4, histogram, {.pre_layers = 0}), ContainsSubstring("pre_layers is 0"));
    REQUIRE_THROWS_WITH(Conv(4, 4, Tensor<weft::index, 1>::from({7})), ContainsSubstring("degree_histogram"));
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    REQUIRE_THROWS_WITH(Conv(4, 4, histogram)(g, Tensor<float, 2>::zeros({3, 5})), ContainsSubstring("x is [3, 5]"));
    REQUIRE_THROWS_WITH(Conv(4, 4, histogram, {.edge_dim = 2})(g, Tensor<float, 2>::zeros({3, 4})),
                        ContainsSubstring("edge_attr is missing"));
}
