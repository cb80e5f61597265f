// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/readout.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
using Attention = gnn::AttentionalAggregation<nn::Linear<T>, Perceptron<T>>;

template <class T, class R>
void compare_readout(GoldenCase& golden, R readout) {
    const Graph members =
        graph_members(golden.get<std::int32_t, 1>("batch"), golden.option<weft::index>("num_graphs", 0));
    load_parameters<T>(golden, readout);
    const auto x = golden_input<T, 2>(golden, "x");
    compare_output(golden, Tensor<T, 2>(readout(members, x->value())), Var<T, 2>(readout(members, *x)));
    compare_input_gradient(golden, "x", x);
    compare_parameter_gradients(golden, readout);
}

struct Reduction {
    gnn::Aggregation how;
    template <class X>
    auto operator()(const Graph& members, const X& x) const {
        return gnn::readout(members, x, how);
    }
    void visit(auto&&) {}
};

template <class T>
void run(GoldenCase& golden) {
    const auto name = golden.option<std::string>("readout", "");
    for (const char* described : {"note", "gate", "nn"}) (void)golden.option<std::string>(described, "");
    if (name == "sum") return compare_readout<T>(golden, Reduction{gnn::Aggregation::add});
    if (name == "mean") return compare_readout<T>(golden, Reduction{gnn::Aggregation::mean});
    if (name == "max") return compare_readout<T>(golden, Reduction{gnn::Aggregation::max});
    if (name == "min") return compare_readout<T>(golden, Reduction{gnn::Aggregation::min});
    if (name == "AttentionalAggregation") {
        const auto gate = golden.shape("p.gate_nn.weight");
        return compare_readout<T>(golden, Attention<T>(nn::Linear<T>(gate[1], gate[0]), golden_perceptron<T>(golden)));
    }
    REQUIRE(name == "SoftmaxAggregation");
    REQUIRE(golden.option("learn", false));
    compare_readout<T>(golden, gnn::SoftmaxAggregation<T>(
                                   {.t = golden.option("t", 1.0), .learn = true, .channels = golden.shape("p.t")[0]}));
}
template <class T>
void run_file() {
    for_each_golden_case("gnn-core", "pooling", run<T>,
                         [](const GoldenCase& golden) { return golden.options().contains("readout"); });
}

enum class Which { reduction, attention, softmax };

/// A readout as a layer on a graph from nodes to their graphs.
struct Readout {
    std::string name;
    Which which;
    gnn::Aggregation how = gnn::Aggregation::add;
    bool learn = true, per_channel = false;
    weft::index in = 3, out = 4, in_dst = 0, edge_width = 0;
    static constexpr bool positive_edges = false;

    template <class T>
    struct Any {
        Attention<T> attention;
        gnn::SoftmaxAggregation<T> softmax;
        Which which;
        void visit(auto&& v) {
            if (which == Which::attention) v("attention", attention);
            if (which == Which::softmax) v("softmax", softmax);
        }
    };
    template <class T>
    Any<T> make() const {
        return {Attention<T>(nn::Linear<T>(in, per_channel ? out : 1),
                             Perceptron<T>(nn::Linear<T>(in, 5), nn::ReLU{}, nn::Linear<T>(5, out))),
                gnn::SoftmaxAggregation<T>({.t = 0.7, .learn = learn, .channels = per_channel ? in : 1}), which};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X&) const {
        if (which == Which::attention) return module.attention(g, x);
        if (which == Which::softmax) return module.softmax(g, x);
        return gnn::readout(g, x, how);
    }
};

const std::vector<Readout> readouts{
    {"sum", Which::reduction},
    {"mean", Which::reduction, gnn::Aggregation::mean},
    {"max", Which::reduction, gnn::Aggregation::max},
    {"min", Which::reduction, gnn::Aggregation::min},
    {"attention", Which::attention},
    {"attention, per channel", Which::attention, {}, true, true},
    {"softmax", Which::softmax},
    {"softmax, per channel", Which::softmax, {}, true, true},
    {"softmax, constant t", Which::softmax, {}, false},
};

/// Graphs of these numbers of nodes.
Graph members_of(const std::vector<weft::index>& sizes) {
    std::vector<weft::index> batch;
    for (std::size_t i = 0; i < sizes.size(); ++i)
        batch.insert(batch.end(), static_cast<std::size_t>(sizes[i]), static_cast<weft::index>(i));
    return graph_members(Tensor<weft::index, 1>::from(batch), static_cast<weft::index>(sizes.size()));
}

} // namespace

TEST_CASE("readout: golden, double", "[gnn][golden]") { run_file<double>(); }
TEST_CASE("readout: golden, float", "[gnn][golden]") { run_file<float>(); }

TEST_CASE("readout: gradients, order of nodes, threads, widths, no nodes", "[gnn]") {
    for_each_layer(readouts, [](const Readout& readout) {
        check_gradients(readout);
        check_node_permutation(readout);
        check_threads(readout);
        check_widths(readout);
        check_empty(readout);
    });
}

TEST_CASE("readout: a batch gives what its graphs give, and 0 for those without nodes", "[gnn]") {
    const std::vector<weft::index> sizes{0, 4, 1, 0, 7, 0};
    const Graph all = members_of(sizes);
    for_each_layer(readouts, [&](const Readout& readout) {
        const auto module = readout.make<double>();
        const auto x = numbers<double, 2>({12, readout.in});
        const Tensor<double, 2> together = readout.apply(module, all, x, x, x);
        weft::index node = 0;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            const Tensor<double, 2> own = slice(x, 0, node, node + sizes[i]);
            const Tensor<double, 2> alone = readout.apply(module, members_of({sizes[i]}), own, own, own);
            const auto row = static_cast<weft::index>(i);
            require_near("row", Tensor<double, 2>(slice(together, 0, row, row + 1)), alone, 1e-12);
            if (sizes[i] == 0)
                for (const double value : alone.values()) REQUIRE(value == 0);
            node += sizes[i];
        }
    });
}

TEST_CASE("readout: t leads from the minimum over the mean to the maximum", "[gnn]") {
    const Graph members = members_of({5, 6});
    const auto x = numbers<double, 2>({11, 3});
    const auto at = [&](double t) { return Tensor<double, 2>(gnn::SoftmaxAggregation<double>({.t = t})(members, x)); };
    require_near("mean", at(0), Tensor<double, 2>(gnn::readout(members, x, gnn::Aggregation::mean)), 1e-14);
    require_near("max", at(1e4), Tensor<double, 2>(gnn::readout(members, x, gnn::Aggregation::max)), 1e-14);
    require_near("min", at(-1e4), Tensor<double, 2>(gnn::readout(members, x, gnn::Aggregation::min)), 1e-14);
}

TEST_CASE("readout: without a network, attention weighs x", "[gnn]") {
    const Graph members = members_of({3});
    const auto x = numbers<double, 2>({3, 2});
    gnn::AttentionalAggregation<nn::Linear<double>> even(nn::Linear<double>(2, 1));
    nn::zeros(even.gate_nn.weight);
    require_near("mean", Tensor<double, 2>(even(members, x)),
                 Tensor<double, 2>(gnn::readout(members, x, gnn::Aggregation::mean)), 1e-14);
}

TEST_CASE("readout: errors name the argument", "[gnn]") {
    const Graph members = members_of({2, 3});
    const auto few = Tensor<float, 2>::zeros({4, 3}), x = Tensor<float, 2>::zeros({5, 3});
    REQUIRE_THROWS_WITH(gnn::readout(members, few, gnn::Aggregation::add),
                        ContainsSubstring("readout: x is [4, 3]: it must be [5, 3]"));
    REQUIRE_THROWS_WITH(gnn::SoftmaxAggregation<float>()(members, few), ContainsSubstring("x is [4, 3]"));
    REQUIRE_THROWS_WITH(gnn::SoftmaxAggregation<float>({.channels = 2})(members, x), ContainsSubstring("x is [5, 3]"));
    REQUIRE_THROWS_WITH(gnn::SoftmaxAggregation<float>({.channels = 0}), ContainsSubstring("channels is 0"));
    REQUIRE_THROWS_WITH(gnn::AttentionalAggregation<nn::Linear<float>>(nn::Linear<float>(3, 2))(members, x),
                        ContainsSubstring("gate_nn gives [5, 2], nn gives [5, 3]"));
    REQUIRE_THROWS_WITH(graph_members(Tensor<int, 1>::from({0, 1, 0}), 2), ContainsSubstring("must be sorted"));
    REQUIRE_THROWS_WITH(graph_members(Tensor<int, 1>::from({0, 2}), 2), ContainsSubstring("out of range"));
    REQUIRE_THROWS_WITH(graph_members(Tensor<int, 1>::from({0}), -1), ContainsSubstring("count is -1"));
}
