// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/gatv2_conv.hpp>
#include <weft/gnn/gcn_conv.hpp>
#include <weft/gnn/sir_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

gnn::SIRAggregation aggregation_of(const std::string& name) {
    if (name == "mean") return gnn::SIRAggregation::mean;
    if (name == "sym") return gnn::SIRAggregation::symmetric;
    if (name == "max") return gnn::SIRAggregation::max;
    REQUIRE(name == "sum");
    return gnn::SIRAggregation::sum;
}

template <class T, class A>
void run_layer(GoldenCase& golden, const A& activation) {
    (void)golden.option<std::string>("note", "");
    const auto hidden = golden.shape("p.linear_query.weight")[0];
    if (const auto stated = golden.option<weft::index>("hidden", hidden); true) REQUIRE(stated == hidden);
    const auto layer = golden.option<std::string>("layer", "");
    REQUIRE((layer == "SIRConv" || layer == "SIREConv"));
    gnn::SIRConv<T, A> conv(golden.shape("x")[1], hidden, golden.shape("out")[1], activation,
                            {.aggr = aggregation_of(golden.option<std::string>("agg", "sum")),
                             .inner_bias = golden.option("inner_bias", true),
                             .outer_bias = golden.option("outer_bias", true),
                             .edge_dim = layer == "SIREConv" ? golden.shape("edge_attr")[1] : 0});
    load_parameters<T>(golden, conv);
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x"), e = golden_input<T, 2>(golden, "edge_attr");
    if (e)
        compare_output(golden, Tensor<T, 2>(conv(g, x->value(), e->value())), Var<T, 2>(conv(g, *x, *e)));
    else
        compare_output(golden, Tensor<T, 2>(conv(g, x->value())), Var<T, 2>(conv(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "edge_attr", e);
    compare_parameter_gradients(golden, conv);
}
template <class T>
void run(GoldenCase& golden) {
    const auto name = golden.option<std::string>("activation", "");
    if (name == "relu") return run_layer<T>(golden, nn::ReLU{});
    if (name == "leaky_relu_0.2") return run_layer<T>(golden, nn::LeakyReLU{0.2});
    if (name == "gelu") return run_layer<T>(golden, nn::GELU{});
    if (name == "tanh") return run_layer<T>(golden, nn::Tanh{});
    REQUIRE(name.starts_with("ReLU,Linear(H,H),ReLU"));
    const auto shape = golden.shape("p.activation.1.weight");
    run_layer<T>(golden, nn::Sequential(nn::ReLU{}, nn::Linear<T>(shape[1], shape[0]), nn::ReLU{}));
}

template <class T>
using Network = nn::Sequential<nn::Tanh, nn::Linear<T>, nn::Tanh>;

struct SIR {
    std::string name;
    gnn::SIRAggregation aggr = gnn::SIRAggregation::sum;
    weft::index edge_width = 0;
    bool network = false;
    weft::index in_dst = -1;
    weft::index in = 3, out = 5;
    bool positive_edges = false;

    template <class T>
    struct Either {
        gnn::SIRConv<T, nn::GELU> plain;
        gnn::SIRConv<T, Network<T>> with_network;
        bool network;
        void visit(auto&& v) {
            if (network)
                v("network", with_network);
            else
                v("plain", plain);
        }
    };
    template <class T>
    Either<T> make() const {
        const gnn::SIROptions options{.aggr = aggr, .edge_dim = edge_width, .in_channels_dst = in_dst};
        return {
            gnn::SIRConv<T, nn::GELU>(in, 4, out, {}, options),
            gnn::SIRConv<T, Network<T>>(in, 4, out, Network<T>(nn::Tanh{}, nn::Linear<T>(4, 4), nn::Tanh{}), options),
            network};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X& x_dst, const X& edges) const {
        if (network) return module.with_network(g, x);
        if (in_dst >= 0) return module.plain.bipartite(g, x, x_dst);
        return edge_width > 0 ? X(module.plain(g, x, edges)) : X(module.plain(g, x));
    }
};

using gnn::SIRAggregation;
const std::vector<SIR> layers{
    {"sum"},
    {"mean", SIRAggregation::mean, 2},
    {"symmetric", SIRAggregation::symmetric},
    {"maximum", SIRAggregation::max},
    {"symmetric, a network per edge", SIRAggregation::symmetric, 0, true},
    {"maximum, a network per edge", SIRAggregation::max, 0, true},
    {"sum, bipartite", SIRAggregation::sum, 0, false, 4},
};

} // namespace

TEST_CASE("SIRConv: golden, double", "[gnn][golden]") { for_each_golden_case("sir-gcn", "sir_gcn", run<double>); }
TEST_CASE("SIRConv: golden, float", "[gnn][golden]") { for_each_golden_case("sir-gcn", "sir_gcn", run<float>); }

TEST_CASE("SIRConv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const SIR& layer) { check_gradients(layer, 2); });
}
TEST_CASE("SIRConv: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const SIR& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("SIRConv: threads, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const SIR& layer) {
        check_empty(layer);
        if (layer.in_dst < 0 && layer.edge_width == 0) check_threads(layer);
    });
}

TEST_CASE("SIRConv: without an activation it is a sum of queries and keys; a GCN without loops", "[gnn]") {
    const Graph g = random_graph(20, 60, 5);
    const auto x = numbers<double, 2>({20, 4}, 1);
    const gnn::SIRConv<double, nn::Identity> sum(4, 3, 2);
    const auto degree = Tensor<double, 2>(unsqueeze(g.in_degree<double>(), 1));
    const auto gathered = Tensor<double, 2>(degree * sum.linear_query(x) + sum_in(g, src(sum.linear_key(x))));
    require_near("sum", Tensor<double, 2>(sum(g, x)), Tensor<double, 2>(sum.linear_relation(gathered)), 1e-12);

    // Every node of a ring with chords has edges, so no degree is clamped.
    auto ends = std::vector<std::pair<weft::index, weft::index>>();
    for (weft::index i = 0; i < 20; ++i)
        for (const weft::index step : {1, 3, 19, 17}) ends.emplace_back(i, (i + step) % 20);
    const Graph ring = Graph::from_edges(ends, 20);
    gnn::SIRConv<double, nn::Identity> sir(4, 3, 2, {}, {.aggr = gnn::SIRAggregation::symmetric, .inner_bias = false});
    sir.linear_query.weight.set_value(Tensor<double, 2>::zeros({3, 4}));
    gnn::GCNConv<double> gcn(4, 2, {.add_self_loops = false});
    gcn.lin.weight.set_value(matmul(sir.linear_relation.weight.value(), sir.linear_key.weight.value()));
    gcn.bias->set_value(sir.linear_relation.bias->value());
    require_near("symmetric", Tensor<double, 2>(sir(ring, x)), Tensor<double, 2>(gcn(ring, x)), 1e-12);
}

TEST_CASE("SIRConv: a node without edges gets the outer bias, or 0 of a maximum", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}}, 3);
    const auto x = numbers<double, 2>({3, 4}, 1);
    const gnn::SIRConv<double> sum(4, 3, 2);
    const gnn::SIRConv<double> most(4, 3, 2, {}, {.aggr = gnn::SIRAggregation::max});
    const Tensor<double, 2> a = sum(g, x), b = most(g, x);
    REQUIRE(a(2, 1) == sum.linear_relation.bias->value()(1));
    REQUIRE(b(2, 1) == 0);
}

TEST_CASE("SIRConv: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    const auto x = Tensor<float, 2>::zeros({3, 4});
    using Conv = gnn::SIRConv<float>;
    REQUIRE_THROWS_WITH(Conv(4, 3, 2, {}, {.edge_dim = -1}), ContainsSubstring("edge_dim is -1"));
    REQUIRE_THROWS_WITH(Conv(5, 3, 2)(g, x), ContainsSubstring("x is [3, 4]"));
    REQUIRE_THROWS_WITH(Conv(4, 3, 2, {}, {.edge_dim = 2})(g, x), ContainsSubstring("edge_attr is missing"));
    REQUIRE_THROWS_WITH(Conv(4, 3, 2)(g, x, Tensor<float, 2>::zeros({2, 2})), ContainsSubstring("no edge_dim"));
    using Narrow = gnn::SIRConv<float, nn::Sequential<nn::Linear<float>>>;
    REQUIRE_THROWS_WITH(Narrow(4, 3, 2, nn::Sequential(nn::Linear<float>(5, 3)))(g, x), ContainsSubstring("Linear"));
}
