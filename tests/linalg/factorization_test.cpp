// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"

#include <weft/grad.hpp>
#include <weft/linalg.hpp>

using namespace weft_test;
using weft::Extents, weft::matmul, weft::Tensor, weft::transpose;

namespace {

template <class T, int N>
double distance(const Tensor<T, N>& a, const Tensor<T, N>& b) {
    REQUIRE(a.shape() == b.shape());
    double worst = 0;
    for (weft::index i = 0; i < a.size(); ++i) worst = std::max(worst, double(std::abs(a.data()[i] - b.data()[i])));
    return worst;
}
template <class T>
Tensor<T, 2> identity(weft::index n) {
    auto x = Tensor<T, 2>::zeros({n, n});
    for (weft::index i = 0; i < n; ++i) x(i, i) = 1;
    return x;
}
/// Symmetric, with eigenvalues of at least 1.
template <class T>
Tensor<T, 2> positive(weft::index n) {
    const auto x = numbers<T, 2>({n, n}, 3);
    return matmul(x, transpose(x)) + identity<T>(n);
}

} // namespace

TEMPLATE_TEST_CASE("linear systems", "[linalg]", float, double) {
    using T = TestType;
    const double bound = std::same_as<T, float> ? 2e-4 : 1e-11;
    const Tensor<T, 2> a = numbers<T, 2>({9, 9}, 1) + T(4) * identity<T>(9);
    const auto b = numbers<T, 2>({9, 4}, 2);
    REQUIRE(distance(Tensor<T, 2>(matmul(a, weft::solve(a, b))), b) < bound);
    const auto v = numbers<T, 1>({9}, 3);
    REQUIRE(distance(Tensor<T, 1>(matmul(a, weft::solve(a, v))), v) < bound);
    REQUIRE(distance(Tensor<T, 2>(matmul(weft::inverse(a), a)), identity<T>(9)) < bound);
    REQUIRE(weft::det(Tensor<T, 2>::from({{2, 1}, {3, 5}})).item() == Approx(7));
    REQUIRE(weft::det(Tensor<T, 2>::from({{0, 1}, {1, 0}})).item() == Approx(-1));
    REQUIRE(weft::det(Tensor<T, 2>::zeros({0, 0})).item() == 1);
    const Tensor<T, 2> l = weft::cholesky(positive<T>(8));
    REQUIRE(distance(Tensor<T, 2>(matmul(l, transpose(l))), positive<T>(8)) < bound);
    REQUIRE(l(2, 5) == 0);
}

TEMPLATE_TEST_CASE("orthogonal factorisations", "[linalg]", float, double) {
    using T = TestType;
    const double bound = std::same_as<T, float> ? 5e-5 : 1e-12;
    for (const Extents<2>& shape : {Extents<2>{7, 4}, {4, 7}, {5, 5}, {1, 1}, {40, 30}}) {
        const auto a = numbers<T, 2>(shape, 1);
        const weft::index k = std::min(shape[0], shape[1]);
        const auto [q, r] = weft::qr(a);
        REQUIRE(distance(Tensor<T, 2>(matmul(q, r)), a) < bound);
        REQUIRE(distance(Tensor<T, 2>(matmul(transpose(q), q)), identity<T>(k)) < bound);
        for (weft::index i = 0; i < k; ++i)
            for (weft::index j = 0; j < i; ++j) REQUIRE(r(i, j) == 0);
        const auto [u, s, vt] = weft::svd(a);
        REQUIRE(distance(Tensor<T, 2>(matmul(u * s, vt)), a) < bound);
        REQUIRE(distance(Tensor<T, 2>(matmul(transpose(u), u)), identity<T>(k)) < bound);
        for (weft::index i = 1; i < k; ++i) REQUIRE(s(i) <= s(i - 1));
        REQUIRE(s(k - 1) >= 0);
    }
    const auto [values, vectors] = weft::eigh(positive<T>(8));
    REQUIRE(distance(Tensor<T, 2>(matmul(vectors * values, transpose(vectors))), positive<T>(8)) < 10 * bound);
    for (weft::index i = 1; i < 8; ++i) REQUIRE(values(i) >= values(i - 1));
    REQUIRE(values(0) > 0.99);
    const auto known = weft::eigh(Tensor<T, 2>::from({{2, 1}, {1, 2}}));
    REQUIRE(known.values(0) == Approx(1));
    REQUIRE(known.values(1) == Approx(3));
}

TEST_CASE("factorisations: gradients", "[linalg]") {
    const Tensor<double, 2> a = numbers<double, 2>({4, 4}, 1) + 3.0 * identity<double>(4);
    weft::expect_grad<1>([](const auto& x, const auto& b) { return weft::solve(x, b); }, a,
                         numbers<double, 2>({4, 3}, 2));
    weft::expect_grad<1>([](const auto& x, const auto& b) { return weft::solve(x, b); }, a, numbers<double, 1>({4}, 2));
    weft::expect_grad<1>([](const auto& x) { return weft::inverse(x); }, a);
    weft::expect_grad<1>([](const auto& x) { return weft::det(x); }, a);
    weft::expect_grad<1>(
        [](const auto& x) { return weft::cholesky(weft::eval(matmul(x, transpose(x)) + identity<double>(4))); },
        numbers<double, 2>({4, 4}, 5));
}

TEST_CASE("factorisations: errors", "[linalg]") {
    const auto singular = Tensor<double, 2>::from({{1, 2}, {2, 4}});
    REQUIRE(error_of([&] { weft::inverse(singular); }) == "weft: inverse: a is singular: pivot 1 is 0");
    REQUIRE(error_of([&] { weft::solve(singular, Tensor<double, 1>::ones({2})); }) ==
            "weft: solve: a is singular: pivot 1 is 0");
    REQUIRE(error_of([&] {
                weft::solve(identity<double>(2), Tensor<double, 2>::ones({3, 1}));
            }) == "weft: solve: a is [2, 2], b is [3, 1]: extents 2 and 3 of axis 0 must be equal");
    REQUIRE(error_of([&] {
                weft::det(Tensor<float, 2>::ones({2, 3}));
            }) == "weft: det: a is [2, 3]: it must be square");
    REQUIRE(error_of([&] {
                weft::cholesky(Tensor<float, 2>::from({{1, 2}, {2, 1}}));
            }) == "weft: cholesky: a is not positive definite");
    REQUIRE(error_of([&] {
                weft::svd(Tensor<float, 2>::full({2, 2}, NAN));
            }) == "weft: svd: a has an element that is not finite");
    REQUIRE(error_of([&] {
                weft::eigh(Tensor<float, 2>::ones({2, 3}));
            }) == "weft: eigh: a is [2, 3]: it must be square");
}
