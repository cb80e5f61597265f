// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "golden.hpp"
#include "graph/random_graph.hpp"

#include <weft/attention/graph_attention.hpp>
#include <weft/core/combine.hpp>
#include <weft/core/random.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/softmax.hpp>
#include <weft/core/views.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/graph/graph_from_csr.hpp>
#include <weft/linalg/matmul.hpp>

#include <limits>
#include <vector>

using weft::Graph, weft::GraphAttentionOptions, weft::Tensor, weft::Var, weft::graph_attention;
using weft_test::error_of, weft_test::same_bits;

namespace {

using Index = weft::index;

template <class T, int N>
Tensor<T, N> normal(const weft::Extents<N>& extents, std::uint64_t seed) {
    auto t = Tensor<T, N>::empty(extents);
    weft::Generator generator{seed};
    weft::fill_normal(generator, t.mutable_data(), t.size(), T(0), T(1));
    return t;
}

template <class T, int N>
void require_close(const Tensor<T, N>& a, const Tensor<T, N>& b, double tolerance) {
    REQUIRE(a.shape() == b.shape());
    for (Index i = 0; i < a.size(); ++i) {
        INFO("element " << i << ": " << a.data()[i] << " and " << b.data()[i]);
        REQUIRE(std::abs(double(a.data()[i]) - double(b.data()[i])) <= tolerance * (1 + std::abs(double(b.data()[i]))));
    }
}

template <class T>
struct Inputs {
    Tensor<T, 3> q, k, v;
    Tensor<T, 2> bias;
    Inputs(const Graph& g, Index heads, Index width, Index value_width, std::uint64_t seed = 1)
        : q(normal<T, 3>({g.num_dst(), heads, width}, seed)), k(normal<T, 3>({g.num_src(), heads, width}, seed + 1)),
          v(normal<T, 3>({g.num_src(), heads, value_width}, seed + 2)),
          bias(normal<T, 2>({g.num_edges(), heads}, seed + 3)) {}
};

/// Attention edge by edge, in double; `keep` [E, H] multiplies the weights.
template <class T>
weft::AttentionResult<double, 3> by_hand(const Graph& g, const Inputs<T>& in, double scale,
                                         const Tensor<double, 2>& keep = {}) {
    const Index heads = in.q.extent(1), width = in.q.extent(2), value_width = in.v.extent(2);
    auto out = Tensor<double, 3>::zeros({g.num_dst(), heads, value_width});
    auto lse = Tensor<double, 2>::full({g.num_dst(), heads}, -std::numeric_limits<double>::infinity());
    for (Index i = 0; i < g.num_dst(); ++i)
        for (Index h = 0; h < heads; ++h) {
            std::vector<Index> edges;
            std::vector<double> score;
            for (Index e = 0; e < g.num_edges(); ++e) {
                if (g.destinations()(e) != i) continue;
                double s = 0;
                for (Index d = 0; d < width; ++d) s += double(in.q(i, h, d)) * double(in.k(g.sources()(e), h, d));
                edges.push_back(e);
                score.push_back(scale * s + double(in.bias(e, h)));
            }
            if (edges.empty()) continue;
            const double top = *std::max_element(score.begin(), score.end());
            double total = 0;
            for (const double s : score) total += std::exp(s - top);
            lse.mutable_data()[i * heads + h] = top + std::log(total);
            for (std::size_t n = 0; n < edges.size(); ++n) {
                double p = std::exp(score[n] - top) / total;
                if (keep.size() > 0) p *= keep(edges[n], h);
                for (Index d = 0; d < value_width; ++d)
                    out.mutable_data()[(i * heads + h) * value_width + d] +=
                        p * double(in.v(g.sources()(edges[n]), h, d));
            }
        }
    return {out, lse};
}

template <class T>
void compare_lse(weft_test::GoldenCase& golden, const Tensor<T, 2>& lse) {
    const auto expected = golden.get<double, 2>("lse");
    const double tolerance = std::is_same_v<T, double> ? 1e-12 : 2e-6;
    REQUIRE(lse.shape() == expected.shape());
    for (Index i = 0; i < lse.size(); ++i) {
        const double a = double(lse.data()[i]), r = expected.data()[i];
        INFO("element " << i << " is " << a << ", the reference " << r);
        REQUIRE((a == r || std::abs(a - r) <= tolerance * (1 + std::abs(r))));
        REQUIRE(std::isinf(a) == std::isinf(r));
    }
}

} // namespace

TEMPLATE_TEST_CASE("graph attention: reference results", "[attention][golden]", float, double) {
    using T = TestType;
    const weft_test::Tolerance values{2e-6, 1e-12, 1e-12}, gradients{1e-5, 1e-12, 1e-12};
    for (const char* file : {"csr", "csr_nobias"})
        weft_test::with_golden_case("attention-core", file, "", [&](weft_test::GoldenCase& golden) {
            const Var<T, 3> q{golden.get<T, 3>("q")}, k{golden.get<T, 3>("k")}, v{golden.get<T, 3>("v")};
            const Graph g =
                graph_from_csr(golden.get<std::int64_t, 1>("rowptr"), golden.get<std::int64_t, 1>("col"), k.extent(0));
            const auto check = [&](const Var<T, 3>& y, const weft::AttentionResult<T, 3>& a) {
                golden.compare("out", y.value(), values);
                golden.compare("out", a.out, values);
                compare_lse(golden, a.lse);
                weft::backward(y, golden.get<T, 3>("do"));
            };
            if (golden.has("ebias")) {
                const Var<T, 2> bias{golden.get<T, 2>("ebias")};
                check(graph_attention(g, q, k, v, bias),
                      graph_attention_with_lse(g, q.value(), k.value(), v.value(), bias.value()));
                golden.compare("debias", bias.grad(), gradients);
            } else {
                check(graph_attention(g, q, k, v), graph_attention_with_lse(g, q.value(), k.value(), v.value()));
            }
            golden.compare("dq", q.grad(), gradients);
            golden.compare("dk", k.grad(), gradients);
            golden.compare("dv", v.grad(), gradients);
        });
}

TEMPLATE_TEST_CASE("graph attention: heads of any number and width", "[attention]", float, double) {
    using T = TestType;
    const double tolerance = sizeof(T) == 4 ? 5e-6 : 1e-12;
    const Graph g = weft_test::random_bipartite_graph(17, 29, 150, 3);
    const std::array<Index, 3> shapes[] = {{1, 1, 1},   {1, 7, 3},  {2, 3, 9},  {3, 5, 5},  {8, 8, 8},    {4, 16, 16},
                                           {1, 64, 64}, {5, 33, 8}, {16, 2, 4}, {20, 4, 1}, {2, 100, 70}, {3, 16, 32}};
    for (const auto& [heads, width, value_width] : shapes) {
        INFO("H = " << heads << ", D = " << width << ", Dv = " << value_width);
        Inputs<T> in(g, heads, width, value_width);
        const auto with_bias = by_hand(g, in, 0.3);
        const auto found = graph_attention_with_lse(g, in.q, in.k, in.v, in.bias, {.scale = 0.3});
        require_close(found.out, Tensor<T, 3>(weft::cast<T>(with_bias.out)), tolerance);
        for (Index i = 0; i < found.lse.size(); ++i) {
            const double a = double(found.lse.data()[i]), r = with_bias.lse.data()[i];
            REQUIRE((a == r || std::abs(a - r) <= tolerance * (1 + std::abs(r))));
        }
        REQUIRE(same_bits(Tensor<T, 3>(graph_attention(g, in.q, in.k, in.v, in.bias, {.scale = 0.3})), found.out));
        in.bias = Tensor<T, 2>::zeros(in.bias.shape());
        const auto plain = by_hand(g, in, 1 / std::sqrt(double(width)));
        require_close(Tensor<T, 3>(graph_attention(g, in.q, in.k, in.v)), Tensor<T, 3>(weft::cast<T>(plain.out)),
                      tolerance);
        REQUIRE(same_bits(Tensor<T, 3>(graph_attention(g, in.q, in.k, in.v)),
                          graph_attention_with_lse(g, in.q, in.k, in.v).out));
    }
}

TEST_CASE("graph attention: gradients of first and second order", "[attention]") {
    const Graph g = weft_test::random_bipartite_graph(7, 9, 30, 4);
    const std::array<Index, 3> shapes[] = {{1, 1, 1}, {2, 3, 5}, {3, 8, 2}, {8, 2, 2}, {1, 20, 17}};
    for (const auto& [heads, width, value_width] : shapes) {
        INFO("H = " << heads << ", D = " << width << ", Dv = " << value_width);
        const Inputs<double> in(g, heads, width, value_width, 7);
        weft::expect_grad([&](const auto& q, const auto& k, const auto& v) { return graph_attention(g, q, k, v); },
                          in.q, in.k, in.v);
        for (const double dropout : {0.0, 0.4}) {
            const GraphAttentionOptions options{.scale = 0.7, .dropout = dropout, .seed = 5, .offset = 2};
            weft::expect_grad([&](const auto& q, const auto& k, const auto& v,
                                  const auto& bias) { return graph_attention(g, q, k, v, bias, options); },
                              in.q, in.k, in.v, in.bias);
        }
    }
}

TEST_CASE("graph attention: only some operands have gradients", "[attention]") {
    const Graph g = weft_test::random_bipartite_graph(12, 15, 70, 5);
    const Inputs<double> in(g, 2, 4, 3);
    const auto dy = normal<double, 3>({15, 2, 3}, 20);
    const auto leaves = [&](const auto& q, const auto& k, const auto& v, const auto& bias) {
        weft::backward(Var<double, 3>(graph_attention(g, q, k, v, bias)), dy);
    };
    const Var<double, 3> q{in.q}, k{in.k}, v{in.v};
    const Var<double, 2> bias{in.bias};
    leaves(q, k, v, bias);
    const Var<double, 3> q1{in.q}, k1{in.k}, v1{in.v};
    const Var<double, 2> bias1{in.bias};
    leaves(q1, in.k, in.v, in.bias);
    leaves(in.q, k1, in.v, in.bias);
    leaves(in.q, in.k, v1, in.bias);
    leaves(in.q, in.k, in.v, bias1);
    require_close(q1.grad(), q.grad(), 1e-14);
    require_close(k1.grad(), k.grad(), 1e-14);
    require_close(v1.grad(), v.grad(), 1e-14);
    require_close(bias1.grad(), bias.grad(), 1e-14);
}

TEST_CASE("graph attention: dropout draws as documented and leaves lse as it is", "[attention]") {
    const Graph g = weft_test::random_graph(40, 700, 6);
    const Index edges = g.num_edges(), heads = 3;
    const Inputs<double> in(g, heads, 4, 5);
    const GraphAttentionOptions options{.dropout = 0.25, .seed = 0x123456789ABCDEFull, .offset = 3};
    auto keep = Tensor<double, 2>::zeros({edges, heads});
    Index kept = 0;
    for (Index e = 0; e < edges; ++e)
        for (Index h = 0; h < heads; ++h) {
            const auto words = weft::philox4x32(
                {static_cast<std::uint32_t>(e >> 2), 0xFFFFFFFFu, static_cast<std::uint32_t>(h), options.offset},
                {static_cast<std::uint32_t>(options.seed), static_cast<std::uint32_t>(options.seed >> 32)});
            if (words[static_cast<std::size_t>(e & 3)] < 0x40000000u) continue;
            keep.mutable_data()[e * heads + h] = 1 / 0.75;
            ++kept;
        }
    REQUIRE(std::abs(double(kept) / double(edges * heads) - 0.75) < 0.05);
    const auto expected = by_hand(g, in, 0.5, keep);
    const auto found = graph_attention_with_lse(g, in.q, in.k, in.v, in.bias, options);
    require_close(found.out, expected.out, 1e-12);
    REQUIRE(same_bits(found.lse, graph_attention_with_lse(g, in.q, in.k, in.v, in.bias).lse));
    // The gradient of v draws the same: dv_j is the sum of p keep dy_i over its edges.
    const Var<double, 3> v{in.v};
    weft::backward(weft::sum(Var<double, 3>(graph_attention(g, in.q, in.k, v, in.bias, options))));
    auto ones = in;
    ones.v = Tensor<double, 3>::ones(in.v.shape());
    double total = 0, expected_total = 0;
    for (const double d : v.grad().values()) total += d;
    for (const double d : by_hand(g, ones, 0.5, keep).out.values()) expected_total += d;
    REQUIRE(total == Approx(expected_total).epsilon(1e-12));
}

TEST_CASE("graph attention: a full adjacency is dense attention", "[attention]") {
    const Index n = 13, m = 19, heads = 3, width = 6, value_width = 4;
    std::vector<std::pair<Index, Index>> pairs;
    for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < m; ++j) pairs.emplace_back(j, i);
    const Graph g = Graph::from_edges(pairs, m, n);
    const Inputs<double> in(g, heads, width, value_width);
    const auto q = weft::contiguous(permute(in.q, {1, 0, 2})), k = weft::contiguous(permute(in.k, {1, 2, 0})),
               v = weft::contiguous(permute(in.v, {1, 0, 2}));
    const Tensor<double, 3> weights = weft::softmax<2>(weft::eval(matmul(q, k) / std::sqrt(double(width))));
    const Tensor<double, 3> dense = weft::contiguous(permute(matmul(weights, v), {1, 0, 2}));
    require_close(Tensor<double, 3>(graph_attention(g, in.q, in.k, in.v)), dense, 1e-13);
}

TEST_CASE("graph attention: invariances", "[attention]") {
    const Graph g = weft_test::random_graph(30, 200, 8);
    const Inputs<double> in(g, 2, 5, 3);
    const auto plain = graph_attention_with_lse(g, in.q, in.k, in.v, in.bias);
    SECTION("a constant added to the biases of a row changes its lse alone") {
        auto moved = in.bias;
        for (Index e = 0; e < g.num_edges(); ++e)
            if (g.destinations()(e) == 3)
                for (Index h = 0; h < 2; ++h) moved.mutable_data()[e * 2 + h] += 4;
        const auto found = graph_attention_with_lse(g, in.q, in.k, in.v, moved);
        require_close(found.out, plain.out, 1e-14);
        REQUIRE(g.in_degree()(3) > 0);
        for (Index i = 0; i < 30; ++i)
            for (Index h = 0; h < 2; ++h)
                if (g.in_degree()(i) > 0)
                    REQUIRE(found.lse(i, h) == Approx(plain.lse(i, h) + (i == 3 ? 4 : 0)).epsilon(1e-14));
    }
    SECTION("the order of the edges does not matter") {
        const Index edges = g.num_edges();
        auto sources = Tensor<std::int32_t, 1>::empty({edges}), destinations = Tensor<std::int32_t, 1>::empty({edges});
        auto bias = Tensor<double, 2>::empty({edges, 2});
        for (Index e = 0; e < edges; ++e) {
            const Index from = edges - 1 - e;
            sources.mutable_data()[e] = g.sources()(from);
            destinations.mutable_data()[e] = g.destinations()(from);
            for (Index h = 0; h < 2; ++h) bias.mutable_data()[e * 2 + h] = in.bias(from, h);
        }
        const auto found = graph_attention_with_lse(Graph(sources, destinations, 30, 30), in.q, in.k, in.v, bias);
        require_close(found.out, plain.out, 1e-13);
    }
}

TEST_CASE("graph attention: results over parts of the edges merge by lse", "[attention]") {
    const Graph g = weft_test::random_graph(25, 160, 11);
    const Inputs<double> in(g, 2, 5, 3);
    const auto whole = graph_attention_with_lse(g, in.q, in.k, in.v, in.bias);
    std::vector<weft::AttentionResult<double, 3>> parts;
    for (const Index first : {0, 70}) {
        const Index count = first == 0 ? 70 : 90;
        const auto part = [&](const auto& x) { return weft::eval(slice(x, 0, first, first + count)); };
        parts.push_back(graph_attention_with_lse(Graph(part(g.sources()), part(g.destinations()), 25, 25), in.q, in.k,
                                                 in.v, Tensor<double, 2>(part(in.bias))));
    }
    for (Index i = 0; i < 25; ++i)
        for (Index h = 0; h < 2; ++h) {
            double total = 0;
            std::vector<double> sum(3);
            const double top = std::max(parts[0].lse(i, h), parts[1].lse(i, h));
            for (const auto& p : parts)
                if (!std::isinf(p.lse(i, h))) {
                    const double w = std::exp(p.lse(i, h) - top);
                    total += w;
                    for (Index d = 0; d < 3; ++d) sum[static_cast<std::size_t>(d)] += w * p.out(i, h, d);
                }
            REQUIRE(std::isinf(whole.lse(i, h)) == (total == 0));
            if (total == 0) continue;
            REQUIRE(whole.lse(i, h) == Approx(top + std::log(total)).epsilon(1e-13));
            for (Index d = 0; d < 3; ++d)
                REQUIRE(whole.out(i, h, d) == Approx(sum[static_cast<std::size_t>(d)] / total).epsilon(1e-12));
        }
}

TEMPLATE_TEST_CASE("graph attention: a bias of -inf takes an edge away", "[attention]", float, double) {
    using T = TestType;
    const Graph g = Graph::from_edges({{0, 0}, {1, 0}, {2, 0}, {2, 1}, {0, 1}}, 3, 2);
    const Graph without = Graph::from_edges({{0, 0}, {2, 0}, {2, 1}, {0, 1}}, 3, 2);
    const Inputs<T> in(g, 3, 4, 2);
    auto bias = Tensor<T, 2>::zeros({5, 3});
    for (Index h = 0; h < 3; ++h) bias.mutable_data()[1 * 3 + h] = -std::numeric_limits<T>::infinity();
    const Var<T, 3> q{in.q}, k{in.k}, v{in.v}, q1{in.q}, k1{in.k}, v1{in.v};
    const Var<T, 3> y = graph_attention(g, q, k, v, bias), y1 = graph_attention(without, q1, k1, v1);
    const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
    require_close(y.value(), y1.value(), tolerance);
    weft::backward(weft::sum(weft::eval(y * y)));
    weft::backward(weft::sum(weft::eval(y1 * y1)));
    require_close(q.grad(), q1.grad(), 10 * tolerance);
    require_close(k.grad(), k1.grad(), 10 * tolerance);
    require_close(v.grad(), v1.grad(), 10 * tolerance);
}

TEMPLATE_TEST_CASE("graph attention: scores of any size", "[attention]", float, double) {
    using T = TestType;
    const Graph g = weft_test::random_graph(30, 200, 9);
    Inputs<T> in(g, 2, 4, 3);
    const auto found = graph_attention_with_lse(g, in.q, in.k, in.v, Tensor<T, 2>(in.bias * T(1e6)));
    in.bias = in.bias * T(1e6);
    require_close(found.out, Tensor<T, 3>(weft::cast<T>(by_hand(g, in, 0.5).out)), 1e-5);
    // Single edges and equal scores.
    const Graph star = Graph::from_edges({{0, 0}, {1, 1}, {2, 1}, {1, 1}}, 3, 2);
    const auto one = Tensor<T, 3>::full({3, 1, 1}, T(1)), zero = Tensor<T, 3>::zeros({2, 1, 1});
    auto v = Tensor<T, 3>::empty({3, 1, 1});
    for (Index j = 0; j < 3; ++j) v.mutable_data()[j] = T(j);
    const auto equal = graph_attention_with_lse(star, zero, one, v);
    REQUIRE(double(equal.out(0, 0, 0)) == 0);
    REQUIRE(double(equal.out(1, 0, 0)) == Approx(4.0 / 3));
    REQUIRE(double(equal.lse(0, 0)) == 0);
    REQUIRE(double(equal.lse(1, 0)) == Approx(std::log(3.0)));
}

TEMPLATE_TEST_CASE("graph attention: NaN stays in the heads and rows that it reaches", "[attention]", float, double) {
    using T = TestType;
    const Graph g = Graph::from_edges({{0, 0}, {1, 0}, {2, 0}, {1, 1}, {2, 3}, {4, 4}, {0, 4}}, 6, 5);
    const Inputs<T> in(g, 2, 3, 4);
    const T nan = std::numeric_limits<T>::quiet_NaN();
    const auto plain = graph_attention_with_lse(g, in.q, in.k, in.v, in.bias);
    const auto check = [&](const Inputs<T>& bad, auto is_nan, bool scores) {
        const auto found = graph_attention_with_lse(g, bad.q, bad.k, bad.v, bad.bias);
        for (Index i = 0; i < 5; ++i)
            for (Index h = 0; h < 2; ++h) {
                REQUIRE(std::isnan(found.lse(i, h)) == (scores && is_nan(i, h, 0)));
                for (Index d = 0; d < 4; ++d) {
                    INFO(i << ", " << h << ", " << d);
                    REQUIRE(std::isnan(found.out(i, h, d)) == is_nan(i, h, d));
                    if (!is_nan(i, h, d)) REQUIRE(found.out(i, h, d) == plain.out(i, h, d));
                }
            }
    };
    auto bad = in;
    SECTION("in a key") {
        bad.k.mutable_data()[(1 * 2 + 1) * 3 + 2] = nan;
        check(
            bad, [](Index i, Index h, Index) { return i <= 1 && h == 1; }, true);
    }
    SECTION("in a value") {
        bad.v.mutable_data()[(2 * 2 + 0) * 4 + 1] = nan;
        check(
            bad, [](Index i, Index h, Index d) { return (i == 0 || i == 3) && h == 0 && d == 1; }, false);
    }
    SECTION("in a query") {
        bad.q.mutable_data()[(4 * 2 + 0) * 3] = nan;
        check(
            bad, [](Index i, Index h, Index) { return i == 4 && h == 0; }, true);
    }
    SECTION("in a bias") {
        bad.bias.mutable_data()[0 * 2 + 1] = nan;
        check(
            bad, [](Index i, Index h, Index) { return i == 0 && h == 1; }, true);
    }
    SECTION("where no edge brings it") {
        for (Index d = 0; d < 6; ++d) bad.k.mutable_data()[5 * 6 + d] = bad.q.mutable_data()[2 * 6 + d] = nan;
        for (Index d = 0; d < 8; ++d) bad.v.mutable_data()[5 * 8 + d] = nan;
        check(
            bad, [](Index, Index, Index) { return false; }, true);
        const Var<T, 3> q{bad.q}, k{bad.k}, v{bad.v};
        weft::backward(weft::sum(Var<T, 3>(graph_attention(g, q, k, v))));
        for (Index d = 0; d < 6; ++d) REQUIRE((q.grad().data()[2 * 6 + d] == 0 && k.grad().data()[5 * 6 + d] == 0));
        for (const T d : q.grad().values()) REQUIRE(std::isfinite(d));
        for (const T d : k.grad().values()) REQUIRE(std::isfinite(d));
        for (const T d : v.grad().values()) REQUIRE(std::isfinite(d));
    }
}

TEST_CASE("graph attention: the same bits on any number of threads, with hubs", "[attention]") {
    std::vector<std::pair<Index, Index>> pairs = weft_test::edge_list(weft_test::random_graph(3000, 20000, 10));
    for (Index e = 0; e < 30000; ++e) pairs.emplace_back(e * 7 % 3000, 11); // one destination with most of the edges
    for (Index e = 0; e < 9000; ++e) pairs.emplace_back(17, e * 5 % 3000);  // one source
    const Graph g = Graph::from_edges(pairs, 3000);
    for (const auto& [heads, width] : {std::pair<Index, Index>{8, 8}, {1, 24}, {3, 5}}) {
        INFO("H = " << heads << ", D = " << width);
        const Inputs<float> in(g, heads, width, width);
        const auto dy = normal<float, 3>(in.q.shape(), 30);
        const auto all = [&](int what) {
            const Var<float, 3> q{in.q}, k{in.k}, v{in.v};
            const Var<float, 2> bias{in.bias};
            const Var<float, 3> y = graph_attention(g, q, k, v, bias, {.dropout = 0.1, .seed = 1});
            weft::backward(y, dy);
            const Tensor<float, 3> results[] = {
                y.value(),
                q.grad(),
                k.grad(),
                v.grad(),
                Tensor<float, 3>(unsqueeze(bias.grad(), 2)),
                Tensor<float, 3>(unsqueeze(graph_attention_with_lse(g, in.q, in.k, in.v, in.bias).lse, 2))};
            return results[what];
        };
        for (int what = 0; what < 6; ++what) {
            INFO("result " << what);
            weft_test::require_thread_independent([&] { return all(what); });
        }
        Inputs<double> exact(g, heads, width, width);
        exact.q = weft::cast<double>(in.q), exact.k = weft::cast<double>(in.k), exact.v = weft::cast<double>(in.v);
        exact.bias = weft::cast<double>(in.bias);
        const auto a = graph_attention_with_lse(g, in.q, in.k, in.v, in.bias);
        const auto b = graph_attention_with_lse(g, exact.q, exact.k, exact.v, exact.bias);
        require_close(a.out, Tensor<float, 3>(weft::cast<float>(b.out)), 1e-5);
        for (Index h = 0; h < heads; ++h) REQUIRE(double(a.lse(11, h)) == Approx(b.lse(11, h)).epsilon(2e-6));
    }
}

TEST_CASE("graph attention: nothing to attend to", "[attention]") {
    const auto attend = [](const Graph& g, Index heads) {
        const Inputs<float> in(g, heads, 3, 2);
        const Var<float, 3> q{in.q}, k{in.k}, v{in.v};
        weft::backward(weft::sum(Var<float, 3>(graph_attention(g, q, k, v))));
        for (const float d : q.grad().values()) REQUIRE(d == 0);
        REQUIRE(k.grad().shape() == in.k.shape());
        for (const float d : k.grad().values()) REQUIRE(d == 0);
        for (const float d : v.grad().values()) REQUIRE(d == 0);
        return graph_attention_with_lse(g, in.q, in.k, in.v, in.bias);
    };
    const auto no_edges = attend(Graph::from_edges({}, 4, 3), 2);
    REQUIRE(no_edges.out.shape() == weft::Extents<3>{3, 2, 2});
    for (const float y : no_edges.out.values()) REQUIRE(y == 0);
    for (const float y : no_edges.lse.values()) REQUIRE(y == -std::numeric_limits<float>::infinity());
    REQUIRE(attend(Graph::from_edges({}, 4, 0), 2).out.shape() == weft::Extents<3>{0, 2, 2});
    REQUIRE(attend(Graph::from_edges({}, 0, 3), 2).out.shape() == weft::Extents<3>{3, 2, 2});
    REQUIRE(attend(Graph::from_edges({{0, 1}, {2, 2}}, 4, 3), 0).out.shape() == weft::Extents<3>{3, 0, 2});
}

TEST_CASE("graph attention: errors name the sizes", "[attention]") {
    const Graph g = Graph::from_edges({{0, 0}, {1, 2}}, 4, 3);
    const auto tensor = [](Index n, Index h, Index d) { return Tensor<float, 3>::zeros({n, h, d}); };
    const auto q = tensor(3, 2, 5), k = tensor(4, 2, 5), v = tensor(4, 2, 6);
    const auto error = [&](const auto&... arguments) { return error_of([&] { graph_attention(g, arguments...); }); };
    REQUIRE(error(q, k, v) == "nothing was thrown");
    REQUIRE_THAT(error(tensor(4, 2, 5), k, v), ContainsSubstring("[4, 2, 5]") && ContainsSubstring("3 destinations"));
    REQUIRE_THAT(error(q, tensor(3, 2, 5), v), ContainsSubstring("[3, 2, 5]") && ContainsSubstring("4 sources"));
    REQUIRE_THAT(error(q, k, tensor(3, 2, 6)), ContainsSubstring("[3, 2, 6]") && ContainsSubstring("4 sources"));
    REQUIRE_THAT(error(q, tensor(4, 1, 5), v), ContainsSubstring("[4, 1, 5]") && ContainsSubstring("heads"));
    REQUIRE_THAT(error(q, k, tensor(4, 3, 6)), ContainsSubstring("[4, 3, 6]") && ContainsSubstring("heads"));
    REQUIRE_THAT(error(q, tensor(4, 2, 4), v), ContainsSubstring("[4, 2, 4]") && ContainsSubstring("channels"));
    REQUIRE_THAT(error(tensor(3, 2, 0), tensor(4, 2, 0), v), ContainsSubstring("[3, 2, 0]"));
    REQUIRE_THAT(error(q, k, v, GraphAttentionOptions{.dropout = 1}), ContainsSubstring("dropout is 1"));
    REQUIRE_THAT(error(q, k, v, GraphAttentionOptions{.dropout = -0.5}), ContainsSubstring("-0.5"));
    REQUIRE_THAT(error(q, k, v, Tensor<float, 2>::zeros({2, 3})),
                 ContainsSubstring("[2, 3]") && ContainsSubstring("[2, 2]"));
    REQUIRE_THAT(error(q, k, v, Tensor<float, 2>::zeros({3, 2})),
                 ContainsSubstring("[3, 2]") && ContainsSubstring("2 edges"));
    REQUIRE_THAT(error_of([&] { graph_attention_with_lse(g, q, tensor(4, 2, 4), v); }), ContainsSubstring("[4, 2, 4]"));
}

TEST_CASE("graph_from_csr: edges in their order, and errors", "[attention]") {
    const auto rows = [](std::initializer_list<std::int64_t> p) { return Tensor<std::int64_t, 1>::from(p); };
    const auto columns = Tensor<std::int32_t, 1>::from({2, 0, 0, 1});
    const Graph g = graph_from_csr(rows({0, 0, 3, 4}), columns, 3);
    REQUIRE(g.num_dst() == 3);
    REQUIRE(g.num_src() == 3);
    REQUIRE(same_bits(g.sources(), columns));
    REQUIRE(same_bits(g.destinations(), Tensor<std::int32_t, 1>::from({1, 1, 1, 2})));
    REQUIRE(g.in().eid_is_identity);
    REQUIRE(graph_from_csr(Tensor<std::int32_t, 1>::from({0}), Tensor<std::int64_t, 1>::zeros({0}), 2).num_dst() == 0);
    const auto error = [&](const auto& p, const auto& c, Index sources) {
        return error_of([&] { graph_from_csr(p, c, sources); });
    };
    REQUIRE_THAT(error(rows({}), columns, 3), ContainsSubstring("row_ptr"));
    REQUIRE_THAT(error(rows({1, 4}), columns, 3), ContainsSubstring("begins with 1"));
    REQUIRE_THAT(error(rows({0, 2, 3}), columns, 3), ContainsSubstring("ends with 3") && ContainsSubstring("4 edges"));
    REQUIRE_THAT(error(rows({0, 3, 2, 4}), columns, 3), ContainsSubstring("decreases from 3 to 2"));
    REQUIRE_THAT(error(rows({0, 9, 4}), columns, 3), ContainsSubstring("decreases from 9 to 4"));
    REQUIRE_THAT(error(rows({0, 4}), columns, 2), ContainsSubstring("edge 0 is 2"));
    REQUIRE_THAT(error(rows({0, 4}), Tensor<std::int64_t, 1>::from({0, 0, -1, 0}), 2),
                 ContainsSubstring("edge 2 is -1"));
}
