// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/hypergraph_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

/// The reference file names no number of hyperedges: there are as many as attributes or weights, or the highest says.
Graph golden_hypergraph(const GoldenCase& golden, const char* name, weft::index hyperedges) {
    return Graph(golden.get<std::int32_t, 2>(name), golden.shape("x")[0], hyperedges);
}
weft::index hyperedges_of(const GoldenCase& golden, std::initializer_list<const char*> names) {
    weft::index count = 0;
    for (const char* name : names)
        for (const auto ends = golden.get<std::int32_t, 2>(name);
             const std::int32_t m : Tensor<std::int32_t, 1>(select_index(ends, 0, 1)).values())
            count = std::max<weft::index>(count, m + 1);
    return count;
}

template <class T>
void run_directed(GoldenCase& golden) {
    gnn::DirectedHypergraphConv<T> layer(golden.shape("x")[1], golden.shape("out")[1]);
    load_parameters<T>(golden, layer);
    const auto count = hyperedges_of(golden, {"tail_incidence", "head_incidence"});
    const DirectedHypergraph g(golden_hypergraph(golden, "tail_incidence", count),
                               golden_hypergraph(golden, "head_incidence", count));
    const auto x = golden_input<T, 2>(golden, "x");
    compare_output(golden, Tensor<T, 2>(layer(g, x->value())), Var<T, 2>(layer(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_parameter_gradients(golden, layer);
}

/// The weights of hyperedges in the product; the parameter is stored the other way round.
template <class T>
void run_weighted(GoldenCase& golden) {
    const auto theta = golden.get<T, 2>("p.weight");
    gnn::HypergraphConv<T> layer(theta.extent(0), theta.extent(1), {.bias = false});
    layer.lin.weight.set_value(contiguous(transpose(theta)));
    const auto x = golden_input<T, 2>(golden, "x");
    const auto w = golden_input<T, 1>(golden, "hyperedge_weight");
    const Graph g = golden_hypergraph(golden, "incidence", w->size());
    compare_output(golden, Tensor<T, 2>(layer(g, x->value(), w->value())), Var<T, 2>(layer(g, *x, *w)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "hyperedge_weight", w);
    golden.compare("g.p.weight", Tensor<T, 2>(contiguous(transpose(layer.lin.weight.grad()))));
}

template <class T>
void run(GoldenCase& golden) {
    (void)golden.option<std::string>("layer", "");
    if (golden.has("tail_incidence")) return run_directed<T>(golden);
    if (golden.has("hyperedge_weight")) return run_weighted<T>(golden);
    const bool attention = golden.option("use_attention", false);
    const auto mode = golden.option<std::string>("attention_mode", "node");
    REQUIRE((mode == "node" || mode == "edge"));
    const auto heads = golden.option<weft::index>("heads", 1);
    gnn::HypergraphConv<T> layer(
        golden.shape("x")[1], golden.shape("p.lin.weight")[0] / heads,
        {.use_attention = attention,
         .attention = mode == "node" ? gnn::HypergraphAttention::members : gnn::HypergraphAttention::hyperedges,
         .heads = heads,
         .concat = golden.shape("out")[1] == golden.shape("p.lin.weight")[0]});
    load_parameters<T>(golden, layer);
    const auto x = golden_input<T, 2>(golden, "x"), attr = golden_input<T, 2>(golden, "hyperedge_attr");
    const Graph g =
        golden_hypergraph(golden, "incidence", attr ? attr->extent(0) : hyperedges_of(golden, {"incidence"}));
    if (attr)
        compare_output(golden, Tensor<T, 2>(layer(g, x->value(), attr->value())), Var<T, 2>(layer(g, *x, *attr)));
    else
        compare_output(golden, Tensor<T, 2>(layer(g, x->value())), Var<T, 2>(layer(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "hyperedge_attr", attr);
    compare_parameter_gradients(golden, layer);
}

enum class Which { plain, weighted, attention, weighted_attention, directed };

/// Memberships are the edges of the graph; a random graph's nodes and hyperedges have the same numbers.
struct Hyper {
    std::string name;
    Which which;
    gnn::HypergraphOptions options = {};
    weft::index in = 3, out = 5, in_dst = -1, edge_width = 0;
    bool positive_edges = false;

    template <class T>
    struct Layer {
        gnn::HypergraphConv<T> hyper;
        gnn::DirectedHypergraphConv<T> directed;
        bool is_directed;
        void visit(auto&& v) {
            if (is_directed)
                v("directed", directed);
            else
                v("hyper", hyper);
        }
    };
    template <class T>
    Layer<T> make() const {
        return {{in, out, options}, {in, out}, which == Which::directed};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X&) const {
        using T = typename X::value_type;
        const auto weight = [&] { return eval(abs(sum<1>(x)) + T(0.5)); };
        const auto attr = [&] { return eval(T(0.5) - x); };
        if (which == Which::plain) return X(module.hyper(g, x));
        if (which == Which::weighted) return X(module.hyper(g, x, weight()));
        if (which == Which::attention) return X(module.hyper(g, x, attr()));
        if (which == Which::weighted_attention) return X(module.hyper(g, x, weight(), attr()));
        return X(module.directed(DirectedHypergraph(g, g.reverse()), x));
    }
};

const std::vector<Hyper> layers{
    {"plain", Which::plain},
    {"weighted, fewer channels out", Which::weighted, {.bias = false}, 5, 2},
    {"attention over members, two heads", Which::attention, {.use_attention = true, .heads = 2}},
    {"attention over hyperedges, mean of heads, weighted",
     Which::weighted_attention,
     {.use_attention = true, .attention = gnn::HypergraphAttention::hyperedges, .heads = 2, .concat = false}},
    {"directed", Which::directed},
};

} // namespace

TEST_CASE("hypergraph_conv: golden, double", "[gnn][golden]") {
    for_each_golden_case("directed-graphs", "hypergraph", run<double>);
}
TEST_CASE("hypergraph_conv: golden, float", "[gnn][golden]") {
    for_each_golden_case("directed-graphs", "hypergraph", run<float>);
}

TEST_CASE("hypergraph_conv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const Hyper& layer) { check_gradients(layer); });
}
TEST_CASE("hypergraph_conv: order of nodes and memberships, threads, widths, none", "[gnn]") {
    for_each_layer(layers, [](const Hyper& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
        check_threads(layer);
        check_widths(layer);
        check_empty(layer);
    });
}

TEST_CASE("hypergraph_conv: equal weights of hyperedges are none", "[gnn]") {
    const Graph g = random_bipartite_graph(14, 9, 40);
    const auto x = numbers<double, 2>({14, 3}, 1);
    const gnn::HypergraphConv<double> layer(3, 4);
    require_near("out", Tensor<double, 2>(layer(g, x, Tensor<double, 1>::full({9}, 2.5))),
                 Tensor<double, 2>(layer(g, x)), 1e-14);
}

TEST_CASE("hypergraph_conv: an empty hyperedge and a node in none give the bias", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 0}, {1, 0}}, 3, 2);
    gnn::HypergraphConv<double> layer(2, 2);
    layer.bias->set_value(Tensor<double, 1>::from({3.0, -1.0}));
    const auto y = layer(g, Tensor<double, 2>::ones({3, 2}));
    REQUIRE((y(2, 0) == 3 && y(2, 1) == -1));
    const auto weighted = layer(g, Tensor<double, 2>::ones({3, 2}), Tensor<double, 1>::zeros({2}));
    REQUIRE((weighted(0, 0) == 3 && weighted(2, 1) == -1));
}

TEST_CASE("hypergraph_conv: dropout of attention in training only", "[gnn]") {
    const Graph g = random_bipartite_graph(14, 9, 60);
    const auto x = numbers<double, 2>({14, 3}, 1), attr = numbers<double, 2>({9, 3}, 2);
    const gnn::HypergraphConv<double> layer(3, 4, {.use_attention = true, .dropout = 0.5});
    REQUIRE(same_bits(Tensor<double, 2>(layer(g, x, attr)), Tensor<double, 2>(layer(g, x, attr))));
    REQUIRE(!same_bits(layer(g, Var<double, 2>(x), attr).value(), Tensor<double, 2>(layer(g, x, attr))));
}

TEST_CASE("hypergraph_conv: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 0}, {1, 0}, {2, 1}}, 3, 2);
    const auto x = Tensor<float, 2>::zeros({3, 3}), attr = Tensor<float, 2>::zeros({2, 3});
    using Conv = gnn::HypergraphConv<float>;
    const Conv plain(3, 2), attention(3, 2, {.use_attention = true});
    REQUIRE_THROWS_WITH(Graph::from_edges({{0, 2}}, 3, 2), ContainsSubstring("must be from 0 to below 2"));
    REQUIRE_THROWS_WITH(Conv(3, 2, {.heads = 2}), ContainsSubstring("without use_attention"));
    REQUIRE_THROWS_WITH(Conv(3, 2, {.use_attention = true, .heads = 0}), ContainsSubstring("heads is 0"));
    REQUIRE_THROWS_WITH(Conv(4, 2)(g, x), ContainsSubstring("x is [3, 3]"));
    REQUIRE_THROWS_WITH(plain(g, x, Tensor<float, 1>::ones({3})), ContainsSubstring("hyperedge_weight is [3]"));
    REQUIRE_THROWS_WITH(plain(g, x, Tensor<float, 1>::from({1.f, std::nanf("")})),
                        ContainsSubstring("hyperedge 1 is not a number"));
    REQUIRE_THROWS_WITH(plain(g, x, Tensor<float, 1>::from({1.f, -1.f})),
                        ContainsSubstring("degrees must not be negative"));
    REQUIRE_THROWS_WITH(plain(g, x, attr), ContainsSubstring("this layer has no attention"));
    REQUIRE_THROWS_WITH(attention(g, x), ContainsSubstring("hyperedge_attr is missing"));
    REQUIRE_THROWS_WITH(attention(g, x, x), ContainsSubstring("hyperedge_attr is [3, 3]"));
    REQUIRE_THROWS_WITH(DirectedHypergraph(g, g.reverse()), ContainsSubstring("must be the same ones"));
    const DirectedHypergraph directed(g, g);
    REQUIRE_THROWS_WITH((gnn::DirectedHypergraphConv<float>(4, 2)(directed, x)), ContainsSubstring("x is [3, 3]"));
}
