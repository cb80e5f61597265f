// SPDX-License-Identifier: MIT
// Normalisations over the nodes of a graph, and those of rows and batches that layers of graphs use.
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/batch_norm.hpp>
#include <weft/gnn/graph_norm.hpp>
#include <weft/gnn/instance_norm.hpp>
#include <weft/gnn/layer_norm.hpp>
#include <weft/gnn/pair_norm.hpp>
#include <weft/nn/layer_norm.hpp>
#include <weft/nn/state_dict.hpp>

using namespace weft;
using namespace weft_test;

namespace {

/// Calls f(x) with the Tensor, and the Var.
template <class T, class M, class F>
void compare_norm(GoldenCase& golden, M& module, F f) {
    load_parameters<T>(golden, module);
    const auto x = golden_input<T, 2>(golden, "x");
    compare_output(golden, Tensor<T, 2>(f(x->value())), Var<T, 2>(f(*x)));
    compare_input_gradient(golden, "x", x);
    compare_parameter_gradients(golden, module);
}
template <class T, class M>
void compare_graph_norm(GoldenCase& golden, M module) {
    const auto batch = golden.get<std::int32_t, 1>("batch");
    const Graph members = graph_members(batch, batch.size() > 0 ? batch(batch.size() - 1) + 1 : 0);
    compare_norm<T>(golden, module, [&](const auto& x) { return module(members, x); });
}

template <class T>
void compare_batch_norm(GoldenCase& golden, nn::BatchNormOptions options) {
    REQUIRE(golden.option("training", false));
    (void)golden.option<std::string>("note", "");
    options.momentum = golden.option("momentum", 0.1);
    gnn::BatchNorm<T> norm(golden.shape("x")[1], options);
    // In training, which Vars do.
    compare_norm<T>(golden, norm, [&](const auto& x) {
        auto copy = norm; // of the running statistics
        return Var<T, 2>(copy(Var<T, 2>(x)));
    });
    (void)norm(Var<T, 2>(golden.get<T, 2>("x")));
    std::size_t buffers = 0;
    nn::for_each_buffer(norm, [&]<class B>(std::string_view name, const B& buffer) {
        if constexpr (std::same_as<B, Tensor<T, 1>>) {
            golden.compare("b." + std::string(name), buffer);
            ++buffers;
        }
    });
    REQUIRE(buffers == golden.tensors("b.").size());
}

template <class T>
void run(GoldenCase& golden) {
    const auto norm = golden.option<std::string>("norm", "");
    const double eps = golden.option("eps", 1e-5);
    const weft::index channels = golden.shape("x")[1];
    if (norm == "GraphNorm") return compare_graph_norm<T>(golden, gnn::GraphNorm<T>(channels, eps));
    if (norm == "PairNorm") return compare_graph_norm<T>(golden, gnn::PairNorm<T>(golden.option("scale", 1.0), eps));
    const bool affine = golden.option("affine", norm != "InstanceNorm");
    if (norm == "InstanceNorm")
        return compare_graph_norm<T>(golden, gnn::InstanceNorm<T>(channels, {.eps = eps, .affine = affine}));
    (void)golden.get<std::int32_t, 1>("batch"); // says nothing to the others
    if (norm == "BatchNorm") return compare_batch_norm<T>(golden, {.eps = eps, .affine = affine});
    REQUIRE(norm == "LayerNorm");
    if (golden.option<std::string>("mode", "graph") == "graph")
        return compare_graph_norm<T>(golden, gnn::LayerNorm<T>(channels, {.eps = eps, .affine = affine}));
    nn::LayerNorm<T> rows(channels, {.eps = eps, .affine = affine});
    compare_norm<T>(golden, rows, [&](const auto& x) { return rows(x); });
}

enum class Which { graph_norm, layer_norm, pair_norm, instance_norm, rows, batch };

/// A normalisation as a layer: of one graph, or of a graph that has the first third of the nodes and one that has the
/// rest, beside two empty ones.
struct Norm {
    std::string name;
    Which which;
    bool one_graph = false, affine = true;
    weft::index in = 3, out = 0, in_dst = -1, edge_width = 0;
    static constexpr bool positive_edges = false;

    template <class T>
    struct Any {
        gnn::GraphNorm<T> graph_norm;
        gnn::LayerNorm<T> layer_norm;
        gnn::PairNorm<T> pair_norm;
        gnn::InstanceNorm<T> instance_norm;
        nn::LayerNorm<T> rows;
        nn::BatchNorm<T> batch;
        Which which;
        void visit(auto&& v) {
            if (which == Which::graph_norm) v("graph_norm", graph_norm);
            if (which == Which::layer_norm) v("layer_norm", layer_norm);
            if (which == Which::instance_norm) v("instance_norm", instance_norm);
            if (which == Which::rows) v("rows", rows);
            if (which == Which::batch) v("batch", batch);
        }
    };
    template <class T>
    Any<T> make() const {
        const nn::NormOptions options{.affine = affine};
        return {gnn::GraphNorm<T>(in),
                gnn::LayerNorm<T>(in, options),
                gnn::PairNorm<T>(1.5),
                gnn::InstanceNorm<T>(in, options),
                nn::LayerNorm<T>(in, options),
                nn::BatchNorm<T>(in, {.affine = affine}),
                which};
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X&, const X&) const {
        const auto of_graph = [&](const auto& norm) { return one_graph ? X(norm(x)) : X(norm(members(g), x)); };
        switch (which) {
        case Which::graph_norm:
            return of_graph(module.graph_norm);
        case Which::layer_norm:
            return of_graph(module.layer_norm);
        case Which::pair_norm:
            return of_graph(module.pair_norm);
        case Which::instance_norm:
            return of_graph(module.instance_norm);
        case Which::rows:
            return module.rows(x);
        case Which::batch:
            break;
        }
        if constexpr (kind_of<X> == Kind::var)
            return module.batch(x);
        else
            return module.batch(Var(x)).value();
    }
    static Graph members(const Graph& g) {
        const weft::index nodes = g.num_nodes();
        auto batch = Tensor<weft::index, 1>::zeros({nodes});
        for (weft::index v = nodes / 3; v < nodes; ++v) batch(v) = 2;
        return graph_members(batch, 4);
    }
};

const std::vector<Norm> norms{
    {"GraphNorm", Which::graph_norm},
    {"GraphNorm, one graph", Which::graph_norm, true},
    {"LayerNorm of graphs", Which::layer_norm},
    {"LayerNorm of graphs, not affine", Which::layer_norm, false, false},
    {"LayerNorm of one graph", Which::layer_norm, true},
    {"PairNorm", Which::pair_norm},
    {"PairNorm, one graph", Which::pair_norm, true},
    {"InstanceNorm", Which::instance_norm},
    {"InstanceNorm, not affine", Which::instance_norm, false, false},
    {"InstanceNorm, one graph", Which::instance_norm, true},
    {"LayerNorm of rows", Which::rows},
    {"LayerNorm of rows, not affine", Which::rows, true, false},
    {"BatchNorm", Which::batch},
    {"BatchNorm, not affine", Which::batch, true, false},
};

} // namespace

TEST_CASE("norms: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "norms", run<double>); }
TEST_CASE("norms: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "norms", run<float>); }

TEST_CASE("norms: gradients to second order", "[gnn]") {
    for_each_layer(norms, [](const Norm& norm) { check_gradients(norm); });
}
TEST_CASE("norms: order of nodes, threads, widths, no nodes", "[gnn]") {
    for_each_layer(norms, [](const Norm& norm) {
        if (norm.one_graph) check_node_permutation(norm);
        check_threads(norm);
        check_widths(norm);
        check_empty(norm);
    });
}

TEST_CASE("norms: a batch gives what its graphs give", "[gnn]") {
    const std::vector<weft::index> sizes{0, 5, 1, 9, 0};
    std::vector<weft::index> of_node;
    for (std::size_t i = 0; i < sizes.size(); ++i)
        of_node.insert(of_node.end(), static_cast<std::size_t>(sizes[i]), static_cast<weft::index>(i));
    const Graph members = graph_members(Tensor<weft::index, 1>::from(of_node), 5);
    const auto x = numbers<double, 2>({15, 4});
    const auto check = [&](const auto& norm) {
        const Tensor<double, 2> together = norm(members, x);
        weft::index node = 0;
        for (const weft::index size : sizes) {
            const Tensor<double, 2> own = slice(x, 0, node, node + size);
            require_near("rows", Tensor<double, 2>(slice(together, 0, node, node + size)), Tensor<double, 2>(norm(own)),
                         1e-12);
            node += size;
        }
    };
    gnn::GraphNorm<double> graph_norm(4);
    graph_norm.mean_scale.set_value(numbers<double, 1>({4}, 3));
    check(graph_norm);
    check(gnn::LayerNorm<double>(4));
    check(gnn::PairNorm<double>(2));
    check(gnn::InstanceNorm<double>(4));
}

TEST_CASE("norms: float does not cancel where the mean is large", "[gnn]") {
    const Tensor<double, 2> x = numbers<double, 2>({20000, 3}) + 1000;
    const Tensor<float, 2> rounded = cast<float>(x);
    const Tensor<double, 2> exact = cast<double>(rounded);
    const auto members = Norm::members(Graph::from_edges({}, 20000));
    const auto largest_error = [](const Tensor<float, 2>& a, const Tensor<double, 2>& b) {
        double error = 0;
        for (weft::index i = 0; i < a.size(); ++i) error = std::max(error, std::abs(double(a.data()[i]) - b.data()[i]));
        return error;
    };
    // The mean itself is known to 1000 epsilon = 6e-5.
    REQUIRE(largest_error(gnn::InstanceNorm<float>(3)(rounded), gnn::InstanceNorm<double>(3)(exact)) < 2e-4);
    REQUIRE(largest_error(gnn::InstanceNorm<float>(3)(members, rounded), gnn::InstanceNorm<double>(3)(members, exact)) <
            2e-4);
    REQUIRE(largest_error(gnn::BatchNorm<float>(3)(Var(rounded)).value(),
                          gnn::BatchNorm<double>(3)(Var(exact)).value()) < 2e-4);
}

TEST_CASE("norms: BatchNorm in training, in evaluation, frozen", "[gnn]") {
    nn::BatchNorm<double> norm(2, {.momentum = 0.25});
    const auto x = Tensor<double, 2>::from({{1, 10}, {3, 20}, {5, 60}});
    (void)norm(x); // evaluation changes nothing
    REQUIRE(norm.num_batches_tracked.item() == 0);
    REQUIRE(norm.running_mean(0) == 0);

    const Tensor<double, 2> y = norm(Var(x)).value();
    REQUIRE(y(1, 0) == 0);
    REQUIRE(norm.num_batches_tracked.item() == 1);
    REQUIRE(norm.running_mean(1) == Approx(7.5));
    REQUIRE(norm.running_var(0) == Approx(0.75 + 0.25 * 4));

    const Tensor<double, 2> evaluated = norm(x);
    REQUIRE(evaluated(2, 1) == Approx((60 - norm.running_mean(1)) / std::sqrt(norm.running_var(1) + 1e-5)));
    norm.frozen = true;
    const auto before = norm.running_mean;
    const Var<double, 2> leaf(x), frozen = norm(leaf);
    REQUIRE(same_bits(frozen.value(), evaluated));
    REQUIRE(same_bits(norm.running_mean, before));
    backward(Var(sum(frozen)));
    REQUIRE(leaf.grad()(0, 0) == Approx(1 / std::sqrt(norm.running_var(0) + 1e-5)));

    // Of one row there is no variance.
    norm.frozen = false;
    const Tensor<double, 2> row = slice(x, 0, 0, 1);
    REQUIRE(same_bits(norm(Var(row)).value(), Tensor<double, 2>(norm(row))));
    REQUIRE(same_bits(norm.running_mean, before));
}

TEST_CASE("norms: members of a state dict are those of PyTorch", "[gnn]") {
    const gnn::BatchNorm<float> norm(3);
    std::string names;
    for (const auto& [name, tensor] : nn::state_dict(norm)) names += name + " ";
    REQUIRE(names == "module.weight module.bias module.running_mean module.running_var module.num_batches_tracked ");
    REQUIRE(nn::parameter_count(norm) == 6);
}

TEST_CASE("norms: errors name the argument", "[gnn]") {
    const auto x = Tensor<float, 2>::zeros({5, 3});
    REQUIRE_THROWS_WITH(nn::BatchNorm<float>(4)(x), ContainsSubstring("BatchNorm: x is [5, 3]: its axis 1 must be 4, the channels of the layer"));
    REQUIRE_THROWS_WITH(nn::BatchNorm<float>(4, {.momentum = 2}), ContainsSubstring("momentum is 2"));
    REQUIRE_THROWS_WITH(nn::BatchNorm<float>(-1), ContainsSubstring("channels is -1"));
    REQUIRE_THROWS_WITH(nn::LayerNorm<float>(4)(x), ContainsSubstring("LayerNorm: x is [5, 3]"));
    REQUIRE_THROWS_WITH(gnn::GraphNorm<float>(4)(x), ContainsSubstring("GraphNorm: x is [5, 3]"));
    const Graph members = graph_members(Tensor<int, 1>::zeros({4}), 1);
    REQUIRE_THROWS_WITH(gnn::PairNorm<float>()(members, x), ContainsSubstring("PairNorm: x is [5, 3]"));
}
