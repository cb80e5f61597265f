// SPDX-License-Identifier: MIT
#include "golden.hpp"

#include <weft/attention/kv_cache.hpp>
#include <weft/core.hpp>
#include <weft/grad.hpp>

using namespace weft;

namespace {

/// lse within `tolerance` of 1 + |lse|; -infinity exactly.
template <class T, int N>
void compare_lse(weft_test::GoldenCase& golden, const Tensor<T, N>& actual, double tolerance,
                 const std::string& name = "lse") {
    const auto expected = golden.get<double, N>(name);
    REQUIRE(actual.shape() == expected.shape());
    for (weft::index i = 0; i < actual.size(); ++i) {
        const double a = static_cast<double>(actual.data()[i]), r = expected.data()[i];
        INFO("lse " << i << " is " << a << ", the reference " << r);
        REQUIRE((a == r || std::abs(a - r) <= tolerance * (1 + std::abs(r))));
    }
}

template <class T>
constexpr bool is_double = std::same_as<T, double>;
weft_test::Tolerance values_within(double relative) { return {2e-6, relative, relative}; }
/// Where scores are equal, gradients of queries cancel.
weft_test::Tolerance gradients_within(double relative, bool cancel = false) {
    return {1e-5, relative, relative, cancel ? 1.0 : 0.0};
}

AttentionOptions options_of(const weft_test::GoldenCase& golden, const std::string& file) {
    AttentionOptions o;
    if (golden.has("scale")) o.scale = golden.number<double>("scale");
    if (golden.has("softcap")) o.softcap = golden.number<double>("softcap");
    if (golden.has("slopes")) o.slopes = golden.get<double, 1>("slopes");
    if (golden.has("kv_len")) o.key_lengths = golden.get<std::int64_t, 1>("kv_len");
    if (golden.has("window")) {
        const auto w = golden.get<std::int64_t, 1>("window");
        o.window = {w.data()[0], w.data()[1]};
    }
    if (golden.has("p")) {
        o.dropout = golden.number<double>("p");
        // The tensor of both may have lost digits of the seed to a float.
        o.seed = std::stoull(golden.metadata().at("seed"));
        o.offset = static_cast<std::uint32_t>(std::stoul(golden.metadata().at("offset")));
        golden.get<std::int64_t, 1>("seed_offset");
        golden.get<std::uint8_t, 4>("keep");
    }
    const bool causal = golden.has("causal") && golden.number<std::int64_t>("causal") != 0;
    if (causal || file.starts_with("causal_bottom_right") || file == "multi_tile") o.causal = Causal::bottom_right;
    if (file == "causal_top_left") o.causal = Causal::top_left;
    return o;
}

/// out, lse and all gradients of one file, computed in T.
template <class T>
void run_dense(const std::string& file, double tolerance = 1e-12) {
    weft_test::with_golden_case("attention-core", file, "", [&](weft_test::GoldenCase& golden) {
        auto options = options_of(golden, file);
        const auto q = golden.get<T, 4>("q"), k = golden.get<T, 4>("k"), v = golden.get<T, 4>("v");
        const auto dout = golden.get<T, 4>("do");
        const double lse_tolerance = is_double<T> ? tolerance : 2e-6;
        const Var<T, 4> vq{q}, vk{k}, vv{v};
        const auto check = [&](const auto& y, const auto&... more) {
            Var loss = sum(y * dout);
            backward(loss);
            golden.compare("out", Tensor<T, 4>(y.value()), values_within(tolerance));
            golden.compare("dq", vq.grad(), gradients_within(tolerance, file == "ties"));
            golden.compare("dk", vk.grad(), gradients_within(tolerance));
            golden.compare("dv", vv.grad(), gradients_within(tolerance));
            (golden.compare("dbias", more.grad(), gradients_within(tolerance)), ...);
        };
        if (golden.has("bias")) {
            const Var<T, 4> bias{golden.get<T, 4>("bias")};
            check(attention(vq, vk, vv, bias, options), bias);
            compare_lse(golden, attention_with_lse(q, k, v, bias.value(), options).lse, lse_tolerance);
        } else if (golden.has("mask")) {
            if (golden.has("block_kind")) {
                const auto block = golden.get<std::int64_t, 1>("block");
                const auto mask = block_mask(golden.get<std::int64_t, 2>("block_kind"),
                                             {block.data()[0], block.data()[1]}, golden.get<std::uint8_t, 2>("mask"));
                check(flex_attention(vq, vk, vv, nullptr, mask, options));
                compare_lse(golden, flex_attention_with_lse(q, k, v, nullptr, mask, options).lse, lse_tolerance);
            } else {
                const Tensor<std::uint8_t, 4> elements = golden.get<std::uint8_t, 4>("mask");
                const auto mask =
                    block_mask([elements](weft::index, weft::index, weft::index i,
                                          weft::index j) { return elements.data()[i * elements.extent(3) + j] != 0; },
                               {1, 1, q.extent(2), k.extent(2)}, {2, 3});
                check(flex_attention(vq, vk, vv, nullptr, mask, options));
                compare_lse(golden, flex_attention_with_lse(q, k, v, nullptr, mask, options).lse, lse_tolerance);
            }
        } else {
            check(attention(vq, vk, vv, options));
            compare_lse(golden, attention_with_lse(q, k, v, options).lse, lse_tolerance);
        }
    });
}

} // namespace

TEST_CASE("attention: options, masks and gradients of the reference", "[attention][golden]") {
    for (const char* file : {"dense", "tiny", "dense_scale", "causal_bottom_right", "causal_top_left",
                             "causal_bottom_right_long_q", "window", "alibi_a", "alibi_b", "bias", "softcap_bias",
                             "key_padding", "gqa", "mqa", "block_sparse", "dropout", "ties"}) {
        INFO(file);
        run_dense<double>(file);
        run_dense<float>(file);
    }
}

TEST_CASE("attention: scores of a million", "[attention][golden]") { run_dense<double>("extreme", 1e-9); }

TEST_CASE("attention: several tiles in float", "[attention][golden]") { run_dense<float>("multi_tile"); }

TEST_CASE("attention: packed sequences of the reference", "[attention][golden]") {
    const auto run = [&]<class T>(T) {
        weft_test::with_golden_case("attention-core", "varlen", "", [&](weft_test::GoldenCase& golden) {
            const auto options = options_of(golden, "varlen");
            const auto cu_q = golden.get<std::int64_t, 1>("cu_q"), cu_k = golden.get<std::int64_t, 1>("cu_k");
            const auto q = golden.get<T, 3>("q"), k = golden.get<T, 3>("k"), v = golden.get<T, 3>("v");
            const Var<T, 3> vq{q}, vk{k}, vv{v};
            Var loss = sum(varlen_attention(vq, vk, vv, cu_q, cu_k, options) * golden.get<T, 3>("do"));
            backward(loss);
            const auto result = varlen_attention_with_lse(q, k, v, cu_q, cu_k, options);
            golden.compare("out", result.out, values_within(1e-12));
            compare_lse(golden, result.lse, is_double<T> ? 1e-12 : 2e-6);
            golden.compare("dq", vq.grad(), gradients_within(1e-12));
            golden.compare("dk", vk.grad(), gradients_within(1e-12));
            golden.compare("dv", vv.grad(), gradients_within(1e-12));
        });
    };
    run(double{});
    run(float{});
}

TEST_CASE("attention: stored in 16 bits", "[attention][golden]") {
    const auto run = [&]<class S>(const char* file, S, double unit, double gradient_tolerance) {
        weft_test::with_golden_case("attention-core", file, "", [&](weft_test::GoldenCase& golden) {
            const auto stored = [&](const std::string& name) {
                if constexpr (std::same_as<S, half>) {
                    return golden.get<half, 4>(name);
                } else {
                    const auto bits = golden.get<std::int16_t, 4>(name + "_bf16bits");
                    auto x = Tensor<bfloat16, 4>::empty(bits.shape());
                    for (weft::index i = 0; i < x.size(); ++i)
                        x.mutable_data()[i] = bfloat16::from_bits(static_cast<std::uint16_t>(bits.data()[i]));
                    return x;
                }
            };
            const auto q = stored("q"), k = stored("k"), v = stored("v"), dout = stored("do");
            const auto result = attention_with_lse(q, k, v);
            const auto d = attention_backward(q, k, v, result, dout);
            // 1 unit in the last place and 1e-3 of the largest value times 2^-8
            const auto reference = golden.get<double, 4>("out");
            double largest = 0;
            for (const S x : v.values()) largest = std::max(largest, std::abs(static_cast<double>(float(x))));
            REQUIRE(result.out.shape() == reference.shape());
            for (weft::index i = 0; i < reference.size(); ++i) {
                const double r = reference.data()[i], a = static_cast<double>(float(result.out.data()[i]));
                INFO("out " << i << " is " << a << ", the reference " << r);
                REQUIRE(std::abs(a - r) <= std::exp2(std::floor(std::log2(std::abs(r)))) * unit + 1e-3 * largest / 256);
            }
            compare_lse(golden, result.lse, 2e-6);
            golden.compare("dq", d.q, {gradient_tolerance});
            golden.compare("dk", d.k, {gradient_tolerance});
            golden.compare("dv", d.v, {gradient_tolerance});
        });
    };
    run("half_f16", half{}, 0x1p-10, 5e-3);
    run("half_bf16", bfloat16{}, 0x1p-7, 2e-2);
}

TEST_CASE("attention: decoding with a cache, and parts of the keys merged", "[attention][golden]") {
    const auto run = [&]<class T>(T) {
        weft_test::with_golden_case("attention-core", "decode", "", [&](weft_test::GoldenCase& golden) {
            const double tolerance = is_double<T> ? 1e-12 : 2e-6;
            const auto q = golden.get<T, 4>("q"), keys = golden.get<T, 4>("kcache"),
                       values = golden.get<T, 4>("vcache");
            const auto lengths = golden.get<std::int64_t, 1>("seq_len");
            // What lies behind the lengths is NaN here, and stays in the cache.
            KVCache<T> cache(keys.extent(0), keys.extent(1), keys.extent(2), keys.extent(3), values.extent(3));
            cache.append(keys, values);
            for (weft::index b = 0; b < lengths.size(); ++b) cache.truncate(b, lengths.data()[b]);
            const auto result = decode_with_lse(q, cache);
            golden.compare("out", result.out, values_within(1e-12));
            compare_lse(golden, result.lse, tolerance);

            const auto cuts = golden.get<std::int64_t, 1>("cuts");
            std::vector<AttentionResult<T, 4>> parts;
            for (weft::index p = 0; p + 1 < cuts.size(); ++p) {
                const weft::index first = cuts.data()[p], last = cuts.data()[p + 1];
                AttentionOptions options;
                options.key_lengths = Tensor<std::int64_t, 1>::empty({lengths.size()});
                for (weft::index b = 0; b < lengths.size(); ++b)
                    options.key_lengths.mutable_data()[b] =
                        std::clamp<std::int64_t>(lengths.data()[b] - first, 0, last - first);
                parts.push_back(attention_with_lse(q, Tensor<T, 4>(slice(keys, 2, first, last)),
                                                   Tensor<T, 4>(slice(values, 2, first, last)), options));
                const std::string part = "part" + std::to_string(p);
                golden.compare(part + "_out", parts.back().out, values_within(1e-12));
                compare_lse(golden, parts.back().lse, tolerance, part + "_lse");
            }
            const auto merged = merge_attention(parts);
            golden.compare("out", merged.out, values_within(1e-12));
            compare_lse(golden, merged.lse, tolerance);
        });
    };
    run(double{});
    run(float{});
}

TEST_CASE("attention: gradients of gradients", "[attention][golden]") {
    for (const char* file : {"double_backward", "double_backward_causal"}) {
        const auto run = [&]<class T>(T) {
            weft_test::with_golden_case("attention-core", file, "", [&](weft_test::GoldenCase& golden) {
                AttentionOptions options;
                if (golden.number<std::int64_t>("causal") != 0) options.causal = Causal::bottom_right;
                const auto get = [&](const char* name) { return golden.get<T, 4>(name); };
                const auto q = get("q"), k = get("k"), v = get("v"), dout = get("do");
                const auto cq = get("c_dq"), ck = get("c_dk"), cv = get("c_dv");
                const auto result = attention_with_lse(q, k, v, options);
                const auto d = attention_backward(q, k, v, result, dout, options);
                golden.compare("dq", d.q, gradients_within(1e-12));
                golden.compare("dk", d.k, gradients_within(1e-12));
                golden.compare("dv", d.v, gradients_within(1e-12));
                const auto second = attention_double_backward(q, k, v, result, dout, cq, ck, cv, options);
                golden.compare("g_q", second.q, gradients_within(1e-12));
                golden.compare("g_k", second.k, gradients_within(1e-12));
                golden.compare("g_v", second.v, gradients_within(1e-12));
                golden.compare("g_do", second.dout, gradients_within(1e-12));

                // The same by Dual numbers: the derivative of the gradients along cotangents is symmetric.
                const auto dual = [](const Tensor<T, 4>& x, const Tensor<T, 4>& tangent) {
                    auto y = Tensor<Dual<T>, 4>::empty(x.shape());
                    for (weft::index i = 0; i < x.size(); ++i) y.mutable_data()[i] = {x.data()[i], tangent.data()[i]};
                    return y;
                };
                const auto tangent = [](const Tensor<Dual<T>, 4>& x) {
                    auto y = Tensor<T, 4>::empty(x.shape());
                    for (weft::index i = 0; i < x.size(); ++i) y.mutable_data()[i] = x.data()[i].tangent;
                    return y;
                };
                const Var<Dual<T>, 4> vq{dual(q, cq)}, vk{dual(k, ck)}, vv{dual(v, cv)};
                Var loss = sum(attention(vq, vk, vv, options) * dual(dout, Tensor<T, 4>::zeros(dout.shape())));
                backward(loss);
                golden.compare("g_q", tangent(vq.grad()), gradients_within(1e-12));
                golden.compare("g_k", tangent(vk.grad()), gradients_within(1e-12));
                golden.compare("g_v", tangent(vv.grad()), gradients_within(1e-12));
            });
        };
        run(double{});
        run(float{});
    }
}

TEST_CASE("attention: exponentials of weights", "[attention][golden]") {
    weft_test::with_golden_case("attention-core", "exp_f32", "", [&](weft_test::GoldenCase& golden) {
        const auto x = golden.get<float, 1>("x");
        const auto reference = golden.get<double, 1>("y");
        using P = Packet<float>;
        for (weft::index i = 0; i < x.size(); ++i) {
            const double r = reference.data()[i];
            if (x.data()[i] > 0) continue; // weights are at most 1
            float lane[static_cast<std::size_t>(lanes<float>)];
            store_packet(lane, weft::detail::WeightExponential<P>::any(splat(x.data()[i])));
            INFO("e^" << x.data()[i] << " is " << lane[0] << ", the reference " << r);
            const double unit = std::exp2(std::floor(std::log2(r)) - 23);
            if (r >= std::numeric_limits<float>::min() * 2)
                REQUIRE(std::abs(double(lane[0]) - r) <= 2 * unit);
            else
                REQUIRE(std::abs(double(lane[0]) - r) <= std::numeric_limits<float>::min() * 2);
        }
        golden.compare("x", x);
        float lane[static_cast<std::size_t>(lanes<float>)];
        store_packet(lane, weft::detail::WeightExponential<P>::any(splat(-std::numeric_limits<float>::infinity())));
        REQUIRE(lane[0] == 0);
        store_packet(lane, weft::detail::WeightExponential<P>::any(splat(0.0f)));
        REQUIRE(lane[0] == 1);
        store_packet(lane, weft::detail::WeightExponential<P>::any(splat(std::nanf(""))));
        REQUIRE(std::isnan(lane[0]));
    });
}
