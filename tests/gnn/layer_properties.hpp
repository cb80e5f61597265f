// SPDX-License-Identifier: MIT
#pragma once

// Properties that every graph layer has, checked on random graphs with isolated nodes, loops and duplicate edges. A
// layer takes part by a description `L` of one set of its options, chosen at run time, so that the layer is compiled
// once for each scalar:
//
//     std::string name;
//     index in, in_dst, out;   // features per node; in_dst -1: one node set; `out` may be per head
//     index edge_width;        // columns of the values of edges; 0: none
//     bool positive_edges;     // whether these must be positive
//     template <class T> auto make() const;                              // the layer
//     template <class M, class X> X apply(const M& module, const Graph& g, const X& x, const X& x_dst,
//                                         const X& edges) const;         // X: a Tensor or Var of rank 2
//
// Inputs that the options do not have are empty.

#include "../core/tensor_checks.hpp"
#include "../graph/random_graph.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/random.hpp>
#include <weft/core/reduce.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/graph/batch.hpp>
#include <weft/nn/module.hpp>

namespace weft_test {

template <class T>
struct LayerInputs {
    weft::Graph graph;
    weft::Tensor<T, 2> x, x_dst, edges;
    weft::Tensor<T, 1> parameters; // of all members, one behind the other
};

/// The result, and the gradients of sum(out * dy).
template <class T>
struct LayerResults {
    weft::Tensor<T, 2> out, x, x_dst, edges;
    weft::Tensor<T, 1> parameters;
};

/// Lets the parameters of `module` be windows on `flat`: constants of a Tensor, parts of the leaf that a Var is.
template <class T, class M, class P>
void bind_parameters(M& module, const P& flat) {
    weft::index at = 0;
    weft::nn::for_each_parameter(module, [&]<int N>(std::string_view, weft::Parameter<T, N>& parameter) {
        const weft::Extents<N> shape = parameter.shape();
        if constexpr (requires { flat.node(); })
            parameter =
                weft::Parameter<T, N>(flat.node(), flat.offset() + at, shape, weft::detail::contiguous_strides(shape));
        else
            parameter = weft::Parameter<T, N>(weft::Tensor<T, N>::share(flat.storage(), flat.data() + at, shape));
        at += weft::detail::product(shape);
    });
    REQUIRE(at == flat.size());
}

template <class L, class X, class P>
X apply_layer(const L& layer, const weft::Graph& g, const X& x, const X& x_dst, const X& edges, const P& parameters) {
    using T = typename X::value_type;
    auto module = layer.template make<T>();
    bind_parameters<T>(module, parameters);
    return layer.apply(module, g, x, x_dst, edges);
}

template <class L>
LayerInputs<double> layer_inputs(const L& layer, const weft::Graph& g, unsigned seed = 1) {
    LayerInputs<double> in;
    in.graph = g;
    in.x = numbers<double, 2>({g.num_src(), layer.in}, seed);
    if (layer.in_dst >= 0) in.x_dst = numbers<double, 2>({g.num_dst(), layer.in_dst}, seed + 1);
    if (layer.edge_width > 0) in.edges = numbers<double, 2>({g.num_edges(), layer.edge_width}, seed + 2);
    if (layer.positive_edges) in.edges = abs(in.edges) + 0.25;
    in.parameters = 0.5 * numbers<double, 1>({weft::nn::parameter_count(layer.template make<double>())}, seed + 3);
    return in;
}
template <class T, class U>
LayerInputs<T> layer_inputs_as(const LayerInputs<U>& in) {
    return {in.graph, weft::cast<T>(in.x), weft::cast<T>(in.x_dst), weft::cast<T>(in.edges),
            weft::cast<T>(in.parameters)};
}

/// Requires that inference on Tensors gives the bits of the recorded result.
template <class L, class T>
LayerResults<T> run_layer(const L& layer, const LayerInputs<T>& in, const weft::Tensor<T, 2>& dy) {
    using weft::Var;
    const Var<T, 2> x(in.x), x_dst(in.x_dst), edges(in.edges);
    const Var<T, 1> parameters(in.parameters);
    const Var<T, 2> out = apply_layer(layer, in.graph, x, x_dst, edges, parameters);
    REQUIRE(same_bits(apply_layer(layer, in.graph, in.x, in.x_dst, in.edges, in.parameters), out.value()));
    backward(out, dy);
    const auto gradient = []<int N>(const Var<T, N>& leaf) {
        return leaf.has_grad() ? leaf.grad() : weft::Tensor<T, N>::zeros(leaf.shape());
    };
    return {out.value(), gradient(x), gradient(x_dst), gradient(edges), gradient(parameters)};
}
template <class L, class T>
weft::Tensor<T, 2> layer_adjoint(const L& layer, const LayerInputs<T>& in, unsigned seed = 9) {
    return weft::cast<T>(
        numbers<double, 2>(apply_layer(layer, in.graph, in.x, in.x_dst, in.edges, in.parameters).shape(), seed));
}

/// Within `tolerance` of the largest element, or of 0.05: what would be zero in exact arithmetic has rounding errors.
template <class T, class U, int N>
void require_near(const char* what, const weft::Tensor<T, N>& actual, const weft::Tensor<U, N>& expected,
                  double tolerance) {
    INFO(what);
    REQUIRE(actual.shape() == expected.shape());
    double largest = 0.05;
    for (const U e : expected.values()) largest = std::max(largest, std::abs(double(e)));
    for (weft::index i = 0; i < actual.size(); ++i) {
        const double a = double(actual.data()[i]), e = double(expected.data()[i]);
        INFO("element " << i << " is " << a << ", should be " << e << ", the largest is " << largest);
        if (!(std::abs(a - e) <= tolerance * largest)) FAIL("too far away");
    }
}
template <class T, class U>
void require_near(const LayerResults<T>& actual, const LayerResults<U>& expected, double tolerance) {
    require_near("out", actual.out, expected.out, tolerance);
    require_near("gradient of x", actual.x, expected.x, tolerance);
    require_near("gradient of x_dst", actual.x_dst, expected.x_dst, tolerance);
    require_near("gradient of edges", actual.edges, expected.edges, tolerance);
    require_near("gradient of parameters", actual.parameters, expected.parameters, tolerance);
}

/// A random graph with the node sets that the layer takes.
template <class L>
weft::Graph layer_graph(const L& layer, weft::index nodes, weft::index edges, unsigned seed = 1) {
    return layer.in_dst < 0 ? random_graph(nodes, edges, seed)
                            : random_bipartite_graph(nodes, nodes * 3 / 4, edges, seed);
}

using Order = weft::Tensor<weft::index, 1>;

inline Order shuffled(weft::index n, std::uint64_t seed) {
    weft::Generator generator{seed};
    return Order::from(weft::permutation(generator, n), {n});
}
/// Row order(i) of the result is row i.
template <class T>
weft::Tensor<T, 2> scattered(const weft::Tensor<T, 2>& rows, const Order& order) {
    return rows.size() == 0 ? rows : weft::Tensor<T, 2>(scatter(rows, order, rows.extent(0)));
}
template <class T>
weft::Tensor<T, 2> gathered(const weft::Tensor<T, 2>& rows, const Order& order) {
    return rows.size() == 0 ? rows : weft::Tensor<T, 2>(gather(rows, order));
}

/// Renumbering the nodes renumbers results and gradients. Sources and destinations of equal number keep that, for they
/// count as one node where loops are concerned.
template <class L>
void check_node_permutation(const L& layer) {
    const weft::Graph g = layer_graph(layer, 20, 70);
    const auto in = layer_inputs(layer, g);
    const auto dy = layer_adjoint(layer, in);
    const auto expected = run_layer(layer, in, dy);
    const weft::index few = std::min(g.num_src(), g.num_dst());
    const auto renumber = [&](weft::index n) { return Order(concat(0, shuffled(few, 1), shuffled(n - few, 2) + few)); };
    const Order source = renumber(g.num_src()), destination = renumber(g.num_dst());
    auto moved = in;
    moved.graph = weft::Graph(Order(gather(source, g.sources())), Order(gather(destination, g.destinations())),
                              g.num_src(), g.num_dst());
    moved.x = scattered(in.x, source);
    moved.x_dst = scattered(in.x_dst, destination);
    auto actual = run_layer(layer, moved, scattered(dy, destination));
    actual.out = gathered(actual.out, destination);
    actual.x = gathered(actual.x, source);
    actual.x_dst = gathered(actual.x_dst, destination);
    require_near(actual, expected, 1e-12);
}

/// The order of the edges changes nothing but that of the gradients of their values. The loops stay in order: of
/// several at one node, the last counts in some layers.
template <class L>
void check_edge_order(const L& layer) {
    const weft::Graph g = layer_graph(layer, 20, 70, 2);
    const auto in = layer_inputs(layer, g);
    const auto dy = layer_adjoint(layer, in);
    const auto expected = run_layer(layer, in, dy);
    Order order = shuffled(g.num_edges(), 3);
    std::vector<weft::index> places, loops;
    for (weft::index p = 0; p < order.size(); ++p)
        if (const auto e = order(p); g.sources()(e) == g.destinations()(e)) {
            places.push_back(p);
            loops.push_back(e);
        }
    REQUIRE(loops.size() > 1);
    std::sort(loops.begin(), loops.end());
    for (std::size_t k = 0; k < loops.size(); ++k) order(places[k]) = loops[k];
    auto moved = in;
    moved.graph = weft::Graph(Order(gather(g.sources(), order)), Order(gather(g.destinations(), order)), g.num_src(),
                              g.num_dst());
    moved.edges = gathered(in.edges, order);
    auto actual = run_layer(layer, moved, dy);
    actual.edges = scattered(actual.edges, order);
    require_near(actual, expected, 1e-12);
}

/// Graphs in a batch do not see each other.
template <class L>
void check_batch(const L& layer) {
    if (layer.in_dst >= 0) return;
    const std::vector<weft::Graph> graphs{random_graph(9, 25), weft::Graph(), weft::Graph::from_edges({}, 2),
                                          random_graph(14, 40, 3), weft::Graph::from_edges({{0, 0}}, 1)};
    const auto whole = weft::batch(graphs);
    const auto in = layer_inputs(layer, whole.graph());
    const auto dy = layer_adjoint(layer, in);
    const auto together = run_layer(layer, in, dy);
    std::vector<weft::Tensor<double, 2>> out, dx, dedges;
    auto dparameters = weft::Tensor<double, 1>::zeros(in.parameters.shape());
    const auto part = [](const weft::Tensor<double, 2>& rows, weft::index from, weft::index count) {
        return rows.size() == 0 ? rows : weft::Tensor<double, 2>(slice(rows, 0, from, from + count));
    };
    weft::index node = 0, edge = 0;
    for (const weft::Graph& g : graphs) {
        const weft::index n = g.num_nodes(), e = g.num_edges();
        const auto own =
            run_layer(layer, LayerInputs<double>{g, part(in.x, node, n), {}, part(in.edges, edge, e), in.parameters},
                      part(dy, node, n));
        out.push_back(own.out);
        dx.push_back(own.x);
        dedges.push_back(own.edges);
        dparameters = dparameters + own.parameters;
        node += n;
        edge += e;
    }
    const auto separate = LayerResults<double>{weft::concat_rows(out),
                                               weft::concat_rows(dx),
                                               {},
                                               in.edges.size() ? weft::concat_rows(dedges) : in.edges,
                                               dparameters};
    require_near(together, separate, 1e-12);
}

/// The result and all gradients have the same bits on any number of threads.
template <class L>
void check_threads(L layer) {
    layer.in *= 6; // for products of matrices that are worth several threads
    layer.out *= 6;
    const auto in = layer_inputs_as<float>(layer_inputs(layer, layer_graph(layer, 2000, 30000)));
    const auto dy = layer_adjoint(layer, in);
    require_thread_independent([&] {
        const auto r = run_layer(layer, in, dy);
        const auto flat = [](const auto& t) { return reshape(t, weft::Extents<1>{t.size()}); };
        return weft::Tensor<float, 1>(
            concat(0, flat(r.out), flat(r.x), flat(r.x_dst), flat(r.edges), flat(r.parameters)));
    });
}

/// float gives what double gives, for numbers of channels around those of registers and blocks.
template <class L>
void check_widths(L layer) {
    for (const weft::index f : {1, 3, 8, 15, 16, 17, 64, 130}) {
        INFO("F = " << f);
        layer.in = layer.out = f;
        auto in = layer_inputs(layer, layer_graph(layer, 23, 90), 4);
        in.parameters = in.parameters / std::sqrt(double(f)); // so that sums over channels keep their size
        const auto dy = layer_adjoint(layer, in);
        require_near(run_layer(layer, layer_inputs_as<float>(in), weft::Tensor<float, 2>(weft::cast<float>(dy))),
                     run_layer(layer, in, dy), 3e-5);
    }
}

/// Graphs without nodes or without edges give finite results and gradients of the right shape.
template <class L>
void check_empty(const L& layer) {
    using Sizes = std::pair<weft::index, weft::index>;
    const auto sizes = layer.in_dst < 0 ? std::vector<Sizes>{{0, 0}, {1, 1}, {5, 5}}
                                        : std::vector<Sizes>{{0, 0}, {0, 3}, {3, 0}, {4, 2}};
    for (const auto& [sources, destinations] : sizes) {
        INFO(sources << " sources, " << destinations << " destinations");
        const auto in = layer_inputs(layer, weft::Graph::from_edges({}, sources, destinations));
        const auto r = run_layer(layer, in, layer_adjoint(layer, in));
        REQUIRE(r.out.extent(0) == destinations);
        REQUIRE(r.x.shape() == in.x.shape());
        REQUIRE(r.edges.shape() == in.edges.shape());
        const auto finite = [](const auto& t) {
            return std::all_of(t.data(), t.data() + t.size(), [](double v) { return std::isfinite(v); });
        };
        REQUIRE((finite(r.out) && finite(r.x) && finite(r.x_dst) && finite(r.parameters)));
    }
}

/// Gradients of all inputs and parameters, to second order. `seed` chooses inputs at which nothing is close to a kink
/// (relu, a maximum that changes hands).
template <int Order = 2, class L>
void check_gradients(const L& layer, unsigned seed = 1) {
    const auto in = layer_inputs(layer, layer_graph(layer, 8, 24), seed);
    weft::expect_grad<Order>(
        weft::ExpectGradOptions{.step = 2e-4},
        [&](const auto& x, const auto& x_dst, const auto& edges, const auto& parameters) {
            return apply_layer(layer, in.graph, x, x_dst, edges, parameters);
        },
        in.x, in.x_dst, in.edges, in.parameters);
}

/// Calls check(description) for each set of options.
template <class L, class Check>
void for_each_layer(const std::vector<L>& layers, Check check) {
    for (const L& layer : layers) {
        INFO(layer.name);
        check(layer);
    }
}

} // namespace weft_test
