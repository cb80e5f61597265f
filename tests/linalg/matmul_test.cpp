// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"

#include <weft/grad.hpp>
#include <weft/linalg/matmul.hpp>

#include <complex>

using namespace weft_test;
using weft::Dual, weft::Extents, weft::matmul, weft::Tensor, weft::Var;

namespace {

/// The product by definition, in long double or the type itself.
template <class T>
Tensor<T, 2> reference(const Tensor<T, 2>& a, const Tensor<T, 2>& b) {
    auto c = Tensor<T, 2>::zeros({a.extent(0), b.extent(1)});
    for (weft::index i = 0; i < a.extent(0); ++i)
        for (weft::index j = 0; j < b.extent(1); ++j) {
            T s{};
            for (weft::index k = 0; k < a.extent(1); ++k)
                s = static_cast<T>(s + std::as_const(a)(i, k) * std::as_const(b)(k, j));
            c(i, j) = s;
        }
    return c;
}

template <class T, int N>
double distance(const Tensor<T, N>& a, const Tensor<T, N>& b) {
    REQUIRE(a.shape() == b.shape());
    double worst = 0;
    for (weft::index i = 0; i < a.size(); ++i) worst = std::max(worst, double(std::abs(a.data()[i] - b.data()[i])));
    return worst;
}

template <class T>
Tensor<T, 2> turned(const Tensor<T, 2>& x) { // the same matrix, stored transposed
    const Tensor<T, 2> stored = weft::transpose(x);
    return stored;
}

} // namespace

TEMPLATE_TEST_CASE("matmul: every size and layout gives the product by definition", "[linalg]", double,
                   std::complex<double>, std::int64_t) {
    using T = TestType;
    for (const auto& [m, k, n] : {std::array<weft::index, 3>{1, 1, 1},
                                  {1, 7, 5},
                                  {5, 7, 1},
                                  {3, 3, 3},
                                  {2, 1, 40},
                                  {17, 33, 9},
                                  {8, 300, 16},
                                  {64, 64, 64},
                                  {130, 450, 50},
                                  {33, 500, 900},
                                  {20, 5000, 30},
                                  {61, 13, 1001},
                                  {0, 3, 4},
                                  {3, 0, 4},
                                  {3, 4, 0},
                                  {1, 2000, 1},
                                  {1500, 9, 1},
                                  {1, 9, 1500}}) {
        INFO(m << " x " << k << " x " << n);
        const auto a = numbers<T, 2>({m, k}, 1), b = numbers<T, 2>({k, n}, 2);
        const auto c = reference(a, b);
        const auto at = turned(a), bt = turned(b);
        const double bound = 1e-14 * double(k + 1) * 4;
        REQUIRE(distance(matmul(a, b), c) <= bound);
        REQUIRE(distance(matmul(weft::transpose(at), b), c) <= bound);
        REQUIRE(distance(matmul(a, weft::transpose(bt)), c) <= bound);
        REQUIRE(distance(matmul(weft::transpose(at), weft::transpose(bt)), c) <= bound);
    }
}

TEMPLATE_TEST_CASE("matmul: every number of rows and columns about a tile", "[linalg]", float, double) {
    using T = TestType;
    for (const weft::index k : {5, 140})
        for (weft::index n = 2; n < 140; n += n < 40 ? 1 : 7)
            for (const weft::index m : {2, 5, 6, 7, 13}) {
                INFO(m << " x " << k << " x " << n);
                const auto a = numbers<T, 2>({m, k}, 1), b = numbers<T, 2>({k, n}, 2);
                const Tensor<double, 2> left = a, right = b, exact = reference(left, right);
                // Rounding errors of a sum of k products, in any order.
                const Tensor<double, 2> size = reference<double>(weft::abs(left), weft::abs(right));
                const double bound = double(k + 2) * 0.5 * std::numeric_limits<T>::epsilon() * weft::max(size).item();
                REQUIRE(distance(Tensor<double, 2>(matmul(a, b)), exact) <= bound);
                REQUIRE(distance(Tensor<double, 2>(matmul(a, weft::transpose(turned(b)))), exact) <= bound);
                REQUIRE(distance(Tensor<double, 2>(matmul(weft::transpose(turned(a)), b)), exact) <= bound);
            }
}

// The numbers are random, so partial sums grow with the square root of their terms, and errors of a loop with the
// terms.
TEST_CASE("matmul: float sums are as accurate as a loop over fused multiply-adds, long ones twice as", "[linalg]") {
    for (const auto& [m, k, n] :
         {std::array<weft::index, 3>{16, 16, 16}, {129, 1433, 17}, {129, 300, 21}, {700, 60, 300}}) {
        const auto a = numbers<float, 2>({m, k}, 1), b = numbers<float, 2>({k, n}, 2);
        const Tensor<double, 2> exact = matmul(Tensor<double, 2>(a), Tensor<double, 2>(b));
        double of_loop = 0;
        for (weft::index i = 0; i < m; ++i)
            for (weft::index j = 0; j < n; ++j) {
                float sum = 0;
                for (weft::index l = 0; l < k; ++l) sum = std::fma(a(i, l), b(l, j), sum);
                of_loop = std::max(of_loop, std::abs(double(sum) - exact(i, j)));
            }
        INFO(m << " x " << k << " x " << n);
        REQUIRE(distance(Tensor<double, 2>(matmul(a, b)), exact) <= (k > 1000 ? of_loop / 2 : of_loop));
    }
}

TEST_CASE("matmul: batches broadcast", "[linalg]") {
    const auto a = numbers<double, 4>({2, 1, 5, 7}, 1);
    const auto b = numbers<double, 3>({3, 7, 4}, 2);
    const Tensor<double, 4> c = matmul(a, b);
    REQUIRE(c.shape() == Extents<4>{2, 3, 5, 4});
    const auto b2 = numbers<double, 2>({7, 4}, 3);
    const Tensor<double, 4> shared = matmul(a, b2);
    for (weft::index h = 0; h < 2; ++h) {
        const Tensor<double, 2> ah = weft::select_index(weft::select_index(a, 0, h), 0, 0);
        for (weft::index i = 0; i < 3; ++i) {
            const Tensor<double, 2> ch = weft::select_index(weft::select_index(c, 0, h), 0, i);
            REQUIRE(distance(ch, reference(ah, Tensor<double, 2>(weft::select_index(b, 0, i)))) < 1e-13);
        }
        REQUIRE(distance(Tensor<double, 2>(weft::select_index(weft::select_index(shared, 0, h), 0, 0)),
                         reference(ah, b2)) < 1e-13);
    }
    // Heads in the middle, as attention has them: a permuted view is copied, a transposed one is not.
    const auto q = numbers<double, 3>({6, 2, 8}, 4), key = numbers<double, 3>({9, 2, 8}, 5);
    const Tensor<double, 3> scores =
        matmul(weft::permute(q, {1, 0, 2}), weft::transpose(weft::permute(key, {1, 0, 2})));
    REQUIRE(scores.shape() == Extents<3>{2, 6, 9});
    double s = 0;
    for (weft::index x = 0; x < 8; ++x) s += std::as_const(q)(4, 1, x) * std::as_const(key)(7, 1, x);
    REQUIRE(scores(1, 4, 7) == Approx(s).epsilon(1e-13));
    REQUIRE(matmul(Tensor<double, 3>::zeros({0, 2, 3}), Tensor<double, 2>::zeros({3, 4})).shape() ==
            Extents<3>{0, 2, 4});
}

TEST_CASE("matmul: vectors, dot and outer", "[linalg]") {
    const auto a = numbers<double, 2>({30, 50}, 1);
    const auto x = numbers<double, 1>({50}, 2), z = numbers<double, 1>({30}, 3);
    const Tensor<double, 1> y = matmul(a, x), w = matmul(z, a);
    const Tensor<double, 1> yt = matmul(weft::transpose(a), z);
    REQUIRE(y.shape() == Extents<1>{30});
    REQUIRE(w.shape() == Extents<1>{50});
    for (weft::index i = 0; i < 30; ++i) {
        double s = 0;
        for (weft::index k = 0; k < 50; ++k) s += std::as_const(a)(i, k) * std::as_const(x)(k);
        REQUIRE(y(i) == Approx(s).epsilon(1e-13).margin(1e-13));
    }
    REQUIRE(distance(w, yt) < 1e-13);
    const double d = weft::dot(x, x), m = matmul(x, x);
    REQUIRE(d == Approx(weft::sum(weft::square(x)).item()).epsilon(1e-14));
    REQUIRE(m == d);
    const Tensor<double, 2> o = weft::outer(z, x);
    REQUIRE(o.shape() == Extents<2>{30, 50});
    REQUIRE(o(3, 4) == std::as_const(z)(3) * std::as_const(x)(4));
}

TEST_CASE("matmul: element types", "[linalg]") {
    const auto a = numbers<float, 2>({20, 30}, 1), b = numbers<float, 2>({30, 10}, 2);
    const Tensor<weft::half, 2> ha = a, hb = b;
    const Tensor<weft::bfloat16, 2> ba = a;
    const auto c = matmul(ha, hb);
    STATIC_REQUIRE(std::same_as<decltype(c), const Tensor<float, 2>>);
    REQUIRE(distance(c, matmul(Tensor<float, 2>(ha), Tensor<float, 2>(hb))) == 0);
    REQUIRE(distance(matmul(ba, b), matmul(Tensor<float, 2>(ba), b)) == 0);
    const Tensor<double, 2> wide = matmul(a, Tensor<double, 2>(b));
    REQUIRE(distance(wide, matmul(Tensor<double, 2>(a), Tensor<double, 2>(b))) == 0);

    // A Dual product carries the derivative of the product.
    const auto va = numbers<double, 2>({9, 11}, 3), ta = numbers<double, 2>({9, 11}, 4);
    const auto vb = numbers<double, 2>({11, 70}, 5), tb = numbers<double, 2>({11, 70}, 6);
    const auto dual = [](const Tensor<double, 2>& v, const Tensor<double, 2>& t) {
        return weft::detail::join_planes<double, 2>(v, t);
    };
    const Tensor<Dual<double>, 2> y = matmul(dual(va, ta), weft::transpose(turned(dual(vb, tb))));
    const auto [value, tangent] = weft::detail::dual_planes<double>(y);
    REQUIRE(distance(value, reference(va, vb)) < 1e-13);
    REQUIRE(distance(tangent, Tensor<double, 2>(reference(va, tb) + reference(ta, vb))) < 1e-13);
}

TEST_CASE("matmul: errors name both shapes", "[linalg]") {
    const auto a = Tensor<float, 2>::zeros({32, 64});
    REQUIRE(error_of([&] {
                matmul(a, Tensor<float, 2>::zeros({63, 16}));
            }) == "weft: matmul: a is [32, 64], b is [63, 16]: inner extents 64 and 63 must be equal");
    REQUIRE(error_of([&] { matmul(weft::transpose(a), Tensor<float, 1>::zeros({64})); }) ==
            "weft: matmul: a is [64, 32], b is [64]: inner extents 32 and 64 must be equal");
    REQUIRE(error_of([&] { matmul(Tensor<float, 1>::zeros({1}), Tensor<float, 1>::zeros({2})); }) ==
            "weft: matmul: a is [1], b is [2]: inner extents 1 and 2 must be equal");
    REQUIRE(error_of([&] {
                matmul(Tensor<float, 3>::zeros({2, 3, 4}), Tensor<float, 3>::zeros({3, 4, 5}));
            }) == "weft: matmul: a is [2], b is [3]: extents 2 and 3 of axis 0 must be equal or 1");
    REQUIRE(error_of([&] { weft::dot(Tensor<float, 1>::zeros({1}), Tensor<float, 1>::zeros({2})); }) ==
            "weft: dot: a is [1], b is [2]: the lengths must be equal");
}

TEST_CASE("matmul: the same bits on any number of threads", "[linalg]") {
    for (const auto& [m, k, n] : {std::array<weft::index, 3>{300, 500, 200},
                                  {2708, 1433, 16},
                                  {16, 700, 2000},
                                  {64, 20000, 48},
                                  {3000, 3000, 1},
                                  {1, 3000, 3000}}) {
        const auto a = numbers<float, 2>({m, k}, 1), b = numbers<float, 2>({k, n}, 2);
        require_thread_independent([&] { return matmul(a, b); });
        const Tensor<float, 2> at = weft::transpose(a);
        require_thread_independent([&] { return matmul(weft::transpose(at), b); });
    }
    const auto a = numbers<float, 3>({40, 50, 60}, 1), b = numbers<float, 3>({40, 60, 30}, 2);
    require_thread_independent([&] { return matmul(a, b); });
    require_thread_independent([&] {
        const Var<float, 2> w{numbers<float, 2>({60, 30}, 3)};
        backward(weft::sum(weft::square(matmul(Var<float, 3>{a}, w))));
        return w.grad();
    });
}

TEST_CASE("matmul: transposed operands and their gradients are not copied", "[linalg]") {
    // The result may depend on the layout in its last bits, the allocations not: operands, result, adjoints.
    const Var<double, 2> x{numbers<double, 2>({90, 80}, 1)}, w{numbers<double, 2>({90, 70}, 2)};
    const Var<double, 2> y = matmul(weft::transpose(x), w);
    REQUIRE(y.node()->parents[0] == x.node().get());
    REQUIRE(y.node()->parents[1] == w.node().get());
    const auto dy = numbers<double, 2>({80, 70}, 3);
    backward(y, dy);
    REQUIRE(distance(x.grad(), matmul(w.value(), weft::transpose(dy))) < 1e-12);
    REQUIRE(distance(w.grad(), matmul(x.value(), dy)) < 1e-12);
}

TEST_CASE("matmul: gradients of every combination of ranks and layouts", "[linalg]") {
    const auto times = [](const auto& a, const auto& b) { return matmul(a, b); };
    const auto m = numbers<double, 2>({3, 4}, 1), n = numbers<double, 2>({4, 5}, 2), s = numbers<double, 2>({5, 4}, 3);
    const auto x = numbers<double, 1>({4}, 4), y = numbers<double, 1>({4}, 5);
    const auto batch = numbers<double, 3>({2, 3, 4}, 6), others = numbers<double, 3>({2, 4, 2}, 7);
    weft::expect_grad(times, m, n);
    weft::expect_grad(times, m, x);
    weft::expect_grad(times, x, n);
    weft::expect_grad(times, x, y);
    weft::expect_grad(times, batch, others);
    weft::expect_grad(times, batch, n);
    weft::expect_grad(times, batch, x);
    weft::expect_grad(times, m, others);
    weft::expect_grad(times, x, others);
    weft::expect_grad(times, numbers<double, 4>({2, 1, 3, 4}, 8), numbers<double, 3>({3, 4, 2}, 9));
    weft::expect_grad([](const auto& a, const auto& b) { return matmul(a, weft::transpose(b)); }, m, s);
    weft::expect_grad([](const auto& a, const auto& b) { return matmul(weft::transpose(a), weft::transpose(b)); }, n,
                      m);
    weft::expect_grad([](const auto& a, const auto& b) { return matmul(weft::transpose(a), b); }, batch,
                      numbers<double, 2>({3, 2}, 7));
    weft::expect_grad([](const auto& a) { return matmul(a, weft::transpose(a)); }, batch);
    weft::expect_grad([](const auto& a) { return matmul(weft::slice(a, 1, 1, 3), weft::slice(a, 0, 1, 3)); }, m);
    weft::expect_grad([](const auto& a, const auto& b) { return weft::outer(a, b); }, x, y);
    weft::expect_grad([](const auto& a, const auto& b) { return weft::dot(tanh(a), b); }, x, y);
    weft::expect_grad([&](const auto& a) { return matmul(m, a + a); }, n); // one operand constant
}

TEMPLATE_TEST_CASE("matmul: operands that are nearly all zeros", "[linalg]", float, double) {
    using T = TestType;
    const double bound = std::is_same_v<T, float> ? 1e-4 : 1e-12;
    // One operand with 1 of 31 elements that is not zero, wide enough that zeros are skipped; the other one dense.
    for (const auto& [rows, columns, n] :
         {std::array<weft::index, 3>{400, 300, 16}, {291, 517, 7}, {70, 1433, 64}, {1100, 130, 21}}) {
        INFO(rows << " x " << columns << ", " << n);
        const auto full = numbers<T, 2>({rows, columns}, 1);
        auto s = Tensor<T, 2>::zeros({rows, columns});
        for (weft::index i = 5; i < s.size(); i += 31) s.mutable_data()[i] = full.data()[i];
        const auto st = turned(s);
        const auto right = numbers<T, 2>({columns, n}, 2), left = numbers<T, 2>({n, rows}, 3);
        const auto rt = turned(right), lt = turned(left);
        const auto after = reference(s, right), before = reference(left, s);
        for (int threads : {1, 3}) {
            weft::set_thread_count(threads);
            REQUIRE(distance(matmul(s, right), after) <= bound);
            REQUIRE(distance(matmul(weft::transpose(st), weft::transpose(rt)), after) <= bound);
            REQUIRE(distance(matmul(left, s), before) <= bound);
            REQUIRE(distance(matmul(weft::transpose(lt), weft::transpose(st)), before) <= bound);
            const Var<T, 2> a{s}, b{right};
            const auto dy = numbers<T, 2>({rows, n}, 4);
            weft::backward(matmul(a, b), dy);
            REQUIRE(distance(b.grad(), reference(st, dy)) <= bound);
            REQUIRE(distance(a.grad(), reference(dy, rt)) <= bound);
        }
        weft::set_thread_count(0);

        // 0 times infinity is NaN all the same.
        auto infinite = right;
        infinite(columns / 2, 1) = std::numeric_limits<T>::infinity();
        const auto c = matmul(s, infinite);
        for (weft::index i = 0; i < rows; ++i) {
            REQUIRE(!std::isfinite(std::as_const(c)(i, 1)));
            REQUIRE(std::isfinite(std::as_const(c)(i, 0)));
        }
        // A NaN among the zeros is not one of them.
        auto invalid = s;
        invalid(7, 3) = std::numeric_limits<T>::quiet_NaN();
        const auto marked = matmul(invalid, right);
        REQUIRE(std::isnan(std::as_const(marked)(7, 2)));
    }
}
