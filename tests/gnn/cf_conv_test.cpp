// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/cf_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T, class L>
void compare_layer(GoldenCase& golden, L layer) {
    load_parameters<T>(golden, layer);
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x");
    const auto d = golden_input<T, 1>(golden, "edge_weight");
    compare_output(golden, Tensor<T, 2>(layer(g, x->value(), d->value())), Var<T, 2>(layer(g, *x, *d)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "edge_weight", d);
    compare_parameter_gradients(golden, layer);
}
template <class T>
void run(GoldenCase& golden) {
    (void)golden.option<std::string>("note", "");
    const gnn::CFOptions options{.cutoff = golden.option("cutoff", 0.0),
                                 .num_gaussians = golden.option<weft::index>("num_gaussians", 0)};
    const weft::index in = golden.shape("x")[1], out = golden.shape("out")[1];
    const auto filters = golden.option<weft::index>("num_filters", 0);
    if (golden.option<std::string>("block", "") == "InteractionBlock")
        compare_layer<T>(golden, gnn::InteractionBlock<T>(in, filters, options));
    else
        compare_layer<T>(golden, gnn::CFConv<T>(in, out, filters, options));
}

struct CF {
    std::string name = "CFConv";
    weft::index in_dst = -1, in = 3, out = 5, edge_width = 1;
    bool positive_edges = true;

    template <class T>
    auto make() const {
        return gnn::CFConv<T>(in, out, 4, {.cutoff = 3, .num_gaussians = 5});
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X& edges) const {
        return module(g, x, reshape(edges, Extents<1>{edges.size()}));
    }
};

} // namespace

TEST_CASE("CFConv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "cfconv", run<double>); }
TEST_CASE("CFConv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "cfconv", run<float>); }

TEST_CASE("CFConv: gradients to second order, order of nodes and edges, batches, threads, empty graphs", "[gnn]") {
    check_gradients(CF{});
    check_node_permutation(CF{});
    check_edge_order(CF{});
    check_batch(CF{});
    check_threads(CF{});
    check_empty(CF{});
}

TEST_CASE("CFConv: the filter is trained with constant distances", "[gnn]") {
    const Graph g = random_graph(6, 20, 1);
    gnn::CFConv<double> conv(3, 2, 4, {.cutoff = 3, .num_gaussians = 5});
    const auto d = Tensor<double, 1>::full({20}, 1.5);
    backward(Var(sum(conv(g, Var<double, 2>(numbers<double, 2>({6, 3}, 1)), d))));
    nn::for_each_parameter(conv, [](std::string_view name, const auto& p) {
        INFO(name);
        REQUIRE(p.has_grad());
        REQUIRE(max(abs(p.grad())).item() > 1e-9);
    });
}

TEST_CASE("CFConv: errors name the argument", "[gnn]") {
    using Conv = gnn::CFConv<float>;
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    REQUIRE_THROWS_WITH(Conv(3, 2, 4, {.cutoff = 0}), ContainsSubstring("cutoff is 0"));
    REQUIRE_THROWS_WITH(Conv(3, 2, 4, {.num_gaussians = 1}), ContainsSubstring("num_gaussians is 1"));
    REQUIRE_THROWS_WITH(Conv(3, 2, 4)(g, Tensor<float, 2>::zeros({3, 3}), Tensor<float, 1>::zeros({3})),
                        ContainsSubstring("distance has 3 rows"));
}
