// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/so3/gaunt_many_body.hpp>
#include <weft/so3/gaunt_tensor_product.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::GauntManyBody;

TEST_CASE("GauntManyBody: as in the reference", "[so3][golden]") {
    for_each_golden_group("gaunt-tensor-product", "many_body", [&](GoldenCase& g) {
        const auto sizes = g.get<std::int64_t, 1>("L_nu_Lout_B_C_E");
        const auto element = g.get<std::int64_t, 1>("element");
        const int l = static_cast<int>(sizes(0)), bodies = static_cast<int>(sizes(1));
        const GauntManyBody<double> layer(sizes(4), l, static_cast<int>(sizes(2)),
                                          {.correlation = bodies, .num_elements = sizes(5)});
        check_derivatives(
            g, [&](const auto& x, const auto& w) { return layer(x, element, w); }, Input<3>{"x"}, Input<4>{"W"});
        // The powers themselves: one element and channel, one weight that is 1.
        const auto x = g.get<double, 3>("x");
        const Tensor<double, 3> rows = reshape(x, Extents<3>{x.extent(0) * x.extent(1), 1, x.extent(2)});
        for (int n = 2; n <= bodies; ++n) {
            const GauntManyBody<double> power(1, l, l * n, {.correlation = n});
            auto weights = Tensor<double, 4>::zeros(power.weight.shape());
            for (weft::index d = 0; d <= l * n; ++d) weights.mutable_data()[(n - 1) * (l * n + 1) + d] = 1;
            const Tensor<double, 3> y = power(rows, Tensor<weft::index, 1>::zeros({rows.extent(0)}), weights);
            g.compare("power" + std::to_string(n),
                      Tensor<double, 3>(reshape(y, Extents<3>{x.extent(0), x.extent(1), y.extent(2)})));
        }
    });
}

TEST_CASE("GauntManyBody: products one after the other, and their derivatives", "[so3]") {
    using D = weft::Dual<double>;
    const auto random = [](const auto& shape, unsigned seed) {
        constexpr int rank = static_cast<int>(std::tuple_size_v<std::remove_cvref_t<decltype(shape)>>);
        return weft_test::detail::with_tangent(numbers<double, rank>(shape, seed),
                                               numbers<double, rank>(shape, seed + 50));
    };
    const auto near = []<int N>(const Tensor<D, N>& a, const Tensor<D, N>& b) {
        REQUIRE(a.shape() == b.shape());
        for (weft::index i = 0; i < a.size(); ++i) {
            REQUIRE(std::abs(a.data()[i].value - b.data()[i].value) <= 1e-11 * (1 + std::abs(b.data()[i].value)));
            REQUIRE(std::abs(a.data()[i].tangent - b.data()[i].tangent) <= 1e-11 * (1 + std::abs(b.data()[i].tangent)));
        }
    };
    for (const auto& sizes : {std::array{0, 3, 0}, {2, 1, 3}, {3, 3, 1}, {1, 4, 4}, {4, 2, 3}, {2, 5, 0}}) {
        const int l = sizes[0], bodies = sizes[1], out = sizes[2];
        INFO(l << ", " << bodies << ", " << out);
        const weft::index n = 7, channels = 3;
        const GauntManyBody<D> layer(channels, l, out, {.correlation = bodies, .num_elements = 2});
        const auto element = Tensor<std::int32_t, 1>::from({0, 1, 1, 0, 0, 1, 0});
        const Var<D, 3> x{random(Extents<3>{n, channels, so3::components_up_to(l)}, 1)}, z{x.value()};
        const Var<D, 4> w{random(layer.weight.shape(), 2)}, v{w.value()};
        const auto dy = random(Extents<3>{n, channels, so3::components_up_to(out)}, 3);
        const auto y = layer(x, element, w);
        const auto of_power = [&](int k) {
            const auto part = reshape(contiguous(slice(v, 0, k - 1, k)), Extents<3>{2, channels, out + 1});
            return so3::degree_weights(gather(part, element));
        };
        const auto one = weft::cast<D>(Tensor<double, 3>::full({n, channels, 1}, std::sqrt(4 * std::numbers::pi)));
        auto power = weft::eval(z);
        auto sum = weft::eval(so3::GauntTensorProduct(l, 0, out)(z, Var<D, 3>{one}) * of_power(1));
        for (int k = 2; k <= bodies; ++k) {
            sum = weft::eval(sum + so3::GauntTensorProduct(l * (k - 1), l, out)(power, z) * of_power(k));
            power = so3::GauntTensorProduct(l * (k - 1), l, l * k)(power, z);
        }
        near(y.value(), sum.value());
        weft::backward(y, dy);
        weft::backward(sum, dy);
        near(x.grad(), z.grad());
        near(w.grad(), v.grad());
    }
}

TEST_CASE("GauntManyBody: threads, no rows, parameters, errors", "[so3]") {
    weft::Generator generator{3};
    GauntManyBody<float> layer(5, 2, 1, {.correlation = 3, .num_elements = 2, .generator = &generator});
    REQUIRE(layer.weight.shape() == Extents<4>{3, 2, 5, 2});
    const auto x = numbers<float, 3>({900, 5, 9});
    auto element = Tensor<std::int32_t, 1>::empty({900});
    for (weft::index i = 0; i < 900; ++i) element.mutable_data()[i] = static_cast<std::int32_t>(i % 2);
    require_thread_independent([&] {
        const Var<float, 3> v{x};
        const Var<float, 4> w{layer.weight.value()};
        weft::backward(layer(v, element, w), numbers<float, 3>({900, 5, 4}, 2));
        return weft::eval(concat(0, reshape(v.grad(), {v.grad().size()}), reshape(w.grad(), {w.grad().size()})));
    });
    weft::nn::for_each_parameter(layer, [](std::string_view name, auto&) { REQUIRE(name == "weight"); });
    REQUIRE(layer(Tensor<float, 3>::zeros({0, 5, 9}), Tensor<std::int32_t, 1>::empty({0})).shape() ==
            Extents<3>{0, 5, 4});
    REQUIRE(error_of([&] {
                (void)layer(Tensor<float, 3>::zeros({900, 4, 9}), element);
            }) == "weft: GauntManyBody: x is [900, 4, 9]: must be [900, 5, 9], a row for each element");
    element.mutable_data()[3] = 2;
    REQUIRE_THAT(error_of([&] { (void)layer(x, element); }), ContainsSubstring("2"));
    REQUIRE_THAT(error_of([] { GauntManyBody<float>(1, 1, -1); }), ContainsSubstring("must not be negative"));
    REQUIRE_THAT(error_of([] { GauntManyBody<float>(1, 1, 1, {.correlation = 0}); }),
                 ContainsSubstring("must be at least 1"));
}
