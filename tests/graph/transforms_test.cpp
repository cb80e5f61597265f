// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "golden.hpp"
#include "graph/random_graph.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/graph/transforms.hpp>

#include <map>
#include <set>

using namespace weft_test;
using weft::Graph, weft::GcnNormOptions, weft::Laplacian, weft::Reduce, weft::Tensor, weft::Var;

namespace {

using Indices = Tensor<std::int32_t, 1>;
using Matrix = Tensor<double, 2>;

std::vector<Graph> sample_graphs() {
    return {Graph(),
            Graph::from_edges({}, 4),
            Graph::from_edges({{0, 0}}, 1),
            Graph::from_edges({{0, 0}, {0, 0}, {2, 1}, {1, 2}, {2, 1}}, 4),
            Graph::from_edges({{0, 1}, {1, 2}, {2, 0}}, 3),
            random_graph(13, 35),
            random_graph(40, 200, 2)};
}

Tensor<double, 1> positive(weft::index n, unsigned seed = 1) {
    return Tensor<double, 1>(abs(numbers<double, 1>({n}, seed)) + 0.25);
}

// a(source, destination) = sum of the weights of those edges.
template <class W>
Matrix dense(const Graph& g, const W& w) {
    auto a = Matrix::zeros({g.num_src(), g.num_dst()});
    for (weft::index e = 0; e < g.num_edges(); ++e) a(g.sources()(e), g.destinations()(e)) += w(e);
    return a;
}

void require_close(const Matrix& a, const Matrix& b) {
    REQUIRE(a.shape() == b.shape());
    for (weft::index i = 0; i < a.size(); ++i) REQUIRE(a.data()[i] == Approx(b.data()[i]).epsilon(1e-12).margin(1e-13));
}

std::optional<Reduce> reduction(const std::string& name) {
    const std::map<std::string, Reduce> known{{"sum", Reduce::sum}, {"add", Reduce::sum}, {"mean", Reduce::mean},
                                              {"max", Reduce::max}, {"min", Reduce::min}, {"mul", Reduce::mul}};
    const auto found = known.find(name);
    return found == known.end() ? std::nullopt : std::optional(found->second);
}

Matrix without_diagonal(Matrix a) {
    for (weft::index i = 0; i < a.extent(0); ++i) a(i, i) = 0;
    return a;
}

} // namespace

TEMPLATE_TEST_CASE("transforms agree with the reference", "[golden]", double, float) {
    using T = TestType;
    with_golden_case("gnn-core", "ops", "u", [](GoldenCase& golden) {
        const Graph g(golden.get<std::int32_t, 2>("edge_index"), golden.number<weft::index>("num_nodes"));
        const auto w = golden.get<T, 1>("edge_weight");
        // Each tensor names what it is of: the transform, then its argument if any, then the part of the result.
        for (const std::string& name : golden.tensors()) {
            if (name == "edge_index" || name == "edge_weight" || name == "num_nodes") continue;
            const auto dot = name.rfind('.');
            const std::string transform = name.substr(0, dot);
            const std::string part = dot == std::string::npos ? "" : name.substr(dot + 1);
            const auto argument_of = [&](const std::string& prefix) -> std::optional<std::string> {
                if (transform == prefix) return "";
                if (transform.rfind(prefix + "_", 0) != 0) return {};
                return transform.substr(prefix.size() + 1);
            };
            const auto unknown = [&] { FAIL("there is no test of " << name); };
            // Without weights, the structure is the same.
            const auto weighted = [&](const auto& actual, const std::optional<Graph>& plain = {}) {
                if (part == "edge_index") {
                    golden.compare(name, actual.graph.edge_index());
                    if (plain) REQUIRE(same_bits(plain->edge_index(), actual.graph.edge_index()));
                } else if (part == "edge_weight") {
                    golden.compare(name, actual.weight);
                } else {
                    unknown();
                }
            };
            const auto number = [](const std::string& text) {
                return text.empty() ? T(1) : static_cast<T>(std::stod(text));
            };
            int hops = 0, node = 0, end = 0;
            if (transform == "in_degree") {
                golden.compare(name, g.in_degree<T>());
            } else if (transform == "out_degree") {
                golden.compare(name, g.out_degree<T>());
            } else if (std::sscanf(transform.c_str(), "khop%d_node%d%n", &hops, &node, &end) == 2 &&
                       static_cast<std::size_t>(end) == transform.size()) {
                const auto found = k_hop_subgraph(g, node, hops);
                if (part == "nodes")
                    golden.compare(name, found.nodes);
                else if (part == "edge_index")
                    golden.compare(name, found.graph.edge_index());
                else if (part == "mapping")
                    golden.compare(name, found.mapping);
                else if (part == "edge_mask")
                    golden.compare(name, found.edge_mask);
                else
                    unknown();
            } else if (const auto kept = argument_of("add_remaining_self_loops")) {
                weighted(add_remaining_self_loops(g, w, number(*kept)), add_remaining_self_loops(g));
            } else if (const auto fill = argument_of("add_self_loops")) {
                if (const auto reduce = reduction(*fill))
                    weighted(add_self_loops(g, w, *reduce), add_self_loops(g));
                else
                    weighted(add_self_loops(g, w, number(*fill)), add_self_loops(g));
            } else if (transform == "remove_self_loops") {
                weighted(remove_self_loops(g, w), remove_self_loops(g));
            } else if (const auto merge = argument_of("coalesce")) {
                weighted(coalesce(g, w, merge->empty() ? Reduce::sum : reduction(*merge).value()), coalesce(g));
            } else if (const auto both = argument_of("to_undirected")) {
                weighted(to_undirected(g, w, both->empty() ? Reduce::sum : reduction(*both).value()), to_undirected(g));
            } else if (transform == "laplacian_None") {
                weighted(laplacian(g, w));
            } else if (transform == "laplacian_sym") {
                weighted(laplacian(g, w, Laplacian::symmetric));
            } else if (transform == "laplacian_rw") {
                weighted(laplacian(g, w, Laplacian::random_walk));
            } else if (transform == "gcn_norm" || transform == "gcn_norm_improved") {
                weighted(gcn_norm(g, w, {.improved = transform != "gcn_norm"}));
            } else {
                unknown();
            }
        }
    });
}

TEST_CASE("loops are removed and added in every kind of graph") {
    for (const Graph& g : sample_graphs()) {
        CAPTURE(g);
        const auto w = numbers<double, 1>({g.num_edges()});
        const weft::index n = g.num_nodes();
        const auto [removed, removed_w] = remove_self_loops(g, w);
        REQUIRE_FALSE(removed.has_self_loops());
        require_close(dense(removed, removed_w), without_diagonal(dense(g, w)));

        const auto [added, added_w] = add_self_loops(g, w, 3.0);
        REQUIRE(added.num_edges() == g.num_edges() + n);
        Matrix expected = dense(g, w);
        for (weft::index i = 0; i < n; ++i) expected(i, i) += 3;
        require_close(dense(added, added_w), expected);

        const auto [remaining, remaining_w] = add_remaining_self_loops(g, w, 5.0);
        expected = without_diagonal(dense(g, w));
        std::vector<double> loop(static_cast<std::size_t>(n), 5.0);
        for (weft::index e = 0; e < g.num_edges(); ++e)
            if (g.sources()(e) == g.destinations()(e)) loop[static_cast<std::size_t>(g.sources()(e))] = w(e);
        for (weft::index i = 0; i < n; ++i) expected(i, i) = loop[static_cast<std::size_t>(i)];
        require_close(dense(remaining, remaining_w), expected);
        REQUIRE(remaining.num_edges() == removed.num_edges() + n);
    }
}

TEST_CASE("the structures of added loops are made once") {
    const Graph g = random_graph(13, 35);
    REQUIRE(add_self_loops(g).same_as(add_self_loops(Graph(g))));
    REQUIRE(add_self_loops(g, positive(35)).graph.same_as(add_self_loops(g)));
    REQUIRE(add_remaining_self_loops(g).same_as(add_remaining_self_loops(g)));
    REQUIRE(remove_self_loops(g).same_as(remove_self_loops(g)));
    REQUIRE_FALSE(add_remaining_self_loops(g).same_as(add_self_loops(g)));
    const Graph loopless = remove_self_loops(g);
    REQUIRE(remove_self_loops(loopless).same_as(loopless));
}

TEST_CASE("new loops take the reduction of the edges that enter the node") {
    const auto g = Graph::from_edges({{0, 1}, {2, 1}, {1, 1}, {1, 0}}, 4);
    const auto w = Tensor<double, 2>::from({{1, 10}, {2, 20}, {6, 30}, {4, -4}});
    const auto [looped, values] = add_self_loops(g, w, Reduce::mean);
    REQUIRE(looped.num_edges() == 8);
    const auto loops = Tensor<double, 2>(slice(values, 0, 4, 8));
    REQUIRE(same_bits(loops, Tensor<double, 2>::from({{4, -4}, {3, 20}, {0, 0}, {0, 0}})));
    const auto most = add_self_loops(g, w, Reduce::max).weight;
    REQUIRE(most(5, 1) == 30);
    // Of a graph that is not square, nodes of equal number: as many as there are on the smaller side.
    const auto b = Graph::from_edges({{0, 1}, {1, 1}, {4, 0}}, 5, 2);
    const auto [b_looped, b_values] =
        add_self_loops(remove_self_loops(b), Tensor<double, 1>::from({2, 8}), Reduce::sum);
    REQUIRE(edge_list(b_looped) == std::vector<std::pair<weft::index, weft::index>>{{0, 1}, {4, 0}, {0, 0}, {1, 1}});
    REQUIRE(same_bits(b_values, Tensor<double, 1>::from({2, 8, 8, 2})));
    const auto wide = Graph::from_edges({{1, 3}}, 2, 5);
    REQUIRE(same_bits(add_self_loops(wide, Tensor<double, 1>::from({7}), Reduce::sum).weight,
                      Tensor<double, 1>::from({7, 0, 0})));
}

TEST_CASE("coalescing sorts the edges and combines duplicates") {
    for (const Graph& g : sample_graphs()) {
        CAPTURE(g);
        const auto w = numbers<double, 1>({g.num_edges()});
        const auto [merged, merged_w] = coalesce(g, w);
        const auto list = edge_list(merged);
        const auto all = edge_list(g);
        REQUIRE(std::set(list.begin(), list.end()) == std::set(all.begin(), all.end()));
        REQUIRE(std::is_sorted(list.begin(), list.end()));
        REQUIRE(std::adjacent_find(list.begin(), list.end()) == list.end());
        require_close(dense(merged, merged_w), dense(g, w));
        REQUIRE(edge_list(coalesce(merged)) == list);

        const Graph undirected = to_undirected(g);
        const Matrix a = dense(g, w);
        Matrix symmetric = a;
        for (weft::index i = 0; i < a.extent(0); ++i)
            for (weft::index j = 0; j < a.extent(0); ++j) symmetric(i, j) = a(i, j) + a(j, i);
        require_close(dense(undirected, to_undirected(g, w).weight), symmetric);
        REQUIRE(edge_list(coalesce(undirected.reverse())) == edge_list(undirected));
    }
    const auto twice = Graph::from_edges({{1, 0}, {0, 1}, {1, 0}}, 2, 3);
    const auto [g, w] = coalesce(twice, Tensor<float, 2>::from({{1, 2}, {3, 4}, {5, -6}}), Reduce::max);
    REQUIRE(g.num_dst() == 3);
    REQUIRE(same_bits(w, Tensor<float, 2>::from({{3, 4}, {5, 2}})));
    REQUIRE_FALSE(twice.is_square());
}

TEST_CASE("Laplacians are those of the dense adjacency matrix") {
    for (const Graph& g : sample_graphs()) {
        CAPTURE(g);
        for (const bool weighted : {false, true}) {
            const auto w = weighted ? positive(g.num_edges()) : Tensor<double, 1>::ones({g.num_edges()});
            const Matrix a = without_diagonal(dense(g, w));
            const weft::index n = g.num_nodes();
            std::vector<double> degree(static_cast<std::size_t>(n));
            for (weft::index i = 0; i < n; ++i)
                for (weft::index j = 0; j < n; ++j) degree[static_cast<std::size_t>(i)] += a(i, j);
            for (const auto kind : {Laplacian::unnormalized, Laplacian::symmetric, Laplacian::random_walk}) {
                Matrix expected = Matrix::zeros({n, n});
                for (weft::index i = 0; i < n; ++i)
                    for (weft::index j = 0; j < n; ++j) {
                        const double di = degree[static_cast<std::size_t>(i)], dj = degree[static_cast<std::size_t>(j)];
                        const double identity = i == j ? 1 : 0;
                        double& l = expected(i, j);
                        if (kind == Laplacian::unnormalized) l = identity * di - a(i, j);
                        if (kind == Laplacian::symmetric)
                            l = identity - (di * dj > 0 ? a(i, j) / std::sqrt(di * dj) : 0);
                        if (kind == Laplacian::random_walk) l = identity - (di > 0 ? a(i, j) / di : 0);
                    }
                const auto l = weighted ? laplacian(g, w, kind) : laplacian<double>(g, kind);
                require_close(dense(l.graph, l.weight), expected);
                if (!weighted) REQUIRE(laplacian<double>(g, kind).weight.data() == l.weight.data());
            }
        }
    }
}

TEST_CASE("GCN normalisation without weights is the one with weights of 1") {
    for (const Graph& g : sample_graphs()) {
        CAPTURE(g);
        for (const bool improved : {false, true})
            for (const bool loops : {false, true}) {
                const GcnNormOptions options{.improved = improved, .add_self_loops = loops};
                const auto [h, w] = gcn_norm(g, Tensor<double, 1>::ones({g.num_edges()}), options);
                const auto [plain, scale, self] = gcn_norm<double>(g, options);
                Matrix a = dense(plain, Tensor<double, 1>::ones({plain.num_edges()}));
                for (weft::index i = 0; i < g.num_nodes(); ++i)
                    for (weft::index j = 0; j < g.num_nodes(); ++j)
                        a(i, j) = scale(i) * a(i, j) * scale(j) + (i == j ? self(i) : 0);
                require_close(a, dense(h, w));
                if (loops) REQUIRE_FALSE(plain.has_self_loops());
                // Kept with the graph, for each set of options.
                const auto again = gcn_norm<double>(Graph(g), options);
                REQUIRE(again.scale.data() == scale.data());
                REQUIRE(again.graph.same_as(plain));
            }
    }
    // By hand: node 0 has a loop of its own, which counts 1; node 1 gets one of 2.
    const auto g = Graph::from_edges({{0, 0}, {0, 1}}, 2);
    const auto [plain, scale, self] = gcn_norm<double>(g, {.improved = true});
    REQUIRE(plain.num_edges() == 1);
    REQUIRE(scale(0) == Approx(1));
    REQUIRE(scale(1) == Approx(1 / std::sqrt(3.0)));
    REQUIRE(self(0) == Approx(1));
    REQUIRE(self(1) == Approx(2.0 / 3));
}

TEST_CASE("graphs that keep normalisations of themselves are freed") {
    auto storage = Tensor<std::int32_t, 2>::from({{0, 1, 1}, {1, 0, 1}});
    const std::int32_t* const data = storage.data();
    {
        for (const weft::index n : {2, 3}) { // with and without a loop
            const Graph g = n == 2 ? Graph(storage, n) : remove_self_loops(Graph(storage, n));
            (void)gcn_norm<float>(g);
            (void)gcn_norm<float>(g, {.add_self_loops = false});
            (void)laplacian<float>(g);
            (void)add_self_loops(g);
            (void)add_remaining_self_loops(g);
            (void)remove_self_loops(g);
            (void)g.reverse().in();
        }
    }
    REQUIRE(storage.storage().unique());
    REQUIRE(storage.mutable_data() == data);
}

TEST_CASE("renumbering the nodes renumbers what transforms give") {
    const Graph g = random_graph(13, 35);
    const auto w = positive(35);
    std::vector<std::int32_t> number(13);
    for (std::int32_t i = 0; i < 13; ++i) number[static_cast<std::size_t>(i)] = i * 5 % 13;
    std::vector<std::pair<weft::index, weft::index>> moved;
    for (const auto& [s, d] : edge_list(g))
        moved.emplace_back(number[static_cast<std::size_t>(s)], number[static_cast<std::size_t>(d)]);
    const auto h = Graph::from_edges(moved, 13);
    const auto same = [&](const auto& original, const auto& renumbered) {
        const Matrix a = dense(original.graph, original.weight), b = dense(renumbered.graph, renumbered.weight);
        Matrix back = b;
        for (weft::index i = 0; i < 13; ++i)
            for (weft::index j = 0; j < 13; ++j)
                back(i, j) = b(number[static_cast<std::size_t>(i)], number[static_cast<std::size_t>(j)]);
        require_close(a, back);
    };
    same(gcn_norm(g, w), gcn_norm(h, w));
    same(laplacian(g, w, Laplacian::symmetric), laplacian(h, w, Laplacian::symmetric));
    same(laplacian(g, w, Laplacian::random_walk), laplacian(h, w, Laplacian::random_walk));
    same(add_remaining_self_loops(g, w, 2.0), add_remaining_self_loops(h, w, 2.0));
    same(to_undirected(g, w), to_undirected(h, w));
}

TEST_CASE("transposing commutes with the symmetric normalisations of undirected graphs") {
    const Graph directed = random_graph(13, 35);
    const auto [g, w] = to_undirected(directed, positive(35));
    const auto [h, v] = gcn_norm(g, w);
    require_close(dense(h, v), dense(h.reverse(), v));
    const auto l = laplacian(g, w, Laplacian::symmetric);
    require_close(dense(l.graph, l.weight), dense(l.graph.reverse(), l.weight));
}

TEST_CASE("nodes within some hops are those of a search, with all edges among them") {
    for (const Graph& g : sample_graphs()) {
        CAPTURE(g);
        const weft::index n = g.num_nodes();
        for (weft::index seed = 0; seed < std::min<weft::index>(n, 5); ++seed) {
            std::set<std::int32_t> reached{static_cast<std::int32_t>(seed)};
            for (weft::index hops = 0; hops < 4; ++hops) {
                const auto s = k_hop_subgraph(g, seed, hops);
                REQUIRE(std::vector<std::int32_t>(reached.begin(), reached.end()) ==
                        std::vector<std::int32_t>(s.nodes.values().begin(), s.nodes.values().end()));
                REQUIRE(s.nodes(s.mapping(0)) == seed);
                std::vector<std::pair<weft::index, weft::index>> expected, found;
                for (weft::index e = 0; e < g.num_edges(); ++e) {
                    const auto from = g.sources()(e), to = g.destinations()(e);
                    REQUIRE(s.edge_mask(e) == (reached.contains(from) && reached.contains(to)));
                    if (s.edge_mask(e)) expected.emplace_back(from, to);
                }
                for (const auto& [from, to] : edge_list(s.graph)) found.emplace_back(s.nodes(from), s.nodes(to));
                REQUIRE(found == expected);
                for (weft::index e = 0; e < s.edges.size(); ++e) REQUIRE(s.edge_mask(s.edges(e)));
                std::set<std::int32_t> next = reached;
                for (weft::index e = 0; e < g.num_edges(); ++e)
                    if (reached.contains(g.destinations()(e))) next.insert(g.sources()(e));
                reached = next;
            }
        }
        const auto all = k_hop_subgraph(g, weft::arange<std::int32_t>(n), 0);
        REQUIRE(edge_list(all.graph) == edge_list(g));
    }
    // Several seeds, one of them twice.
    const auto path = Graph::from_edges({{0, 1}, {1, 2}, {2, 3}, {3, 4}}, 5);
    const auto s = k_hop_subgraph(path, Indices::from({4, 1, 4}), 1);
    REQUIRE(same_bits(s.nodes, Indices::from({0, 1, 3, 4})));
    REQUIRE(same_bits(s.mapping, Indices::from({3, 1, 3})));
    REQUIRE(same_bits(s.edges, Indices::from({0, 3})));
    REQUIRE(k_hop_subgraph(path, 4, 1000000000).nodes.size() == 5);
    REQUIRE(k_hop_subgraph(path, Indices(), 2).graph.num_nodes() == 0);
}

TEST_CASE("subgraphs keep the order of the nodes and of the edges") {
    const auto g = Graph::from_edges({{0, 1}, {3, 2}, {2, 3}, {3, 3}, {2, 3}, {1, 2}}, 5);
    const auto s = subgraph(g, Indices::from({3, 4, 2}));
    REQUIRE(edge_list(s.graph) == std::vector<std::pair<weft::index, weft::index>>{{0, 2}, {2, 0}, {0, 0}, {2, 0}});
    REQUIRE(same_bits(s.edges, Indices::from({1, 2, 3, 4})));
    REQUIRE(same_bits(s.mapping, Indices::from({0, 1, 2})));
    REQUIRE(s.graph.num_nodes() == 3);
}

TEST_CASE("values of edges go to the order of the destinations and back") {
    for (const Graph& g : sample_graphs()) {
        const auto w = numbers<float, 2>({g.num_edges(), 3});
        const auto by_destination = to_destination_order(g, w);
        for (weft::index p = 0; p < g.num_edges(); ++p) REQUIRE(by_destination(p, 2) == w(g.in().eid(p), 2));
        REQUIRE(same_bits(from_destination_order(g, by_destination), w));
    }
    const Graph large = random_graph(500, 30000);
    const auto w = numbers<float, 2>({30000, 5});
    require_thread_independent([&] { return to_destination_order(large, w); });
    require_thread_independent([&] { return from_destination_order(large, w); });
    require_thread_independent(
        [&] { return gcn_norm(large, Tensor<float, 1>(abs(weft::select_index(w, 1, 0)))).weight; });
    require_thread_independent([&] { return coalesce(large, w).weight; });
}

TEST_CASE("gradients flow through the weights of edges") {
    const Graph g = random_graph(13, 35);
    const auto w = positive(35);
    const auto rows = numbers<double, 2>({35, 2});
    using weft::expect_grad;
    expect_grad([&](const auto& x) { return to_destination_order(g, x); }, rows);
    expect_grad([&](const auto& x) { return from_destination_order(g, x); }, rows);
    expect_grad([&](const auto& x) { return remove_self_loops(g, x).weight; }, rows);
    expect_grad([&](const auto& x) { return remove_self_loops(remove_self_loops(g), x).weight; },
                numbers<double, 1>({remove_self_loops(g).num_edges()}));
    expect_grad([&](const auto& x) { return add_self_loops(g, x).weight; }, rows);
    expect_grad([&](const auto& x) { return add_self_loops(g, x, Reduce::mean).weight; }, rows);
    expect_grad([&](const auto& x) { return add_self_loops(g, x, Reduce::mul).weight; }, w);
    expect_grad([&](const auto& x) { return add_remaining_self_loops(g, x).weight; }, rows);
    expect_grad([&](const auto& x) { return coalesce(g, x).weight; }, rows);
    expect_grad([&](const auto& x) { return to_undirected(g, x, Reduce::mean).weight; }, rows);
    for (const bool improved : {false, true})
        for (const bool loops : {false, true})
            expect_grad(
                [&](const auto& x) { return gcn_norm(g, x, {.improved = improved, .add_self_loops = loops}).weight; },
                w);
    for (const auto kind : {Laplacian::unnormalized, Laplacian::symmetric, Laplacian::random_walk})
        expect_grad([&](const auto& x) { return laplacian(g, x, kind).weight; }, w);
}

TEST_CASE("nodes without weight have finite slopes") {
    const auto g = Graph::from_edges({{0, 1}, {1, 2}, {2, 2}}, 4);
    const Var<double, 1> w{Tensor<double, 1>::from({0, 0, 0})};
    backward(sum(gcn_norm(g, w, {.add_self_loops = false}).weight));
    for (const double slope : w.grad().values()) REQUIRE(slope == 0);
    const Var<double, 1> v{Tensor<double, 1>::from({0, 0, 0})};
    backward(sum(laplacian(g, v, Laplacian::random_walk).weight));
    for (const double slope : v.grad().values()) REQUIRE(std::isfinite(slope));
}

TEST_CASE("errors of transforms name the argument") {
    const auto g = Graph::from_edges({{0, 1}, {1, 2}, {2, 2}}, 3);
    const auto b = Graph::from_edges({{0, 1}}, 3, 2);
    const auto two = Tensor<double, 1>::ones({2}), three = Tensor<double, 1>::ones({3});
    const std::string rows = "w is [2], the graph has 3 edges: there must be one row for each edge";
    REQUIRE(error_of([&] { (void)remove_self_loops(g, two); }) == "weft: remove_self_loops: " + rows);
    REQUIRE(error_of([&] { (void)add_self_loops(g, two); }) == "weft: add_self_loops: " + rows);
    REQUIRE(error_of([&] { (void)add_self_loops(g, two, Reduce::mean); }) == "weft: add_self_loops: " + rows);
    REQUIRE(error_of([&] { (void)add_remaining_self_loops(g, two); }) == "weft: add_remaining_self_loops: " + rows);
    REQUIRE(error_of([&] { (void)coalesce(g, two); }) == "weft: coalesce: " + rows);
    REQUIRE(error_of([&] { (void)to_undirected(g, two); }) == "weft: to_undirected: " + rows);
    REQUIRE(error_of([&] { (void)laplacian(g, two); }) == "weft: laplacian: " + rows);
    REQUIRE(error_of([&] { (void)gcn_norm(g, two); }) == "weft: gcn_norm: " + rows);
    REQUIRE(error_of([&] { (void)to_destination_order(g, two); }) == "weft: to_destination_order: " + rows);
    REQUIRE(error_of([&] { (void)from_destination_order(g, two); }) == "weft: from_destination_order: " + rows);

    const std::string square = "3 source and 2 destination nodes";
    REQUIRE_THAT(error_of([&] { (void)gcn_norm<float>(b); }), ContainsSubstring(square));
    REQUIRE_THAT(error_of([&] { (void)laplacian<float>(b); }), ContainsSubstring(square));
    REQUIRE_THAT(error_of([&] { (void)to_undirected(b); }), ContainsSubstring(square));
    REQUIRE_THAT(error_of([&] { (void)subgraph(b, Indices::from({0})); }), ContainsSubstring(square));
    REQUIRE_THAT(error_of([&] { (void)k_hop_subgraph(b, 0, 1); }), ContainsSubstring(square));

    const auto negative = Tensor<double, 1>::from({1, -3, 1});
    REQUIRE(error_of([&] { (void)gcn_norm(g, negative); }) ==
            "weft: gcn_norm: the weights of node 2 add up to -2: degrees must not be negative");
    REQUIRE_THAT(error_of([&] { (void)laplacian(g, negative, Laplacian::symmetric); }),
                 ContainsSubstring("laplacian: the weights of node 1 add up to -3"));
    REQUIRE_NOTHROW(laplacian(g, negative, Laplacian::random_walk));

    REQUIRE_THAT(error_of([&] { (void)k_hop_subgraph(g, 0, -1); }), ContainsSubstring("hops is -1"));
    REQUIRE_THAT(error_of([&] { (void)k_hop_subgraph(g, 3, 1); }), ContainsSubstring("k_hop_subgraph: index 3"));
    REQUIRE_THAT(error_of([&] { (void)subgraph(g, Indices::from({0, -1})); }), ContainsSubstring("subgraph: index -1"));
    REQUIRE_THAT(error_of([&] {
                     (void)subgraph(g, Indices::from({0, 2, 0}));
                 }),
                 ContainsSubstring("node 0 is named twice, at positions 0 and 2"));
}
