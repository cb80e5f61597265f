// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn/dropout.hpp>

using namespace weft_test;
using weft::Extents, weft::Generator, weft::Tensor, weft::Var;
namespace nn = weft::nn;

namespace {

// The mask that a call with this generator must use.
template <class T, int N>
Tensor<T, N> expected_mask(const Extents<N>& extents, const Generator& at, double p) {
    auto mask = Tensor<T, N>::empty(extents);
    weft::fill_bernoulli_block(at, 0, mask.mutable_data(), mask.size(), 1 - p, static_cast<T>(1 / (1 - p)));
    return mask;
}

} // namespace

TEMPLATE_TEST_CASE("dropout: values and gradients are those of the mask", "[nn]", float, double) {
    using T = TestType;
    for (const Extents<2> shape :
         {Extents<2>{1, 1}, {3, 5}, {7, 64}, {5, 2049}, {300, 17}, {1, 5000}, {70, 1433}, {0, 4}}) {
        INFO(shape[0] << " x " << shape[1]);
        const auto x = numbers<T, 2>(shape), r = numbers<T, 2>(shape, 5);
        Generator generator{9, 2, 77};
        const Var<T, 2> input{x};
        const auto mask = expected_mask<T, 2>(shape, generator, 0.3);
        const Var y = nn::dropout(input, 0.3, generator);
        REQUIRE(same_bits(y.value(), Tensor<T, 2>(x * mask)));
        weft::backward(y, r);
        REQUIRE(same_bits(input.grad(), Tensor<T, 2>(r * mask)));
        if (x.size() > 0) REQUIRE(generator.position > 77);
    }
}

TEST_CASE("dropout: transposed, sliced, broadcast and computed operands", "[nn]") {
    const auto x = numbers<float, 2>({37, 90}), r = numbers<float, 2>({90, 37}, 5);
    const Generator at{4};
    const auto mask = expected_mask<float, 2>({90, 37}, at, 0.5);
    {
        Generator generator = at;
        const Var<float, 2> input{x};
        const Var y = nn::dropout(weft::transpose(input), 0.5, generator);
        REQUIRE(same_bits(y.value(), Tensor<float, 2>(weft::transpose(x) * mask)));
        weft::backward(y, r);
        // The gradient is added to zeros, where -0 becomes 0.
        REQUIRE(same_bits(input.grad(), Tensor<float, 2>(weft::transpose(r * mask) + 0.0f)));
    }
    {
        Generator generator = at;
        const Var<float, 1> row{numbers<float, 1>({37})};
        const Var<float, 2> column{numbers<float, 2>({90, 1}, 3)};
        const Var y = nn::dropout(weft::exp(row + column), 0.5, generator);
        const Tensor<float, 2> plain = weft::exp(row.value() + column.value());
        REQUIRE(same_bits(y.value(), Tensor<float, 2>(plain * mask)));
        weft::backward(y, r);
        const Tensor<float, 2> slope = r * mask * plain;
        const Tensor<float, 1> expected = weft::sum<0>(slope);
        for (weft::index i = 0; i < 37; ++i) REQUIRE(row.grad()(i) == Approx(expected(i)).epsilon(1e-4).margin(1e-4));
    }
    {
        Generator generator = at;
        const Var<float, 3> wide{numbers<float, 3>({90, 2, 37})};
        const Var y = nn::dropout(weft::select_index(wide, 1, 1), 0.5, generator);
        REQUIRE(same_bits(y.value(), Tensor<float, 2>(weft::select_index(wide.value(), 1, 1) * mask)));
        // One mask, although what follows repeats the value.
        const Var repeated = weft::sum(y * numbers<float, 3>({4, 90, 37}));
        weft::backward(repeated);
        const Tensor<float, 2> gradient = weft::select_index(wide.grad(), 1, 1);
        for (weft::index i = 0; i < gradient.size(); ++i) REQUIRE((gradient.data()[i] == 0) == (mask.data()[i] == 0));
    }
}

TEMPLATE_TEST_CASE("dropout: of values that are nearly all zeros, the same elements are dropped", "[nn]", float,
                   double) {
    using T = TestType;
    const Extents<2> shape{130, 1433};
    for (const weft::index step : {20, 97, 100000})
        for (const double p : {0.3, 1.0}) {
            INFO("every element of " << step << ", p " << p);
            auto x = Tensor<T, 2>::zeros(shape);
            for (weft::index i = 0; i < x.size(); i += step) x.mutable_data()[i] = static_cast<T>(1 + i % 7);
            Generator generator{3, 5, 7};
            const auto mask = p < 1 ? expected_mask<T, 2>(shape, generator, p) : Tensor<T, 2>::zeros(shape);
            const Var<T, 2> v{x};
            const Var<T, 2> y = nn::dropout(v, p, generator);
            REQUIRE(generator.position == 7 + static_cast<std::uint64_t>((x.size() + 63) / 64));
            const auto dy = numbers<T, 2>(shape, 1);
            backward(y, Tensor<T, 2>(T(1) * dy));
            const auto kept = Tensor<T, 2>(x * mask), gradient = Tensor<T, 2>(dy * mask);
            const Tensor<T, 2> value = y.value(), dx = v.grad();
            weft::index wrong = 0;
            for (weft::index i = 0; i < x.size(); ++i)
                wrong += value.data()[i] != kept.data()[i] || dx.data()[i] != gradient.data()[i];
            REQUIRE(wrong == 0);
        }
}

TEST_CASE("dropout: how many elements are dropped", "[nn]") {
    const auto x = Tensor<float, 2>::ones({1000, 1000});
    Generator generator{1};
    for (const double p : {0.1, 0.5, 0.9}) {
        const Var y = nn::dropout(Var{x}, p, generator);
        double dropped = 0;
        const float scale = static_cast<float>(1 / (1 - p));
        for (const float v : y.value().values()) {
            if (v != 0 && v != scale) FAIL("neither dropped nor scaled: " << v);
            dropped += v == 0;
        }
        REQUIRE(std::abs(dropped / 1e6 - p) < 4 * std::sqrt(p * (1 - p) / 1e6));
    }
    REQUIRE(same_bits(Var(nn::dropout(Var{x}, 0, generator)).value(), x));
    REQUIRE(weft::sum(nn::dropout(Var{x}, 1, generator)).item() == 0);
}

TEST_CASE("dropout: tensors pass, layers draw anew, the same generator repeats", "[nn]") {
    const auto x = numbers<float, 2>({20, 30});
    const nn::Dropout layer{0.5, {3}}, again{0.5, {3}}, other{0.5};
    const Tensor<float, 2> inferred = layer(x);
    REQUIRE(inferred.data() == x.data());
    const Var<float, 2> input{x};
    const auto first = layer(input).value(), second = layer(input).value();
    REQUIRE(!same_bits(first, second));
    REQUIRE(same_bits(first, again(input).value()));
    REQUIRE(same_bits(second, again(input).value()));
    REQUIRE(!same_bits(first, other(input).value()));
    nn::Dropout a{0.5}, b{0.5};
    Generator from{8}, same{8};
    a.reset_parameters(from);
    b.reset_parameters(same);
    REQUIRE(a.generator == b.generator);
    b.reset_parameters(same);
    REQUIRE(a.generator != b.generator);
}

TEST_CASE("dropout: the same bits on any number of threads", "[nn]") {
    const auto x = numbers<float, 2>({700, 1433});
    require_thread_independent([&] {
        const Var<float, 2> input{x};
        Generator generator{5};
        const Var y = nn::dropout(input, 0.4, generator);
        weft::backward(weft::sum(y * y));
        return input.grad();
    });
}

TEST_CASE("dropout: errors", "[nn]") {
    REQUIRE(error_of([] { nn::Dropout(1.5); }) == "weft: dropout: p is 1.5: must be in [0, 1]");
    Generator generator;
    REQUIRE_THAT(error_of([&] { (void)nn::dropout(Tensor<float, 1>::zeros({2}), -0.1, generator); }),
                 ContainsSubstring("p is -0.1"));
}
