// SPDX-License-Identifier: MIT
#include "../weft_test.hpp"
#include "random_graph.hpp"

#include <weft/graph/hypergraph.hpp>

#include <set>

using namespace weft;
using namespace weft_test;

TEST_CASE("hypergraph: clique expansion joins the members of each hyperedge", "[graph]") {
    const Graph incidence = random_bipartite_graph(13, 8, 40, 3);
    std::set<std::pair<weft::index, weft::index>> expected;
    const auto members = edge_list(incidence);
    for (const auto& [u, m] : members)
        for (const auto& [v, k] : members)
            if (m == k && u != v) expected.emplace(u, v);
    const Graph g = clique_expansion(incidence);
    REQUIRE(g.num_nodes() == 13);
    const auto found = edge_list(g);
    REQUIRE(found == std::vector(expected.begin(), expected.end()));
    REQUIRE(clique_expansion(Graph::from_edges({}, 3, 2)).num_edges() == 0);
    REQUIRE(clique_expansion(Graph()).num_nodes() == 0);
}

TEST_CASE("hypergraph: star expansion has a node for each hyperedge", "[graph]") {
    const Graph g = star_expansion(Graph::from_edges({{0, 0}, {2, 0}, {2, 1}}, 3, 2));
    REQUIRE(g.num_nodes() == 5);
    REQUIRE(edge_list(g) ==
            std::vector<std::pair<weft::index, weft::index>>{{0, 3}, {2, 3}, {2, 4}, {3, 0}, {3, 2}, {4, 2}});
}

TEST_CASE("hypergraph: turned round, heads are tails", "[graph]") {
    const Graph tail = Graph::from_edges({{0, 0}, {1, 0}}, 3, 2), head = Graph::from_edges({{2, 0}}, 3, 2);
    const DirectedHypergraph g(tail, head);
    REQUIRE((g.num_nodes() == 3 && g.num_hyperedges() == 2));
    REQUIRE(g.reverse().tail.same_as(head));
    REQUIRE(g.reverse().reverse().tail.same_as(tail));
    REQUIRE_THROWS_WITH(DirectedHypergraph(tail, Graph::from_edges({{2, 0}}, 3, 4)),
                        ContainsSubstring("Graph(3 -> 2 nodes, 2 edges)"));
}
