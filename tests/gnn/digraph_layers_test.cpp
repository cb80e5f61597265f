// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/core/softmax.hpp>
#include <weft/gnn/dgcn_conv.hpp>
#include <weft/gnn/digcn_conv.hpp>
#include <weft/gnn/dimpa.hpp>
#include <weft/gnn/imbalance_loss.hpp>
#include <weft/gnn/magnetic_encoding.hpp>
#include <weft/graph/block_model.hpp>
#include <weft/nn/adam.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
void run_digcn(GoldenCase& golden) {
    (void)golden.option<std::string>("layer", "");
    const auto shape = golden.shape("p.weight");
    gnn::DiGCNConv<T> layer(shape[0], shape[1]);
    load_parameters<T>(golden, layer);
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x");
    const auto w = golden_input<T, 1>(golden, "edge_weight");
    compare_output(golden, Tensor<T, 2>(layer(g, x->value(), w->value())), Var<T, 2>(layer(g, *x, *w)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "edge_weight", w);
    compare_parameter_gradients(golden, layer);
}

template <class T>
void run_dimpa(GoldenCase& golden) {
    (void)golden.option<std::string>("layer", "");
    gnn::DIMPA<T> layer({.hop = golden.option<weft::index>("hop", 2), .fill_value = golden.option("fill_value", 0.5)});
    load_parameters<T>(golden, layer);
    const Graph g(golden.get<std::int32_t, 2>("edge_index"), golden.shape("x_s")[0]);
    const auto s = golden_input<T, 2>(golden, "x_s"), t = golden_input<T, 2>(golden, "x_t");
    const auto w = golden_input<T, 1>(golden, "edge_weight");
    compare_output(golden, Tensor<T, 2>(layer(g, s->value(), t->value(), w->value())), Var<T, 2>(layer(g, *s, *t, *w)));
    compare_input_gradient(golden, "x_s", s);
    compare_input_gradient(golden, "x_t", t);
    compare_input_gradient(golden, "edge_weight", w);
    // The reference's parameters, and so their gradients, are float32.
    golden.compare("g.p._w_s", Tensor<float, 2>(cast<float>(layer.w_s.grad())));
    golden.compare("g.p._w_t", Tensor<float, 2>(cast<float>(layer.w_t.grad())));
}

template <class T>
void run_imbalance(GoldenCase& golden) {
    (void)golden.option<std::string>("loss", "");
    REQUIRE(golden.option<std::string>("threshold", "") == "sort");
    const auto kind = golden.option<std::string>("normalization", "");
    REQUIRE((kind == "vol_sum" || kind == "vol_max" || kind == "plain"));
    const gnn::ImbalanceOptions options{.normalization = kind == "plain"     ? gnn::ImbalanceNormalization::plain
                                                         : kind == "vol_sum" ? gnn::ImbalanceNormalization::vol_sum
                                                                             : gnn::ImbalanceNormalization::vol_max,
                                        .beta = golden.option<weft::index>("beta", 2)};
    const weft::index nodes = golden.shape("P")[0];
    REQUIRE(golden.option<weft::index>("K", 3) == golden.shape("P")[1]);
    std::vector<std::pair<weft::index, weft::index>> all;
    for (weft::index u = 0; u < nodes; ++u)
        for (weft::index v = 0; v < nodes; ++v) all.emplace_back(u, v);
    const Graph g = Graph::from_edges(all, nodes);
    const Var<T, 2> p(golden.get<T, 2>("P")), a(golden.get<T, 2>("A"));
    const Var<T, 1> y = reshape(gnn::imbalance_loss(g, p, flatten(a), options), Extents<1>{1});
    const Tensor<T, 1> inferred =
        reshape(gnn::imbalance_loss(g, p.value(), Tensor<T, 1>(flatten(a.value())), options), Extents<1>{1});
    REQUIRE(same_bits(y.value(), inferred));
    backward(Var(sum(y * golden.get<T, 1>("r.out"))));
    const auto compare = [&](const char* name, const auto& actual) {
        // The reference keeps volumes in float32.
        if (kind == "plain")
            golden.compare(name, actual);
        else
            golden.compare(name, Tensor<float, std::remove_cvref_t<decltype(actual)>::rank>(cast<float>(actual)),
                           {.of_float = std::same_as<T, float> ? 3e-5 : 1e-6});
    };
    compare("out", y.value());
    compare("g.P", p.grad());
    compare("g.A", a.grad());
}

template <class T>
void run(GoldenCase& golden) {
    if (golden.name() == "digcn_conv") return run_digcn<T>(golden);
    if (golden.name() == "dimpa") return run_dimpa<T>(golden);
    REQUIRE(golden.name().starts_with("imbalance"));
    run_imbalance<T>(golden);
}
bool is_layer(const GoldenCase& golden) { return golden.name() != "dgcn" && golden.name() != "digcn"; }

enum class Which { digcn, inception, dimpa, dgcn };

struct Digraph {
    std::string name;
    Which which;
    weft::index edge_width = 1;
    weft::index in = 3, out = 4, in_dst = -1;
    bool side_by_side = false;
    bool positive_edges = true;

    template <class T>
    struct Layer {
        gnn::DiGCNConv<T> digcn;
        gnn::DiGCNInception<T> inception;
        gnn::DIMPA<T> dimpa;
        gnn::DGCNConv<T> dgcn;
        Which which;
        void visit(auto&& v) {
            if (which == Which::digcn) v("digcn", digcn);
            if (which == Which::inception) v("inception", inception);
            if (which == Which::dimpa) v("dimpa", dimpa);
            if (which == Which::dgcn) v("dgcn", dgcn);
        }
    };
    template <class T>
    Layer<T> make() const {
        return {gnn::DiGCNConv<T>(in, out),
                {in, out, side_by_side ? gnn::Inception::concat : gnn::Inception::sum},
                gnn::DIMPA<T>(gnn::DIMPAOptions{.hop = 3}),
                {in, out},
                which};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X& edges) const {
        if (which == Which::dgcn) return X(module.dgcn(g, x));
        const auto w = reshape(edges, Extents<1>{edges.size()});
        if (which == Which::digcn) return X(module.digcn(g, x, w));
        if (which == Which::dimpa) return X(module.dimpa(g, x, tanh(x), w));
        return X(module.inception(WeightedGraph{g, w}, WeightedGraph{g.reverse(), w}, x));
    }
};

const std::vector<Digraph> layers{
    {"DiGCN, more channels out", Which::digcn},
    {"DiGCN, fewer channels out", Which::digcn, 1, 4, 2},
    {"inception, sum", Which::inception},
    {"inception, side by side", Which::inception, 1, 3, 4, -1, true},
    {"DIMPA", Which::dimpa},
    {"DGCN", Which::dgcn, 0},
};

} // namespace

TEST_CASE("digraph_layers: golden, double", "[gnn][golden]") {
    for_each_golden_case("directed-graphs", "digraph_ops", run<double>, is_layer);
}
TEST_CASE("digraph_layers: golden, float", "[gnn][golden]") {
    for_each_golden_case("directed-graphs", "digraph_ops", run<float>, is_layer);
}

TEST_CASE("digraph_layers: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const Digraph& layer) { check_gradients(layer); });
}
TEST_CASE("digraph_layers: order of nodes and edges, batches, threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const Digraph& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
        if (layer.which != Which::dgcn) check_threads(layer); // its operators have a test of their own
        check_widths(layer);
        check_empty(layer);
    });
}

TEST_CASE("digraph_layers: imbalance_loss, gradients, threads and clusters", "[gnn]") {
    const Graph g = random_graph(12, 40);
    const auto w = Tensor<double, 1>(abs(numbers<double, 1>({40}, 1)) + 0.2);
    const auto x = numbers<double, 2>({12, 4}, 2);
    for (const auto kind : {gnn::ImbalanceNormalization::vol_sum, gnn::ImbalanceNormalization::vol_max,
                            gnn::ImbalanceNormalization::plain})
        expect_grad(
            [&](const auto& logits, const auto& weight) {
                return gnn::imbalance_loss(g, softmax(logits), weight, {.normalization = kind, .beta = 3});
            },
            x, w);

    // Edges from cluster 0 to 1 only: all flow goes one way, and none within clusters.
    const Graph one_way = Graph::from_edges({{0, 2}, {1, 2}, {1, 3}}, 4);
    const auto clusters = one_hot<double>(Tensor<int, 1>::from({0, 0, 1, 1}), 3);
    for (const auto kind : {gnn::ImbalanceNormalization::vol_sum, gnn::ImbalanceNormalization::vol_max,
                            gnn::ImbalanceNormalization::plain})
        REQUIRE(gnn::imbalance_loss(one_way, clusters, {.normalization = kind, .beta = 1}).item() ==
                Approx(0).margin(1e-8));
    REQUIRE(gnn::imbalance_loss(one_way, clusters, {.beta = 2}).item() == Approx(0.5).margin(1e-8));
    // Flows that are equal do not count, whatever the division would give.
    REQUIRE(
        gnn::imbalance_loss(Graph::from_edges({}, 4), clusters, {.normalization = gnn::ImbalanceNormalization::plain})
            .item() == 1);
    REQUIRE(gnn::imbalance_loss(Graph(), Tensor<float, 2>::zeros({0, 3})).item() == 1);

    const Graph large = random_graph(2000, 30000);
    const Tensor<float, 2> p = softmax(cast<float>(numbers<double, 2>({2000, 20}, 3)));
    require_thread_independent([&] {
        const Var<float, 2> v(p);
        backward(Var(gnn::imbalance_loss(large, v)));
        return v.grad();
    });
    REQUIRE_THROWS_WITH(gnn::imbalance_loss(g, x, {.beta = 0}), ContainsSubstring("beta is 0"));
    REQUIRE_THROWS_WITH(gnn::imbalance_loss(one_way, x), ContainsSubstring("P is [12, 4]"));
    REQUIRE_THROWS_WITH(gnn::imbalance_loss(g, x, Tensor<double, 1>::ones({4})), ContainsSubstring("edge_weight"));
}

namespace {

/// DIGRAC: what nodes are as sources and as targets, from their features, to probabilities of clusters.
struct Digrac {
    nn::Linear<float> source, target, out;
    gnn::DIMPA<float> dimpa{gnn::DIMPAOptions{}};
    auto operator()(const Graph& g, const auto& x) const {
        return softmax(out(dimpa(g, relu(source(x)), relu(target(x)))));
    }
    void visit(auto&& v) {
        v("source", source);
        v("target", target);
        v("out", out);
        v("dimpa", dimpa);
    }
};

/// 1: the same partition, around 0: partitions that have nothing to do with each other.
double adjusted_rand_index(const Tensor<int, 1>& a, const Tensor<std::int64_t, 1>& b, weft::index classes) {
    const auto pairs = [](double n) { return n * (n - 1) / 2; };
    const Tensor<double, 2> left = one_hot<double>(a, classes), right = one_hot<double>(b, classes);
    double both = 0, of_a = 0, of_b = 0;
    const Tensor<double, 2> counts = matmul(transpose(left), right);
    const Tensor<double, 1> counts_a = sum<0>(left), counts_b = sum<0>(right);
    for (const double n : counts.values()) both += pairs(n);
    for (const double n : counts_a.values()) of_a += pairs(n);
    for (const double n : counts_b.values()) of_b += pairs(n);
    const double chance = of_a * of_b / pairs(double(a.size()));
    return (both - chance) / ((of_a + of_b) / 2 - chance);
}

} // namespace

TEST_CASE("digraph_layers: DIMPA and the imbalance loss find a cycle of classes without labels", "[gnn]") {
    Generator generator{1};
    const Tensor<int, 1> classes = cast<int>(arange<weft::index>(300) * 3 / 300);
    const Graph g = block_model(generator, classes, cyclic_block_probabilities(3, 0.08, 0.008, 0.044));
    const Tensor<float, 2> x = gnn::magnetic_encoding(g, 0.25, 4) * std::sqrt(300.0f);
    const nn::LinearOptions from{.generator = &generator};
    const Digrac net{{8, 16, from}, {8, 16, from}, {32, 3, from}};
    nn::Adam optimizer{net, {.lr = 0.02}};
    for (int epoch = 0; epoch < 60; ++epoch) {
        backward(Var(gnn::imbalance_loss(g, net(g, Var{x}))));
        optimizer.step();
    }
    REQUIRE(adjusted_rand_index(classes, argmax<1>(Tensor<float, 2>(net(g, x))), 3) > 0.8);
}

TEST_CASE("digraph_layers: the three graphs of DGCN", "[gnn]") {
    const Graph g = random_graph(12, 30);
    const gnn::DGCNConv<double> layer(3, 2);
    const auto x = numbers<double, 2>({12, 3}, 1);
    const Tensor<double, 2> y = layer(g, x);
    REQUIRE(y.shape() == Extents<2>{12, 6});
    REQUIRE(same_bits(y, Tensor<double, 2>(layer(gnn::dgcn_graphs<double>(g, Tensor<double, 1>::ones({30})), x))));
    const auto in = second_order_proximity(g, Tensor<double, 1>::ones({30}), Step::against);
    const Tensor<double, 2> part =
        gnn::detail::normalized_adjacency(in.graph, in.weight, GcnNormOptions{})(layer.lin(x));
    require_near("in", Tensor<double, 2>(slice(y, 1, 2, 4)), part, 1e-13);
}

TEST_CASE("digraph_layers: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3), bipartite = Graph::from_edges({{0, 1}}, 3, 2);
    const auto x = Tensor<float, 2>::zeros({3, 3});
    const auto w = Tensor<float, 1>::ones({2});
    REQUIRE_THROWS_WITH(gnn::DiGCNConv<float>(4, 2)(g, x, w), ContainsSubstring("x is [3, 3]"));
    REQUIRE_THROWS_WITH(gnn::DiGCNConv<float>(3, 2)(g, x, Tensor<float, 1>::ones({5})),
                        ContainsSubstring("edge_weight"));
    REQUIRE_THROWS_WITH(gnn::DIMPA<float>(gnn::DIMPAOptions{.hop = -1}), ContainsSubstring("hop is -1"));
    const gnn::DIMPA<float> dimpa(gnn::DIMPAOptions{});
    REQUIRE_THROWS_WITH(dimpa(g, x, Tensor<float, 2>::zeros({2, 3})), ContainsSubstring("x_t is [2, 3]"));
    REQUIRE_THROWS_WITH(dimpa(bipartite, x, x), ContainsSubstring("num_nodes"));
    REQUIRE_THROWS_WITH(dimpa(g, x, x, Tensor<float, 1>::from({1, std::nanf("")})), ContainsSubstring("not a number"));
    REQUIRE_THROWS_WITH(gnn::DGCNConv<float>(4, 2)(g, x), ContainsSubstring("x is [3, 3]"));
}
