// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/so3/fully_connected_net.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::FullyConnectedNet, so3::Function;

namespace {

/// The net of these weights.
template <class T, class... W>
FullyConnectedNet<T> net_of(const so3::FullyConnectedNetOptions& options, const W&... weights) {
    FullyConnectedNet<T> net;
    net.function = Function::silu;
    net.options = options;
    (net.layers.push_back(
         {weft::Parameter<T, 2>(weights.node(), weights.offset(), weights.shape(), weights.strides())}),
     ...);
    return net;
}
template <class X>
using scalar_of = typename std::remove_cvref_t<X>::value_type;

} // namespace

TEST_CASE("FullyConnectedNet: as in e3nn", "[so3][golden]") {
    with_golden_case("equivariant-core", "radial", "fully_connected_net_silu", [](GoldenCase& g) {
        REQUIRE_THAT(g.metadata().at("fully_connected_net_silu"),
                     ContainsSubstring("act=silu") && ContainsSubstring("variance_in=variance_out=1, out_act=False"));
        check_derivatives(
            g, [](const auto& x, const auto&... w) { return net_of<scalar_of<decltype(x)>>({}, w...)(x); },
            Input<2>{"x"}, Input<2>{"w0"}, Input<2>{"w1"}, Input<2>{"w2"});
    });
}

TEST_CASE("FullyConnectedNet: variances", "[so3]") {
    // Normal inputs of that variance give results of the wanted one, over the weights.
    for (const bool out_act : {false, true})
        for (const std::vector<weft::index>& channels : {std::vector<weft::index>{64, 64}, {64, 128, 512}}) {
            weft::Generator generator{3};
            const FullyConnectedNet<double> net(channels, Function::tanh,
                                                {.variance_in = 4,
                                                 .variance_out = 9,
                                                 .out_act = out_act,
                                                 .moment = so3::SecondMoment::exact,
                                                 .generator = &generator});
            auto x = Tensor<double, 2>::empty({400, 64});
            weft::nn::normal(x, generator, 0, 2);
            double square = 0;
            const Tensor<double, 2> y = net(x);
            for (const double v : y.values()) square += v * v / double(y.size());
            INFO(out_act << " " << channels.size() << " " << square);
            REQUIRE(std::abs(square / 9 - 1) < 0.1);
        }
}

TEST_CASE("FullyConnectedNet: names, gradients, errors", "[so3]") {
    const FullyConnectedNet<float> net({5, 7, 3}, Function::silu);
    std::vector<std::string> names;
    weft::nn::for_each_parameter(net, [&](std::string_view name, const auto&) { names.emplace_back(name); });
    REQUIRE(names == std::vector<std::string>{"layer0.weight", "layer1.weight"});
    REQUIRE(net.in_features() == 5);
    REQUIRE(net.out_features() == 3);
    REQUIRE_FALSE(same_bits(net.layers[0].weight.value(),
                            FullyConnectedNet<float>({5, 7, 3}, Function::silu).layers[0].weight.value()));
    REQUIRE(net(numbers<float, 2>({0, 5})).shape() == Extents<2>{0, 3});
    for (const bool out_act : {false, true}) {
        const auto of = [&](const auto& x) {
            weft::Generator generator{1};
            using T = scalar_of<decltype(x)>;
            return FullyConnectedNet<T>({3, 4, 2}, Function::gelu,
                                        {.variance_out = 2, .out_act = out_act, .generator = &generator})(x);
        };
        weft::expect_grad<2>(of, numbers<double, 2>({3, 3}));
    }
    const auto x = numbers<float, 2>({5000, 5}), dy = numbers<float, 2>({5000, 3}, 2);
    require_thread_independent([&] {
        const Var v{x};
        weft::backward(net(v), dy);
        return v.grad();
    });
    REQUIRE(error_of([&] {
                (void)net(numbers<float, 2>({2, 4}));
            }) == "weft: FullyConnectedNet: x is [2, 4]: its last extent must be 5, the number of features in");
    REQUIRE_THAT(error_of([] { FullyConnectedNet<float>({5}, Function::silu); }), ContainsSubstring("at least 2"));
    REQUIRE_THAT(error_of([] { FullyConnectedNet<float>({5, -1}, Function::silu); }), ContainsSubstring("negative"));
    REQUIRE_THAT(error_of([] {
                     FullyConnectedNet<float>({5, 1}, Function::silu, {.variance_in = 0});
                 }),
                 ContainsSubstring("must be positive"));
}
