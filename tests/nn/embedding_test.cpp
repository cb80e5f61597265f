// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn/embedding.hpp>

using namespace weft_test;
using weft::Extents, weft::Generator, weft::Tensor, weft::Var;
namespace nn = weft::nn;

TEST_CASE("embedding: rows of ids of any type and rank", "[nn]") {
    Generator generator{3};
    const nn::Embedding<float> layer(5, 4, {.generator = &generator});
    const auto w = layer.weight.value();
    const auto check = [&]<class I>(I) {
        const auto ids = Tensor<I, 2>::from({{0, 4, 2}, {2, 2, 1}});
        const Tensor<float, 3> y = layer(ids), recorded = layer(Var{ids}).value();
        REQUIRE(y.shape() == Extents<3>{2, 3, 4});
        REQUIRE(same_bits(y, recorded));
        for (weft::index i = 0; i < 2; ++i)
            for (weft::index j = 0; j < 3; ++j)
                for (weft::index d = 0; d < 4; ++d) REQUIRE(y(i, j, d) == w(static_cast<weft::index>(ids(i, j)), d));
    };
    check(std::int64_t{});
    check(std::int32_t{});
    check(std::uint8_t{});
    REQUIRE(Tensor<float, 2>(layer(Tensor<std::int64_t, 1>())).shape() == Extents<2>{0, 4});
}

TEST_CASE("embedding: the gradient of a row is the sum over its places", "[nn]") {
    const nn::Embedding<double> layer(4, 3);
    const auto ids = Tensor<std::int32_t, 1>::from({2, 0, 2, 2});
    const auto r = numbers<double, 2>({4, 3});
    backward(Var(sum(layer(Var{ids}) * r)));
    const auto g = layer.weight.grad();
    for (weft::index d = 0; d < 3; ++d) {
        REQUIRE(g(0, d) == r(1, d));
        REQUIRE(g(1, d) == 0);
        REQUIRE(g(2, d) == Approx(r(0, d) + r(2, d) + r(3, d)).epsilon(1e-15));
        REQUIRE(g(3, d) == 0);
    }
}

TEST_CASE("embedding: the same gradient on any number of threads", "[nn]") {
    const nn::Embedding<float> layer(65, 128);
    auto ids = Tensor<std::int64_t, 2>::empty({32, 100});
    Generator generator{5};
    fill_integers(generator, ids.mutable_data(), ids.size(), 0, 65);
    const auto r = numbers<float, 3>({32, 100, 128});
    require_thread_independent([&] {
        nn::clear_grad(layer);
        backward(Var(sum(layer(Var{ids}) * r)));
        return layer.weight.grad();
    });
}

TEST_CASE("embedding: initial values and errors", "[nn]") {
    Generator generator{9};
    const nn::Embedding<double> layer(100, 200, {.generator = &generator});
    double squares = 0;
    for (const double value : layer.weight.value().values()) squares += value * value;
    REQUIRE(squares / 20000 == Approx(1).epsilon(0.05));
    REQUIRE(error_of([&] {
                (void)layer(Tensor<std::int64_t, 1>::from({3, 100}));
            }) == "weft: Embedding: index 100 at position 1 is out of range: there are 100 rows");
    REQUIRE_THAT(error_of([&] { (void)layer(Var{Tensor<std::int64_t, 1>::from({-1})}); }),
                 ContainsSubstring("index -1 at position 0"));
    REQUIRE_THAT(error_of([] { nn::Embedding<float>(3, -1); }), ContainsSubstring("3 ids, -1 features"));
}
