// SPDX-License-Identifier: MIT
// Layers that multiply by the graph without attention: APPNP, SGConv, ChebConv, GraphConv,
// GatedGraphConv.
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/appnp.hpp>
#include <weft/gnn/cheb_conv.hpp>
#include <weft/gnn/gated_graph_conv.hpp>
#include <weft/gnn/graph_conv.hpp>
#include <weft/gnn/sg_conv.hpp>
#include <weft/graph/coalesce.hpp>

using namespace weft;
using namespace weft_test;

namespace {

std::string layer_of(const GoldenCase& golden) { return golden.option<std::string>("layer", ""); }

gnn::Aggregation aggregation_of(const GoldenCase& golden) {
    const auto name = golden.option<std::string>("aggr", "add");
    if (name == "mean") return gnn::Aggregation::mean;
    if (name == "max") return gnn::Aggregation::max;
    REQUIRE(name == "add");
    return gnn::Aggregation::add;
}

gnn::ChebOptions cheb_options(const GoldenCase& golden) {
    gnn::ChebOptions options{.bias = golden.option("bias", true)};
    const auto kind = golden.option<std::string>("normalization", "sym");
    if (golden.options().contains("normalization") && golden.options()["normalization"].is_null())
        options.normalization = Laplacian::unnormalized;
    else if (kind == "rw")
        options.normalization = Laplacian::random_walk;
    else
        REQUIRE(kind == "sym");
    // Text says which default it is.
    if (const auto lambda = golden.option<nlohmann::json>("lambda_max", nullptr); lambda.is_number())
        options.lambda_max = lambda.get<double>();
    (void)golden.option<std::string>("note", "");
    return options;
}

template <class T, class L>
void compare_layer(GoldenCase& golden, L layer) {
    load_parameters<T>(golden, layer);
    (void)golden.option("edge_weight", false); // as the tensors say
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x");
    const auto w = golden_input<T, 1>(golden, "edge_weight");
    if (w)
        compare_output(golden, Tensor<T, 2>(layer(g, x->value(), w->value())), Var<T, 2>(layer(g, *x, *w)));
    else
        compare_output(golden, Tensor<T, 2>(layer(g, x->value())), Var<T, 2>(layer(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "edge_weight", w);
    compare_parameter_gradients(golden, layer);
}

template <class T>
void run(GoldenCase& golden) {
    const std::string layer = layer_of(golden);
    const weft::index in = golden.shape("x")[1], out = golden.shape("out")[1];
    const bool loops = golden.option("add_self_loops", true), bias = golden.option("bias", true);
    if (layer == "ChebConv")
        compare_layer<T>(golden, gnn::ChebConv<T>(in, out, golden.option<weft::index>("K", 1), cheb_options(golden)));
    else if (layer == "APPNP")
        compare_layer<T>(golden, gnn::APPNP({.K = golden.option<weft::index>("K", 10),
                                             .alpha = golden.option("alpha", 0.1),
                                             .add_self_loops = loops}));
    else if (layer == "SGConv")
        compare_layer<T>(
            golden,
            gnn::SGConv<T>(in, out, {.K = golden.option<weft::index>("K", 1), .add_self_loops = loops, .bias = bias}));
    else if (layer == "GatedGraphConv")
        compare_layer<T>(golden, gnn::GatedGraphConv<T>(out, golden.option<weft::index>("num_layers", 1),
                                                        {.aggr = aggregation_of(golden), .bias = bias}));
    else {
        REQUIRE(layer == "GraphConv");
        compare_layer<T>(golden, gnn::GraphConv<T>(in, out, {.aggr = aggregation_of(golden), .bias = bias}));
    }
}

enum class Which { appnp, sg, cheb, graph, gated };

struct Propagation {
    std::string name;
    Which which;
    weft::index edge_width = 0;
    weft::index K = 3;
    gnn::Aggregation aggr = gnn::Aggregation::add;
    bool add_self_loops = true;
    weft::index in_dst = -1, in = 3, out = 5;
    bool positive_edges = true;

    template <class T>
    struct Layer {
        gnn::APPNP appnp;
        gnn::SGConv<T> sg;
        gnn::ChebConv<T> cheb;
        gnn::GraphConv<T> graph;
        gnn::GatedGraphConv<T> gated;
        Which which;
        void visit(auto&& v) {
            if (which == Which::sg) v("sg", sg);
            if (which == Which::cheb) v("cheb", cheb);
            if (which == Which::graph) v("graph", graph);
            if (which == Which::gated) v("gated", gated);
        }
    };
    template <class T>
    Layer<T> make() const {
        return {
            gnn::APPNP({.K = K, .alpha = 0.2, .add_self_loops = add_self_loops}),
            {in, out, {.K = K, .add_self_loops = add_self_loops}},
            {in, out, std::max<weft::index>(K, 1), {.lambda_max = add_self_loops ? std::optional(2.5) : std::nullopt}},
            {in, out, {.aggr = aggr, .in_channels_dst = in_dst}},
            {out, std::max<weft::index>(K, 1), {.aggr = aggr}},
            which};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X& x_dst, const X& edges) const {
        const auto weight = [&] { return reshape(edges, Extents<1>{edges.size()}); };
        if (which == Which::appnp) return edge_width > 0 ? X(module.appnp(g, x, weight())) : X(module.appnp(g, x));
        if (which == Which::sg) return edge_width > 0 ? X(module.sg(g, x, weight())) : X(module.sg(g, x));
        if (which == Which::cheb) return edge_width > 0 ? X(module.cheb(g, x, weight())) : X(module.cheb(g, x));
        if (which == Which::gated) return edge_width > 0 ? X(module.gated(g, x, weight())) : X(module.gated(g, x));
        if (in_dst < 0) return edge_width > 0 ? X(module.graph(g, x, weight())) : X(module.graph(g, x));
        return edge_width > 0 ? X(module.graph.bipartite(g, x, x_dst, weight()))
                              : X(module.graph.bipartite(g, x, x_dst));
    }
};

const std::vector<Propagation> layers{
    {"APPNP", Which::appnp},
    {"APPNP, weighted, no loops added", Which::appnp, 1, 2, {}, false},
    {"SGC", Which::sg},
    {"SGC, weighted, no loops added", Which::sg, 1, 2, {}, false},
    {"Chebyshev", Which::cheb},
    {"Chebyshev, weighted", Which::cheb, 1},
    {"Chebyshev, weighted, eigenvalue not given", Which::cheb, 1, 3, {}, false},
    {"Chebyshev, one term", Which::cheb, 0, 1},
    {"GraphConv", Which::graph},
    {"GraphConv, mean, weighted", Which::graph, 1, 0, gnn::Aggregation::mean},
    {"GraphConv, maximum, weighted", Which::graph, 1, 0, gnn::Aggregation::max},
    {"GraphConv, bipartite", Which::graph, 0, 0, gnn::Aggregation::add, true, 4},
    {"GraphConv, bipartite, weighted", Which::graph, 1, 0, gnn::Aggregation::mean, true, 2},
    {"GatedGraphConv", Which::gated, 0, 2},
    {"GatedGraphConv, mean, weighted", Which::gated, 1, 2, gnn::Aggregation::mean},
    {"GatedGraphConv, maximum", Which::gated, 0, 1, gnn::Aggregation::max},
};

/// One that drops the same in every run.
gnn::APPNP seeded(const gnn::APPNPOptions& options) {
    gnn::APPNP layer(options);
    layer.edge_dropout.generator = Generator{1};
    return layer;
}

} // namespace

TEST_CASE("propagation: golden, double", "[gnn][golden]") {
    for_each_golden_case("gnn-core", "propagation", run<double>);
}
TEST_CASE("propagation: golden, float", "[gnn][golden]") {
    for_each_golden_case("gnn-core", "propagation", run<float>);
}

TEST_CASE("propagation: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const Propagation& layer) { check_gradients(layer); });
}
TEST_CASE("propagation: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const Propagation& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
    });
}
TEST_CASE("propagation: threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const Propagation& layer) {
        check_threads(layer);
        check_widths(layer);
        check_empty(layer);
    });
}

TEST_CASE("propagation: no step of SGConv is Linear, APPNP that keeps all is the identity", "[gnn]") {
    const Graph g = random_graph(20, 60, 5);
    const auto x = numbers<double, 2>({20, 4}, 1);
    const gnn::SGConv<double> sg(4, 3, {.K = 0});
    REQUIRE(same_bits(Tensor<double, 2>(sg(g, x)), Tensor<double, 2>(sg.lin(x))));
    REQUIRE(same_bits(Tensor<double, 2>(gnn::APPNP({.K = 4, .alpha = 1})(g, x)), x));
}

TEST_CASE("propagation: APPNP drops entries of the matrix in training", "[gnn]") {
    const weft::index n = 40;
    const Graph g = coalesce(random_graph(n, 150, 5));
    auto identity = Tensor<double, 2>::zeros({n, n});
    for (weft::index i = 0; i < n; ++i) identity(i, i) = 1;
    const gnn::APPNP whole({.K = 1, .alpha = 0});
    const auto dropping = seeded({.K = 1, .alpha = 0, .dropout = 0.25});
    REQUIRE(same_bits(Tensor<double, 2>(dropping(g, identity)), Tensor<double, 2>(whole(g, identity))));

    const auto w = Tensor<double, 1>::full({g.num_edges()}, 1);
    const auto entries = Tensor<double, 2>(whole(g, identity));
    const auto check = [&](const Tensor<double, 2>& dropped) {
        int kept = 0, all = 0, loops = 0;
        for (weft::index i = 0; i < n; ++i)
            for (weft::index j = 0; j < n; ++j) {
                if (entries(i, j) == 0) REQUIRE(dropped(i, j) == 0);
                if (entries(i, j) == 0) continue;
                ++all;
                if (dropped(i, j) == 0) continue;
                ++kept;
                loops += i == j;
                REQUIRE(std::abs(dropped(i, j) - entries(i, j) / 0.75) < 1e-15);
            }
        REQUIRE(std::abs(kept - 0.75 * all) < 0.1 * all);
        REQUIRE(loops < n);
    };
    const Var x{identity};
    const auto first = dropping(g, x).value(), second = dropping(g, x).value();
    check(first);
    check(second);
    REQUIRE(!same_bits(first, second));
    check(dropping(g, x, w).value());

    // The gradients are those of the matrices that were drawn. Copies draw the same.
    const auto three = seeded({.K = 3, .alpha = 0.2, .dropout = 0.25});
    const auto dy = numbers<double, 2>({n, n}, 2);
    const auto value = [&](const Tensor<double, 1>& weight) {
        const auto y = gnn::APPNP(three)(g, Var{identity}, weight).value();
        return sum(y * dy).item();
    };
    const Var weight{w};
    backward(gnn::APPNP(three)(g, x, weight), dy);
    for (weft::index e = 0; e < g.num_edges(); e += 7) {
        auto more = w, less = w;
        more(e) += 1e-5;
        less(e) -= 1e-5;
        REQUIRE(std::abs((value(more) - value(less)) / 2e-5 - weight.grad()(e)) < 1e-8);
    }
    const auto matrix = gnn::APPNP(three)(g, x, w).value();
    require_near("gradient of x", x.grad(), Tensor<double, 2>(matmul(transpose(matrix), dy)), 1e-12);
}
TEST_CASE("propagation: APPNP drops entries of the whole matrix in every step", "[gnn]") {
    // Each of the loops is all that its node has: three draws decide.
    const weft::index n = 4000;
    const auto layer = seeded({.K = 3, .alpha = 0, .dropout = 0.3});
    const auto y = layer(Graph::from_edges({}, n), Var{Tensor<double, 2>::ones({n, 1})});
    double kept = 0;
    for (const double v : y.value().values()) kept += v > 0;
    REQUIRE(std::abs(kept / double(n) - 0.7 * 0.7 * 0.7) < 0.03);
}

TEST_CASE("propagation: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    const auto x = Tensor<float, 2>::zeros({3, 3});
    const auto w = Tensor<float, 1>::ones({3});
    REQUIRE_THROWS_WITH(gnn::APPNP({.alpha = 1.5}), ContainsSubstring("alpha is 1.5"));
    REQUIRE_THROWS_WITH(gnn::APPNP({.dropout = 2}), ContainsSubstring("p is 2"));
    REQUIRE_THROWS_WITH(gnn::APPNP({.K = -1}), ContainsSubstring("K is -1"));
    REQUIRE_THROWS_WITH(gnn::APPNP()(g, x, w), ContainsSubstring("edge_weight"));
    REQUIRE_THROWS_WITH(gnn::ChebConv<float>(3, 2, 0), ContainsSubstring("K is 0"));
    REQUIRE_THROWS_WITH(gnn::ChebConv<float>(3, 2, 2, {.lambda_max = 0.0}), ContainsSubstring("lambda_max is 0"));
    REQUIRE_THROWS_WITH(gnn::ChebConv<float>(4, 2, 2)(g, x), ContainsSubstring("x is [3, 3]"));
    REQUIRE_THROWS_WITH(gnn::SGConv<float>(4, 2)(g, x), ContainsSubstring("x is [3, 3]"));
    REQUIRE_THROWS_WITH(gnn::GatedGraphConv<float>(2, 1)(g, x), ContainsSubstring("x is [3, 3]"));
    REQUIRE_THROWS_WITH(gnn::GatedGraphConv<float>(4, 0), ContainsSubstring("layers is 0"));
    REQUIRE_THROWS_WITH(gnn::GatedGraphConv<float>(4, 1)(g, x, w), ContainsSubstring("edge_weight"));
    REQUIRE_THROWS_WITH(gnn::GraphConv<float>(4, 2)(g, x), ContainsSubstring("x is [3, 3]"));
    REQUIRE_THROWS_WITH(gnn::GraphConv<float>(3, 2)(g, x, w), ContainsSubstring("edge_weight"));
}
