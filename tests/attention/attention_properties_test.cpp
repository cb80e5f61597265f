// SPDX-License-Identifier: MIT
#include "weft_test.hpp"

#include <weft/attention/kv_cache.hpp>
#include <weft/core.hpp>
#include <weft/grad.hpp>

#include <numeric>

using namespace weft;

namespace {

template <class T, int N>
Tensor<T, N> random(const std::array<weft::index, static_cast<std::size_t>(N)>& shape, std::uint64_t seed,
                    double size = 1) {
    Generator generator{seed};
    auto x = Tensor<T, N>::empty(shape);
    fill_normal(generator, x.mutable_data(), x.size(), T(0), T(size));
    return x;
}

template <class A, class B>
double largest_difference(const A& first, const B& second) {
    const Tensor<typename A::value_type, A::rank> a = first;
    const Tensor<typename B::value_type, B::rank> b = second;
    REQUIRE(a.shape() == b.shape());
    double largest = 0;
    for (weft::index i = 0; i < a.size(); ++i) {
        const double x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
        if (x == y) continue;
        if (!(std::abs(x - y) <= largest)) largest = std::abs(x - y);
        if (largest != largest) return std::numeric_limits<double>::infinity();
    }
    return largest;
}
template <class A, class B>
bool same_bits(const A& x, const B& y) {
    const Tensor<typename A::value_type, A::rank> a = x, b = y;
    return a.shape() == b.shape() &&
           std::memcmp(a.data(), b.data(), sizeof(typename A::value_type) * static_cast<std::size_t>(a.size())) == 0;
}

/// The result, the logarithms and the gradients of sum(y sin(y)).
template <class T>
struct Everything {
    AttentionResult<T, 4> result;
    Tensor<T, 4> dq, dk, dv;
};
template <class T>
Everything<T> everything(const Tensor<T, 4>& q, const Tensor<T, 4>& k, const Tensor<T, 4>& v,
                         const AttentionOptions& options) {
    Everything<T> all{attention_with_lse(q, k, v, options), {}, {}, {}};
    const Var<T, 4> vq{q}, vk{k}, vv{v};
    const Var y = attention(vq, vk, vv, options);
    Var loss = sum(y * sin(y));
    backward(loss);
    all.dq = vq.grad();
    all.dk = vk.grad();
    all.dv = vv.grad();
    return all;
}
/// The largest difference, in parts of the largest value or of 1.
template <class A>
double relative_difference(const A& x, const A& y) {
    double largest = 1;
    for (const auto value : y.values())
        if (std::isfinite(value)) largest = std::max(largest, std::abs(static_cast<double>(value)));
    return largest_difference(x, y) / largest;
}

Tensor<std::int64_t, 1> numbers(std::initializer_list<std::int64_t> values) {
    auto x = Tensor<std::int64_t, 1>::empty({static_cast<weft::index>(values.size())});
    std::copy(values.begin(), values.end(), x.mutable_data());
    return x;
}

/// Every option that is of use for q [2, 6, 37, 24], k [2, 2, 150, 24].
std::vector<AttentionOptions> many_options() {
    std::vector<AttentionOptions> all(8);
    all[1].causal = Causal::bottom_right;
    all[2].causal = Causal::top_left;
    all[3].window = {20, 7};
    all[4].key_lengths = numbers({150, 63});
    all[4].causal = Causal::bottom_right;
    all[5].softcap = 2;
    all[5].slopes = Tensor<double, 1>::full({6}, 0.05);
    all[6].dropout = 0.3;
    all[6].seed = 77;
    all[7].scale = -0.3;
    return all;
}

} // namespace

TEST_CASE("attention: tiles of every size give the same", "[attention]") {
    const auto q = random<float, 4>({2, 6, 37, 24}, 1), k = random<float, 4>({2, 2, 150, 24}, 2),
               v = random<float, 4>({2, 2, 150, 20}, 3);
    for (AttentionOptions options : many_options()) {
        const auto whole = everything(q, k, v, options);
        for (const weft::index rows : {1, 3, 8, 32})
            for (const weft::index keys : {1, 5, 16, 64}) {
                INFO("tiles of " << rows << " x " << keys);
                options.tile_rows = rows;
                options.tile_keys = keys;
                const auto tiled = everything(q, k, v, options);
                REQUIRE(relative_difference(whole.result.out, tiled.result.out) < 1e-6);
                REQUIRE(relative_difference(whole.result.lse, tiled.result.lse) < 1e-6);
                REQUIRE(relative_difference(whole.dq, tiled.dq) < 1e-5);
                REQUIRE(relative_difference(whole.dk, tiled.dk) < 1e-5);
                REQUIRE(relative_difference(whole.dv, tiled.dv) < 1e-5);
            }
    }
}

TEST_CASE("attention: a head by itself, with its slope, is as beside others", "[attention]") {
    const auto q = random<float, 4>({2, 3, 37, 24}, 1), k = random<float, 4>({2, 3, 50, 24}, 2),
               v = random<float, 4>({2, 3, 50, 20}, 3);
    const auto head_of = [](const Tensor<float, 4>& x, weft::index head) {
        return Tensor<float, 4>(slice(x, 1, head, head + 1));
    };
    AttentionOptions options;
    options.slopes = Tensor<double, 1>::from({0.5, 0.25, 0.125});
    const auto beside = everything(q, k, v, options);
    for (weft::index head = 0; head < 3; ++head) {
        options.slopes = Tensor<double, 1>::full({1}, std::exp2(-1.0 - static_cast<double>(head)));
        const auto alone = everything(head_of(q, head), head_of(k, head), head_of(v, head), options);
        REQUIRE(relative_difference(head_of(beside.result.out, head), alone.result.out) < 1e-6);
        REQUIRE(relative_difference(head_of(beside.dq, head), alone.dq) < 1e-5);
        REQUIRE(relative_difference(head_of(beside.dk, head), alone.dk) < 1e-5);
        REQUIRE(relative_difference(head_of(beside.dv, head), alone.dv) < 1e-5);
    }
}

TEST_CASE("attention: a softcap by itself, operation by operation", "[attention]") {
    const auto q = random<double, 4>({2, 3, 37, 24}, 1), k = random<double, 4>({2, 3, 50, 24}, 2),
               v = random<double, 4>({2, 3, 50, 20}, 3);
    AttentionOptions options;
    options.softcap = 0.4;
    options.scale = 0.5;
    const auto fused = everything(q, k, v, options);
    const Var<double, 4> vq{q}, vk{k}, vv{v};
    const Var<double, 4> scores = matmul(vq, transpose(vk)) * 0.5;
    const Var<double, 4> out = matmul(softmax(eval(tanh(scores / 0.4) * 0.4)), vv);
    REQUIRE(relative_difference(fused.result.out, out.value()) < 1e-12);
    backward(sum(out * sin(out)));
    REQUIRE(relative_difference(fused.dq, vq.grad()) < 1e-12);
    REQUIRE(relative_difference(fused.dk, vk.grad()) < 1e-12);
    REQUIRE(relative_difference(fused.dv, vv.grad()) < 1e-12);
}

TEST_CASE("attention: the same bits on any number of threads", "[attention]") {
    const auto run = [](weft::index batch, weft::index heads, weft::index keys) {
        const auto q = random<float, 4>({batch, 3 * heads, 200, 16}, 1),
                   k = random<float, 4>({batch, heads, keys, 16}, 2), v = random<float, 4>({batch, heads, keys, 16}, 3);
        for (const Causal causal : {Causal::none, Causal::bottom_right}) {
            AttentionOptions options;
            options.causal = causal;
            set_thread_count(1);
            const auto one = everything(q, k, v, options);
            for (const int threads : {2, 3}) {
                set_thread_count(threads);
                const auto many = everything(q, k, v, options);
                REQUIRE(same_bits(one.result.out, many.result.out));
                REQUIRE(same_bits(one.result.lse, many.result.lse));
                REQUIRE(same_bits(one.dq, many.dq));
                REQUIRE(same_bits(one.dk, many.dk));
                REQUIRE(same_bits(one.dv, many.dv));
            }
            set_thread_count(0);
        }
    };
    run(1, 1, 700);
    run(3, 2, 300);
    // keys that only the first queries see are so long that scores need a maximum
    {
        const auto q = random<float, 4>({1, 1, 800, 16}, 1), v = random<float, 4>({1, 1, 800, 16}, 3);
        auto k = random<float, 4>({1, 1, 800, 16}, 2);
        for (weft::index i = 0; i < 10 * 16; ++i) k.mutable_data()[i] *= 1000;
        AttentionOptions options;
        options.window = {30, 0};
        const auto with = [&](int threads) {
            set_thread_count(threads);
            const Tensor<float, 4> y = attention(q, k, v, options);
            set_thread_count(0);
            return y;
        };
        REQUIRE(same_bits(with(1), with(2)));
        REQUIRE(same_bits(with(1), with(3)));
    }
    // a bias that all heads share is added to by one after the other; few queries and many keys are cut by keys
    const auto q = random<float, 4>({2, 3, 40, 8}, 1), k = random<float, 4>({2, 3, 2000, 8}, 2),
               bias = random<float, 4>({1, 1, 40, 2000}, 3);
    const auto gradient = [&](int threads) {
        set_thread_count(threads);
        const Var<float, 4> b{bias};
        Var loss = sum(square(attention(Var{q}, Var{k}, Var{k}, b)));
        backward(loss);
        set_thread_count(0);
        return b.grad();
    };
    REQUIRE(same_bits(gradient(1), gradient(2)));
    REQUIRE(same_bits(gradient(1), gradient(3)));
    const auto few = random<float, 4>({1, 3, 1, 8}, 5), keys = random<float, 4>({1, 1, 5000, 8}, 6);
    const auto result = [&](int threads) {
        set_thread_count(threads);
        const auto y = attention(few, keys, keys);
        set_thread_count(0);
        return y;
    };
    REQUIRE(same_bits(result(1), result(2)));
    REQUIRE(same_bits(result(1), result(3)));
}

TEST_CASE("attention: the order of the keys has no influence", "[attention]") {
    const weft::index n = 101;
    const auto q = random<double, 4>({1, 2, 9, 8}, 1), k = random<double, 4>({1, 2, n, 8}, 2),
               v = random<double, 4>({1, 2, n, 8}, 3), bias = random<double, 4>({1, 2, 9, n}, 4);
    std::vector<weft::index> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), weft::index{0});
    for (std::size_t i = 0; i < order.size(); ++i) std::swap(order[i], order[(i * 37 + 11) % order.size()]);
    const auto permuted = [&](const Tensor<double, 4>& x, std::size_t axis) {
        auto y = Tensor<double, 4>::empty(x.shape());
        const weft::index inner = axis == 2 ? x.extent(3) : 1, outer = x.size() / (n * inner);
        for (weft::index o = 0; o < outer; ++o)
            for (weft::index j = 0; j < n; ++j)
                std::copy_n(x.data() + (o * n + order[static_cast<std::size_t>(j)]) * inner, inner,
                            y.mutable_data() + (o * n + j) * inner);
        return y;
    };
    const auto a = attention(q, k, v, bias), b = attention(q, permuted(k, 2), permuted(v, 2), permuted(bias, 3));
    REQUIRE(largest_difference(a, b) < 1e-13);
    const auto single = attention(cast<float>(q), cast<float>(k), cast<float>(v), cast<float>(bias));
    REQUIRE(largest_difference(single, a) < 1e-6);
}

TEST_CASE("attention: a constant added to a row of scores changes its logarithm only", "[attention]") {
    const auto q = random<double, 4>({2, 3, 7, 8}, 1), k = random<double, 4>({2, 3, 40, 8}, 2),
               bias = random<double, 4>({2, 1, 7, 40}, 4), row = random<double, 4>({2, 1, 7, 1}, 5, 30);
    const auto a = attention_with_lse(q, k, k, bias), b = attention_with_lse(q, k, k, Tensor<double, 4>(bias + row));
    REQUIRE(largest_difference(a.out, b.out) < 1e-12);
    for (weft::index i = 0; i < a.lse.size(); ++i)
        REQUIRE(b.lse.data()[i] - a.lse.data()[i] == Approx(row.data()[i / 21 * 7 + i % 7]).epsilon(1e-12));
    // both broadcast alike
    const auto c = attention_with_lse(q, k, k, row);
    REQUIRE(largest_difference(c.out, attention(q, k, k)) < 1e-12);
}

TEST_CASE("attention: one step of decoding is one row of the causal one", "[attention]") {
    const auto q = random<double, 4>({2, 6, 30, 16}, 1), k = random<double, 4>({2, 2, 30, 16}, 2),
               v = random<double, 4>({2, 2, 30, 12}, 3);
    AttentionOptions causal;
    causal.causal = Causal::bottom_right;
    const auto whole = attention(q, k, v, causal);
    KVCache<double> cache(2, 2, 30, 16, 12);
    for (weft::index t = 0; t < 30; ++t) {
        cache.append(slice(k, 2, t, t + 1), slice(v, 2, t, t + 1));
        const Tensor<double, 4> last = slice(q, 2, t, t + 1);
        REQUIRE(largest_difference(decode(last, cache), Tensor<double, 4>(slice(whole, 2, t, t + 1))) < 1e-13);
    }
    // several at once
    const Tensor<double, 4> last = slice(q, 2, 22, 30);
    REQUIRE(largest_difference(decode(last, cache, causal), Tensor<double, 4>(slice(whole, 2, 22, 30))) < 1e-13);
    cache.truncate(0, 10);
    REQUIRE_THROWS_WITH(cache.append(k, v), ContainsSubstring("has 10 positions of 30: no room for 30 more"));
    REQUIRE(cache.length(0) == 10);
    REQUIRE_THROWS_AS(cache.truncate(0, 11), Error);

    KVCache<half> stored(2, 2, 30, 16, 12);
    stored.append(k, v);
    REQUIRE(largest_difference(decode(cast<float>(last), stored, causal), Tensor<double, 4>(slice(whole, 2, 22, 30))) <
            5e-3);
}

TEST_CASE("attention: masks that hide nothing, one sequence, transposed operands", "[attention]") {
    const auto q = random<float, 4>({2, 4, 70, 16}, 1), k = random<float, 4>({2, 2, 90, 16}, 2),
               v = random<float, 4>({2, 2, 90, 16}, 3);
    const auto plain = attention(q, k, v);
    AttentionOptions wide;
    wide.window = {-1, -1};
    REQUIRE(same_bits(attention(q, k, v, wide), plain));
    const auto every = [](weft::index, weft::index, weft::index, weft::index) { return true; };
    REQUIRE(same_bits(flex_attention(q, k, v, nullptr, block_mask(every, {1, 1, 70, 90}, {16, 32})), plain));
    // PyTorch's way to say causal
    const auto causal = block_mask([](weft::index, weft::index, weft::index i, weft::index j) { return j <= i + 20; },
                                   {1, 1, 70, 90}, {16, 32});
    AttentionOptions bottom_right;
    bottom_right.causal = Causal::bottom_right;
    REQUIRE(largest_difference(flex_attention(q, k, v, nullptr, causal), attention(q, k, v, bottom_right)) < 1e-6);
    // one mask for each head and sequence
    const auto of_head =
        block_mask([](weft::index b, weft::index h, weft::index, weft::index j) { return j > 10 * h + b; },
                   {2, 4, 70, 90}, {8, 8});
    const auto masked = flex_attention(q, k, v, nullptr, of_head);
    for (const weft::index h : {0, 3}) {
        const Tensor<float, 4> one =
            attention(Tensor<float, 4>(slice(slice(q, 0, 1, 2), 1, h, h + 1)),
                      Tensor<float, 4>(slice(slice(slice(k, 0, 1, 2), 1, h / 2, h / 2 + 1), 2, 10 * h + 2, 90)),
                      Tensor<float, 4>(slice(slice(slice(v, 0, 1, 2), 1, h / 2, h / 2 + 1), 2, 10 * h + 2, 90)));
        REQUIRE(largest_difference(Tensor<float, 4>(slice(slice(masked, 0, 1, 2), 1, h, h + 1)), one) < 1e-6);
    }

    const Tensor<float, 3> packed_q = transpose(select_index(q, 0, 1), 0, 1),
                           packed_k = transpose(select_index(k, 0, 1), 0, 1),
                           packed_v = transpose(select_index(v, 0, 1), 0, 1);
    const auto one = varlen_attention(packed_q, packed_k, packed_v, numbers({0, 70}), numbers({0, 90}));
    REQUIRE(largest_difference(one, Tensor<float, 3>(transpose(select_index(plain, 0, 1), 0, 1))) < 1e-6);

    // operands with the heads second, and one projection of all
    const Tensor<float, 4> q2 = transpose(q, 1, 2), k2 = transpose(k, 1, 2), v2 = transpose(v, 1, 2);
    REQUIRE(
        same_bits(Tensor<float, 4>(attention(transpose(q2, 1, 2), transpose(k2, 1, 2), transpose(v2, 1, 2))), plain));
    const auto x = random<double, 3>({2, 30, (4 + 2 * 2) * 6}, 7);
    const auto heads = [&](weft::index first, weft::index count) {
        return Tensor<double, 4>(transpose(
            reshape(contiguous(slice(x, 2, first * 6, (first + count) * 6)), Extents<4>{2, 30, count, 6}), 1, 2));
    };
    const Var<double, 3> vx{x};
    const Var y = packed_attention(vx, 4, 2, bottom_right);
    const Tensor<double, 4> apart = transpose(attention(heads(0, 4), heads(4, 2), heads(6, 2), bottom_right), 1, 2);
    REQUIRE(largest_difference(reshape(y.value(), Extents<4>{2, 30, 4, 6}), apart) < 1e-13);
    expect_grad([&](const auto& z) { return sum(sin(packed_attention(z, 4, 2, bottom_right))); }, x);
}

TEST_CASE("attention: gradients against differences", "[attention]") {
    const auto q = random<double, 4>({2, 4, 5, 3}, 1), k = random<double, 4>({2, 2, 7, 3}, 2),
               v = random<double, 4>({2, 2, 7, 4}, 3);
    std::vector<AttentionOptions> all(6);
    all[1].causal = Causal::bottom_right;
    all[2].window = {1, 1};
    all[3].key_lengths = numbers({7, 0});
    all[4].softcap = 0.7;
    all[4].slopes = Tensor<double, 1>::full({4}, 0.3);
    all[5].dropout = 0.4;
    for (const AttentionOptions& options : all)
        expect_grad([&](const auto& a, const auto& b, const auto& c) { return sum(sin(attention(a, b, c, options))); },
                    q, k, v);
    // biases of every shape
    for (const weft::index b : {1, 2})
        for (const weft::index h : {1, 4})
            for (const weft::index i : {1, 5})
                for (const weft::index j : {1, 7})
                    expect_grad([&](const auto& bias,
                                    const auto& keys) { return sum(sin(attention(q, keys, v, bias, all[1]))); },
                                random<double, 4>({b, h, i, j}, 9), k);
    // a function of the scores and a mask of the elements
    const auto odd = block_mask([](weft::index, weft::index, weft::index i, weft::index j) { return (i + j) % 2 == 1; },
                                {1, 1, 5, 7}, {2, 2});
    const auto bend = [](const auto& s, weft::index, weft::index h, weft::index i, weft::index j) {
        using std::sin;
        return s + sin(s) * (0.1 * static_cast<double>(h + i - j));
    };
    expect_grad(
        [&](const auto& a, const auto& b, const auto& c) { return sum(sin(flex_attention(a, b, c, bend, odd))); }, q, k,
        v);

    // by the slopes of ALiBi and by the scale
    AttentionOptions options = all[4];
    options.scale = 0.6;
    const auto loss = [&](const AttentionOptions& o) { return sum(sin(attention(q, k, v, o))).item(); };
    const auto result = attention_with_lse(q, k, v, options);
    const auto d = attention_backward(q, k, v, result, Tensor<double, 4>(cos(result.out)), options);
    const double h = 1e-6;
    AttentionOptions up = options, down = options;
    up.scale = 0.6 + h;
    down.scale = 0.6 - h;
    REQUIRE(d.scale == Approx((loss(up) - loss(down)) / (2 * h)).epsilon(1e-6));
    for (weft::index head = 0; head < 4; ++head) {
        up = down = options;
        up.slopes.mutable_data()[head] += h;
        down.slopes.mutable_data()[head] -= h;
        REQUIRE(d.slopes.data()[head] == Approx((loss(up) - loss(down)) / (2 * h)).epsilon(1e-6));
    }
}

TEST_CASE("attention: what is hidden has no influence, what is seen has", "[attention]") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    const auto q = random<float, 4>({1, 2, 100, 24}, 1), k = random<float, 4>({1, 2, 100, 24}, 2),
               v = random<float, 4>({1, 2, 100, 24}, 3);
    AttentionOptions causal;
    causal.causal = Causal::bottom_right;
    const auto before = everything(q, k, v, causal);
    for (const float poison : {nan, infinity, -infinity}) {
        auto bad_k = k, bad_v = v, bad_q = q;
        for (weft::index d = 0; d < 24; ++d) { // key 60 of head 1; query 80
            bad_k.mutable_data()[(100 + 60) * 24 + d] = nan;
            bad_v.mutable_data()[(100 + 60) * 24 + d] = poison;
            bad_q.mutable_data()[(100 + 80) * 24 + d] = nan;
        }
        const auto after = everything(bad_q, bad_k, bad_v, causal);
        const auto row = [](const Tensor<float, 4>& x, weft::index h, weft::index i) {
            return x.data() + (h * 100 + i) * 24;
        };
        for (weft::index i = 0; i < 100; ++i)
            for (weft::index d = 0; d < 24; ++d) {
                REQUIRE(row(after.result.out, 0, i)[d] == row(before.result.out, 0, i)[d]);
                if (i < 60)
                    REQUIRE(row(after.result.out, 1, i)[d] == Approx(row(before.result.out, 1, i)[d]).margin(2e-6));
                if (i < 60) REQUIRE(row(after.dq, 1, i)[d] == Approx(row(before.dq, 1, i)[d]).margin(1e-5));
                if (i >= 60) REQUIRE(std::isnan(row(after.result.out, 1, i)[d]));
                if (i > 80) REQUIRE_FALSE(std::isnan(row(after.dk, 0, i)[d]));
            }
    }
    // bias -infinity hides as a mask does, whole rows too
    auto bias = Tensor<float, 4>::zeros({1, 1, 100, 100});
    for (weft::index j = 0; j < 100; ++j) bias.mutable_data()[7 * 100 + j] = -infinity;
    const auto result = attention_with_lse(q, k, v, bias);
    REQUIRE(result.lse.data()[7] == -infinity);
    for (weft::index d = 0; d < 24; ++d) REQUIRE(result.out.data()[7 * 24 + d] == 0);
}

TEST_CASE("attention: empty operands and errors", "[attention]") {
    const auto zeros = [](weft::index b, weft::index h, weft::index n, weft::index d) {
        return Tensor<float, 4>::ones({b, h, n, d});
    };
    REQUIRE(attention(zeros(0, 2, 3, 4), zeros(0, 2, 5, 4), zeros(0, 2, 5, 4)).size() == 0);
    REQUIRE(attention(zeros(1, 0, 3, 4), zeros(1, 0, 5, 4), zeros(1, 0, 5, 4)).size() == 0);
    REQUIRE(attention(zeros(1, 2, 0, 4), zeros(1, 2, 5, 4), zeros(1, 2, 5, 4)).size() == 0);
    const auto none = attention(zeros(1, 2, 3, 4), zeros(1, 2, 0, 4), zeros(1, 2, 0, 6));
    REQUIRE(none.shape() == Extents<4>{1, 2, 3, 6});
    REQUIRE(largest_difference(none, Tensor<float, 4>::zeros({1, 2, 3, 6})) == 0);
    REQUIRE(attention(zeros(1, 2, 3, 0), zeros(1, 2, 5, 0), zeros(1, 2, 5, 6)).data()[0] == 1);

    const auto q = zeros(2, 4, 3, 8), k = zeros(2, 2, 5, 8), v = zeros(2, 2, 5, 6);
    const auto fails = [&](const AttentionOptions& o, const char* text) {
        REQUIRE_THROWS_WITH(attention(q, k, v, o), ContainsSubstring(text));
        REQUIRE_THROWS_AS(attention(q, k, v, o), std::invalid_argument);
    };
    REQUIRE_THROWS_WITH(attention(zeros(2, 3, 3, 8), k, v), ContainsSubstring("3 heads of queries and 2 of keys"));
    REQUIRE_THROWS_WITH(attention(zeros(2, 4, 3, 7), k, v), ContainsSubstring("q is [2, 4, 3, 7], k is [2, 2, 5, 8]"));
    REQUIRE_THROWS_WITH(attention(q, k, zeros(2, 2, 4, 6)), ContainsSubstring("v is [2, 2, 4, 6]"));
    REQUIRE_THROWS_WITH(attention(q, k, v, zeros(2, 4, 3, 4)), ContainsSubstring("bias is [2, 4, 3, 4]"));
    AttentionOptions o;
    o.softcap = 0;
    fails(o, "softcap is 0");
    o = {};
    o.dropout = 1;
    fails(o, "dropout is 1");
    o = {};
    o.window = {-2, 0};
    fails(o, "a bound of the window is -2");
    o = {};
    o.key_lengths = numbers({5, 6});
    fails(o, "key_lengths[1] is 6: there are 5 keys");
    o.key_lengths = numbers({-1, 5});
    fails(o, "key_lengths[0] is -1");
    o.key_lengths = numbers({1});
    fails(o, "key_lengths is [1]: there are 2 sequences");
    o = {};
    o.slopes = Tensor<double, 1>::ones({3});
    fails(o, "slopes is [3]: there are 4 heads");
    const auto rows = Tensor<float, 3>::ones({6, 2, 4});
    const auto packed = [&](const Tensor<std::int64_t, 1>& a, const Tensor<std::int64_t, 1>& b) {
        return varlen_attention(rows, rows, rows, a, b);
    };
    REQUIRE_THROWS_WITH(packed(numbers({0, 4, 3, 6}), numbers({0, 1, 2, 6})),
                        ContainsSubstring("cu_q[2] is 3, before it 4"));
    REQUIRE_THROWS_WITH(packed(numbers({0, 6}), numbers({0, 5})),
                        ContainsSubstring("cu_k begins with 0 and ends with 5"));
    REQUIRE_THROWS_WITH(packed(numbers({1, 6}), numbers({0, 6})), ContainsSubstring("cu_q begins with 1"));
    REQUIRE_THROWS_WITH(packed(numbers({0, 6}), numbers({0, 2, 6})), ContainsSubstring("of one length"));
    REQUIRE_THROWS_WITH(packed_attention(Tensor<float, 3>::ones({1, 2, 13}), 2, 1), ContainsSubstring("last extent"));
    REQUIRE_THROWS_WITH(block_mask([](auto...) { return true; }, {1, 1, 4, 4}, {0, 1}),
                        ContainsSubstring("blocks of 0 x 1"));
    const auto small = block_mask([](auto...) { return true; }, {1, 1, 3, 4}, {2, 2});
    REQUIRE_THROWS_WITH(flex_attention(q, zeros(2, 2, 9, 8), zeros(2, 2, 9, 8), nullptr, small),
                        ContainsSubstring("must be [1, 1, 2, 5]"));
}
