// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "graph/random_graph.hpp"

#include <weft/graph/neighbor_loader.hpp>
#include <weft/graph/subgraph.hpp>

#include <numeric>
#include <set>

using namespace weft_test;
using weft::Generator, weft::Graph, weft::NeighborLoader, weft::NeighborSampler, weft::SampledSubgraph, weft::Tensor;
using Indices = Tensor<std::int32_t, 1>;

namespace {

SampledSubgraph sample(const Graph& g, const Indices& seeds, std::vector<weft::index> fan_outs, bool replace = false,
                       Generator generator = {.seed = 5}) {
    return NeighborSampler(g, {.fan_outs = std::move(fan_outs), .replace = replace})(seeds, generator);
}

std::vector<std::int32_t> sorted(const Indices& x) {
    std::vector<std::int32_t> v(x.values().begin(), x.values().end());
    std::sort(v.begin(), v.end());
    return v;
}

// What must hold of every sample: its parts fit each other and are part of the graph.
void require_consistent(const Graph& g, const Indices& seeds, const std::vector<weft::index>& fan_outs, bool replace,
                        const SampledSubgraph& s) {
    REQUIRE(s.num_hops() == std::ssize(fan_outs));
    REQUIRE(s.num_seeds() == seeds.size());
    REQUIRE(std::ssize(s.nodes_per_hop) == s.num_hops() + 1);
    REQUIRE(std::accumulate(s.nodes_per_hop.begin(), s.nodes_per_hop.end(), weft::index{0}) == s.nodes.size());
    REQUIRE(std::accumulate(s.edges_per_hop.begin(), s.edges_per_hop.end(), weft::index{0}) == s.edges.size());
    REQUIRE(s.graph.num_nodes() == s.nodes.size());
    REQUIRE(s.graph.num_edges() == s.edges.size());
    REQUIRE(same_bits(Indices(weft::slice(s.nodes, 0, 0, seeds.size())), seeds));
    const auto nodes = sorted(s.nodes);
    REQUIRE(std::adjacent_find(nodes.begin(), nodes.end()) == nodes.end());
    if (!replace) {
        const auto edges = sorted(s.edges);
        REQUIRE(std::adjacent_find(edges.begin(), edges.end()) == edges.end());
    }
    REQUIRE(s.graph.in().eid_is_identity);
    for (weft::index e = 0; e < s.edges.size(); ++e) {
        REQUIRE(s.nodes(s.graph.sources()(e)) == g.sources()(s.edges(e)));
        REQUIRE(s.nodes(s.graph.destinations()(e)) == g.destinations()(s.edges(e)));
    }
    // The nodes of each hop have the sources that the fan-out says, and the last ones none.
    const auto degree = g.in_degree(), sampled = s.graph.in_degree();
    weft::index node = 0, edge = 0, next = s.num_seeds();
    for (std::size_t hop = 0; hop <= fan_outs.size(); ++hop) {
        weft::index edges = 0;
        for (weft::index i = 0; i < s.nodes_per_hop[hop]; ++i, ++node) {
            const weft::index d = degree(s.nodes(node));
            const weft::index k = hop == fan_outs.size() ? 0 : fan_outs[hop];
            REQUIRE(sampled(node) == (k < 0 ? d : replace ? (d > 0 ? k : 0) : std::min(k, d)));
            edges += sampled(node);
        }
        if (hop == fan_outs.size()) break;
        REQUIRE(edges == s.edges_per_hop[hop]);
        // New nodes are numbered in the order of the edges that lead to them.
        for (; edges > 0; --edges, ++edge)
            if (s.graph.sources()(edge) >= next) REQUIRE(s.graph.sources()(edge) == next++);
    }
    REQUIRE(next == s.nodes.size());
}

// Four hundred edges enter node 0, from as many nodes; node 1 has one, the others none.
Graph star() {
    std::vector<std::pair<weft::index, weft::index>> edges{{0, 1}};
    for (weft::index i = 0; i < 400; ++i) edges.emplace_back(i + 2, 0);
    return Graph::from_edges(edges, 402);
}

} // namespace

TEST_CASE("samples are parts of the graph with as many edges as the fan-outs say") {
    for (const Graph& g : {Graph::from_edges({}, 4), Graph::from_edges({{0, 0}, {0, 0}, {2, 1}, {1, 2}}, 4),
                           random_graph(40, 300), random_graph(300, 3000, 2), star()}) {
        CAPTURE(g);
        for (const auto& fan_outs : std::vector<std::vector<weft::index>>{
                 {}, {0}, {1}, {-1}, {3, 2}, {2, 0, 5}, {10, -1}, {100, 100}, {-1, -1, -1}})
            for (const bool replace : {false, true}) {
                const auto n = std::min<std::int32_t>(static_cast<std::int32_t>(g.num_nodes()), 7);
                for (const Indices& seeds :
                     {Indices(), Indices::from({2}), Indices(n - 1 - weft::arange<std::int32_t>(n))})
                    require_consistent(g, seeds, fan_outs, replace, sample(g, seeds, fan_outs, replace));
            }
    }
    REQUIRE(sample(Graph(), Indices(), {3}).graph.num_nodes() == 0);
}

TEST_CASE("all neighbours of some hops are the k-hop subgraph") {
    for (const Graph& g :
         {Graph::from_edges({{0, 1}, {1, 2}, {2, 0}, {2, 2}}, 5), random_graph(60, 90, 3), random_graph(200, 500, 4)}) {
        const auto seeds = Indices::from({4, 1, 0});
        for (const weft::index hops : {0, 1, 2, 3}) {
            const auto s = sample(g, seeds, std::vector<weft::index>(static_cast<std::size_t>(hops), -1));
            const auto expected = k_hop_subgraph(g, seeds, hops);
            REQUIRE(sorted(s.nodes) == sorted(expected.nodes));
            // Of its edges, those that enter a node that is one hop nearer; all of them are sampled.
            std::vector<std::int32_t> edges;
            if (hops > 0) {
                const auto inner = sorted(k_hop_subgraph(g, seeds, hops - 1).nodes);
                for (const std::int32_t e : expected.edges.values())
                    if (std::binary_search(inner.begin(), inner.end(), g.destinations()(e))) edges.push_back(e);
            }
            REQUIRE(sorted(s.edges) == edges);
        }
    }
}

TEST_CASE("samples are the same on any number of threads, and others with another generator") {
    const Graph g = random_graph(20000, 200000);
    const Indices seeds = weft::arange<std::int32_t>(3000);
    for (const bool replace : {false, true}) {
        require_thread_independent([&] { return sample(g, seeds, {5, 3}, replace).edges; });
        require_thread_independent([&] { return sample(g, seeds, {5, 3}, replace).nodes; });
    }
    const auto edges = sample(g, seeds, {5, 3}).edges;
    REQUIRE_FALSE(same_bits(edges, sample(g, seeds, {5, 3}, false, {.seed = 6}).edges));
    REQUIRE_FALSE(same_bits(edges, sample(g, seeds, {5, 3}, false, {.seed = 5, .stream = 1}).edges));
    // A sampler remembers nothing; the generator moves.
    NeighborSampler sampler(g, {.fan_outs = {5, 3}});
    Generator generator{.seed = 5};
    REQUIRE(same_bits(sampler(seeds, generator).edges, edges));
    REQUIRE_FALSE(same_bits(sampler(seeds, generator).edges, edges));
    generator = {.seed = 5};
    REQUIRE(same_bits(sampler(seeds, generator).edges, edges));
    // What a seed gets does not depend on the other seeds.
    const auto alone = sample(g, Indices::from({17}), {5});
    const auto together = sample(g, seeds, {5});
    const weft::index first = together.graph.in().row_ptr(17);
    REQUIRE(alone.edges.size() > 0);
    for (weft::index e = 0; e < alone.edges.size(); ++e) REQUIRE(alone.edges(e) == together.edges(first + e));
}

TEST_CASE("every neighbour and every pair of neighbours is as likely as the others") {
    // Node i has the 6 edges 6 i, ..., 6 i + 5.
    const std::int32_t nodes = 20000, degree = 6;
    const Indices entered = Indices(weft::eval(weft::arange<std::int32_t>(nodes * degree) / degree));
    const Graph g(Indices::zeros({nodes * degree}), entered, nodes, nodes);
    const auto chi_square = [](const std::vector<int>& counts) {
        const double mean = std::accumulate(counts.begin(), counts.end(), 0.0) / static_cast<double>(counts.size());
        double sum = 0;
        for (const int c : counts) sum += (c - mean) * (c - mean) / mean;
        return sum;
    };
    const auto edges_of = [&](const SampledSubgraph& s, std::int32_t i) {
        std::vector<std::int32_t> found;
        for (auto e = s.graph.in().row_ptr(i); e < s.graph.in().row_ptr(i + 1); ++e)
            found.push_back(s.edges(e) % degree);
        return found;
    };
    const Indices seeds = weft::arange<std::int32_t>(nodes);
    const auto s = sample(g, seeds, {3});
    std::vector<int> triples(20); // of the 20 sets of 3
    for (std::int32_t i = 0; i < nodes; ++i) {
        const auto t = edges_of(s, i);
        REQUIRE(t.size() == 3);
        REQUIRE((t[0] < t[1] && t[1] < t[2]));
        const int place = t[0] + t[1] * (t[1] - 1) / 2 + t[2] * (t[2] - 1) * (t[2] - 2) / 6;
        ++triples[static_cast<std::size_t>(place)];
    }
    REQUIRE(chi_square(triples) < 43.8); // 19 degrees of freedom, p = 0.001

    const auto r = sample(g, seeds, {2}, true);
    std::vector<int> pairs(36); // ordered
    for (std::int32_t i = 0; i < nodes; ++i) {
        const auto t = edges_of(r, i);
        ++pairs[static_cast<std::size_t>(t[0] * degree + t[1])];
    }
    REQUIRE(chi_square(pairs) < 66.6); // 35 degrees of freedom, p = 0.001

    // Hops are independent of each other: node 0 is sampled in the first, and, found from node 1, in the second.
    int different = 0, both = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed, ++both)
        different += sample(star(), Indices::from({0}), {3}, false, {.seed = seed}).edges(0) !=
                     sample(star(), Indices::from({1}), {1, 3}, false, {.seed = seed}).edges(1);
    REQUIRE(different > both / 2);
}

TEST_CASE("the layers of a sample are prefixes of it") {
    const Graph g = random_graph(300, 3000, 2);
    const auto s = sample(g, Indices::from({4, 1, 9}), {4, 3, 2});
    weft::index num_dst = 0, edges = 0;
    for (weft::index layer = 2; layer >= 0; --layer) {
        const Graph part = s.layer(layer);
        const auto hop = static_cast<std::size_t>(2 - layer);
        num_dst += s.nodes_per_hop[hop];
        edges += s.edges_per_hop[hop];
        REQUIRE(part.num_dst() == num_dst);
        REQUIRE(part.num_src() == num_dst + s.nodes_per_hop[hop + 1]);
        REQUIRE(part.num_edges() == edges);
        for (weft::index e = 0; e < edges; ++e) {
            REQUIRE(part.sources()(e) == s.graph.sources()(e));
            REQUIRE(part.destinations()(e) == s.graph.destinations()(e));
            REQUIRE(part.sources()(e) < part.num_src());
            REQUIRE(part.destinations()(e) < part.num_dst());
        }
    }
    REQUIRE(edge_list(s.layer(0)) == edge_list(s.graph));
    REQUIRE(error_of([&] { (void)s.layer(3); }) ==
            "weft: SampledSubgraph: layer is 3: there are 3 hops, and a layer for each");
    REQUIRE_THAT(error_of([&] { (void)s.layer(-1); }), ContainsSubstring("layer is -1"));
}

TEST_CASE("a loader goes through all nodes in every epoch") {
    const Graph g = random_graph(100, 600);
    const Indices nodes = Indices(weft::arange<std::int32_t>(50) * 2);
    const auto epochs = [&](bool shuffle, std::uint64_t seed, bool leave_early = false) {
        NeighborLoader loader(g, nodes, {.fan_outs = {3, 2}, .batch_size = 16, .shuffle = shuffle, .seed = seed});
        REQUIRE(loader.size() == 4);
        std::vector<std::vector<std::int32_t>> seeds;
        std::vector<std::int32_t> edges;
        for (int epoch = 0; epoch < 2; ++epoch) {
            std::vector<std::int32_t> order;
            for (const SampledSubgraph& batch : loader) {
                REQUIRE(batch.num_seeds() == (order.size() == 48 ? 2 : 16));
                order.insert(order.end(), batch.nodes.data(), batch.nodes.data() + batch.num_seeds());
                edges.insert(edges.end(), batch.edges.data(), batch.edges.data() + batch.edges.size());
                require_consistent(g, Indices(weft::slice(batch.nodes, 0, 0, batch.num_seeds())), {3, 2}, false, batch);
                if (leave_early && epoch == 0) break;
            }
            seeds.push_back(order);
        }
        return std::pair(seeds, edges);
    };
    const auto [seeds, edges] = epochs(true, 1);
    for (const auto& order : seeds) {
        REQUIRE(order != sorted(nodes));
        REQUIRE(sorted(Indices::from(order)) == sorted(nodes));
    }
    REQUIRE(seeds[0] != seeds[1]);
    REQUIRE(epochs(true, 1) == std::pair(seeds, edges));
    REQUIRE(epochs(true, 2).first != seeds);
    REQUIRE(epochs(true, 1, true).first[1] == seeds[1]);
    const auto in_order = epochs(false, 1);
    REQUIRE(in_order.first[0] == sorted(nodes));
    REQUIRE(in_order.first[1] == sorted(nodes));
    NeighborLoader none(g, Indices(), {.fan_outs = {1}});
    for (const SampledSubgraph& batch : none) FAIL("a batch of " << batch.num_seeds());
}

TEST_CASE("errors of sampling name the argument, and leave the sampler usable") {
    const Graph g = random_graph(10, 40);
    REQUIRE(error_of([&] {
                NeighborSampler(g, {.fan_outs = {1, -2}});
            }) == "weft: NeighborSampler: fan_outs has -2: it must be a number of edges, or -1 for all");
    REQUIRE_THAT(error_of([&] {
                     NeighborSampler(Graph::from_edges({{0, 1}}, 3, 2), {.fan_outs = {1}});
                 }),
                 ContainsSubstring("3 source and 2 destination nodes"));
    NeighborSampler sampler(g, {.fan_outs = {3}});
    const auto good = Indices::from({1, 2});
    const auto run = [&](const Indices& seeds) {
        Generator generator;
        return sampler(seeds, generator).edges;
    };
    const auto expected = run(good);
    REQUIRE(error_of([&] {
                (void)run(Indices::from({2, 1, 2}));
            }) == "weft: NeighborSampler: seeds names node 2 twice, at positions 0 and 2");
    REQUIRE(same_bits(run(good), expected));
    REQUIRE_THAT(error_of([&] {
                     (void)run(Indices::from({0, 10}));
                 }),
                 ContainsSubstring("NeighborSampler: index 10 at position 1"));
    REQUIRE_THAT(error_of([&] { (void)sample(g, Indices::from({1}), {weft::index{1} << 40}, true); }),
                 ContainsSubstring("fan_outs or the number of seeds is too large"));

    REQUIRE(error_of([&] { NeighborLoader(g, good, {.fan_outs = {1}, .batch_size = 0}); }) ==
            "weft: NeighborLoader: batch_size is 0: it must be positive");
    REQUIRE(error_of([&] {
                NeighborLoader(g, Indices::from({3, 3}), {.fan_outs = {1}});
            }) == "weft: NeighborLoader: nodes has node 3 twice: it would be a seed twice in an epoch");
    REQUIRE_THAT(error_of([&] { NeighborLoader(g, Indices::from({-1}), {.fan_outs = {1}}); }),
                 ContainsSubstring("NeighborLoader: index -1 at position 0"));
}
