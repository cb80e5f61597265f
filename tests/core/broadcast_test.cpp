// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>

using namespace weft_test;
using weft::Dual, weft::Extents, weft::Tensor, weft::View;

namespace {

// a * 2 + b for operands of any shapes and strides, against one element after the other.
template <class A, class B>
void check(const A& a, const B& b) {
    using T = typename A::value_type;
    constexpr int rank = std::max(A::rank, B::rank);
    const Tensor<T, rank> y = a * T(2) + b;
    const auto shape = weft::broadcast_shapes(a.shape(), b.shape(), "test");
    REQUIRE(y.shape() == shape);
    const auto at = [&](const auto& x, weft::index position) {
        const auto strides = x.strides();
        weft::index offset = 0;
        for (int axis = rank; axis-- > 0;) {
            const weft::index i = position % shape[static_cast<std::size_t>(axis)];
            position /= shape[static_cast<std::size_t>(axis)];
            const int own = axis - (rank - static_cast<int>(strides.size()));
            if (own >= 0 && x.shape()[static_cast<std::size_t>(own)] > 1)
                offset += i * strides[static_cast<std::size_t>(own)];
        }
        return x.data()[offset];
    };
    weft::index wrong = 0;
    for (weft::index i = 0; i < y.size(); ++i) {
        const T expected = at(a, i) * T(2) + at(b, i);
        wrong += std::abs(static_cast<double>(y.data()[i] - expected)) > 1e-6;
    }
    REQUIRE(wrong == 0);
}

} // namespace

TEMPLATE_TEST_CASE("broadcast: rows, columns and heads", "[core]", float, double) {
    using T = TestType;
    for (const weft::index f : edge_lengths<T>())
        for (const weft::index n : {1, 3, 40}) {
            INFO("N " << n << ", F " << f);
            const auto x = numbers<T, 2>({n, f});
            check(x, numbers<T, 1>({f}, 2));
            check(x, numbers<T, 2>({n, 1}, 3));
            check(numbers<T, 2>({1, f}, 4), numbers<T, 2>({n, 1}, 5));
            check(x, Tensor<T, 0>(T(0.5)));
            check(numbers<T, 1>({f}, 2), x);
        }
    for (const weft::index n : {0, 1, 7, 300})
        for (const weft::index h : {1, 4, 8})
            for (const weft::index c : {1, 5, 16}) {
                const auto x = numbers<T, 3>({n, h, c});
                check(x, numbers<T, 3>({n, h, 1}, 2));
                check(x, numbers<T, 3>({n, 1, c}, 3));
                check(x, numbers<T, 2>({h, c}, 4));
                check(x, numbers<T, 2>({h, 1}, 5));
                check(numbers<T, 3>({n, 1, 1}, 6), numbers<T, 3>({1, h, c}, 7));
            }
}

TEST_CASE("broadcast: transposed, sliced and flipped operands", "[core]") {
    for (const weft::index n : {1, 15, 16, 17, 70}) {
        const auto x = numbers<float, 2>({n, 45}), y = numbers<float, 2>({45, n}, 2);
        check(x, weft::transpose(y));
        check(weft::transpose(y), weft::transpose(x, 0, 0));
        check(weft::slice(x, 1, 3, 40, 2), numbers<float, 1>({19}, 3));
        check(weft::flip(x, 1), weft::flip(x, 0));
        check(weft::transpose(y), weft::slice(x, 1, 0, 1));
        const auto cube = numbers<float, 3>({4, n, 6}, 4);
        check(weft::permute(cube, {2, 0, 1}), weft::permute(numbers<float, 3>({n, 6, 4}, 5), {1, 2, 0}));
    }
    const auto wide = numbers<float, 2>({3000, 5});
    check(weft::transpose(wide), numbers<float, 1>({3000}, 2)); // rows longer than a block
    check(weft::slice(numbers<float, 2>({3, 5000}), 1, 1, 4999), numbers<float, 1>({4998}, 2));
}

TEST_CASE("broadcast: mixed element types", "[core]") {
    const auto x = numbers<float, 2>({9, 21});
    const Tensor<bool, 1> mask = numbers<float, 1>({21}, 2) > 0.0f;
    const Tensor<weft::half, 2> column = numbers<weft::half, 2>({9, 1}, 3);
    const Tensor<float, 2> y = x * mask + column;
    const Tensor<Dual<float>, 2> d = x * Tensor<Dual<float>, 1>::full({21}, {2, 1});
    for (weft::index i = 0; i < 9; ++i)
        for (weft::index j = 0; j < 21; ++j) {
            REQUIRE(y(i, j) == (mask(j) ? x(i, j) : 0) + float(column(i, 0)));
            REQUIRE(d(i, j).tangent == x(i, j));
        }
}

TEST_CASE("broadcast: errors name the operation and the shapes", "[core]") {
    const auto x = Tensor<float, 2>::zeros({3, 4});
    REQUIRE(error_of([&] { x + Tensor<float, 1>::zeros({3}); }) ==
            "weft: add: a is [3, 4], b is [3]: extents 4 and 3 of axis 1 must be equal or 1");
    REQUIRE(error_of([&] {
                where(x, Tensor<float, 2>::zeros({3, 1}), Tensor<float, 2>::zeros({2, 4}));
            }) == "weft: where: a is [3, 4], b is [2, 4]: extents 3 and 2 of axis 0 must be equal or 1");
    REQUIRE((x + Tensor<float, 2>::zeros({1, 1})).shape() == Extents<2>{3, 4});
    REQUIRE((Tensor<float, 2>::zeros({3, 0}) + Tensor<float, 2>::zeros({1, 1})).shape() == Extents<2>{3, 0});
}

TEST_CASE("broadcast: the same bits on any number of threads", "[core]") {
    const auto x = numbers<float, 3>({700, 8, 33});
    const auto heads = numbers<float, 3>({700, 8, 1}, 2);
    const auto bias = numbers<float, 2>({8, 33}, 3);
    require_thread_independent([&] { return Tensor<float, 3>(tanh(x * heads + bias)); });
    require_thread_independent([&] { return weft::sum<0>(x * heads + bias); });
    require_thread_independent([&] { return weft::sum<2>(x * heads); });
}
