// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"
#include "../golden.hpp"
#include "random_graph.hpp"

#include <weft/core/random.hpp>
#include <weft/graph/digraph_operators.hpp>
#include <weft/linalg/eigh.hpp>
#include <weft/linalg/matmul.hpp>

using namespace weft;
using namespace weft_test;

namespace {

template <class T>
Tensor<T, 2> dense(const WeightedGraph<Tensor<T, 1>>& m) {
    auto d = Tensor<T, 2>::zeros({m.graph.num_src(), m.graph.num_dst()});
    for (weft::index e = 0; e < m.weight.size(); ++e) d(m.graph.sources()(e), m.graph.destinations()(e)) += m.weight(e);
    return d;
}
Tensor<double, 2> dense(const Graph& g, const Tensor<double, 1>& w) { return dense(WeightedGraph{g, w}); }
Tensor<double, 1> positive(weft::index n, unsigned seed = 1) { return abs(numbers<double, 1>({n}, seed)) + 0.25; }
template <class T>
Tensor<T, 2> identity(weft::index n) {
    return one_hot<T>(arange<weft::index>(n), n);
}
double distance(const Tensor<double, 2>& a, const Tensor<double, 2>& b) { return norm(a - b).item(); }

template <class T>
void run_matrices(GoldenCase& golden) {
    const Graph g(golden.shared<std::int32_t, 2>("edge_index"), golden.shape("appr_adj")[0]);
    const auto w = golden.shared<T, 1>("edge_weight");
    const double alpha = nlohmann::json::parse(golden.metadata().at("digcn")).at("alpha");
    golden.compare("stationary_pi", stationary_distribution(g, w, alpha));
    golden.compare("appr_adj", dense(ppr_adjacency(g, w, alpha)));
    golden.compare("second_order_adj", dense(second_order_adjacency(g, w)));
}

} // namespace

TEST_CASE("digraph_operators: golden", "[graph][golden]") {
    const auto path = golden_path("directed-graphs", "digraph_ops");
    if (skip_without(path)) return;
    const auto file = io::SafetensorsFile::read(path);
    GoldenCase whole(file, "");
    run_matrices<double>(whole);
    run_matrices<float>(whole);
    REQUIRE(whole.compared() == 6);
}

TEST_CASE("digraph_operators: golden, proximities", "[graph][golden]") {
    for_each_golden_case(
        "directed-graphs", "digraph_ops",
        [](GoldenCase& golden) {
            const Graph g(golden.get<std::int32_t, 2>("edge_index"), golden.shape("second_in")[0]);
            const auto ones = Tensor<float, 1>::ones({g.num_edges()}); // the reference is float32
            golden.compare("second_in", dense(second_order_proximity(g, ones, Step::against)), {.of_float = 1e-6});
            golden.compare("second_out", dense(second_order_proximity(g, ones, Step::along)), {.of_float = 1e-6});
        },
        [](const GoldenCase& golden) { return golden.name() == "dgcn"; });
}

TEST_CASE("two_hop: products of the matrix and its transpose", "[graph]") {
    for (const unsigned seed : {1u, 2u}) {
        const Graph g = random_graph(17, 60, seed);
        const auto w = numbers<double, 1>({60}, seed);
        const auto a = dense(g, w);
        const Tensor<double, 2> at = transpose(a);
        for (const Step first : {Step::along, Step::against})
            for (const Step second : {Step::along, Step::against}) {
                const auto expected = matmul(first == Step::along ? a : at, second == Step::along ? a : at);
                const auto product = two_hop(g, w, first, second);
                REQUIRE(distance(dense(product), expected) < 1e-12);
                REQUIRE(coalesce(product.graph).num_edges() == product.graph.num_edges());
            }
    }
    const Graph large = random_graph(3000, 20000);
    const auto w = positive(20000);
    require_thread_independent([&] { return two_hop(large, w, Step::along, Step::against).weight; });
    require_thread_independent([&] { return second_order_adjacency(large, w).weight; });
    require_thread_independent([&] { return ppr_adjacency(large, w).weight; });
}

TEST_CASE("digraph_operators: properties", "[graph]") {
    for (const unsigned seed : {1u, 2u, 3u}) {
        const Graph g = random_graph(20, 60, seed);
        const auto w = positive(60, seed);
        const Tensor<double, 2> with_loops = dense(g, w) + identity<double>(20);
        const Tensor<double, 2> walk = with_loops / unsqueeze(sum<1>(with_loops), 1);
        const double alpha = 0.2;
        const auto pi = stationary_distribution(g, w, alpha);
        REQUIRE(std::abs(sum(pi).item() - 1) < 1e-13);
        REQUIRE(min(pi).item() > 0);
        // The fixed point of the bordered matrix: its last element is alpha over the sum of the others.
        const Tensor<double, 1> next =
            (1 - alpha) * sum<0>(unsqueeze(pi, 1) * walk) + Tensor<double, 1>::full({20}, alpha / 20);
        REQUIRE(max(abs(next - pi)).item() < 1e-12);

        const auto ppr = dense(ppr_adjacency(g, w, alpha)), second = dense(second_order_adjacency(g, w));
        REQUIRE(distance(ppr, transpose(ppr)) < 1e-13);
        REQUIRE(distance(second, transpose(second)) < 1e-13);
        REQUIRE(max(abs(eigh(ppr).values)).item() < 1 + 1e-12);
        REQUIRE(max(abs(eigh(second).values)).item() < 1 + 1e-12);
        const auto chung = dense(chung_laplacian(g, w, alpha));
        const Tensor<double, 1> root = sqrt(pi);
        const Tensor<double, 2> half = unsqueeze(root, 1) * walk / root;
        REQUIRE(distance(chung, Tensor<double, 2>(identity<double>(20) - (half + transpose(half)) * 0.5)) < 1e-12);

        const auto a = dense(g, w);
        const Tensor<double, 2> rows = 1.0 / maximum(unsqueeze(sum<1>(a), 1), 1.0);
        const Tensor<double, 2> columns = 1.0 / maximum(unsqueeze(sum<0>(a), 1), 1.0);
        const auto in = [&](ProximityDivisor d) { return dense(second_order_proximity(g, w, Step::against, d)); };
        const auto out = [&](ProximityDivisor d) { return dense(second_order_proximity(g, w, Step::along, d)); };
        REQUIRE(distance(in(ProximityDivisor::code), matmul(transpose(a), columns * a)) < 1e-12);
        REQUIRE(distance(in(ProximityDivisor::paper), matmul(transpose(a), rows * a)) < 1e-12);
        REQUIRE(distance(out(ProximityDivisor::code), matmul(a, rows * transpose(a))) < 1e-12);
        REQUIRE(distance(out(ProximityDivisor::paper), matmul(a, columns * transpose(a))) < 1e-12);
    }
}

TEST_CASE("digraph_operators: errors and empty graphs", "[graph]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 3), bipartite = Graph::from_edges({{0, 1}}, 2, 3);
    const auto w = Tensor<double, 1>::ones({2});
    const auto weights = [](double a, double b) { return Tensor<double, 1>::from({a, b}); };
    for (const double alpha : {0.0, 1.0, -1.0, std::nan("")}) {
        REQUIRE_THROWS_WITH(ppr_adjacency(g, w, alpha), ContainsSubstring("ppr_adjacency: alpha is"));
        REQUIRE_THROWS_WITH(stationary_distribution(g, w, alpha), ContainsSubstring("alpha is"));
        REQUIRE_THROWS_WITH(chung_laplacian(g, w, alpha), ContainsSubstring("alpha is"));
    }
    REQUIRE_THROWS_WITH(second_order_adjacency(g, weights(1, -1)), ContainsSubstring("the weight of edge 1 is -1"));
    REQUIRE_THROWS_WITH(ppr_adjacency(g, weights(std::nan(""), 1)), ContainsSubstring("the weight of edge 0"));
    REQUIRE_THROWS_WITH(second_order_proximity(g, Tensor<double, 1>::ones({3}), Step::along), ContainsSubstring("[3]"));
    REQUIRE_THROWS_WITH(ppr_adjacency(bipartite, Tensor<double, 1>::ones({1})), ContainsSubstring("num_nodes"));
    REQUIRE_THROWS_WITH(two_hop(bipartite, Tensor<double, 1>::ones({1}), Step::along, Step::along),
                        ContainsSubstring("num_nodes"));
    REQUIRE(ppr_adjacency(Graph(), Tensor<float, 1>()).weight.size() == 0);
    REQUIRE(second_order_adjacency(Graph(), Tensor<float, 1>()).weight.size() == 0);
    const auto alone = second_order_adjacency(Graph::from_edges({}, 2), Tensor<float, 1>());
    REQUIRE(same_bits(dense(alone), identity<float>(2)));
}
