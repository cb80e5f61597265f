// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/kv_cache.hpp>
#include <weft/attention/rotary_embedding.hpp>
#include <weft/nn/dropout.hpp>
#include <weft/nn/linear.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `MultiheadAttention`.
struct MultiheadAttentionOptions {
    index heads = 1;
    index kv_heads = -1; ///< of keys and values, each for heads / kv_heads heads of queries; -1: as many as heads
    bool bias = true;
    double dropout = 0;             ///< of attention weights, in training
    index key_features = -1;        ///< of the keys, torch's kdim; -1: E
    index value_features = -1;      ///< of the values, torch's vdim; -1: E
    Generator* generator = nullptr; ///< of the initial weights; null: unseeded_generator()
};

/// Attention of several heads of D = E / heads features each: Vaswani et al., Attention is all you need (arXiv
/// 1706.03762). Parameters, layout and initial values are those of torch.nn.MultiheadAttention with batch_first:
/// `in_proj_weight` [(heads + 2 kv_heads) D, E], rows of queries, keys, values in this order, or, where keys or values
/// have other numbers of features, `q_proj_weight` [E, E], `k_proj_weight` [kv_heads D, key_features], `v_proj_weight`;
/// `in_proj_bias` [(heads + 2 kv_heads) D], `out_proj.weight` [E, E], `out_proj.bias` [E].
///
/// The AttentionOptions of a call are the masks (causal, window, key_lengths, slopes); their dropout, seed and offset
/// are the layer's business. With a RotaryTable, queries and keys are rotated by their positions; that of queries and
/// keys is the same.
template <class T>
struct MultiheadAttention {
    using Scalar = typename weft::detail::DualScalar<T>::type;

    std::optional<Parameter<T, 2>> in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight;
    std::optional<Parameter<T, 1>> in_proj_bias;
    Linear<T> out_proj;
    Dropout dropout{0};
    index heads = 0, kv_heads = 0;

    MultiheadAttention() = default;
    /// Errors: heads do not divide the features, kv_heads do not divide heads, a negative number, dropout not in [0,
    /// 1).
    MultiheadAttention(index features, const MultiheadAttentionOptions& o)
        : heads(o.heads), kv_heads(o.kv_heads < 0 ? o.heads : o.kv_heads) {
        if (features < 0 || heads < 1 || features % heads != 0)
            throw error("MultiheadAttention", "{} features, {} heads: the heads must divide the features", features,
                        heads);
        if (kv_heads < 1 || heads % kv_heads != 0)
            throw error("MultiheadAttention", "{} heads, {} of keys and values: these must divide the heads", heads,
                        kv_heads);
        if (!(o.dropout >= 0 && o.dropout < 1))
            throw error("MultiheadAttention", "dropout is {}: must be in [0, 1)", o.dropout);
        dropout.p = o.dropout;
        const index of_keys = o.key_features < 0 ? features : o.key_features;
        const index of_values = o.value_features < 0 ? features : o.value_features;
        const index kv = kv_heads * (features / heads);
        if (of_keys == features && of_values == features) {
            in_proj_weight.emplace(Tensor<T, 2>::empty({features + 2 * kv, features}));
        } else {
            q_proj_weight.emplace(Tensor<T, 2>::empty({features, features}));
            k_proj_weight.emplace(Tensor<T, 2>::empty({kv, of_keys}));
            v_proj_weight.emplace(Tensor<T, 2>::empty({kv, of_values}));
        }
        if (o.bias) in_proj_bias.emplace(Tensor<T, 1>::empty({features + 2 * kv}));
        Generator unseeded;
        if (!o.generator) unseeded = unseeded_generator();
        Generator& generator = o.generator ? *o.generator : unseeded;
        out_proj = Linear<T>(features, features, {.bias = o.bias, .generator = &generator});
        draw_parameters(generator);
    }

    /// E, of queries and results.
    index features() const { return out_proj.in_features(); }
    /// D, of a head.
    index head_features() const { return features() / heads; }

    /// Draws the parameters anew, and gives dropout another stream.
    void reset_parameters(Generator& generator) {
        out_proj.reset_parameters(generator);
        draw_parameters(generator);
        dropout.reset_parameters(generator);
    }

    /// Self-attention of x [B, N, E]: [B, N, E]. Errors: x, or the table, does not fit; those of `attention`.
    template <Expression X>
    auto operator()(const X& expression, const AttentionOptions& options = {},
                    const RotaryTable<Scalar>* rotary = nullptr) const {
        static_assert(X::rank == 3, "weft: MultiheadAttention takes x [B, N, E]");
        const auto x = eval(expression);
        if (!in_proj_weight)
            throw error("MultiheadAttention", "keys or values have other features than x: call it with all three");
        check(x, features(), "x");
        using Y = std::conditional_t<kind_of<X> == Kind::var, Var<T, 3>, Tensor<T, 3>>;
        Y packed = project(x, *in_proj_weight, 0);
        if (rotary)
            packed = reshape(rotary_embedding(by_heads(packed), *rotary, {.axis = 1, .rotated = heads + kv_heads}),
                             packed.shape());
        return out_proj(packed_attention(packed, heads, kv_heads, with_dropout<kind_of<X>>(options)));
    }

    /// Attention of queries [B, Nq, E] to keys [B, Nk, key_features] with values [B, Nk, value_features]: [B, Nq, E].
    /// Errors: the operands do not fit; those of `attention`.
    template <Expression Q, Expression K, Expression V>
    auto operator()(const Q& queries, const K& keys, const V& values, const AttentionOptions& options = {},
                    const RotaryTable<Scalar>* rotary = nullptr) const {
        static_assert(Q::rank == 3 && K::rank == 3 && V::rank == 3, "weft: MultiheadAttention takes [B, N, E]");
        constexpr Kind kind = weft::detail::joined_kind<Q, K, V>;
        // All recorded if one is: then all parameters are trained.
        using Input = std::conditional_t<kind == Kind::var, Var<T, 3>, Tensor<T, 3>>;
        const Input q(queries), k(keys), v(values);
        const index kv = kv_heads * head_features();
        const auto part = [&](const auto& separate, index begin, index end) {
            return separate ? *separate : Parameter<T, 2>(slice(*in_proj_weight, 0, begin, end));
        };
        const Parameter<T, 2> q_weight = part(q_proj_weight, 0, features()),
                              k_weight = part(k_proj_weight, features(), features() + kv),
                              v_weight = part(v_proj_weight, features() + kv, features() + 2 * kv);
        check(q, features(), "the query");
        check(k, k_weight.extent(1), "the key");
        check(v, v_weight.extent(1), "the value");
        using Heads = std::conditional_t<kind == Kind::var, Var<T, 4>, Tensor<T, 4>>;
        Heads hq = by_heads(project(q, q_weight, 0)), hk = by_heads(project(k, k_weight, features()));
        const Heads hv = by_heads(project(v, v_weight, features() + kv));
        if (rotary) {
            hq = rotary_embedding(hq, *rotary, {.axis = 1});
            hk = rotary_embedding(hk, *rotary, {.axis = 1});
        }
        const auto y =
            attention(transpose(hq, 1, 2), transpose(hk, 1, 2), transpose(hv, 1, 2), with_dropout<kind>(options));
        return out_proj(reshape(transpose(y, 1, 2), q.shape()));
    }

    /// An empty cache for `decode`. S: what keys and values are stored in.
    template <class S = T>
    KVCache<S> make_cache(index batch, index capacity) const {
        return KVCache<S>(batch, kv_heads, capacity, head_features());
    }
    /// Self-attention of the next n positions of sequences, x [B, n, E], to themselves and to those before, whose keys
    /// and values are in the cache, to which theirs are added: [B, n, E]; n calls with one position each give the
    /// rows of one causal call. `rotary`: the rows of the table of these positions. Errors: as above, those of
    /// KVCache::append.
    template <class S>
    Tensor<T, 3> decode(const Tensor<T, 3>& x, KVCache<S>& cache, const RotaryTable<Scalar>* rotary = nullptr) const {
        if (!in_proj_weight) throw error("MultiheadAttention", "decode is of self-attention: keys have other features");
        check(x, features(), "x");
        Tensor<T, 4> all = by_heads(project(x, *in_proj_weight, 0));
        if (rotary) all = rotary_embedding(all, *rotary, {.axis = 1, .rotated = heads + kv_heads});
        const auto part = [&](index first, index count) {
            return Tensor<T, 4>(transpose(slice(all, 2, first, first + count), 1, 2));
        };
        cache.append(part(heads, kv_heads), part(heads + kv_heads, kv_heads));
        const auto y = weft::decode(part(0, heads), cache, {.causal = Causal::bottom_right});
        return out_proj(Tensor<T, 3>(reshape(contiguous(transpose(y, 1, 2)), x.shape())));
    }

    void visit(auto&& v) {
        v("in_proj_weight", in_proj_weight);
        v("q_proj_weight", q_proj_weight);
        v("k_proj_weight", k_proj_weight);
        v("v_proj_weight", v_proj_weight);
        v("in_proj_bias", in_proj_bias);
        v("out_proj", out_proj);
    }

private:
    void draw_parameters(Generator& generator) {
        for (auto* const weight : {&in_proj_weight, &q_proj_weight, &k_proj_weight, &v_proj_weight})
            if (*weight) glorot_uniform(**weight, generator);
        if (in_proj_bias) zeros(*in_proj_bias);
        if (out_proj.bias) zeros(*out_proj.bias);
    }
    template <class X>
    void check(const X& x, index wanted, const char* what) const {
        if (x.extent(-1) != wanted)
            throw error("MultiheadAttention", "{} is {}: its last extent must be {}", what,
                        weft::detail::shape_text(x.shape()), wanted);
    }
    /// x [B, N, in] by a projection whose biases begin at `first`: [B, N, out].
    template <class X>
    auto project(const X& x, const Parameter<T, 2>& weight, index first) const {
        Linear<T> linear;
        linear.weight = weight;
        if (in_proj_bias) linear.bias = slice(*in_proj_bias, 0, first, first + weight.extent(0));
        return linear(x);
    }
    /// [B, N, H D] as [B, N, H, D]
    template <class X>
    auto by_heads(const X& x) const {
        return reshape(x, {x.extent(0), x.extent(1), -1, head_features()});
    }
    template <Kind K>
    AttentionOptions with_dropout(const AttentionOptions& options) const {
        AttentionOptions o = options;
        o.dropout = K == Kind::var ? dropout.p : 0;
        if (o.dropout > 0) {
            o.seed = static_cast<std::uint64_t>(uniform_integer(dropout.generator, 0, std::int64_t{1} << 62));
            o.offset = 0;
        }
        return o;
    }
};

} // namespace weft::inline WEFT_ABI::nn
