// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/dir_gnn_conv.hpp>
#include <weft/gnn/gat_conv.hpp>
#include <weft/gnn/gcn_conv.hpp>
#include <weft/gnn/sage_conv.hpp>
#include <weft/graph/transforms.hpp>
#include <weft/linalg/svd.hpp>

using namespace weft;
using namespace weft_test;

namespace {

/// Parameters of the reference that its layer does not use: their gradients are 0.
template <class T>
std::size_t unused_parameters(GoldenCase& golden) {
    std::size_t unused = 0;
    for (const char* name : {"p.conv_in.lin_r.weight", "p.conv_out.lin_r.weight"})
        if (golden.has(name)) {
            golden.compare(std::string("g.") + name, Tensor<T, 2>::zeros(golden.get<T, 2>(name).shape()));
            ++unused;
        }
    return unused;
}

template <class T, class L>
void compare_layer(GoldenCase& golden, L layer) {
    (void)golden.option<std::string>("conv", "");
    const std::size_t unused = unused_parameters<T>(golden);
    std::size_t loaded = 0;
    nn::for_each_parameter(layer, [&](std::string_view name, auto& parameter) {
        using P = std::remove_cvref_t<decltype(parameter)>;
        parameter.set_value(golden.get<T, P::rank>("p." + std::string(name)));
        ++loaded;
    });
    REQUIRE(loaded + unused == golden.tensors("p.").size());
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x");
    compare_output(golden, Tensor<T, 2>(layer(g, x->value())), Var<T, 2>(layer(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_parameter_gradients(golden, layer);
}

template <class T>
void run(GoldenCase& golden) {
    const weft::index in = golden.shape("x")[1], out = golden.shape("out")[1];
    const gnn::DirGNNOptions options{.alpha = golden.option("alpha", 0.5),
                                     .root_weight = golden.option("root_weight", true)};
    const auto conv = golden.option<std::string>("conv", "");
    if (conv.starts_with("SAGEConv(")) {
        const bool mean = conv == "SAGEConv(mean)";
        REQUIRE((mean || conv == "SAGEConv(max)"));
        const gnn::SAGEOptions sage{.aggr = mean ? gnn::Aggregation::mean : gnn::Aggregation::max};
        compare_layer<T>(golden, gnn::DirGNNConv<T, gnn::SAGEConv<T>>(in, out, sage, options));
    } else if (conv.starts_with("GCNConv(")) {
        compare_layer<T>(golden, gnn::DirGNNConv<T, gnn::GCNConv<T>>(in, out, gnn::GCNOptions{}, options));
    } else if (conv.starts_with("GATConv(")) {
        const gnn::GATOptions gat{.heads = golden.shape("p.conv_in.att_src")[1], .concat = false};
        compare_layer<T>(golden, gnn::DirGNNConv<T, gnn::GATConv<T>>(in, out, gat, options));
    } else {
        REQUIRE(conv.empty());
        compare_layer<T>(golden, gnn::DirGCNConv<T>(in, out, {.alpha = options.alpha}));
    }
}

enum class Which { sage, gat, dir_gcn };

struct Directed {
    std::string name;
    Which which;
    double alpha = 0.3;
    bool root_weight = true;
    weft::index edge_width = 0;
    weft::index in = 3, out = 5, in_dst = -1;
    bool positive_edges = true;

    template <class T>
    struct Layer {
        gnn::DirGNNConv<T, gnn::SAGEConv<T>> sage;
        gnn::DirGNNConv<T, gnn::GATConv<T>> gat;
        gnn::DirGCNConv<T> gcn;
        Which which;
        void visit(auto&& v) {
            if (which == Which::sage) v("sage", sage);
            if (which == Which::gat) v("gat", gat);
            if (which == Which::dir_gcn) v("gcn", gcn);
        }
    };
    template <class T>
    Layer<T> make() const {
        const gnn::DirGNNOptions options{.alpha = alpha, .root_weight = root_weight};
        return {{in, out, gnn::SAGEOptions{}, options},
                {in, out, gnn::GATOptions{.heads = 2, .edge_dim = edge_width}, options},
                {in, out, {.alpha = alpha}},
                which};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X& edges) const {
        if (which == Which::sage) return X(module.sage(g, x));
        if (which == Which::gat) return edge_width > 0 ? X(module.gat(g, x, edges)) : X(module.gat(g, x));
        return edge_width > 0 ? X(module.gcn(g, x, reshape(edges, Extents<1>{edges.size()}))) : X(module.gcn(g, x));
    }
};

const std::vector<Directed> layers{
    {"SAGE", Which::sage},
    {"SAGE, no root weight, edges that enter", Which::sage, 0, false},
    {"attention, two heads, values of edges", Which::gat, 0.6, true, 2},
    {"Dir-GCN, more channels out", Which::dir_gcn},
    {"Dir-GCN, fewer channels out, weighted", Which::dir_gcn, 0.5, true, 1, 5, 2},
    {"Dir-GCN, edges that leave, weighted", Which::dir_gcn, 1, true, 1},
};

} // namespace

TEST_CASE("dir_gnn_conv: golden, double", "[gnn][golden]") {
    for_each_golden_case("directed-graphs", "dirgnn", run<double>);
}
TEST_CASE("dir_gnn_conv: golden, float", "[gnn][golden]") {
    for_each_golden_case("directed-graphs", "dirgnn", run<float>);
}

TEST_CASE("dir_gnn_conv: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const Directed& layer) { check_gradients(layer); });
}
TEST_CASE("dir_gnn_conv: order of nodes and edges, batches, threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const Directed& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
        check_threads(layer);
        if (layer.edge_width < 2) check_widths(layer);
        check_empty(layer);
    });
}

TEST_CASE("dir_gnn_conv: on a symmetric graph, equal weights in both directions are the plain layer", "[gnn]") {
    const Graph g = to_undirected(random_graph(15, 40));
    const auto x = numbers<double, 2>({15, 3}, 1);
    const gnn::SAGEConv<double> plain(3, 4, {.root_weight = false});
    const gnn::DirGNNConv<double, gnn::SAGEConv<double>> both(3, 4, plain, plain, {.root_weight = false});
    require_near("out", Tensor<double, 2>(both(g, x)), Tensor<double, 2>(plain(g, x)), 1e-14);
}

TEST_CASE("dir_gnn_conv: with alpha 0, edges that leave do not count, with 1 those that enter", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {0, 2}, {1, 2}}, 3);
    const auto x = numbers<double, 2>({3, 3}, 1);
    auto moved = x;
    moved(2, 0) += 1;
    const gnn::DirGCNConv<double> enter(3, 2, {.alpha = 0}), leave(3, 2, {.alpha = 1});
    const auto row = [](const Tensor<double, 2>& y, weft::index i) { return Tensor<double, 2>(slice(y, 0, i, i + 1)); };
    // Node 2 has no edge that leaves it, node 0 none that enters.
    REQUIRE(same_bits(Tensor<double, 2>(enter(g, x)), Tensor<double, 2>(enter(g, moved))));
    REQUIRE(!same_bits(row(leave(g, x), 0), row(leave(g, moved), 0)));
    REQUIRE(same_bits(row(leave(g, x), 2), row(leave(g, moved), 2)));
}

TEST_CASE("dir_gnn_conv: the normalised adjacency matrix", "[gnn]") {
    for (const unsigned seed : {1u, 2u, 3u}) {
        const Graph g = random_bipartite_graph(12, 9, 40, seed);
        const auto w = Tensor<double, 1>(abs(numbers<double, 1>({g.num_edges()}, seed)) + 0.1);
        auto dense = Tensor<double, 2>::zeros({12, 9});
        const auto weight = directed_norm(g, w);
        for (weft::index e = 0; e < g.num_edges(); ++e) dense(g.sources()(e), g.destinations()(e)) += weight(e);
        REQUIRE(svd(dense).s(0) <= 1 + 1e-12);

        const auto rows = scatter(directed_norm(g, w, DirectedNorm::row), g.sources(), 12);
        const auto columns = scatter(directed_norm(g, w, DirectedNorm::column), g.destinations(), 9);
        for (weft::index i = 0; i < 12; ++i) REQUIRE(std::abs(rows(i) - (g.out_degree()(i) > 0 ? 1 : 0)) < 1e-14);
        for (weft::index i = 0; i < 9; ++i) REQUIRE(std::abs(columns(i) - (g.in_degree()(i) > 0 ? 1 : 0)) < 1e-14);

        const auto ones = directed_norm(g, Tensor<double, 1>::ones({g.num_edges()}));
        const auto scale = directed_norm<double>(g);
        require_near("scale", ones,
                     Tensor<double, 1>(gather(scale.out, g.sources()) * gather(scale.in, g.destinations())), 1e-14);
    }
}

TEST_CASE("dir_gnn_conv: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    const auto x = Tensor<float, 2>::zeros({3, 3});
    using Wrapper = gnn::DirGNNConv<float, gnn::SAGEConv<float>>;
    REQUIRE_THROWS_WITH(gnn::DirGCNConv<float>(3, 2, {.alpha = -0.5}), ContainsSubstring("alpha is -0.5"));
    REQUIRE_THROWS_WITH(Wrapper(3, 2, gnn::SAGEOptions{}, {.alpha = 1.5}), ContainsSubstring("alpha is 1.5"));
    REQUIRE_THROWS_WITH(gnn::DirGCNConv<float>(4, 2)(g, x), ContainsSubstring("x is [3, 3]"));
    REQUIRE_THROWS_WITH(gnn::DirGCNConv<float>(3, 2)(g, x, Tensor<float, 1>::ones({3})),
                        ContainsSubstring("edge_weight"));
    REQUIRE_THROWS_WITH(gnn::DirGCNConv<float>(3, 2)(g, x, Tensor<float, 1>::from({1.f, -1.f})),
                        ContainsSubstring("degrees must not be negative"));
    REQUIRE_THROWS_WITH(gnn::DirGCNConv<float>(3, 2)(g, x, Tensor<float, 1>::from({1.f, std::nanf("")})),
                        ContainsSubstring("the weight of edge 1 is not a number"));
    const Graph bipartite = Graph::from_edges({{0, 1}}, 3, 2);
    REQUIRE_THROWS_WITH(gnn::DirGCNConv<float>(3, 2)(bipartite, x), ContainsSubstring("num_nodes"));
    REQUIRE_THROWS_WITH(Wrapper(3, 2, gnn::SAGEOptions{})(bipartite, x), ContainsSubstring("num_nodes"));
}
