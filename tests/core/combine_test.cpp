// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/combine.hpp>

using namespace weft_test;
using weft::Extents, weft::Reduce, weft::Tensor;

namespace {

// What an operation hands to its operands, which are all doubles of rank N.
template <int N>
struct Collected {
    std::vector<Tensor<double, N>> gradients;
    template <std::size_t K>
    bool wants() const {
        return true;
    }
    template <std::size_t K, class E>
    void add(const E& e) {
        REQUIRE(gradients.size() == K);
        gradients.push_back(e);
    }
};

template <class Op, int N>
void check_gradient(const Op& op, Tensor<double, N> x) {
    const auto y = op.forward(x);
    const auto w = numbers<double, std::remove_cvref_t<decltype(y)>::rank>(y.shape(), 7);
    Collected<N> sink;
    op.backward(w, y, sink, x);
    const double h = 1e-5;
    for (weft::index i = 0; i < x.size(); ++i) {
        auto above = x, below = x;
        above.mutable_data()[i] += h;
        below.mutable_data()[i] -= h;
        const double difference = weft::sum(w * (op.forward(above) - op.forward(below))).item() / (2 * h);
        REQUIRE(sink.gradients[0].data()[i] == Approx(difference).epsilon(1e-6).margin(1e-8));
    }
}

} // namespace

TEST_CASE("combine: concat and stack", "[core]") {
    const auto a = numbers<double, 3>({4, 3, 5}, 1), b = numbers<double, 3>({4, 1, 5}, 2),
               c = numbers<double, 3>({4, 0, 5}, 3);
    const Tensor<double, 3> y = weft::concat(1, a, b, c, a * 2.0);
    REQUIRE(y.shape() == Extents<3>{4, 7, 5});
    for (weft::index i = 0; i < 4; ++i)
        for (weft::index j = 0; j < 7; ++j)
            for (weft::index k = 0; k < 5; ++k)
                REQUIRE(y(i, j, k) == (j < 3 ? a(i, j, k) : j < 4 ? b(i, 0, k) : 2 * a(i, j - 4, k)));
    const auto v = weft::arange<int>(3);
    REQUIRE(weft::concat(0, v, v).shape() == Extents<1>{6});
    using Parts = std::vector<Tensor<double, 3>>;
    REQUIRE(same_bits(Tensor<double, 3>(weft::concat(1, Parts{a})), a));
    REQUIRE(same_bits(weft::concat(1, Parts{a, b}), weft::concat(1, a, b)));
    REQUIRE(same_bits(weft::concat(1, Parts{a, b, c, b, a}), weft::concat(1, a, b, c, b, a)));
    REQUIRE(error_of([&] { weft::concat(0, Parts{}); }) ==
            "weft: concat: there are no operands: there must be at least one");
    const Tensor<int, 2> s = weft::stack(-1, v, v + 10);
    REQUIRE(s.shape() == Extents<2>{3, 2});
    REQUIRE(s(2, 0) == 2);
    REQUIRE(s(2, 1) == 12);
    REQUIRE(weft::stack(0, v, v + 10)(1, 2) == 12);
    REQUIRE(error_of([&] { weft::concat(2, a, b); }) ==
            "weft: concat: operand 0 is [4, 3, 5], operand 1 is [4, 1, 5]: they must be equal but for axis 2");
    REQUIRE(error_of([&] { weft::concat(3, a, b); }) == "weft: concat: axis 3 is out of range for rank 3");

    Collected<3> sink;
    const weft::detail::Concat op{1};
    const auto dy = numbers<double, 3>(y.shape(), 9);
    op.backward(dy, y, sink, a, b, c, a);
    REQUIRE(sink.gradients.size() == 4);
    REQUIRE(sink.gradients[0](3, 2, 4) == dy(3, 2, 4));
    REQUIRE(sink.gradients[1](3, 0, 4) == dy(3, 3, 4));
    REQUIRE(sink.gradients[2].size() == 0);
    REQUIRE(sink.gradients[3](3, 0, 4) == dy(3, 4, 4));
}

TEST_CASE("combine: gather takes rows", "[core]") {
    const auto x = numbers<double, 2>({5, 7});
    const auto at = Tensor<int, 1>::from({4, 0, 4, 2});
    const Tensor<double, 2> y = weft::gather(x, at);
    for (weft::index i = 0; i < 4; ++i)
        for (weft::index j = 0; j < 7; ++j) REQUIRE(y(i, j) == x(at(i), j));
    const Tensor<double, 3> batch = weft::gather(x, Tensor<std::int64_t, 2>::from({{1, 2}, {3, 4}, {0, 0}}));
    REQUIRE(batch.shape() == Extents<3>{3, 2, 7});
    REQUIRE(batch(1, 1, 6) == x(4, 6));
    const Tensor<double, 2> columns = weft::index_select(x, 1, at);
    REQUIRE(columns.shape() == Extents<2>{5, 4});
    REQUIRE(columns(3, 2) == x(3, 4));
    REQUIRE(weft::gather(weft::arange<float>(5), at)(3) == 2);
    REQUIRE(error_of([&] {
                weft::gather(x, Tensor<int, 1>::from({0, 5}));
            }) == "weft: gather: index 5 at position 1 is out of range: there are 5 rows");
    REQUIRE(error_of([&] { weft::gather(x, Tensor<int, 1>::from({-1})); }) ==
            "weft: gather: index -1 at position 0 is out of range: there are 5 rows");
    check_gradient(weft::detail::Gather<1>{Tensor<weft::index, 1>::from({4, 0, 4, 2})}, x);
    check_gradient(weft::detail::Gather<2>{Tensor<weft::index, 2>::from({{4, 0}, {4, 2}})}, x);
}

TEST_CASE("combine: scatter against loops", "[core]") {
    for (const weft::index width : {1, 3, 16, 33}) {
        const weft::index rows = 200, n = 23;
        const auto x = numbers<double, 2>({rows, width});
        auto to = Tensor<int, 1>::empty({rows});
        for (weft::index e = 0; e < rows; ++e)
            to.mutable_data()[e] = static_cast<int>(e * 7919 % 21); // 21, 22 stay empty
        const Tensor<double, 2> sum = weft::segment_sum(x, to, n), mean = weft::scatter(x, to, n, Reduce::mean);
        const Tensor<double, 2> max = weft::scatter(x, to, n, Reduce::max), min = weft::scatter(x, to, n, Reduce::min);
        const Tensor<double, 2> mul = weft::scatter(x, to, n, Reduce::mul);
        for (weft::index d = 0; d < n; ++d)
            for (weft::index j = 0; j < width; ++j) {
                double total = 0, product = 1, high = -10, low = 10;
                int count = 0;
                for (weft::index e = 0; e < rows; ++e) {
                    if (to(e) != d) continue;
                    total += x(e, j);
                    product *= x(e, j);
                    high = std::max(high, x(e, j));
                    low = std::min(low, x(e, j));
                    ++count;
                }
                REQUIRE(sum(d, j) == total);
                REQUIRE(mean(d, j) == total / std::max(count, 1));
                REQUIRE(max(d, j) == (count ? high : 0));
                REQUIRE(min(d, j) == (count ? low : 0));
                REQUIRE(mul(d, j) == product);
            }
    }
    const auto x = numbers<float, 2>({3, 2});
    const auto to = Tensor<int, 1>::from({0, 1, 1});
    REQUIRE(weft::segment_sum(Tensor<float, 2>::zeros({0, 2}), Tensor<int, 1>::zeros({0}), 4).shape() ==
            Extents<2>{4, 2});
    REQUIRE(weft::scatter(weft::arange<int>(3), to, 2)(1) == 3);
    REQUIRE(float(weft::segment_sum(Tensor<weft::half, 2>::ones({3, 2}), to, 2)(1, 1)) == 2.0f);
    REQUIRE(error_of([&] {
                weft::scatter(x, Tensor<int, 1>::from({0, 1}), 2);
            }) == "weft: scatter: x is [3, 2], the destinations are [2]: there must be one for each row of x");
    REQUIRE(error_of([&] { weft::scatter(x, to, 1); }) ==
            "weft: scatter: index 1 at position 1 is out of range: there are 1 rows");
}

TEST_CASE("combine: gradients of scatter", "[core]") {
    auto x = numbers<double, 2>({9, 3});
    const auto to = Tensor<weft::index, 1>::from({2, 0, 2, 2, 4, 0, 0, 4, 0});
    for (const Reduce reduce : {Reduce::sum, Reduce::mean, Reduce::max, Reduce::min, Reduce::mul})
        check_gradient(weft::detail::Scatter{to, 5, reduce}, x);
    x(1, 0) = 0; // one factor 0 of destination 0
    x(0, 1) = 0; // two of destination 2
    x(3, 1) = 0;
    check_gradient(weft::detail::Scatter{to, 5, Reduce::mul}, x);

    const auto tied = Tensor<double, 2>::from({{1}, {5}, {5}, {5}});
    Collected<2> sink;
    const weft::detail::Scatter op{Tensor<weft::index, 1>::from({0, 0, 0, 1}), 2, Reduce::max};
    op.backward(Tensor<double, 2>::from({{3}, {7}}), op.forward(tied), sink, tied);
    REQUIRE(same_bits(sink.gradients[0], Tensor<double, 2>::from({{0}, {1.5}, {1.5}, {7}})));
}

TEST_CASE("combine: one_hot and cast", "[core]") {
    const auto y = weft::one_hot(Tensor<int, 1>::from({2, 0}), 3);
    REQUIRE(same_bits(y, Tensor<float, 2>::from({{0, 0, 1}, {1, 0, 0}})));
    REQUIRE(weft::one_hot<double>(Tensor<std::uint8_t, 2>::zeros({2, 2}), 1).shape() == Extents<3>{2, 2, 1});
    REQUIRE(error_of([&] { weft::one_hot(Tensor<int, 1>::from({3}), 3); }) ==
            "weft: one_hot: index 3 at position 0 is out of range: there are 3 rows");
    const auto x = Tensor<float, 1>::from({-1.75f, 0, 2.5f});
    REQUIRE(same_bits(weft::cast<int>(x), Tensor<int, 1>::from({-1, 0, 2})));
    REQUIRE(same_bits(weft::cast<bool>(x), Tensor<bool, 1>::from({true, false, true})));
    REQUIRE(same_bits(weft::cast<double>(x > 0.0f), Tensor<double, 1>::from({0, 0, 1})));
    REQUIRE(same_bits(weft::cast<float>(weft::cast<weft::half>(x)), x));
    Collected<1> sink;
    weft::detail::Cast<float>{}.backward(x, x, sink, Tensor<double, 1>::zeros({3}));
    REQUIRE(sink.gradients[0](0) == -1.75);
}

TEST_CASE("combine: the same bits on any number of threads", "[core]") {
    const auto x = numbers<float, 2>({50001, 12});
    auto to = Tensor<std::int64_t, 1>::empty({50001});
    for (weft::index e = 0; e < to.size(); ++e) to.mutable_data()[e] = e * 7919 % 1000;
    require_thread_independent([&] { return weft::segment_sum(x, to, 1001); });
    require_thread_independent([&] { return weft::scatter(x, to, 1001, Reduce::mean); });
    require_thread_independent([&] { return weft::gather(x, to); });
    require_thread_independent([&] { return weft::concat(1, x, x); });
}
