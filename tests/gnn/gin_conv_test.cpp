// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/gin_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

void know_notes(const GoldenCase& golden) {
    (void)golden.option<std::string>("note", "");
    (void)golden.option<std::string>("mlp", "");
}

template <class T>
void run_gin(GoldenCase& golden) {
    know_notes(golden);
    const bool trained = golden.option("train_eps", false);
    gnn::GINConv<T, Perceptron<T>> conv(golden_perceptron<T>(golden),
                                        {.eps = golden.option("eps", 0.0), .train_eps = trained});
    load_parameters<T>(golden, conv);
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x");
    compare_output(golden, Tensor<T, 2>(conv(g, x->value())), Var<T, 2>(conv(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_parameter_gradients(golden, conv);
}

template <class T>
void run_gine(GoldenCase& golden) {
    know_notes(golden);
    const auto edge_dim = golden.option<nlohmann::json>("edge_dim", nullptr);
    gnn::GINEOptions options{.eps = golden.option("eps", 0.0), .train_eps = golden.option("train_eps", false)};
    if (!edge_dim.is_null()) {
        options.edge_dim = edge_dim.get<weft::index>();
        options.in_channels = golden.shape("x")[1];
    }
    gnn::GINEConv<T, Perceptron<T>> conv(golden_perceptron<T>(golden), options);
    load_parameters<T>(golden, conv);
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x"), e = golden_input<T, 2>(golden, "edge_attr");
    compare_output(golden, Tensor<T, 2>(conv(g, x->value(), e->value())), Var<T, 2>(conv(g, *x, *e)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "edge_attr", e);
    compare_parameter_gradients(golden, conv);
}

struct GIN {
    std::string name;
    bool train_eps = false;
    weft::index edge_width = 0, edge_dim = 0, in_dst = -1, in = 3, out = 2;
    static constexpr bool positive_edges = false;

    template <class T>
    struct Either {
        gnn::GINConv<T, Perceptron<T>> plain;
        gnn::GINEConv<T, Perceptron<T>> edges;
        bool with_edges;
        void visit(auto&& v) {
            if (with_edges)
                v("edges", edges);
            else
                v("plain", plain);
        }
    };
    template <class T>
    Either<T> make() const {
        const auto network = [&] { return Perceptron<T>(nn::Linear<T>(in, 4), nn::ReLU{}, nn::Linear<T>(4, out)); };
        return {gnn::GINConv<T, Perceptron<T>>(network(), {.eps = 0.25, .train_eps = train_eps}),
                gnn::GINEConv<T, Perceptron<T>>(
                    network(), {.eps = 0.25, .train_eps = train_eps, .edge_dim = edge_dim, .in_channels = in}),
                edge_width > 0};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X& x_dst, const X& edges) const {
        if (edge_width > 0) return in_dst < 0 ? module.edges(g, x, edges) : module.edges.bipartite(g, x, x_dst, edges);
        return in_dst < 0 ? module.plain(g, x) : module.plain.bipartite(g, x, x_dst);
    }
};

const std::vector<GIN> layers{
    {"constant eps"},
    {"trained eps", true},
    {"bipartite", true, 0, 0, 3},
    {"edges as wide as nodes", false, 3},
    {"edges", true, 2, 2},
    {"bipartite, edges", false, 2, 2, 3},
};

} // namespace

TEST_CASE("gin_conv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "gin", run_gin<double>); }
TEST_CASE("gin_conv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "gin", run_gin<float>); }
TEST_CASE("gine_conv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "gine", run_gine<double>); }
TEST_CASE("gine_conv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "gine", run_gine<float>); }

TEST_CASE("gin_conv: gradients, order of nodes and edges, batches, threads, widths, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const GIN& layer) {
        check_gradients(layer);
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
        check_empty(layer);
        if (layer.in_dst >= 0 || (layer.edge_width > 0 && layer.edge_dim == 0)) return; // their widths go together
        check_threads(layer);
        check_widths(layer);
    });
}

TEST_CASE("gin_conv: a constant eps is a buffer, a trained one a parameter", "[gnn]") {
    gnn::GINConv<float, nn::Linear<float>> constant(nn::Linear<float>(3, 2), {.eps = 0.5});
    gnn::GINConv<float, nn::Linear<float>> trained(nn::Linear<float>(3, 2), {.eps = 0.5, .train_eps = true});
    REQUIRE(nn::parameter_count(constant) == 8);
    REQUIRE(nn::parameter_count(trained) == 9);
    int buffers = 0;
    nn::for_each_buffer(constant, [&](std::string_view name, const auto&) { buffers += name == "eps"; });
    REQUIRE(buffers == 1);
}

TEST_CASE("gine_conv: errors name the argument", "[gnn]") {
    using Conv = gnn::GINEConv<float, nn::Linear<float>>;
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    const auto x = Tensor<float, 2>::zeros({3, 3});
    REQUIRE_THROWS_WITH(Conv(nn::Linear<float>(3, 2), {.edge_dim = 2}), ContainsSubstring("in_channels"));
    REQUIRE_THROWS_WITH(Conv(nn::Linear<float>(3, 2))(g, x, Tensor<float, 2>::zeros({2, 4})),
                        ContainsSubstring("edge_attr is [2, 4]: it must be [2, 3]"));
    REQUIRE_THROWS_WITH(
        Conv(nn::Linear<float>(3, 2), {.edge_dim = 4, .in_channels = 3})(g, x, Tensor<float, 2>::zeros({3, 4})),
        ContainsSubstring("edge_attr is [3, 4]"));
}
