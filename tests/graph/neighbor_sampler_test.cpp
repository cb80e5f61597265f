// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "graph/random_graph.hpp"

#include <weft/graph/neighbor_loader.hpp>
#include <weft/graph/subgraph.hpp>

#include <map>
#include <set>

using namespace weft_test;
using weft::Graph, weft::NeighborLoader, weft::NeighborSample, weft::NeighborSampler, weft::Tensor;

namespace {

using Indices = Tensor<std::int32_t, 1>;

std::set<std::int32_t> set_of(const Indices& t) { return {t.data(), t.data() + t.size()}; }

weft::index sum(const std::vector<weft::index>& counts) {
    return std::accumulate(counts.begin(), counts.end(), weft::index{0});
}

/// All that holds for any sample: its edges are edges of g, every node discovered before the last hop drew as many
/// as it should, and nodes stand in the order in which edges name them first.
void check_sample(const Graph& g, const Indices& seeds, const std::vector<weft::index>& fan_outs, bool replace,
                  const NeighborSample& s) {
    const std::size_t hops = fan_outs.size();
    REQUIRE(s.nodes_per_hop.size() == hops + 1);
    REQUIRE(s.edges_per_hop.size() == hops);
    REQUIRE(s.batch_size() == seeds.size());
    REQUIRE(sum(s.nodes_per_hop) == s.nodes.size());
    REQUIRE(sum(s.edges_per_hop) == s.edges.size());
    REQUIRE(s.graph.num_nodes() == s.nodes.size());
    REQUIRE(s.graph.num_edges() == s.edges.size());
    REQUIRE(set_of(s.nodes).size() == static_cast<std::size_t>(s.nodes.size()));
    for (weft::index i = 0; i < seeds.size(); ++i) REQUIRE(s.nodes(i) == seeds(i));

    const Indices degree = g.in_degree();
    weft::index e = 0, first = 0, known = seeds.size();
    for (std::size_t hop = 0; hop < hops; ++hop) {
        const weft::index begin = e, end_of_frontier = known;
        std::map<std::int32_t, std::multiset<std::int32_t>> drawn;
        for (; e < begin + s.edges_per_hop[hop]; ++e) {
            const std::int32_t from = s.graph.sources()(e), to = s.graph.destinations()(e);
            REQUIRE(g.sources()(s.edges(e)) == s.nodes(from));
            REQUIRE(g.destinations()(s.edges(e)) == s.nodes(to));
            REQUIRE((to >= first && to < end_of_frontier));
            if (e > 0) REQUIRE(to >= s.graph.destinations()(e - 1));
            REQUIRE(from <= known);
            known += from == known ? 1 : 0;
            drawn[to].insert(s.edges(e));
        }
        REQUIRE(known - end_of_frontier == s.nodes_per_hop[hop + 1]);
        for (weft::index v = first; v < end_of_frontier; ++v) {
            const weft::index d = degree(s.nodes(v)), k = fan_outs[hop];
            const auto& edges = drawn[static_cast<std::int32_t>(v)];
            REQUIRE(static_cast<weft::index>(edges.size()) == (k < 0 ? d : d == 0 ? 0 : replace ? k : std::min(k, d)));
            if (!replace || k < 0) REQUIRE(std::set(edges.begin(), edges.end()).size() == edges.size());
        }
        first = end_of_frontier;
    }
}

/// Pearson's statistic of counts that are all expected to be the same.
double chi_square(const std::vector<double>& counts) {
    double total = 0, statistic = 0;
    for (const double n : counts) total += n;
    const double expected = total / static_cast<double>(counts.size());
    for (const double n : counts) statistic += (n - expected) * (n - expected) / expected;
    return statistic;
}

/// `edges` edges into node 0, each from a node of its own.
Graph star(weft::index edges) {
    std::vector<std::pair<weft::index, weft::index>> list;
    for (weft::index e = 0; e < edges; ++e) list.emplace_back(e + 1, 0);
    return Graph::from_edges(list, edges + 1);
}

} // namespace

TEST_CASE("neighbor_sampler: nodes, edges and counts are those of the hops") {
    for (const unsigned seed : {1u, 2u})
        for (const bool replace : {false, true})
            for (const auto& fan_outs : std::vector<std::vector<weft::index>>{
                     {3}, {0}, {2, 2}, {-1, 4}, {5, -1, 1}, {1, 1, 1, 1}, {40, 60}, {100000}}) {
                // 40: more than are looked through one by one, of nodes with more edges than that
                const Graph g = random_graph(fan_outs[0] >= 40 ? 15 : 60, fan_outs[0] >= 40 ? 900 : 300, seed);
                if (replace && fan_outs[0] > 1000) continue;
                NeighborSampler sampler(g, fan_outs, {.replace = replace});
                for (const Indices& seeds : {Indices::from({4, 0, 11}), Indices::from({14}), Indices()}) {
                    INFO("seeds " << seeds.size() << ", hops " << fan_outs.size() << ", replace " << replace);
                    check_sample(g, seeds, fan_outs, replace, sampler.sample(seeds, seed));
                    check_sample(g, seeds, fan_outs, replace, sampler.sample(seeds, seed + 77));
                }
            }
    NeighborSampler nothing(Graph(), {2});
    REQUIRE(nothing.sample(Indices(), 1).nodes.size() == 0);
    NeighborSampler isolated(Graph::from_edges({}, 3), {2, -1}, {.replace = true});
    REQUIRE(same_bits(isolated.sample(Indices::from({2, 1}), 1).nodes, Indices::from({2, 1})));
}

TEST_CASE("neighbor_sampler: all neighbours are the k-hop subgraph") {
    for (const Graph& g : {random_graph(40, 90), random_graph(300, 700, 5), Graph::from_edges({{0, 0}, {0, 0}}, 2)})
        for (const weft::index hops : {1, 2, 3}) {
            const auto seeds = Indices::from({1, 0});
            NeighborSampler sampler(g, std::vector<weft::index>(static_cast<std::size_t>(hops), -1));
            const auto sample = sampler.sample(seeds, 3);
            const auto expected = k_hop_subgraph(g, seeds, hops);
            REQUIRE(set_of(sample.nodes) == set_of(expected.nodes));
            // Nodes of the last hop draw nothing.
            const auto inner = set_of(k_hop_subgraph(g, seeds, hops - 1).nodes);
            std::set<std::int32_t> edges;
            for (const std::int32_t e : expected.edges.values())
                if (inner.count(g.destinations()(e)) == 1) edges.insert(e);
            REQUIRE(set_of(sample.edges) == edges);
            REQUIRE(sample.edges.size() == static_cast<weft::index>(edges.size()));
        }
}

TEST_CASE("neighbor_sampler: the same on any number of threads, and in any company") {
    const Graph g = random_graph(3000, 60000);
    const auto seeds = weft::arange<std::int32_t>(600);
    require_thread_independent([&] {
        NeighborSampler sampler(g, {10, 5, 3});
        const auto s = sampler.sample(seeds, 5);
        return Tensor<std::int32_t, 1>(concat(0, s.nodes, s.edges, s.graph.sources(), s.graph.destinations()));
    });
    // What a seed draws does not depend on the other seeds, nor on what was sampled before.
    NeighborSampler sampler(g, {4});
    const auto many = sampler.sample(seeds, 9), one = sampler.sample(Indices::from({5}), 9);
    REQUIRE(one.edges.size() == 4);
    weft::index at = 0;
    while (many.graph.destinations()(at) != 5) ++at;
    for (weft::index e = 0; e < 4; ++e) REQUIRE(many.edges(at + e) == one.edges(e));
    REQUIRE_FALSE(same_bits(sampler.sample(seeds, 10).edges, many.edges));
    REQUIRE(same_bits(sampler.sample(seeds, 9).edges, many.edges));
}

TEST_CASE("neighbor_sampler: every set of neighbours is equally likely") {
    // 0.999 quantiles of chi-square: 43.82 of 19 degrees of freedom, 148.23 of 99, 29.59 of 10
    const auto seeds = Indices::from({0});
    const int repeats = 20000;
    SECTION("sets of three among six") {
        NeighborSampler sampler(star(6), {3});
        std::map<std::set<std::int32_t>, double> counts;
        for (int i = 0; i < repeats; ++i) ++counts[set_of(sampler.sample(seeds, static_cast<std::uint64_t>(i)).edges)];
        REQUIRE(counts.size() == 20);
        std::vector<double> all;
        for (const auto& [set, count] : counts) all.push_back(count);
        REQUIRE(chi_square(all) < 43.82);
    }
    SECTION("more than are looked through") {
        NeighborSampler sampler(star(100), {50});
        std::vector<double> counts(100, 0);
        for (int i = 0; i < repeats; ++i)
            for (const std::int32_t e : sampler.sample(seeds, static_cast<std::uint64_t>(i)).edges.values())
                ++counts[static_cast<std::size_t>(e)];
        // Drawn without replacement: the variance of a count is n/2 (1 - 1/2), and the counts add up.
        REQUIRE(chi_square(counts) / 0.5 * 99 / 100 < 148.23);
    }
    SECTION("with replacement") {
        NeighborSampler sampler(star(11), {7}, {.replace = true});
        std::vector<double> counts(11, 0);
        for (int i = 0; i < repeats; ++i)
            for (const std::int32_t e : sampler.sample(seeds, static_cast<std::uint64_t>(i)).edges.values())
                ++counts[static_cast<std::size_t>(e)];
        REQUIRE(chi_square(counts) < 29.59);
    }
    SECTION("hops and nodes draw independently") {
        // Two nodes with the same neighbours, and one that both hops reach.
        const auto g = Graph::from_edges({{2, 0}, {3, 0}, {4, 0}, {5, 0}, {2, 1}, {3, 1}, {4, 1}, {5, 1}}, 6);
        NeighborSampler sampler(g, {1});
        std::vector<double> counts(16, 0);
        for (int i = 0; i < repeats; ++i) {
            const auto s = sampler.sample(Indices::from({0, 1}), static_cast<std::uint64_t>(i));
            ++counts[static_cast<std::size_t>(s.edges(0) * 4 + s.edges(1) - 4)];
        }
        REQUIRE(chi_square(counts) < 37.70); // 15 degrees of freedom
    }
}

TEST_CASE("neighbor_sampler: graphs of the layers") {
    const Graph g = random_graph(200, 900);
    NeighborSampler sampler(g, {3, 2, 2});
    const auto s = sampler.sample(Indices::from({7, 9, 1}), 1);
    const auto x = numbers<double, 2>({g.num_nodes(), 5});
    const auto layer = [](const Graph& graph, const auto& h) {
        return Tensor<double, 2>(segment_sum(gather(h, graph.sources()), graph.destinations(), graph.num_dst()) +
                                 slice(h, 0, 0, graph.num_dst()));
    };
    Tensor<double, 2> whole = gather(x, s.nodes), trimmed = whole;
    for (weft::index l = 0; l < 3; ++l) {
        whole = layer(s.graph, whole);
        REQUIRE(s.layer_graph(l).num_src() == trimmed.extent(0));
        trimmed = layer(s.layer_graph(l), trimmed);
        REQUIRE(s.layer_graph(l).num_edges() == sum({s.edges_per_hop.begin(), s.edges_per_hop.end() - l}));
    }
    REQUIRE(trimmed.extent(0) == 3);
    REQUIRE(same_bits(trimmed, Tensor<double, 2>(slice(whole, 0, 0, 3))));
    REQUIRE(s.layer_graph(0).sources().data() == s.graph.sources().data());
    CHECK_THAT(error_of([&] { s.layer_graph(3); }), ContainsSubstring("layer is 3: it must be from 0 to below 3"));
    CHECK_THAT(error_of([&] { s.layer_graph(-1); }), ContainsSubstring("layer is -1"));
}

TEST_CASE("neighbor_sampler: errors, after which it can be used again") {
    const Graph g = random_graph(20, 60);
    NeighborSampler sampler(g, {3, 3});
    const auto before = sampler.sample(Indices::from({1, 2, 3}), 1);
    CHECK_THAT(error_of([&] {
                   sampler.sample(Indices::from({1, 2, 3, 2}), 1);
               }),
               ContainsSubstring("NeighborSampler: node 2 is named twice, at positions 1 and 3"));
    CHECK_THAT(error_of([&] { sampler.sample(Indices::from({1, 20}), 1); }), ContainsSubstring("out of range"));
    CHECK_THAT(error_of([&] { sampler.sample(Indices::from({-1}), 1); }), ContainsSubstring("out of range"));
    REQUIRE(same_bits(sampler.sample(Indices::from({1, 2, 3}), 1).nodes, before.nodes));
    NeighborSampler greedy(star(2), {2147483647, 1}, {.replace = true});
    REQUIRE(greedy.sample(Indices::from({1}), 1).edges.size() == 0);
    NeighborSampler two(Graph::from_edges({{0, 1}, {1, 0}}, 2), {2147483647}, {.replace = true});
    CHECK_THAT(error_of([&] {
                   two.sample(Indices::from({0, 1}), 1);
               }),
               ContainsSubstring("4294967294 edges at hop 0: at most 2147483647 are possible"));
    CHECK_THAT(error_of([&] { NeighborSampler(g, {}); }), ContainsSubstring("fan_outs is empty"));
    CHECK_THAT(error_of([&] { NeighborSampler(g, {3, -2}); }), ContainsSubstring("fan_outs[1] is -2"));
    CHECK_THAT(error_of([&] { NeighborSampler(random_bipartite_graph(3, 4, 5), {3}); }),
               ContainsSubstring("3 source and 4 destination nodes"));
}

TEST_CASE("neighbor_loader: an epoch has every node once, in an order of its own") {
    const Graph g = random_graph(100, 500);
    std::vector<std::int32_t> chosen;
    for (std::int32_t v = 0; v < 100; v += 3) chosen.push_back(v); // 34 of them
    const auto nodes = Indices::from(chosen);
    NeighborLoader loader(g, nodes, {3, 2}, {.batch_size = 8, .seed = 4});
    const auto order = [&](NeighborLoader& from, weft::index epoch) {
        std::vector<std::int32_t> seen;
        for (const NeighborSample& batch : from.epoch(epoch)) {
            const Indices seeds = slice(batch.nodes, 0, 0, batch.batch_size());
            check_sample(g, seeds, {3, 2}, false, batch);
            seen.insert(seen.end(), seeds.data(), seeds.data() + seeds.size());
        }
        return seen;
    };
    REQUIRE(loader.num_batches() == 5);
    const auto first = order(loader, 0), second = order(loader, 1);
    REQUIRE(first.size() == chosen.size());
    REQUIRE(std::set(first.begin(), first.end()) == std::set(chosen.begin(), chosen.end()));
    REQUIRE(first != chosen);
    REQUIRE(first != second);
    REQUIRE(first == order(loader, 0));
    NeighborLoader again(g, nodes, {3, 2}, {.batch_size = 8, .seed = 4}), other(g, nodes, {3, 2}, {.batch_size = 8});
    REQUIRE(second == order(again, 1));
    REQUIRE(second != order(other, 1));
    // Any batch by itself; neighbours are drawn anew in every epoch.
    REQUIRE(same_bits(loader.epoch(1)[4].edges, again.epoch(1)[4].edges));
    REQUIRE(loader.epoch(1)[4].batch_size() == 2);
    CHECK_THAT(error_of([&] { loader.epoch(0)[5]; }), ContainsSubstring("batch 5: the epoch has 5 batches"));

    NeighborLoader plain(g, nodes, {3, 2}, {.batch_size = 8, .shuffle = false, .drop_last = true});
    REQUIRE(plain.num_batches() == 4);
    REQUIRE(order(plain, 0) == std::vector<std::int32_t>(chosen.begin(), chosen.begin() + 32));
    REQUIRE_FALSE(same_bits(plain.epoch(0)[0].edges, plain.epoch(1)[0].edges));
    NeighborLoader none(g, Indices(), {3, 2});
    REQUIRE(order(none, 0).empty());
    CHECK_THAT(error_of([&] { NeighborLoader(g, nodes, {3}, {.batch_size = 0}); }),
               ContainsSubstring("batch_size is 0: it must be at least 1"));
    CHECK_THAT(error_of([&] {
                   NeighborLoader(g, Indices::from({3, 3}), {3});
               }),
               ContainsSubstring("node 3 is named twice"));
    CHECK_THAT(error_of([&] { NeighborLoader(g, Indices::from({100}), {3}); }), ContainsSubstring("out of range"));
}
