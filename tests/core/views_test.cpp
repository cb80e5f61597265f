// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>

#include <algorithm>
#include <array>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::to_end, weft::View;

TEST_CASE("views: transpose and permute", "[core]") {
    const auto x = numbers<float, 3>({3, 5, 40});
    const View<float, 3> t = weft::transpose(x);
    REQUIRE(t.shape() == Extents<3>{3, 40, 5});
    REQUIRE(t.data() == x.data());
    const View<float, 3> p = weft::permute(x, {2, 0, -2});
    REQUIRE(p.shape() == Extents<3>{40, 3, 5});
    const Tensor<float, 3> copy = p, doubled = p + p, same = weft::transpose(weft::transpose(x, 0, 1), 1, 0);
    for (weft::index i = 0; i < 3; ++i)
        for (weft::index j = 0; j < 5; ++j)
            for (weft::index k = 0; k < 40; ++k) {
                REQUIRE(t(i, k, j) == x(i, j, k));
                REQUIRE(copy(k, i, j) == x(i, j, k));
                REQUIRE(doubled(k, i, j) == 2 * x(i, j, k));
            }
    REQUIRE(same_bits(same, x));
    REQUIRE(same.data() == x.data());
    REQUIRE(error_of([&] {
                weft::permute(x, {0, 1, 1});
            }) == "weft: permute: axis 1 is named twice: every axis must be named once");
    REQUIRE(error_of([&] { weft::transpose(x, 0, 3); }) == "weft: transpose: axis 3 is out of range for rank 3");
}

TEMPLATE_TEST_CASE("views: copies of permuted windows, element by element", "[core]", float, double, int) {
    using T = TestType;
    const auto check = [](const auto& view, const char* what) {
        const Tensor<T, 4> copy = view, negated = -view;
        const auto& e = view.shape();
        const auto& s = view.strides();
        weft::index wrong = 0, at = 0;
        for (weft::index i = 0; i < e[0]; ++i)
            for (weft::index j = 0; j < e[1]; ++j)
                for (weft::index k = 0; k < e[2]; ++k)
                    for (weft::index l = 0; l < e[3]; ++l, ++at) {
                        const T x = view.data()[i * s[0] + j * s[1] + k * s[2] + l * s[3]];
                        wrong += copy.data()[at] != x || negated.data()[at] != -x;
                    }
        INFO(what << " " << e[0] << ", " << e[1] << ", " << e[2] << ", " << e[3]);
        REQUIRE(wrong == 0);
    };
    for (const Extents<4>& extents :
         {Extents<4>{1, 1, 300, 70}, {1, 1, 64, 129}, {2, 3, 5, 67}, {3, 4, 33, 4}, {7, 1, 130, 3}, {2, 80, 2, 35}}) {
        auto x = Tensor<T, 4>::empty(extents);
        for (weft::index i = 0; i < x.size(); ++i) x.mutable_data()[i] = static_cast<T>(i);
        std::array<int, 4> order{0, 1, 2, 3};
        do {
            check(weft::permute(x, order), "whole");
            check(weft::slice(weft::permute(x, order), 3, 1, weft::to_end), "window");
            check(weft::permute(weft::slice(x, 3, 1, -1), order), "rows with gaps");
            check(weft::permute(weft::slice(x, 3, 0, weft::to_end, 2), order), "every second");
            check(weft::permute(weft::slice(x, 2, 0, weft::to_end, 3), order), "every third row");
        } while (std::next_permutation(order.begin(), order.end()));
    }
    // Broadcast beside another operand.
    auto a = Tensor<T, 2>::empty({40, 90});
    for (weft::index i = 0; i < a.size(); ++i) a.mutable_data()[i] = static_cast<T>(i % 61);
    const auto b = Tensor<T, 3>::full({3, 90, 40}, T(2));
    const Tensor<T, 3> product = b * weft::transpose(a);
    for (weft::index i = 0; i < 3; ++i)
        for (weft::index j = 0; j < 90; ++j)
            for (weft::index k = 0; k < 40; ++k) REQUIRE(product(i, j, k) == 2 * a(k, j));
}

TEST_CASE("views: a transposed view that repeats its elements is read where it lies", "[core]") {
    const auto x = numbers<float, 2>({40, 60});
    const View<float, 3> many = weft::broadcast_to(weft::transpose(x), Extents<3>{500, 60, 40});
    weft::reset_peak_memory();
    const std::size_t before = weft::peak_memory();
    const float total = weft::sum(many * 2.0f).item();
    REQUIRE(weft::peak_memory() - before < 1u << 20); // all elements have 4.8 MB
    REQUIRE(total == Approx(1000 * static_cast<double>(weft::sum(x).item())).epsilon(1e-4));
}

TEST_CASE("views: slices follow Python", "[core]") {
    const auto x = weft::arange<int>(10);
    const auto list = [&](weft::index begin, weft::index end, weft::index step = 1) {
        const Tensor<int, 1> y = weft::slice(x, 0, begin, end, step);
        return std::vector<int>(y.values().begin(), y.values().end());
    };
    REQUIRE(list(2, 5) == std::vector{2, 3, 4});
    REQUIRE(list(-3, to_end) == std::vector{7, 8, 9});
    REQUIRE(list(0, -8) == std::vector{0, 1});
    REQUIRE(list(-100, 100, 4) == std::vector{0, 4, 8});
    REQUIRE(list(1, to_end, 3) == std::vector{1, 4, 7});
    REQUIRE(list(5, 5).empty());
    REQUIRE(list(7, 3).empty());
    REQUIRE(list(10, to_end).empty());
    REQUIRE(error_of([&] { weft::slice(x, 0, 0, 5, 0); }) == "weft: slice: the step is 0: it must be positive");
    REQUIRE(error_of([&] { weft::slice(x, 1, 0); }) == "weft: slice: axis 1 is out of range for rank 1");

    const auto m = numbers<double, 2>({70, 33});
    const View<double, 2> part = weft::slice(weft::slice(m, 0, 3, 60, 5), -1, 2, -1);
    REQUIRE(part.shape() == Extents<2>{12, 30});
    const Tensor<double, 2> sum = part * 2.0 + part;
    for (weft::index i = 0; i < 12; ++i)
        for (weft::index j = 0; j < 30; ++j) REQUIRE(sum(i, j) == Approx(3 * m(3 + 5 * i, 2 + j)).epsilon(1e-15));
}

TEST_CASE("views: single positions, new and dropped axes", "[core]") {
    const auto x = numbers<float, 3>({4, 1, 6});
    const View<float, 2> last = weft::select_index(x, 0, -1);
    REQUIRE(last.shape() == Extents<2>{1, 6});
    REQUIRE(last(0, 2) == x(3, 0, 2));
    const View<float, 2> flat = weft::squeeze(x, 1);
    REQUIRE(flat.shape() == Extents<2>{4, 6});
    REQUIRE(weft::unsqueeze(flat, -1).shape() == Extents<3>{4, 6, 1});
    REQUIRE(weft::unsqueeze(flat, 0).shape() == Extents<3>{1, 4, 6});
    const Tensor<float, 3> back = weft::unsqueeze(flat, 1);
    REQUIRE(back.data() == x.data());
    REQUIRE(error_of([&] { weft::select_index(x, 2, 6); }) ==
            "weft: select_index: 6 is out of range in axis 2 of shape [4, 1, 6]");
    REQUIRE(error_of([&] { weft::squeeze(x, 0); }) == "weft: squeeze: axis 0 of shape [4, 1, 6] must be 1");
    REQUIRE(error_of([&] { weft::unsqueeze(x, 4); }) == "weft: unsqueeze: axis 4 is out of range for rank 4");
}

TEST_CASE("views: flip reads backwards", "[core]") {
    const auto x = numbers<float, 2>({30, 100});
    const Tensor<float, 2> y = weft::flip(x, 1), z = weft::flip(x, 0) + x;
    for (weft::index i = 0; i < 30; ++i)
        for (weft::index j = 0; j < 100; ++j) {
            REQUIRE(y(i, j) == x(i, 99 - j));
            REQUIRE(z(i, j) == x(29 - i, j) + x(i, j));
        }
    const Tensor<float, 2> twice = weft::flip(weft::flip(x, 0), 0);
    REQUIRE(same_bits(twice, x));
    REQUIRE(weft::flip(Tensor<float, 1>::zeros({0}), 0).size() == 0);
    const Tensor<float, 1> sums = weft::sum<1>(weft::flip(x, 1));
    REQUIRE(sums(3) == Approx(weft::sum<1>(x)(3)).margin(1e-4));
}

TEST_CASE("views: broadcast_to repeats without memory", "[core]") {
    const auto x = numbers<float, 2>({3, 1});
    const View<float, 3> y = weft::broadcast_to(x, {2, 3, 50});
    REQUIRE(y.strides() == Extents<3>{0, 1, 0});
    const Tensor<float, 3> copy = y;
    for (weft::index i = 0; i < 2; ++i)
        for (weft::index j = 0; j < 3; ++j)
            for (weft::index k = 0; k < 50; ++k) REQUIRE(copy(i, j, k) == x(j, 0));
    REQUIRE(error_of([&] {
                weft::broadcast_to(x, {4, 2});
            }) == "weft: broadcast_to: shape [3, 1] to [4, 2]: extent 3 of axis 0 must be 4 or 1");
}

TEST_CASE("views: reshape and flatten", "[core]") {
    const auto x = numbers<float, 2>({6, 4});
    const View<float, 3> y = weft::reshape(x, {2, -1, 4});
    REQUIRE(y.shape() == Extents<3>{2, 3, 4});
    REQUIRE(y.data() == x.data());
    const Tensor<float, 1> turned = weft::flatten(weft::transpose(x)); // a copy
    for (weft::index i = 0; i < 6; ++i)
        for (weft::index j = 0; j < 4; ++j) REQUIRE(turned(j * 6 + i) == x(i, j));
    REQUIRE(weft::reshape(Tensor<float, 2>::zeros({0, 3}), {-1, 5}).shape() == Extents<2>{0, 5});
    REQUIRE(weft::flatten(x + x)(5) == 2 * x(1, 1));
    REQUIRE(error_of([&] {
                weft::reshape(x, {5, -1});
            }) == "weft: reshape: shape [6, 4] to [5, -1]: the 24 elements must fill the shape");
    REQUIRE(error_of([&] {
                weft::reshape(x, {5, 5});
            }) == "weft: reshape: shape [6, 4] to [5, 5]: the 24 elements must fill the shape");
    REQUIRE(error_of([&] { weft::reshape(x, {-1, -1}); }) == "weft: reshape: to [-1, -1]: only one extent may be -1");
    REQUIRE(error_of([&] {
                weft::reshape(x, {-2, 12});
            }) == "weft: reshape: shape [-2, 12]: extents must not be negative");
    REQUIRE(error_of([&] {
                weft::reshape(Tensor<float, 1>::zeros({0}), {0, -1});
            }) == "weft: reshape: shape [0] to [0, -1]: the 0 elements must fill the shape");
}

TEST_CASE("views: they keep what they show", "[core]") {
    auto x = numbers<float, 2>({5, 5});
    const auto before = x(2, 3);
    const View<float, 2> t = weft::transpose(x);
    x(2, 3) = 100;
    REQUIRE(t(3, 2) == before);
    const auto orphan = weft::slice(numbers<float, 1>({100}), 0, 10);
    REQUIRE(orphan(0) == numbers<float, 1>({100})(10));
}
