// SPDX-License-Identifier: MIT
#include "attention/layer_checks.hpp"

#include <weft/attention/transformer_block.hpp>
#include <weft/core/combine.hpp>
#include <weft/core/reduce.hpp>
#include <weft/grad/expect_grad.hpp>

using namespace weft_test;
using weft::Extents, weft::Generator, weft::Tensor, weft::Var;
namespace nn = weft::nn;

namespace {

nn::FeedForward feed_forward(const std::string& name) {
    if (name == "relu") return nn::FeedForward::relu;
    if (name == "gelu") return nn::FeedForward::gelu;
    if (name == "gelu_tanh") return nn::FeedForward::gelu_tanh;
    REQUIRE(name == "swiglu");
    return nn::FeedForward::swiglu;
}

} // namespace

TEST_CASE("transformer_block: values and gradients of PyTorch", "[attention][golden]") {
    const auto is_block = [](const GoldenCase& c) { return c.option<std::string>("layer", "") == "block"; };
    for_each_golden_case(
        "attention-core", "transformer",
        [](GoldenCase& golden) {
            const auto check = [&]<class T>(T) {
                const bool rms = golden.option<std::string>("norm", "") == "rms";
                nn::TransformerBlock<T> block(
                    golden.shape("x").back(),
                    {.heads = golden.option<weft::index>("heads", 1),
                     .hidden = golden.option<weft::index>("hidden", -1),
                     .norm_first = golden.option("norm_first", false),
                     .norm = rms ? nn::TransformerNorm::rms : nn::TransformerNorm::layer,
                     .activation = feed_forward(golden.option<std::string>("activation", ""))});
                const auto masks = masks_of(golden);
                check_layer<T>(golden, block, {"x"}, [&](const auto& x) { return block(x[0], masks); });
            };
            check(double{});
            check(float{});
        },
        is_block);
}

TEST_CASE("transformer_block: gradients, with positions rotated", "[attention]") {
    const weft::RotaryTable<double> table(weft::arange<double>(3), 2);
    const nn::TransformerBlock<double> block(4, {.heads = 2,
                                                 .kv_heads = 1,
                                                 .hidden = 3,
                                                 .norm_first = true,
                                                 .norm = nn::TransformerNorm::rms,
                                                 .activation = nn::FeedForward::swiglu});
    weft::expect_grad<1>([&](const auto& x) { return block(x, causal(), &table); }, numbers<double, 3>({1, 3, 4}));
}

TEST_CASE("transformer_block: the past does not see the future", "[attention]") {
    const nn::TransformerBlock<float> block(16, {.heads = 4, .norm_first = true});
    auto x = numbers<float, 3>({1, 9, 16});
    const Tensor<float, 3> before = block(x, causal());
    x(0, 6, 3) = 100;
    const Tensor<float, 3> after = block(x, causal());
    REQUIRE(same_bits(Tensor<float, 3>(slice(before, 1, 0, 6)), Tensor<float, 3>(slice(after, 1, 0, 6))));
    REQUIRE(!same_bits(Tensor<float, 3>(slice(before, 1, 6, 7)), Tensor<float, 3>(slice(after, 1, 6, 7))));
    REQUIRE(!same_bits(Tensor<float, 3>(slice(before, 1, 8)), Tensor<float, 3>(slice(after, 1, 8))));
}

TEST_CASE("transformer_block: dropout acts in training only and repeats with its generators", "[attention]") {
    Generator generator{7};
    nn::TransformerBlock<float> block(16, {.heads = 2, .dropout = 0.5, .generator = &generator});
    // Attention weights are not dropped here: this is about the block's own.
    block.self_attn.dropout.p = 0;
    const auto x = numbers<float, 3>({2, 5, 16});
    REQUIRE(same_bits(Tensor<float, 3>(block(x)), Tensor<float, 3>(block(x))));
    const auto copy = block;
    const Tensor<float, 3> a = block(Var{x}).value(), b = block(Var{x}).value(), again = copy(Var{x}).value();
    REQUIRE(!same_bits(a, b));
    REQUIRE(same_bits(a, again));
}

TEST_CASE("transformer_block: the same numbers on any number of threads", "[attention]") {
    Generator generator{7};
    nn::TransformerBlock<float> block(64, {.heads = 4, .norm_first = true, .generator = &generator});
    const auto x = numbers<float, 3>({8, 32, 64});
    require_thread_independent([&] {
        nn::clear_grad(block);
        const Var<float, 3> input{x};
        backward(Var(weft::sum(square(block(input, causal())))));
        Tensor<float, 1> all = reshape(input.grad(), {-1});
        nn::for_each_parameter(block, [&](std::string_view, const auto& p) {
            all = concat(0, all, Tensor<float, 1>(reshape(p.grad(), {-1})));
        });
        return all;
    });
}

TEST_CASE("transformer_block: names of parameters", "[attention]") {
    std::string text;
    nn::for_each_parameter(
        nn::TransformerBlock<float>(8, {.heads = 2, .norm = nn::TransformerNorm::rms, .bias = false}),
        [&](std::string_view name, const auto&) { text += std::string(name) + " "; });
    REQUIRE(text == "self_attn.in_proj_weight self_attn.out_proj.weight linear1.weight linear2.weight norm1.weight "
                    "norm2.weight ");
}

TEST_CASE("transformer_block: steps with a cache are rows of a causal call", "[attention]") {
    const weft::index n = 11;
    const auto x = numbers<double, 3>({2, n, 16});
    const weft::RotaryTable<double> table(weft::arange<double>(n), 4);
    for (const bool norm_first : {false, true}) {
        const nn::TransformerBlock<double> block(16, {.heads = 4, .kv_heads = 2, .norm_first = norm_first});
        const Tensor<double, 3> whole = block(x, causal(), &table);
        auto cache = block.self_attn.make_cache(2, n);
        // some positions at once, then one by one
        for (weft::index at = 0, count = 4; at < n; at += count, count = 1) {
            const auto rows = table.rows(at, count);
            const auto y = block.decode(Tensor<double, 3>(slice(x, 1, at, at + count)), cache, &rows);
            const Tensor<double, 3> expected = slice(whole, 1, at, at + count);
            REQUIRE(y.shape() == expected.shape());
            for (weft::index i = 0; i < y.size(); ++i) REQUIRE(std::abs(y.data()[i] - expected.data()[i]) < 1e-12);
        }
        REQUIRE_THROWS_WITH(block.decode(x, cache), ContainsSubstring("no room for 11 more"));
    }
}
