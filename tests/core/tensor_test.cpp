// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/ops.hpp>
#include <weft/core/views.hpp>

#include <memory>

using namespace weft_test;
using weft::dyn, weft::Extents, weft::Shape, weft::Storage, weft::Tensor, weft::View;

TEST_CASE("tensor: construction says what it means", "[core]") {
    const auto a = Tensor<float, 2>::from({{1, 2, 3}, {4, 5, 6}});
    REQUIRE(a.shape() == Extents<2>{2, 3});
    REQUIRE((a.extent(-1) == 3 && a.size() == 6 && a(1, 2) == 6));
    REQUIRE(Tensor<float, 2>::full({2, 2}, 3.0f)(1, 1) == 3);
    REQUIRE(weft::zeros<int>({4, 3}).size() == 12);
    REQUIRE(weft::arange<double>(4, 1.0, 0.5)(3) == 2.5);
    REQUIRE(Tensor<float, 1>::from(std::vector<float>{1, 2})(1) == 2);
    REQUIRE(Tensor<float, 2>::from({}).shape() == Extents<2>{0, 0});
    REQUIRE(Tensor<int, 0>().item() == 0);
    const float number = Tensor<float, 0>(2.5f);
    REQUIRE(number == 2.5f);
    REQUIRE(Tensor<float, 3>().size() == 0);
    for (const weft::index n : {1, 3, 1000, 100000})
        REQUIRE(reinterpret_cast<std::uintptr_t>(Tensor<float, 1>::empty({n}).data()) % 64 == 0);
}

TEST_CASE("tensor: errors", "[core]") {
    REQUIRE(error_of([] { Tensor<float, 2>::from({{1, 2}, {3}}); }) == "weft: from: rows of different length: 2 and 1");
    REQUIRE(error_of([] {
                Tensor<float, 2>::from(std::vector<float>{1, 2, 3}, {2, 2});
            }) == "weft: from: 3 values do not fill shape [2, 2]");
    REQUIRE(error_of([] { Tensor<float, 1>::zeros({-1}); }) ==
            "weft: tensor: shape [-1]: extents must not be negative");
    REQUIRE(error_of([] {
                Tensor<float, 2>::empty({weft::index{1} << 40, weft::index{1} << 40});
            }) == "weft: tensor: shape [1099511627776, 1099511627776]: too many elements");
    const auto x = Tensor<float, 2>::zeros({2, 3});
    REQUIRE(error_of([&] { x(2, 0); }) == "weft: index: 2 is out of range in axis 0 of shape [2, 3]");
    REQUIRE(error_of([&] { x(0, -1); }) == "weft: index: -1 is out of range in axis 1 of shape [2, 3]");
    REQUIRE(error_of([&] { x.item(); }) == "weft: item: shape [2, 3]: must have one element");
    REQUIRE(error_of([&] { x.extent(2); }) == "weft: extent: axis 2 is out of range for rank 2");
}

TEST_CASE("tensor: copies share until one is written to", "[core]") {
    auto a = numbers<float, 2>({10, 10});
    auto b = a;
    REQUIRE(a.data() == b.data());
    const float before = a(3, 4);
    b(3, 4) = 42;
    REQUIRE(a.data() != b.data());
    REQUIRE((a(3, 4) == before && b(3, 4) == 42));
    const float* const mine = b.data();
    b(0, 0) = 1; // the only owner now: in place
    REQUIRE(b.data() == mine);

    const auto lazy = a + 1.0f; // holds a share
    a(3, 4) = 7;
    REQUIRE(Tensor<float, 2>(lazy)(3, 4) == before + 1);
    const View<float, 2> view = a;
    a.mutable_values()[0] = 99;
    REQUIRE(view(0, 0) != 99);

    Tensor<float, 2> same = weft::transpose(weft::transpose(b));
    REQUIRE(same.data() == b.data());
    same(0, 0) = -1;
    REQUIRE(b(0, 0) == 1);
}

TEST_CASE("tensor: expressions outlive what they were made of", "[core]") {
    const auto make = [] {
        const auto t = numbers<float, 1>({50});
        return exp(t) * 2.0f + t;
    };
    const Tensor<float, 1> y = make(), x = numbers<float, 1>({50});
    for (weft::index i = 0; i < 50; ++i) REQUIRE(y(i) == Approx(2 * std::exp(x(i)) + x(i)).epsilon(1e-5));
    Tensor<float, 1> z = x;
    z = z + weft::flip(z, 0); // reads what it replaces
    for (weft::index i = 0; i < 50; ++i) REQUIRE(z(i) == x(i) + x(49 - i));
}

TEST_CASE("tensor: the values of a temporary outlive it", "[core]") {
    const auto full = [](float value) { return Tensor<float, 1>::full({1000}, value); };
    float sum = 0;
    for (const float value : full(2).values()) {
        const auto other = full(3); // takes what memory is free
        sum += value + other(0);
    }
    REQUIRE(sum == 5000);
    const auto values = full(2).values();
    const auto other = full(3);
    REQUIRE(values.size() == 1000);
    REQUIRE(values.back() == 2);
    const std::span<const float> of_one_that_stays = other.values();
    REQUIRE(of_one_that_stays.data() == other.data());
}

TEST_CASE("tensor: static extents are checked", "[core]") {
    using Points = Tensor<float, 2, Shape<dyn, 3>>;
    const Points p = numbers<float, 2>({5, 3});
    const Points q = p * 2.0f;
    REQUIRE(q(4, 2) == 2 * p(4, 2));
    REQUIRE(Points(numbers<float, 2>({5, 3})).data() != nullptr);
    const Tensor<float, 2> plain = q;
    REQUIRE(plain.data() == q.data());
    REQUIRE(error_of([] { Points::zeros({5, 4}); }) == "weft: tensor: shape [5, 4]: axis 1 must be 3");
    REQUIRE(error_of([] {
                const Points r = numbers<float, 2>({5, 4});
            }) == "weft: tensor: shape [5, 4]: axis 1 must be 3");
    REQUIRE(error_of([] {
                const Points r = numbers<float, 2>({5, 4}) + 1.0f;
            }) == "weft: tensor: shape [5, 4]: axis 1 must be 3");
}

TEST_CASE("tensor: foreign memory is read in place and never written to", "[core]") {
    const auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4, 5});
    std::weak_ptr<std::vector<float>> watch = owner;
    {
        const float* const data = owner->data();
        auto x = Tensor<float, 1>::share(Storage::adopt(data, 20, std::shared_ptr(owner)), data, {5});
        REQUIRE(x.data() == data);
        REQUIRE(watch.use_count() == 2);
        const Tensor<float, 1> y = x * 2.0f;
        REQUIRE(y(4) == 10);
        x(0) = 100;
        REQUIRE((*owner)[0] == 1);
        REQUIRE(x.data() != data);
    }
    REQUIRE(watch.use_count() == 1);
    const float outside[] = {1, 2, 3};
    const auto view = View<float, 1>::over(outside, {3});
    const Tensor<float, 1> copy = view;
    REQUIRE(copy.data() != outside);
    REQUIRE(copy(2) == 3);
}

TEST_CASE("tensor: memory is recycled", "[core]") {
    const auto work = [] {
        const auto x = numbers<float, 2>({64, 64});
        const Tensor<float, 2> y = tanh(x) + weft::transpose(x);
        return y(0, 0);
    };
    work();
    const auto before = weft::detail::Pool::instance().system_allocations();
    for (int i = 0; i < 10; ++i) work();
    REQUIRE(weft::detail::Pool::instance().system_allocations() == before);
}
