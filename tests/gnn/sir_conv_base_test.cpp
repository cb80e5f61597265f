// SPDX-License-Identifier: MIT
#include "layer_properties.hpp"

#include <weft/gnn/sir_conv_base.hpp>

using namespace weft;
using namespace weft_test;
using gnn::SIRAggregation;

namespace {

constexpr SIRAggregation aggregations[] = {SIRAggregation::sum, SIRAggregation::mean, SIRAggregation::symmetric,
                                           SIRAggregation::max};

template <class T>
using Network = nn::Sequential<nn::Linear<T>, nn::GELU, nn::Linear<T>>;

/// A module that is not known to begin with a linear layer.
template <class T>
struct Opaque {
    Network<T> network;
    auto operator()(const auto& x) const { return network(x); }
    void visit(auto&& v) { v("network", network); }
};

/// [x_i - x_j], a callable without state, of messages [x_i, x_j].
struct Difference {
    template <Expression X>
    auto operator()(const X& pair) const {
        const auto half = pair.shape()[1] / 2;
        return eval(slice(pair, 1, 0, half) - slice(pair, 1, half));
    }
};

struct SIRBase {
    std::string name;
    SIRAggregation aggr = SIRAggregation::sum;
    weft::index edge_width = 0;
    bool opaque = false;
    weft::index in_dst = -1;
    weft::index in = 3, out = 5;
    bool positive_edges = false;

    template <class T>
    struct Either {
        gnn::SIRConvBase<Network<T>> plain;
        gnn::SIRConvBase<Opaque<T>> with_opaque;
        bool opaque;
        void visit(auto&& v) {
            if (opaque)
                v("opaque", with_opaque);
            else
                v("plain", plain);
        }
    };
    template <class T>
    Either<T> make() const {
        const Network<T> network(nn::Linear<T>(in + (in_dst < 0 ? in : in_dst) + edge_width, 4), nn::GELU{},
                                 nn::Linear<T>(4, out));
        const gnn::SIRConvBaseOptions options{.aggr = aggr};
        return {gnn::SIRConvBase(network, options), gnn::SIRConvBase(Opaque<T>{network}, options), opaque};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X& x_dst, const X& edges) const {
        if (opaque) return edge_width > 0 ? X(module.with_opaque(g, x, edges)) : X(module.with_opaque(g, x));
        if (in_dst >= 0) return module.plain.bipartite(g, x, x_dst);
        return edge_width > 0 ? X(module.plain(g, x, edges)) : X(module.plain(g, x));
    }
};

const std::vector<SIRBase> layers{
    {"sum", SIRAggregation::sum},
    {"mean, edge features", SIRAggregation::mean, 2},
    {"maximum, bipartite", SIRAggregation::max, 0, false, 4},
    {"symmetric, any module", SIRAggregation::symmetric, 0, true},
    {"maximum, any module, edge features", SIRAggregation::max, 2, true},
};

/// The columns of weights side by side.
Tensor<double, 2> beside(const Tensor<double, 2>& a, const auto&... b) { return concat(1, a, b...); }

} // namespace

TEST_CASE("SIRConvBase: a linear layer, an activation, a linear layer is SIRConv", "[gnn]") {
    const Graph g = random_graph(20, 70, 5);
    const auto dy = numbers<double, 2>({20, 2}, 4);
    for (const SIRAggregation aggr : aggregations)
        for (const bool with_edges : {false, true}) {
            INFO("aggregation " << static_cast<int>(aggr) << ", edges " << with_edges);
            // A bias after the sum is no bias of every message; the maximum is one of messages.
            const bool bias = aggr == SIRAggregation::max;
            const gnn::SIRConv<double, nn::GELU> sir(
                4, 3, 2, {}, {.aggr = aggr, .outer_bias = bias, .edge_dim = with_edges ? 5 : 0});
            Network<double> network(nn::Linear<double>(with_edges ? 13 : 8, 3), nn::GELU{}, sir.linear_relation);
            nn::Linear<double>& first = std::get<0>(network.modules);
            const nn::Linear<double>& last = std::get<2>(network.modules);
            const auto query = sir.linear_query.weight.value(), key = sir.linear_key.weight.value();
            first.weight.set_value(with_edges ? beside(query, key, sir.linear_edge->weight.value())
                                              : beside(query, key));
            first.bias->set_value(sir.linear_query.bias->value());
            const gnn::SIRConvBase base(network, {.aggr = aggr});
            const gnn::SIRConvBase opaque(Opaque<double>{network}, {.aggr = aggr});

            const auto gradients = [&](const auto& layer) {
                const Var<double, 2> x(numbers<double, 2>({20, 4}, 1)), e(numbers<double, 2>({70, 5}, 2));
                const Var<double, 2> y = with_edges ? Var<double, 2>(layer(g, x, e)) : Var<double, 2>(layer(g, x));
                backward(y, dy);
                return std::tuple(y.value(), x.grad(), with_edges ? e.grad() : Tensor<double, 2>());
            };
            const auto expected = gradients(sir);
            const auto dquery = sir.linear_query.weight.grad(), dkey = sir.linear_key.weight.grad();
            const auto drelation = sir.linear_relation.weight.grad();
            const auto compare = [&](const auto& layer) {
                nn::clear_grad(sir);
                nn::clear_grad(layer);
                const auto actual = gradients(layer);
                require_near("out", std::get<0>(actual), std::get<0>(expected), 1e-12);
                require_near("gradient of x", std::get<1>(actual), std::get<1>(expected), 1e-12);
                require_near("gradient of edge_attr", std::get<2>(actual), std::get<2>(expected), 1e-12);
                const auto dfirst = first.weight.grad();
                require_near("gradient of queries", Tensor<double, 2>(slice(dfirst, 1, 0, 4)), dquery, 1e-12);
                require_near("gradient of keys", Tensor<double, 2>(slice(dfirst, 1, 4, 8)), dkey, 1e-12);
                require_near("gradient of the relation", last.weight.grad(), drelation, 1e-12);
            };
            compare(base);
            compare(opaque);
        }
}

TEST_CASE("SIRConvBase: a callable without state or parameters", "[gnn]") {
    const Graph g = random_graph(20, 70, 5);
    const auto x = numbers<double, 2>({20, 4}, 1);
    const gnn::SIRConvBase layer(Difference{});
    const Tensor<double, 2> expected = sum_in(g, dst(x) - src(x));
    require_near("out", Tensor<double, 2>(layer(g, x)), expected, 1e-12);
    const Var<double, 2> recorded(x), same(x);
    backward(layer(g, recorded), x);
    backward(sum_in(g, dst(same) - src(same)), x);
    require_near("gradient", recorded.grad(), same.grad(), 1e-12);
    REQUIRE(nn::parameter_count(layer) == 0);
}

TEST_CASE("SIRConvBase: nothing but a linear layer", "[gnn]") {
    const Graph g = random_graph(20, 70, 5);
    const auto x = numbers<double, 2>({20, 4}, 1);
    const nn::Linear<double> linear(8, 3);
    for (const SIRAggregation aggr : {SIRAggregation::sum, SIRAggregation::max}) {
        const gnn::SIRConvBase in_sequence(nn::Sequential{linear}, {.aggr = aggr});
        const gnn::SIRConvBase alone(linear, {.aggr = aggr});
        require_near("out", Tensor<double, 2>(in_sequence(g, x)), Tensor<double, 2>(alone(g, x)), 1e-12);
    }
}

TEST_CASE("SIRConvBase: gradients to second order", "[gnn]") {
    for_each_layer(layers, [](const SIRBase& layer) { check_gradients(layer, 4); });
}
TEST_CASE("SIRConvBase: order of nodes and edges, batches", "[gnn]") {
    for_each_layer(layers, [](const SIRBase& layer) {
        check_node_permutation(layer);
        check_edge_order(layer);
        if (layer.in_dst < 0) check_batch(layer);
    });
}
TEST_CASE("SIRConvBase: threads, empty graphs", "[gnn]") {
    for_each_layer(layers, [](const SIRBase& layer) {
        check_empty(layer);
        if (layer.in_dst < 0) check_threads(layer);
    });
}

TEST_CASE("SIRConvBase: one Var among the inputs trains the module", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 0}, {2, 1}}, 3, 2);
    const auto x_src = numbers<double, 2>({3, 2}, 1), x_dst = numbers<double, 2>({2, 1}, 2);
    const auto e = numbers<double, 2>({3, 3}, 3);
    const Network<double> network(nn::Linear<double>(6, 4), nn::GELU{}, nn::Linear<double>(4, 2));
    const gnn::SIRConvBase base(network);
    const auto count_of_gradients = [&](const auto& y) {
        nn::clear_grad(base);
        backward(y, Tensor<double, 2>::ones({2, 2}));
        int count = 0;
        nn::for_each_parameter(base, [&](std::string_view, const auto& p) { count += p.has_grad(); });
        return count;
    };
    REQUIRE(count_of_gradients(base.bipartite(g, Var{x_src}, x_dst, e)) == 4);
    REQUIRE(count_of_gradients(base.bipartite(g, x_src, Var{x_dst}, e)) == 4);
    REQUIRE(count_of_gradients(base.bipartite(g, x_src, x_dst, Var{e})) == 4);
}

TEST_CASE("SIRConvBase: names, nodes without edges, errors", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3);
    const auto x = numbers<float, 2>({3, 4});
    const Network<float> network(nn::Linear<float>(8, 3), nn::GELU{}, nn::Linear<float>(3, 2));
    const gnn::SIRConvBase base(network);
    std::vector<std::string> names;
    nn::for_each_parameter(base, [&](std::string_view name, const auto&) { names.emplace_back(name); });
    REQUIRE(names == std::vector<std::string>{"_message_func.0.weight", "_message_func.0.bias",
                                              "_message_func.2.weight", "_message_func.2.bias"});
    const Tensor<float, 2> y = base(g, x);
    REQUIRE(y(0, 0) == 0);
    REQUIRE(y(1, 0) != 0);

    REQUIRE(error_of([&] {
                (void)base(g, Tensor<float, 2>::zeros({3, 5}));
            }) ==
            "weft: SIRConvBase: message_func takes 8 features, it is given 10: 5 of the destination, 5 of the source, "
            "0 of the edge");
    REQUIRE_THAT(error_of([&] {
                     (void)base(g, x, Tensor<float, 2>::zeros({2, 3}));
                 }),
                 ContainsSubstring("it is given 11: 4 of the destination, 4 of the source, 3 of the edge"));
    REQUIRE_THAT(error_of([&] { (void)base(g, Tensor<float, 2>::zeros({4, 4})); }), ContainsSubstring("x is [4, 4]"));
    REQUIRE_THAT(error_of([&] {
                     (void)base(g, x, Tensor<float, 2>::zeros({3, 0}));
                 }),
                 ContainsSubstring("edge_attr is [3, 0]"));
    REQUIRE_THAT(error_of([&] {
                     (void)base.bipartite(g, x, Tensor<float, 2>::zeros({2, 4}));
                 }),
                 ContainsSubstring("x_dst is [2, 4]"));
    REQUIRE_THAT(error_of([&] { (void)base(Graph::from_edges({}, 3, 2), x); }), ContainsSubstring("num_nodes"));
    // Of another module it is its own error.
    const gnn::SIRConvBase opaque(Opaque<float>{network});
    REQUIRE_THAT(error_of([&] {
                     (void)opaque(g, Tensor<float, 2>::zeros({3, 5}));
                 }),
                 ContainsSubstring("Linear: x is"));
}
