// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "graph/random_graph.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/ops.hpp>
#include <weft/core/random.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/graph/edge_statistics.hpp>
#include <weft/graph/row_sum.hpp>

using namespace weft;
using weft_test::same_bits;

namespace {

using Index = weft::index;

template <class T, int N>
Tensor<T, N> normal(const Extents<N>& extents, std::uint64_t seed) {
    auto t = Tensor<T, N>::empty(extents);
    Generator generator{seed};
    fill_normal(generator, t.mutable_data(), t.size(), T(0), T(1));
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

} // namespace

TEMPLATE_TEST_CASE("edge expressions: reductions equal gather and scatter, for all widths", "[graph]", float, double) {
    using T = TestType;
    const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-12;
    const Graph g = weft_test::random_bipartite_graph(23, 31, 150, 1);
    for (const Index f : {1, 3, 8, 15, 16, 17, 33, 48, 64, 65, 130}) {
        INFO("F = " << f);
        const auto x = normal<T, 2>({23, f}, 2), y = normal<T, 2>({31, f}, 3), m = normal<T, 2>({150, f}, 5);
        const auto w = normal<T, 1>({150}, 4);
        const auto xs = gather(x, g.sources()), yd = gather(y, g.destinations());
        const auto check = [&](const Tensor<T, 2>& result, const auto& messages, Reduce how) {
            require_close(result, Tensor<T, 2>(scatter(eval(messages), g.destinations(), 31, how)), tolerance);
        };
        check(sum_in(g, src(x)), xs, Reduce::sum);
        check(sum_in(g, src(x) * edge(w)), xs * unsqueeze(w, 1), Reduce::sum);
        check(mean_in(g, relu(src(x) + dst(y)) * edge(m)), relu(xs + yd) * m, Reduce::mean);
        check(max_in(g, src(x) - dst(y)), xs - yd, Reduce::max);
        check(min_in(g, src(x) * edge(w) + T(0.5)), xs * unsqueeze(w, 1) + T(0.5), Reduce::min);
        require_close(Tensor<T, 2>(edges(g, src(x) * dst(y))), Tensor<T, 2>(xs * yd), tolerance);
        require_close(Tensor<T, 1>(edges(g, row_dot(src(x), dst(y)))), Tensor<T, 1>(sum<1>(xs * yd)),
                      tolerance * std::sqrt(double(f)) * 4);
        require_close(Tensor<T, 2>(sum_out(g, dst(y) * edge(w))),
                      Tensor<T, 2>(scatter(eval(yd * unsqueeze(w, 1)), g.sources(), 23, Reduce::sum)), tolerance);
    }
}

TEMPLATE_TEST_CASE("edge expressions: heads of any number and width", "[graph]", float, double) {
    using T = TestType;
    const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-12;
    const Graph g = weft_test::random_graph(20, 110, 2);
    const std::pair<Index, Index> shapes[] = {{1, 1},  {1, 7},  {2, 3},  {3, 5}, {8, 8},
                                              {4, 16}, {5, 33}, {16, 2}, {7, 1}};
    for (const auto& [h, c] : shapes) {
        INFO("H = " << h << ", C = " << c);
        const auto z = normal<T, 3>({20, h, c}, 3);
        const auto a = normal<T, 2>({20, h}, 4), b = normal<T, 2>({20, h}, 5);
        const auto score = eval(leaky_relu(gather(a, g.sources()) + gather(b, g.destinations()), T(0.2)));
        const auto weight = eval(exp(score));
        const auto total = scatter(weight, g.destinations(), 20, Reduce::sum);
        const auto alpha = eval(weight / gather(total, g.destinations()));
        require_close(Tensor<T, 2>(softmax_in(g, leaky_relu(src(a) + dst(b), T(0.2)))), Tensor<T, 2>(alpha), tolerance);
        require_close(Tensor<T, 3>(sum_in(g, softmax_in(leaky_relu(src(a) + dst(b), T(0.2))) * src(z))),
                      Tensor<T, 3>(scatter(eval(unsqueeze(alpha, 2) * gather(z, g.sources())), g.destinations(), 20,
                                           Reduce::sum)),
                      tolerance);
        require_close(Tensor<T, 2>(edges(g, row_dot(src(z), dst(z)))),
                      Tensor<T, 2>(sum<2>(gather(z, g.sources()) * gather(z, g.destinations()))), 20 * tolerance);
    }
}

TEST_CASE("edge expressions: gradients, first and second order", "[graph]") {
    const Graph g = weft_test::random_bipartite_graph(6, 7, 25, 3);
    const auto x = normal<double, 2>({6, 5}, 1), y = normal<double, 2>({7, 5}, 2), m = normal<double, 2>({25, 5}, 4);
    const auto w = normal<double, 1>({25}, 3), p = normal<double, 1>({5}, 5);
    expect_grad([&](const auto& a, const auto& b) { return sum_in(g, src(a) * edge(b)); }, x, w);
    expect_grad(
        [&](const auto& a, const auto& b, const auto& c) { return mean_in(g, tanh(src(a) + dst(b)) * edge(c)); }, x, y,
        m);
    expect_grad([&](const auto& a, const auto& q) { return sum_in(g, sin(src(a) * q)); }, x, p);
    expect_grad([&](const auto& b, const auto& q) { return sum_in(g, sin(dst(b) * q)); }, y, p);
    expect_grad([&](const auto& c) { return sum_in(g, exp(edge(c))); }, m);
    expect_grad([&](const auto& a) { return max_in(g, src(a)); }, x);
    expect_grad([&](const auto& a, const auto& b) { return min_in(g, src(a) * dst(b)); }, x, y);
    expect_grad([&](const auto& a, const auto& b) { return edges(g, src(a) * dst(b)); }, x, y);
    expect_grad([&](const auto& a, const auto& b) { return edges(g, row_dot(src(a), dst(b))); }, x, y);
    expect_grad([&](const auto& a, const auto& b) { return sum_in(g, softmax_in(row_dot(src(a), dst(b))) * src(a)); },
                x, y);
    expect_grad([&](const auto& a, const auto& b) { return sum_out(g, softmax_out(dst(b)) * src(a)); }, x, y);
    expect_grad([&](const auto& a, const auto& b) { return sum_out(g, src(a) * dst(b)); }, x, y);
    expect_grad([&](const auto& a) { return gather(logsumexp_in(g, src(a)), Tensor<Index, 1>::from({0})); }, x);
    expect_grad([&](const auto& a, const auto& b) { return std_in(g, src(a) + dst(b)); }, x, y);
}

TEST_CASE("edge expressions: gradients of attention, by heads", "[graph]") {
    const Graph g = weft_test::random_graph(6, 20, 4);
    const std::pair<Index, Index> shapes[] = {{1, 3}, {2, 4}, {3, 2}, {2, 9}};
    for (const auto& [h, c] : shapes) {
        INFO("H = " << h << ", C = " << c);
        const auto z = normal<double, 3>({6, h, c}, 1);
        const auto a = normal<double, 2>({6, h}, 2), b = normal<double, 2>({6, h}, 3),
                   e = normal<double, 2>({20, h}, 4);
        expect_grad([&](const auto& vz, const auto& va, const auto& vb,
                        const auto& ve) { return sum_in(g, softmax_in(silu(src(va) + dst(vb) + edge(ve))) * src(vz)); },
                    z, a, b, e);
        expect_grad([&](const auto& vz) { return sum_in(g, softmax_in(row_dot(src(vz), dst(vz))) * src(vz)); }, z);
        const auto equal = Tensor<double, 2>::zeros({6, h}); // so that every weight is the largest
        expect_grad([&](const auto& vz, const auto& va) { return sum_in(g, softmax_in(src(va)) * src(vz)); }, z, equal);
        expect_grad([&](const auto& va, const auto& vz) { return sum_in(g, dst(va) * src(vz)); }, a, z);
        expect_grad([&](const auto& va, const auto& vz) { return sum_in(g, edge(va) * src(vz)); }, e, z);
    }
    // two stages in one expression
    const auto q = normal<double, 2>({6, 3}, 8), k = normal<double, 2>({6, 3}, 9);
    expect_grad(
        [&](const auto& vq, const auto& vk) { return sum_in(g, softmax_in(src(vq)) * softmax_in(dst(vk) * src(vk))); },
        q, k);
}

TEST_CASE("edge expressions: the same bits on any number of threads", "[graph]") {
    const Graph g = weft_test::random_bipartite_graph(3000, 2500, 40000, 5);
    const auto x = normal<float, 3>({3000, 4, 8}, 1);
    const auto a = normal<float, 2>({3000, 4}, 2), b = normal<float, 2>({2500, 4}, 3);
    const auto w = normal<float, 1>({40000}, 4);
    const auto p = normal<float, 2>({4, 8}, 7);
    const auto dy = normal<float, 3>({2500, 4, 8}, 5);
    std::vector<Tensor<float, 3>> outputs, dx;
    std::vector<Tensor<float, 2>> da, db, dp;
    std::vector<Tensor<float, 1>> dw;
    const int before = thread_count();
    for (const int threads : {1, 2, 3, 7}) {
        set_thread_count(threads);
        Var vx = x;
        Var va = a;
        Var vb = b;
        Var vw = w;
        Var vp = p;
        Var y = sum_in(g, softmax_in(leaky_relu(src(va) + dst(vb), 0.2f)) * edge(vw) * src(vx) * vp);
        outputs.push_back(y.value());
        backward(y, dy);
        dx.push_back(vx.grad());
        da.push_back(va.grad());
        db.push_back(vb.grad());
        dw.push_back(vw.grad());
        dp.push_back(vp.grad());
    }
    set_thread_count(before);
    for (std::size_t i = 1; i < outputs.size(); ++i) {
        REQUIRE(same_bits(outputs[0], outputs[i]));
        REQUIRE(same_bits(dx[0], dx[i]));
        REQUIRE(same_bits(da[0], da[i]));
        REQUIRE(same_bits(db[0], db[i]));
        REQUIRE(same_bits(dw[0], dw[i]));
        REQUIRE(same_bits(dp[0], dp[i]));
    }
}

TEST_CASE("edge expressions: adjoints, permutations, duplicates", "[graph]") {
    const Graph g = weft_test::random_bipartite_graph(15, 12, 60, 6);
    const auto x = normal<double, 2>({15, 7}, 1), y = normal<double, 2>({12, 7}, 2);
    const Tensor<double, 2> ax = sum_in(g, src(x)), aty = sum_out(g, dst(y));
    const double left = sum(ax * y), right = sum(x * aty);
    REQUIRE(left == Approx(right).epsilon(1e-12));

    Generator generator{9};
    const auto order = permutation(generator, g.num_edges());
    const auto shuffled = Tensor<Index, 1>::from(order);
    const Graph h(Tensor<std::int32_t, 1>(gather(g.sources(), shuffled)),
                  Tensor<std::int32_t, 1>(gather(g.destinations(), shuffled)), 15, 12);
    require_close(Tensor<double, 2>(sum_in(h, src(x))), ax, 1e-12);

    const Graph twice = Graph::from_edges({{0, 1}, {0, 1}}, 2), once = Graph::from_edges({{0, 1}}, 2);
    const auto v = normal<double, 2>({2, 3}, 3);
    require_close(Tensor<double, 2>(sum_in(twice, src(v))),
                  Tensor<double, 2>(sum_in(once, src(v) * edge(Tensor<double, 1>::from({2})))), 1e-15);
}

TEST_CASE("edge expressions: softmax of huge scores, and rows without edges", "[graph]") {
    const Graph g = Graph::from_edges({{0, 0}, {1, 0}, {2, 0}}, 3);
    const auto s = Tensor<float, 1>::from({1000, 1001, 999});
    const Tensor<float, 1> p = softmax_in(g, edge(s));
    REQUIRE(double(sum(p)) == Approx(1).epsilon(1e-6));
    REQUIRE(p(1) > p(0));
    const auto x = ones<float>({3, 2});
    const Tensor<float, 2> y = sum_in(g, softmax_in(edge(s)) * src(x)), m = max_in(g, src(x) * -1.0f);
    REQUIRE(y(0, 0) == Approx(1));
    REQUIRE(y(1, 0) == 0);
    REQUIRE(m(0, 0) == -1);
    REQUIRE(m(2, 1) == 0);
    const Tensor<float, 2> l = logsumexp_in(g, src(x));
    REQUIRE(l(0, 0) == Approx(1 + std::log(3.0)));
    REQUIRE(l(1, 0) == -std::numeric_limits<float>::infinity());
}

TEST_CASE("edge expressions: graphs without nodes or edges", "[graph]") {
    for (const Index n : {0, 3}) {
        const Graph g = Graph::from_edges({}, n);
        Var x = Tensor<double, 3>::ones({n, 2, 3});
        Var a = Tensor<double, 2>::ones({n, 2});
        Var y = sum_in(g, softmax_in(src(a) + dst(a)) * src(x));
        REQUIRE(y.shape() == Extents<3>{n, 2, 3});
        backward(y, Tensor<double, 3>::ones({n, 2, 3}));
        REQUIRE(x.grad().shape() == x.shape());
        REQUIRE(double(sum(x.grad())) == 0);
        REQUIRE(edges(g, src(a)).shape() == Extents<2>{0, 2});
    }
}

TEST_CASE("edge expressions: errors say what does not fit", "[graph]") {
    const Graph g = Graph::from_edges({{0, 1}, {1, 2}}, 4, 3);
    REQUIRE_THROWS_WITH(sum_in(g, src(zeros<float>({3, 2}))),
                        "weft: sum_in: src(x) has 3 rows, the graph has 4 source nodes: they must be equal");
    REQUIRE_THROWS_WITH(max_in(g, dst(zeros<float>({4, 2}))),
                        "weft: max_in: dst(x) has 4 rows, the graph has 3 destination nodes: they must be equal");
    REQUIRE_THROWS_WITH(mean_in(g, edge(zeros<float>({3}))),
                        "weft: mean_in: edge(w) has 3 rows, the graph has 2 edges: they must be equal");
    REQUIRE_THROWS_WITH(src(zeros<float>({4, 2})) * dst(zeros<float>({3, 3})),
                        ContainsSubstring("row of a is [2], row of b is [3]"));
}
