// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/top_k_pooling.hpp>

using namespace weft;
using namespace weft_test;

namespace {

gnn::Nonlinearity nonlinearity_of(const GoldenCase& golden) {
    const auto name = golden.option<std::string>("nonlinearity", "tanh");
    if (name == "sigmoid") return gnn::Nonlinearity::sigmoid;
    if (name == "relu") return gnn::Nonlinearity::relu;
    REQUIRE(name == "tanh");
    return gnn::Nonlinearity::tanh;
}

template <class T>
void run(GoldenCase& golden) {
    REQUIRE(golden.option<std::string>("pool", "") == "TopKPooling");
    gnn::TopKOptions options{.ratio = golden.option("ratio", 0.5),
                             .multiplier = golden.option("multiplier", 1.0),
                             .nonlinearity = nonlinearity_of(golden)};
    if (golden.options().contains("min_score")) options.min_score = golden.option("min_score", 0.0);
    gnn::TopKPooling<T> pool(golden.shape("x")[1], options);
    load_parameters<T>(golden, pool);
    const auto of_node = golden.get<std::int32_t, 1>("batch");
    const Graph g = golden_graph(golden); // its edges go from one graph to another, too
    const Graph members = graph_members(of_node, of_node.size() ? of_node(of_node.size() - 1) + 1 : 0);
    const auto x = golden_input<T, 2>(golden, "x"), e = golden_input<T, 2>(golden, "edge_attr");

    const auto inferred = pool(g, members, x->value(), e->value());
    const auto trained = pool(g, members, *x, *e);
    const auto compare = [&](const auto& pooled) {
        golden.compare("out", Tensor<T, 2>(pooled.x));
        golden.compare("edge_index_out", pooled.graph.edge_index());
        golden.compare("edge_attr_out", Tensor<T, 2>(pooled.edge_attr));
        golden.compare("batch_out", pooled.batch());
        golden.compare("perm", pooled.perm);
        golden.compare("score", Tensor<T, 1>(pooled.score));
    };
    compare(inferred);
    compare(trained);
    backward(Var(sum(trained.x * golden.get<T, 2>("r.out")) + sum(trained.score * golden.get<T, 1>("r.score")) +
                 sum(trained.edge_attr * golden.get<T, 2>("r.edge_attr_out"))));
    compare_input_gradient(golden, "x", x);
    compare_input_gradient(golden, "edge_attr", e);
    compare_parameter_gradients(golden, pool);
}
template <class T>
void run_file() {
    for_each_golden_case("gnn-core", "pooling", run<T>,
                         [](const GoldenCase& golden) { return golden.options().contains("pool"); });
}

std::vector<Graph> sample_graphs() {
    return {random_graph(9, 25), Graph(), Graph::from_edges({}, 2), random_graph(14, 40, 3),
            Graph::from_edges({{0, 0}}, 1)};
}

const std::vector<gnn::TopKOptions> all_options{
    {.ratio = 0.6},
    {.ratio = 3},
    {.min_score = 0.08},
    {.ratio = 0.3, .multiplier = 2, .nonlinearity = gnn::Nonlinearity::sigmoid},
    {.nonlinearity = gnn::Nonlinearity::relu},
    {.nonlinearity = gnn::Nonlinearity::linear}};

gnn::TopKPooling<double> pooling(const gnn::TopKOptions& options) {
    gnn::TopKPooling<double> pool(4, options);
    pool.select.weight.set_value(numbers<double, 2>({1, 4}, 5));
    return pool;
}
auto pool_alone(const gnn::TopKPooling<double>& pool, const Graph& g, const Tensor<double, 2>& x) {
    return pool(g, graph_members(Tensor<int, 1>::zeros({g.num_nodes()}), 1), x);
}

} // namespace

TEST_CASE("top_k_pooling: golden, double", "[gnn][golden]") { run_file<double>(); }
TEST_CASE("top_k_pooling: golden, float", "[gnn][golden]") { run_file<float>(); }

TEST_CASE("top_k_pooling: gradients to second order", "[gnn]") {
    const auto whole = batch(sample_graphs());
    const auto x = numbers<double, 2>({whole.graph().num_nodes(), 4}), p = numbers<double, 2>({1, 4}, 5);
    const auto w = numbers<double, 2>({whole.graph().num_edges(), 2}, 7);
    for (const auto& options : all_options) {
        INFO("ratio " << options.ratio << ", nonlinearity " << static_cast<int>(options.nonlinearity));
        expect_grad(
            ExpectGradOptions{.step = 2e-4}, // no two scores come as close
            [&](const auto& nodes, const auto& edges, const auto& projection) {
                using T = typename std::remove_cvref_t<decltype(nodes)>::value_type;
                gnn::TopKPooling<T> pool(4, options);
                bind_parameters<T>(pool, reshape(projection, Extents<1>{4}));
                const auto pooled = pool(whole.graph(), whole.members(), nodes, edges);
                return eval(sum(square(pooled.x)) + sum(square(pooled.score)) + sum(square(pooled.edge_attr)));
            },
            x, w, p);
    }
}

TEST_CASE("top_k_pooling: a batch gives what its graphs give", "[gnn]") {
    const auto graphs = sample_graphs();
    const auto whole = batch(graphs);
    const auto x = numbers<double, 2>({whole.graph().num_nodes(), 4});
    for (const auto& options : all_options) {
        const auto pool = pooling(options);
        const auto together = pool(whole.graph(), whole.members(), x);
        const GraphBatch smaller(together.graph, together.batch(), whole.num_graphs());
        const auto parts = unbatch(smaller);
        const auto rows = unbatch(smaller, together.x);
        for (std::size_t i = 0; i < graphs.size(); ++i) {
            const auto first = whole.ptr()(static_cast<weft::index>(i));
            const auto alone = pool_alone(pool, graphs[i], slice(x, 0, first, first + graphs[i].num_nodes()));
            REQUIRE(edge_list(parts[i]) == edge_list(alone.graph));
            REQUIRE(same_bits(Tensor<double, 2>(rows[i]), alone.x));
        }
    }
}

TEST_CASE("top_k_pooling: renumbered nodes are chosen by their scores", "[gnn]") {
    const Graph g = random_graph(20, 70);
    const auto x = numbers<double, 2>({20, 4});
    const Order order = shuffled(20, 1);
    const Graph moved(Order(gather(order, g.sources())), Order(gather(order, g.destinations())), 20, 20);
    for (const auto& options : all_options) {
        if (options.nonlinearity == gnn::Nonlinearity::relu) continue; // many scores are 0
        const auto pool = pooling(options);
        const auto before = pool_alone(pool, g, x), after = pool_alone(pool, moved, scattered(x, order));
        Tensor<std::int32_t, 1> expected = gather(order, before.perm);
        REQUIRE(after.graph.num_edges() == before.graph.num_edges());
        if (options.min_score) std::sort(expected.mutable_values().begin(), expected.mutable_values().end());
        REQUIRE(same_bits(after.perm, expected));
    }
}

TEST_CASE("top_k_pooling: the same bits on any number of threads", "[gnn]") {
    const Graph g = random_graph(4000, 60000), members = graph_members(Tensor<int, 1>::zeros({4000}), 1);
    const auto x = numbers<float, 2>({4000, 32}), dy = numbers<float, 2>({4000, 32}, 3);
    require_thread_independent([&] {
        gnn::TopKPooling<float> pool(32);
        pool.select.weight.set_value(numbers<float, 2>({1, 32}, 5));
        const Var<float, 2> leaf(x);
        const auto pooled = pool(g, members, leaf);
        backward(pooled.x, Tensor<float, 2>(slice(dy, 0, 0, pooled.x.extent(0))));
        return Tensor<float, 2>(concat(0, pooled.x.value(), leaf.grad(), pool.select.weight.grad()));
    });
}

TEST_CASE("top_k_pooling: how many nodes stay", "[gnn]") {
    const auto count = [](double ratio, weft::index nodes) {
        const auto x = numbers<double, 2>({nodes, 4});
        return pool_alone(pooling({.ratio = ratio}), Graph::from_edges({}, nodes), x).perm.size();
    };
    REQUIRE(count(0.5, 5) == 3);
    REQUIRE(count(0.01, 5) == 1);
    REQUIRE(count(0.5, 0) == 0);
    REQUIRE(count(1, 5) == 1);
    REQUIRE(count(2.9, 5) == 2);
    REQUIRE(count(7, 5) == 5);
    REQUIRE(count(1e300, 5) == 5);
}

TEST_CASE("top_k_pooling: of equal scores the first, numbers before NaN, the best even below min_score", "[gnn]") {
    gnn::TopKPooling<double> pool(1, {.ratio = 3});
    pool.select.weight.set_value(Tensor<double, 2>::ones({1, 1}));
    const auto nan = std::numeric_limits<double>::quiet_NaN();
    const auto x = Tensor<double, 2>::from({{nan}, {1}, {2}, {1}, {1}});
    const Graph g = Graph::from_edges({}, 5);
    REQUIRE(same_bits(pool_alone(pool, g, x).perm, Tensor<std::int32_t, 1>::from({2, 1, 3})));
    gnn::TopKPooling<double> strict(1, {.min_score = 2.0});
    const auto finite = Tensor<double, 2>::from({{0}, {1}, {2}, {1}, {1}});
    REQUIRE(pool_alone(strict, g, finite).perm.size() == 1);
}

TEST_CASE("top_k_pooling: errors name the argument", "[gnn]") {
    const Graph g = Graph::from_edges({{0, 1}}, 3), all = graph_members(Tensor<int, 1>::zeros({3}), 1);
    const gnn::TopKPooling<float> pool(4);
    REQUIRE_THROWS_WITH(gnn::TopKPooling<float>(4, {.ratio = 0}), ContainsSubstring("ratio is 0: must be positive"));
    REQUIRE_THROWS_WITH(gnn::TopKPooling<float>(4, {.ratio = -1}), ContainsSubstring("ratio is -1"));
    REQUIRE_THROWS_WITH(pool(g, all, Tensor<float, 2>::zeros({3, 3})), ContainsSubstring("x is [3, 3]"));
    REQUIRE_THROWS_WITH(pool(g, all, Tensor<float, 2>::zeros({3, 4}), Tensor<float, 2>::zeros({2, 2})),
                        ContainsSubstring("edge_attr is [2, 2]"));
    REQUIRE_THROWS_WITH(pool(g, graph_members(Tensor<int, 1>::zeros({2}), 1), Tensor<float, 2>::zeros({3, 4})),
                        ContainsSubstring("members has 2 nodes, the graph 3"));
}
