// SPDX-License-Identifier: MIT
#include "../weft_test.hpp"
#include "random_graph.hpp"

#include <weft/graph/hetero_graph.hpp>
#include <weft/graph/relation_groups.hpp>

#include <map>
#include <set>

using namespace weft;
using namespace weft_test;

TEST_CASE("relation_groups: a group for every relation and destination that meet", "[graph]") {
    const Graph g = random_graph(20, 90, 3);
    std::vector<std::int32_t> types;
    for (std::int32_t e = 0; e < 90; ++e) types.push_back(e * e % 5); // 2, 3 and 5 have no edges
    const auto type = Tensor<std::int32_t, 1>::from(types, {90});
    const RelationGroups groups = relation_groups(g, type, 6);
    std::set<std::pair<std::int32_t, std::int32_t>> pairs;
    for (weft::index e = 0; e < 90; ++e) pairs.emplace(type(e), g.destinations()(e));
    REQUIRE(groups.ptr.size() == 7);
    REQUIRE(groups.ptr.front() == 0);
    REQUIRE(groups.ptr.back() == static_cast<weft::index>(pairs.size()));
    REQUIRE(groups.members.num_dst() == groups.ptr.back());
    REQUIRE(groups.owners.num_edges() == groups.ptr.back());
    weft::index group = 0;
    for (const auto& [relation, destination] : pairs) { // in their order
        REQUIRE(groups.owners.destinations()(group) == destination);
        REQUIRE(groups.ptr[static_cast<std::size_t>(relation)] <= group);
        REQUIRE(group < groups.ptr[static_cast<std::size_t>(relation) + 1]);
        ++group;
    }
    for (weft::index e = 0; e < 90; ++e) {
        const auto of = groups.members.destinations()(e);
        REQUIRE(groups.members.sources()(e) == g.sources()(e));
        REQUIRE(groups.owners.destinations()(of) == g.destinations()(e));
        REQUIRE(groups.ptr[static_cast<std::size_t>(type(e))] <= of);
        REQUIRE(of < groups.ptr[static_cast<std::size_t>(type(e)) + 1]);
    }
    REQUIRE(relation_groups(g, type, 6).members.same_as(groups.members));
    // what is kept says nothing of other relations in the same memory
    REQUIRE_THROWS_WITH(relation_groups(g, slice(type, 0, 0, 89), 6), ContainsSubstring("edge_type has 89 rows"));
    REQUIRE_THROWS_WITH(relation_groups(g, type, 4), ContainsSubstring("below 4"));
}

TEST_CASE("relation_groups: a graph without edges has none", "[graph]") {
    const RelationGroups none = relation_groups(Graph::from_edges({}, 3), Tensor<std::int32_t, 1>::empty({0}), 2);
    REQUIRE(none.ptr == std::vector<weft::index>{0, 0, 0});
    REQUIRE(none.owners.num_dst() == 3);
}

TEST_CASE("HeteroGraph: the relations into a node type joined", "[graph]") {
    const Graph to = Graph::from_edges({{0, 1}, {1, 0}}, 2, 3), among = Graph::from_edges({{2, 0}}, 3);
    const HeteroGraph g({{"a", 2}, {"b", 3}}, {{{"a", "to", "b"}, to}, {{"b", "among", "b"}, among}});
    const JoinedRelations joined = g.into("b");
    REQUIRE(joined.relations == std::vector<std::size_t>{0, 1});
    REQUIRE(joined.graph.num_src() == 5);
    REQUIRE(joined.graph.num_dst() == 3);
    REQUIRE(joined.graph.sources()(2) == 2 + 2);
    REQUIRE(joined.graph.destinations()(2) == 0);
    REQUIRE(g.into("a").relations.empty());
    REQUIRE(g.into("b").graph.same_as(joined.graph));
    REQUIRE(g.node_types() == std::vector<std::string>{"a", "b"});
    REQUIRE(g.graph({"a", "to", "b"}).same_as(to));
}
