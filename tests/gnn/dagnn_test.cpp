// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/core/softmax.hpp>
#include <weft/gnn/dagnn.hpp>

using namespace weft;
using namespace weft_test;

namespace {

/// Where a file calls the parameters of the propagation `prop.proj`.
template <class T>
struct Named {
    gnn::AdaptivePropagation<T> prop;
    bool inner;
    void visit(auto&& v) {
        if (inner)
            v("prop", prop);
        else
            prop.visit(v);
    }
};

template <class T>
void run_propagation(GoldenCase& golden) {
    Named<T> layer{{golden.shape("x")[1], golden.option<weft::index>("K", 0)}, golden.has("p.prop.proj.weight")};
    (void)golden.option("edge_weight", false);
    load_parameters<T>(golden, layer);
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x");
    const auto w = golden_input<T, 1>(golden, "edge_weight");
    if (w)
        compare_output(golden, Tensor<T, 2>(layer.prop(g, x->value(), w->value())), Var<T, 2>(layer.prop(g, *x, *w)));
    else
        compare_output(golden, Tensor<T, 2>(layer.prop(g, x->value())), Var<T, 2>(layer.prop(g, *x)));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "edge_weight", w);
    compare_parameter_gradients(golden, layer);
    if (!golden.has("stack")) return;
    std::vector<Tensor<T, 3>> hops;
    std::vector<Tensor<T, 2>> scores;
    (void)layer.prop.for_each_hop(g, x->value(), [&](const auto& h, const auto& score) {
        hops.push_back(unsqueeze(h, 1));
        scores.push_back(score);
    });
    golden.compare("stack", Tensor<T, 3>(concat(1, hops)));
    golden.compare("retain", Tensor<T, 2>(concat(1, scores)));
}
template <class T>
void run_network(GoldenCase& golden) {
    gnn::DAGNN<T> net(golden.shape("x")[1], golden.option<weft::index>("hidden", 0), golden.shape("out")[1],
                      {.K = golden.option<weft::index>("K", 0), .dropout = 0});
    load_parameters<T>(golden, net);
    const Graph g = golden_graph(golden);
    const auto x = golden_input<T, 2>(golden, "x");
    compare_output(golden, Tensor<T, 2>(log_softmax<1>(net(g, x->value()))), Var<T, 2>(log_softmax<1>(net(g, *x))));
    compare_input_gradient(golden, "x", x);
    compare_parameter_gradients(golden, net);
}
template <class T>
void run(GoldenCase& golden) {
    (void)golden.option<std::string>("note", "");
    if (golden.option<std::string>("model", "").empty())
        run_propagation<T>(golden);
    else
        run_network<T>(golden);
}

struct Propagation {
    std::string name = "K hops";
    weft::index edge_width = 0, K = 3;
    weft::index in_dst = -1, in = 4, out = 4;
    bool positive_edges = true;

    template <class T>
    auto make() const {
        return gnn::AdaptivePropagation<T>(in, K);
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X& edges) const {
        return edge_width > 0 ? X(module(g, x, reshape(edges, Extents<1>{edges.size()}))) : X(module(g, x));
    }
};
const std::vector<Propagation> layers{{"three hops"}, {"weighted", 1, 2}, {"none", 0, 0}};

// D^1/2 1 of a graph with a loop at every node.
Tensor<double, 2> fixed_point(const Graph& g) {
    auto root = Tensor<double, 2>::empty({g.num_nodes(), 1});
    for (weft::index i = 0; i < g.num_nodes(); ++i) root(i, 0) = std::sqrt(1.0 + g.in_degree()(i));
    return root;
}

} // namespace

TEST_CASE("DAGNN: golden, double", "[gnn][golden]") { for_each_golden_case("dagnn", "dagnn", run<double>); }
TEST_CASE("DAGNN: golden, float", "[gnn][golden]") { for_each_golden_case("dagnn", "dagnn", run<float>); }

TEST_CASE("DAGNN: gradients, order of nodes and edges, batches, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const Propagation& layer) {
        check_gradients(layer);
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
        check_empty(layer);
    });
}
TEST_CASE("DAGNN: threads", "[gnn]") { check_threads(Propagation{"wide", 0, 3, -1, 18, 18}); }

TEST_CASE("DAGNN: gates that are open, half open; isolated nodes; a fixed point", "[gnn]") {
    auto ends = std::vector<std::pair<weft::index, weft::index>>();
    for (const auto& [i, j] : {std::pair{0, 1}, {1, 2}, {2, 3}, {3, 0}, {0, 2}, {4, 1}}) {
        ends.emplace_back(i, j);
        ends.emplace_back(j, i);
    }
    const Graph g = Graph::from_edges(ends, 6); // node 5 has no edges
    const auto x = numbers<double, 2>({6, 3}, 1);
    gnn::AdaptivePropagation<double> prop(3, 4);
    prop.proj.weight.set_value(Tensor<double, 2>::zeros({1, 3}));
    Tensor<double, 2> sum_of_hops = Tensor<double, 2>::zeros({6, 3}), last;
    const auto run = [&](double bias) {
        prop.proj.bias->set_value(Tensor<double, 1>::full({1}, bias));
        sum_of_hops = Tensor<double, 2>::zeros({6, 3});
        return Tensor<double, 2>(prop.for_each_hop(g, x, [&](const auto& h, const auto&) {
            sum_of_hops = Tensor<double, 2>(sum_of_hops + h);
            last = h;
        }));
    };
    require_near("open", run(1e9), sum_of_hops, 1e-15);
    require_near("half open", run(0), Tensor<double, 2>(0.5 * sum_of_hops), 1e-15);
    for (weft::index c = 0; c < 3; ++c) REQUIRE(last(5, c) == x(5, c));

    const auto root = fixed_point(g);
    gnn::AdaptivePropagation<double> one(1, 7);
    Tensor<double, 2> moved;
    (void)one.for_each_hop(g, root, [&](const auto& h, const auto&) { moved = h; });
    require_near("fixed point", moved, root, 1e-12);
}

TEST_CASE("DAGNN: recompute gives the same to the last bit", "[gnn]") {
    const weft::index N = 60, C = 5;
    const Graph g = random_graph(N, 300);
    const auto x = numbers<double, 2>({N, C}, 1), dy = numbers<double, 2>({N, C}, 2);
    const auto w = eval(abs(numbers<double, 1>({g.num_edges()}, 3)));
    for (const weft::index K : {0, 1, 2, 3, 7, 10})
        for (const int weights : {0, 1, 2}) { // none, constant, recorded
            INFO("K " << K << ", weights " << weights);
            gnn::AdaptivePropagation<double> prop(C, K);
            const auto run = [&](bool recompute) {
                prop.recompute = recompute;
                Var<double, 2> vx{x};
                Var<double, 1> vw{w};
                const Var<double, 2> y = weights == 0 ? prop(g, vx) : weights == 1 ? prop(g, vx, w) : prop(g, vx, vw);
                backward(y, Tensor<double, 2>(1.0 * dy));
                auto all = std::vector{Tensor<double, 1>(flatten(y.value())), Tensor<double, 1>(flatten(vx.grad())),
                                       Tensor<double, 1>(flatten(prop.proj.weight.grad())), prop.proj.bias->grad()};
                if (weights == 2 && K > 0) all.push_back(vw.grad());
                prop.proj.weight.clear_grad();
                prop.proj.bias->clear_grad();
                return all;
            };
            const auto kept = run(false), again = run(true);
            REQUIRE(kept.size() == again.size());
            for (std::size_t k = 0; k < kept.size(); ++k)
                for (weft::index i = 0; i < kept[k].size(); ++i) REQUIRE(kept[k](i) == again[k](i));
        }
}

TEST_CASE("DAGNN: errors name the argument", "[gnn]") {
    REQUIRE_THROWS_WITH(gnn::AdaptivePropagation<float>(3, -1), ContainsSubstring("K is -1"));
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    REQUIRE_THROWS_WITH(gnn::AdaptivePropagation<float>(3, 2)(g, Tensor<float, 2>::zeros({3, 4})),
                        ContainsSubstring("x is [3, 4]"));
}
