// SPDX-License-Identifier: MIT
#include "attention/layer_checks.hpp"

#include <weft/attention/multihead_attention.hpp>
#include <weft/grad/expect_grad.hpp>

using namespace weft_test;
using weft::Extents, weft::Generator, weft::Tensor, weft::Var;
namespace nn = weft::nn;

TEST_CASE("multihead_attention: values and gradients of PyTorch", "[attention][golden]") {
    const auto is_attention = [](const GoldenCase& c) { return c.option<std::string>("layer", "") == "attention"; };
    for_each_golden_case(
        "attention-core", "transformer",
        [](GoldenCase& golden) {
            const auto check = [&]<class T>(T) {
                const bool one = golden.has("x");
                const auto shape = golden.shape(one ? "x" : "q");
                nn::MultiheadAttention<T> layer(shape.back(),
                                                {.heads = golden.option<weft::index>("heads", 1),
                                                 .kv_heads = golden.option<weft::index>("kv_heads", -1),
                                                 .bias = golden.option("bias", true),
                                                 .key_features = golden.option<weft::index>("key_features", -1),
                                                 .value_features = golden.option<weft::index>("value_features", -1)});
                const auto masks = masks_of(golden);
                const weft::RotaryTable<T> table(weft::arange<double>(shape[1]), layer.head_features());
                const weft::RotaryTable<T>* const rotary = golden.option("rotary", false) ? &table : nullptr;
                if (one) {
                    check_layer<T>(golden, layer, {"x"}, [&](const auto& x) { return layer(x[0], masks, rotary); });
                } else {
                    check_layer<T>(golden, layer, {"q", "k", "v"},
                                   [&](const auto& x) { return layer(x[0], x[1], x[2], masks, rotary); });
                }
            };
            check(double{});
            check(float{});
        },
        is_attention);
}

TEST_CASE("multihead_attention: self-attention is attention to itself", "[attention]") {
    const weft::RotaryTable<double> even(weft::arange<double>(5), 4, {.rotated = 2});
    for (const weft::index kv_heads : {4, 2, 1}) {
        const nn::MultiheadAttention<double> layer(16, {.heads = 4, .kv_heads = kv_heads});
        const auto x = numbers<double, 3>({2, 5, 16});
        for (auto masks : {weft::AttentionOptions{}, causal()}) {
            masks.key_lengths = Tensor<std::int64_t, 1>::from({5, 3});
            const Tensor<double, 3> self = layer(x, masks, &even), cross = layer(x, x, x, masks, &even);
            REQUIRE(self.shape() == x.shape());
            for (weft::index i = 0; i < self.size(); ++i)
                REQUIRE(self.data()[i] == Approx(cross.data()[i]).epsilon(1e-11).margin(1e-12));
        }
    }
}

TEST_CASE("multihead_attention: gradients", "[attention]") {
    const weft::RotaryTable<double> table(weft::arange<double>(3), 2);
    const nn::MultiheadAttention<double> layer(4, {.heads = 2, .kv_heads = 1});
    weft::expect_grad<1>([&](const auto& x) { return layer(x, causal(), &table); }, numbers<double, 3>({2, 3, 4}));
    const nn::MultiheadAttention<double> cross(4, {.heads = 2, .key_features = 3, .value_features = 5});
    weft::expect_grad<1>([&](const auto& q, const auto& k, const auto& v) { return cross(q, k, v); },
                         numbers<double, 3>({1, 2, 4}), numbers<double, 3>({1, 3, 3}, 2),
                         numbers<double, 3>({1, 3, 5}, 3));
}

TEST_CASE("multihead_attention: dropout acts in training only and repeats with its generator", "[attention]") {
    const nn::MultiheadAttention<double> layer(16, {.heads = 2, .dropout = 0.4}), without(16, {.heads = 2});
    const auto x = numbers<double, 3>({2, 6, 16});
    REQUIRE(same_bits(Tensor<double, 3>(layer(x)), Tensor<double, 3>(layer(x))));
    const auto same = layer;
    const Tensor<double, 3> a = layer(Var{x}).value(), b = layer(Var{x}).value(), again = same(Var{x}).value();
    REQUIRE(!same_bits(a, b));
    REQUIRE(same_bits(a, again));
    REQUIRE(!same_bits(a, Tensor<double, 3>(layer(x))));
    REQUIRE(same_bits(Tensor<double, 3>(without(x)), without(Var{x}).value()));
    // With the same weights dropped each time, the gradient is that of the result.
    weft::expect_grad<1>(
        [&](const auto& input) {
            const nn::MultiheadAttention<double> repeated = same;
            return repeated(Var<double, 3>(input));
        },
        x);
}

TEST_CASE("multihead_attention: initial values", "[attention]") {
    Generator generator{3};
    nn::MultiheadAttention<float> layer(64, {.heads = 4, .generator = &generator});
    const auto largest = [](const auto& parameter) {
        double m = 0;
        for (const float value : parameter.value().values()) m = std::max(m, std::abs(double(value)));
        return m;
    };
    const double bound = std::sqrt(6.0 / (64 + 192));
    REQUIRE(largest(*layer.in_proj_weight) <= bound);
    REQUIRE(largest(*layer.in_proj_weight) > 0.99 * bound);
    REQUIRE(largest(layer.out_proj.weight) <= 0.125);
    REQUIRE(largest(layer.out_proj.weight) > 0.99 * 0.125);
    REQUIRE(largest(*layer.in_proj_bias) == 0);
    REQUIRE(largest(*layer.out_proj.bias) == 0);
    const auto before = layer.in_proj_weight->value();
    nn::reset_parameters(layer, generator);
    REQUIRE(!same_bits(before, layer.in_proj_weight->value()));
    REQUIRE(largest(*layer.in_proj_bias) == 0);
}

TEST_CASE("multihead_attention: errors", "[attention]") {
    using Layer = nn::MultiheadAttention<float>;
    REQUIRE(error_of([] { Layer(10, {.heads = 3}); }) ==
            "weft: MultiheadAttention: 10 features, 3 heads: the heads must divide the features");
    REQUIRE_THAT(error_of([] { Layer(12, {.heads = 0}); }), ContainsSubstring("0 heads"));
    REQUIRE(error_of([] { Layer(12, {.heads = 4, .kv_heads = 3}); }) ==
            "weft: MultiheadAttention: 4 heads, 3 of keys and values: these must divide the heads");
    REQUIRE_THAT(error_of([] { Layer(12, {.dropout = 1}); }), ContainsSubstring("dropout is 1"));
    const Layer layer(8, {.heads = 2}), features(8, {.heads = 2, .key_features = 3});
    REQUIRE(error_of([&] {
                (void)layer(Tensor<float, 3>::zeros({2, 3, 7}));
            }) == "weft: MultiheadAttention: x is [2, 3, 7]: its last extent must be 8");
    REQUIRE_THAT(error_of([&] {
                     (void)features(Tensor<float, 3>::zeros({2, 3, 8}));
                 }),
                 ContainsSubstring("keys or values have other features"));
    REQUIRE_THAT(error_of([&] {
                     (void)features(Tensor<float, 3>::zeros({2, 3, 8}), Tensor<float, 3>::zeros({2, 3, 8}),
                                    Tensor<float, 3>::zeros({2, 3, 8}));
                 }),
                 ContainsSubstring("the key is [2, 3, 8]: its last extent must be 3"));
    const weft::RotaryTable<float> table(weft::arange<double>(4), 4);
    REQUIRE_THAT(error_of([&] {
                     (void)layer(Tensor<float, 3>::zeros({2, 3, 8}), {}, &table);
                 }),
                 ContainsSubstring("4 positions"));
}
