// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "graph/random_graph.hpp"

#include <weft/core/views.hpp>
#include <weft/graph/dot.hpp>
#include <weft/graph/graph.hpp>

#include <set>
#include <sstream>
#include <thread>

using weft::Csr, weft::Graph, weft::Tensor, weft::to_dot, weft::transpose;
using namespace weft_test;

namespace {

using Pairs = std::vector<std::pair<weft::index, weft::index>>;

std::vector<Graph> sample_graphs() {
    return {Graph(),
            Graph::from_edges({}, 4),
            Graph::from_edges({}, 1),
            Graph::from_edges({{0, 0}}, 1),
            Graph::from_edges({{0, 0}, {0, 0}, {2, 1}, {1, 2}, {2, 1}}, 4),
            Graph::from_edges({{0, 1}, {2, 0}, {4, 1}}, 5, 2),
            Graph::from_edges({}, 3, 0),
            random_graph(13, 35),
            random_bipartite_graph(300, 20, 4000, 2),
            random_bipartite_graph(20, 300, 4000, 3),
            random_graph(5000, 60000, 4)};
}

// Slots of `csr` hold every edge once, under its row, in ascending order within a row.
void require_sorted(const Csr& csr, const Tensor<std::int32_t, 1>& row, const Tensor<std::int32_t, 1>& col,
                    weft::index rows) {
    const weft::index edges = row.size();
    REQUIRE(csr.row_ptr.size() == rows + 1);
    REQUIRE(csr.col.size() == edges);
    REQUIRE(csr.eid.size() == edges);
    REQUIRE(csr.row_ptr(0) == 0);
    REQUIRE(csr.row_ptr(rows) == edges);
    bool good = true, identity = true;
    for (weft::index i = 0; i < rows; ++i)
        for (weft::index p = csr.row_ptr(i); p < csr.row_ptr(i + 1); ++p) {
            const weft::index e = csr.eid(p);
            good = good && row(e) == i && csr.col(p) == col(e);
            good = good && (p == csr.row_ptr(i) || csr.eid(p - 1) < e);
            identity = identity && e == p;
        }
    REQUIRE(good);
    REQUIRE(csr.eid_is_identity == identity);
}

void require_chunks(const Csr& csr) {
    const auto chunks = csr.chunks();
    const weft::index rows = csr.row_ptr.size() - 1, work = csr.col.size() + rows;
    REQUIRE(chunks.size() >= 2);
    REQUIRE(chunks.size() <= 65);
    REQUIRE(chunks.front() == 0);
    REQUIRE(chunks.back() == rows);
    weft::index longest_row = 0;
    for (weft::index i = 0; i < rows; ++i)
        longest_row = std::max<weft::index>(longest_row, csr.row_ptr(i + 1) - csr.row_ptr(i));
    for (std::size_t c = 0; c + 1 < chunks.size(); ++c) {
        if (rows > 0) REQUIRE(chunks[c] < chunks[c + 1]);
        const weft::index in_chunk = csr.row_ptr(chunks[c + 1]) - csr.row_ptr(chunks[c]) + chunks[c + 1] - chunks[c];
        // A boundary lies within a row of the ideal place.
        REQUIRE(in_chunk <= std::max<weft::index>(2048, work / 64) + longest_row + 2);
    }
}

} // namespace

TEST_CASE("both orders of the edges hold every edge once, stably") {
    for (const Graph& g : sample_graphs()) {
        CAPTURE(g);
        require_sorted(g.in(), g.destinations(), g.sources(), g.num_dst());
        require_sorted(g.out(), g.sources(), g.destinations(), g.num_src());
        REQUIRE(g.out().slot.size() == g.num_edges());
        for (weft::index q = 0; q < g.num_edges(); ++q) REQUIRE(g.in().eid(g.out().slot(q)) == g.out().eid(q));
        require_chunks(g.in());
        require_chunks(g.out());
    }
}

TEST_CASE("order by destination of a graph written down by hand") {
    const auto g = Graph::from_edges({{0, 2}, {1, 0}, {2, 2}, {0, 2}, {2, 0}}, 3);
    REQUIRE(same_bits(g.in().row_ptr, Tensor<std::int32_t, 1>::from({0, 2, 2, 5})));
    REQUIRE(same_bits(g.in().col, Tensor<std::int32_t, 1>::from({1, 2, 0, 2, 0})));
    REQUIRE(same_bits(g.in().eid, Tensor<std::int32_t, 1>::from({1, 4, 0, 2, 3})));
    REQUIRE(same_bits(g.out().row_ptr, Tensor<std::int32_t, 1>::from({0, 2, 3, 5})));
    REQUIRE(same_bits(g.out().col, Tensor<std::int32_t, 1>::from({2, 2, 0, 2, 0})));
    REQUIRE(same_bits(g.out().eid, Tensor<std::int32_t, 1>::from({0, 3, 1, 2, 4})));
    REQUIRE(same_bits(g.out().slot, Tensor<std::int32_t, 1>::from({2, 4, 0, 3, 1})));
    REQUIRE(g.has_self_loops());
    REQUIRE_FALSE(g.in().eid_is_identity);
}

TEST_CASE("chunks spread the work of skewed graphs") {
    // One destination has half of all edges.
    Pairs list;
    for (weft::index e = 0; e < 40000; ++e) list.emplace_back(e % 2000, e % 2 == 0 ? 700 : e % 2000);
    const auto g = Graph::from_edges(list, 2000);
    require_chunks(g.in());
    REQUIRE(g.in().chunks().size() > 15);
    REQUIRE(random_graph(10, 50).in().chunks().size() == 2);
    REQUIRE(random_graph(5000, 200000).in().chunks().size() > 48);
}

TEST_CASE("degrees count duplicates and loops") {
    const auto g = Graph::from_edges({{0, 0}, {0, 0}, {2, 1}, {1, 2}, {2, 1}}, 4);
    REQUIRE(same_bits(g.in_degree(), Tensor<std::int32_t, 1>::from({2, 2, 1, 0})));
    REQUIRE(same_bits(g.out_degree<double>(), Tensor<double, 1>::from({2, 1, 2, 0})));
    const auto b = Graph::from_edges({{0, 1}, {2, 0}, {4, 1}}, 5, 2);
    REQUIRE(same_bits(b.in_degree<float>(), Tensor<float, 1>::from({1, 2})));
    REQUIRE(same_bits(b.out_degree(), Tensor<std::int32_t, 1>::from({1, 0, 1, 0, 1})));
}

TEST_CASE("a graph is made of indices of any width, views and pairs of arrays") {
    const Pairs list{{0, 1}, {3, 1}, {2, 0}};
    const auto narrow = Tensor<std::int32_t, 2>::from({{0, 3, 2}, {1, 1, 0}});
    REQUIRE(edge_list(Graph(narrow, 4)) == list);
    REQUIRE(edge_list(Graph(Tensor<std::int64_t, 2>(narrow), 4)) == list);
    REQUIRE(edge_list(Graph(Tensor<std::uint8_t, 2>::from({{0, 3, 2}, {1, 1, 0}}), 4)) == list);
    const auto columns = Tensor<std::int32_t, 2>::from({{0, 1}, {3, 1}, {2, 0}});
    REQUIRE(edge_list(Graph(transpose(columns), 4, 2)) == list);
    REQUIRE(edge_list(Graph(Tensor<std::int32_t, 1>::from({0, 3, 2}), Tensor<std::int64_t, 1>::from({1, 1, 0}), 4,
                            2)) == list);
    REQUIRE(edge_list(Graph::from_edges(list, 4, 2)) == list);
    REQUIRE(same_bits(Graph(narrow, 4).edge_index(), narrow));
    // int32 is shared; writing to the tensor afterwards does not reach the graph.
    auto edited = narrow;
    const Graph g(edited, 4);
    REQUIRE(g.sources().data() == narrow.data());
    edited(0, 0) = 2;
    REQUIRE(edge_list(g) == list);
}

TEST_CASE("copies share what is made on first use, and a graph outlives being moved from") {
    Graph g = random_graph(13, 35);
    const Graph copy = g;
    REQUIRE(&g.in() == &copy.in());
    REQUIRE(&g.out() == &copy.out());
    REQUIRE(g.same_as(copy));
    const Graph moved = std::move(g);
    REQUIRE(g.num_edges() == 35); // NOLINT(bugprone-use-after-move)
    g = Graph();
    REQUIRE(moved.num_edges() == 35);
    REQUIRE_FALSE(g.same_as(moved));
}

TEST_CASE("reversing turns every edge round and is its own inverse") {
    for (const Graph& g : sample_graphs()) {
        const Graph r = g.reverse();
        REQUIRE(r.num_src() == g.num_dst());
        REQUIRE(r.num_dst() == g.num_src());
        REQUIRE(same_bits(r.sources(), g.destinations()));
        REQUIRE(same_bits(r.in().eid, g.out().eid));
        REQUIRE(same_bits(r.in().row_ptr, g.out().row_ptr));
        REQUIRE(edge_list(r.reverse()) == edge_list(g));
        REQUIRE(r.same_as(g.reverse()));
    }
}

TEST_CASE("loops are found") {
    REQUIRE_FALSE(Graph::from_edges({{0, 1}, {1, 0}}, 2).has_self_loops());
    REQUIRE(Graph::from_edges({{0, 1}, {1, 1}}, 2).has_self_loops());
    REQUIRE(Graph::from_edges({{0, 1}, {1, 1}}, 3, 2).has_self_loops());
    REQUIRE_FALSE(Graph().has_self_loops());
    REQUIRE_FALSE(Graph::from_edges({}, 3).has_self_loops());
}

TEST_CASE("derived values are made once for each key and kept with the graph") {
    struct Key {
        int option;
        bool operator==(const Key&) const = default;
    };
    struct OtherKey {
        int option;
        bool operator==(const OtherKey&) const = default;
    };
    const Graph g = random_graph(13, 35);
    int made = 0;
    const auto value = [&](const Graph& h, int option) {
        return h.cached(Key{option}, [&] {
            ++made;
            return Tensor<float, 1>::full({3}, static_cast<float>(option));
        });
    };
    const auto first = value(g, 1);
    const Graph copy = g;
    REQUIRE(value(copy, 1).data() == first.data());
    REQUIRE(made == 1);
    REQUIRE(value(g, 2)(0) == 2.0f);
    REQUIRE(made == 2);
    // Another type of key or of value is another entry; a value may ask for others.
    REQUIRE(g.cached(OtherKey{1}, [&] { return value(g, 1)(0) + 10.0f; }) == 11.0f);
    REQUIRE(g.cached(Key{1}, [] { return 7; }) == 7);
    REQUIRE(made == 2);
    // What throws is not kept.
    REQUIRE_THROWS_AS(g.cached(Key{3}, []() -> float { throw std::runtime_error("no"); }), std::runtime_error);
    REQUIRE(g.cached(Key{3}, [] { return 3.0f; }) == 3.0f);
    // Another graph has its own.
    REQUIRE(value(random_graph(13, 35), 1).data() != first.data());
    REQUIRE(made == 3);
}

TEST_CASE("what is made on first use may be asked for by many threads at once") {
    struct Key {
        bool operator==(const Key&) const = default;
    };
    for (unsigned round = 0; round < 20; ++round) {
        const Graph g = random_graph(200, 3000, round + 1);
        std::atomic<int> made{0}, ready{0};
        constexpr int count = 8;
        std::array<const Csr*, count> in{}, out{};
        std::array<const float*, count> value{};
        std::array<const std::int32_t*, count> reversed{};
        std::vector<std::thread> threads;
        for (std::size_t t = 0; t < count; ++t)
            threads.emplace_back([&, t, copy = g] {
                ++ready;
                while (ready.load() < count) std::this_thread::yield();
                if (t % 2 == 0) out[t] = &copy.out();
                in[t] = &copy.in();
                if (t % 2 == 1) out[t] = &copy.out();
                reversed[t] = copy.reverse().in().col.data();
                value[t] = copy.cached(Key{},
                                       [&] {
                                           ++made;
                                           return copy.in_degree<float>();
                                       })
                               .data();
            });
        for (std::thread& thread : threads) thread.join();
        REQUIRE(made == 1);
        REQUIRE(std::set(in.begin(), in.end()) == std::set<const Csr*>{&g.in()});
        REQUIRE(std::set(out.begin(), out.end()) == std::set<const Csr*>{&g.out()});
        REQUIRE(std::set(value.begin(), value.end()).size() == 1);
        REQUIRE(std::set(reversed.begin(), reversed.end()).size() == 1);
        require_sorted(g.in(), g.destinations(), g.sources(), 200);
    }
}

TEST_CASE("errors of graphs name the argument, the edge and the value") {
    const auto ends = Tensor<std::int32_t, 2>::from({{0, 1, 2}, {1, 2, 0}});
    REQUIRE(error_of([&] { Graph(ends, 2); }) ==
            "weft: Graph: edge_index: the source of edge 2 is 2: it must be from 0 to below 2, the number of source "
            "nodes");
    REQUIRE(error_of([&] { Graph(ends, 3, 2); }) ==
            "weft: Graph: edge_index: the destination of edge 1 is 2: it must be from 0 to below 2, the number of "
            "destination nodes");
    REQUIRE(error_of([&] {
                Graph(Tensor<std::int64_t, 2>::from({{0, -1}, {1, 1}}), 2);
            }) ==
            "weft: Graph: edge_index: the source of edge 1 is -1: it must be from 0 to below 2, the number of source "
            "nodes");
    // Beyond 32 bits: checked before it is converted.
    REQUIRE_THAT(error_of([&] {
                     Graph(Tensor<std::int64_t, 2>::from({{0}, {std::int64_t{1} << 32}}), 2);
                 }),
                 ContainsSubstring("the destination of edge 0 is 4294967296"));
    REQUIRE_THAT(error_of([&] {
                     Graph(Tensor<std::uint64_t, 2>::from({{~std::uint64_t{0}}, {0}}), 2);
                 }),
                 ContainsSubstring("the source of edge 0 is 18446744073709551615"));
    REQUIRE(error_of([&] { Graph(ends, -1); }) == "weft: Graph: num_nodes is -1: it must be from 0 to 2147483647");
    REQUIRE_THAT(error_of([&] { Graph(ends, weft::index{1} << 31); }), ContainsSubstring("num_nodes is 2147483648"));
    REQUIRE_THAT(error_of([&] { Graph(ends, -1, 3); }), ContainsSubstring("num_src is -1"));
    REQUIRE_THAT(error_of([&] { Graph(ends, 3, -2); }), ContainsSubstring("num_dst is -2"));
    REQUIRE(error_of([&] {
                Graph(Tensor<std::int32_t, 2>::zeros({3, 2}), 5);
            }) == "weft: Graph: edge_index is [3, 2]: it must be [2, E], sources, then destinations");
    REQUIRE_THAT(error_of([&] {
                     Graph(Tensor<std::int32_t, 1>::from({0, 1}), Tensor<std::int32_t, 1>::from({0}), 2, 2);
                 }),
                 ContainsSubstring("sources has 2 edges, destinations has 1"));
    REQUIRE_THAT(error_of([&] {
                     Graph::from_edges({{0, 1}, {5, 0}}, 3);
                 }),
                 ContainsSubstring("edges: the source of edge 1 is 5"));
    REQUIRE_THAT(error_of([&] { Graph::from_edges({{0, 0}}, 0); }), ContainsSubstring("the source of edge 0 is 0"));
    REQUIRE_THAT(error_of([&] { (void)Graph::from_edges({}, 2, 3).num_nodes(); }),
                 ContainsSubstring("2 source and 3 destination nodes"));
}

TEST_CASE("graphs print, also as DOT") {
    const auto g = Graph::from_edges({{0, 1}, {1, 1}}, 3);
    REQUIRE(fmt::format("{}", g) == "Graph(3 nodes, 2 edges)");
    const auto b = Graph::from_edges({{1, 0}}, 2, 1);
    std::ostringstream text;
    text << b;
    REQUIRE(text.str() == "Graph(2 -> 1 nodes, 1 edges)");
    REQUIRE(to_dot(g) == "digraph {\n  0;\n  1;\n  2;\n  0 -> 1;\n  1 -> 1;\n}\n");
    REQUIRE(to_dot(b) == "digraph {\n  s0;\n  s1;\n  d0;\n  s1 -> d0;\n}\n");
}
