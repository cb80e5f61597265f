// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/multihead_attention.hpp>
#include <weft/core/ops.hpp>
#include <weft/nn/gated_linear_unit.hpp>
#include <weft/nn/layer_norm.hpp>
#include <weft/nn/rms_norm.hpp>

namespace weft::inline WEFT_ABI::nn {

/// The normalisation of a TransformerBlock: `LayerNorm` or `RMSNorm`.
enum class TransformerNorm : char { layer, rms };
/// What is between the two linear functions. swiglu: a silu(b) of the halves [a | b] of the first one's result.
enum class FeedForward : char { relu, gelu, gelu_tanh, swiglu };

/// Options of `TransformerBlock`.
struct TransformerBlockOptions {
    index heads = 1;
    index kv_heads = -1;     ///< see MultiheadAttentionOptions
    index hidden = -1;       ///< features between the linear functions, torch's dim_feedforward; -1: 4 E
    bool norm_first = false; ///< normalise what goes into attention and feed-forward, not the sums behind them
    TransformerNorm norm = TransformerNorm::layer;
    double norm_eps = 1e-5;
    FeedForward activation = FeedForward::relu;
    double dropout = 0;             ///< of attention weights, hidden features and both results, in training
    bool bias = true;               ///< of the linear functions; a LayerNorm keeps its own
    Generator* generator = nullptr; ///< of the initial weights; null: unseeded_generator()
};

namespace detail {

/// One of the normalisations of rows, under its parameters' own names.
template <class T>
struct BlockNorm {
    std::optional<LayerNorm<T>> layer;
    std::optional<RMSNorm<T>> rms;

    BlockNorm() = default;
    BlockNorm(index channels, const TransformerBlockOptions& o) {
        if (o.norm == TransformerNorm::layer)
            layer.emplace(channels, NormOptions{.eps = o.norm_eps});
        else
            rms.emplace(channels, RMSNormOptions{.eps = o.norm_eps});
    }
    template <class X>
    auto operator()(const X& x) const {
        return layer ? (*layer)(x) : (*rms)(x);
    }
    void visit(auto&& v) {
        if (layer) layer->visit(v);
        if (rms) rms->visit(v);
    }
};

} // namespace detail

/// Self-attention and feed-forward, each beside the identity, as torch.nn.TransformerEncoderLayer with batch_first, of
/// which the parameters have the names: `self_attn` (MultiheadAttention), `linear1` [hidden, E], `linear2` [E, hidden],
/// `norm1`, `norm2`. With swiglu, linear1 is [2 hidden, E]. Initial values are those of the parts. With
/// `norm_first` x + attention(norm1(x)), then x + feed-forward(norm2(x)); else norm1(x + attention(x)), then
/// norm2(x + feed-forward(x)).
template <class T>
struct TransformerBlock {
    using Scalar = typename MultiheadAttention<T>::Scalar;

    MultiheadAttention<T> self_attn;
    Linear<T> linear1, linear2;
    detail::BlockNorm<T> norm1, norm2;
    Dropout dropout{0}, dropout1{0}, dropout2{0};
    FeedForward activation = FeedForward::relu;
    bool norm_first = false;

    TransformerBlock() = default;
    /// Errors: those of MultiheadAttention.
    TransformerBlock(index features, const TransformerBlockOptions& o)
        : norm1(features, o), norm2(features, o), dropout(o.dropout), dropout1(o.dropout), dropout2(o.dropout),
          activation(o.activation), norm_first(o.norm_first) {
        Generator unseeded;
        if (!o.generator) unseeded = unseeded_generator();
        Generator* const generator = o.generator ? o.generator : &unseeded;
        self_attn = MultiheadAttention<T>(
            features,
            {.heads = o.heads, .kv_heads = o.kv_heads, .bias = o.bias, .dropout = o.dropout, .generator = generator});
        const index hidden = o.hidden < 0 ? 4 * features : o.hidden;
        const LinearOptions linear{.bias = o.bias, .generator = generator};
        linear1 = Linear<T>(features, activation == FeedForward::swiglu ? 2 * hidden : hidden, linear);
        linear2 = Linear<T>(hidden, features, linear);
    }

    /// x [B, N, E] to [B, N, E]. `options`: the masks, `rotary`: of the positions; see MultiheadAttention.
    template <Expression X>
    auto operator()(const X& expression, const AttentionOptions& options = {},
                    const RotaryTable<Scalar>* rotary = nullptr) const {
        static_assert(X::rank == 3, "weft: TransformerBlock takes x [B, N, E]");
        return transform(eval(expression), [&](const auto& y) { return self_attn(y, options, rotary); });
    }

    /// The next n positions x [B, n, E] of sequences, with the keys and values of those before in the cache; see
    /// MultiheadAttention::decode.
    template <class S>
    Tensor<T, 3> decode(const Tensor<T, 3>& x, KVCache<S>& cache, const RotaryTable<Scalar>* rotary = nullptr) const {
        return transform(x, [&](const auto& y) { return self_attn.decode(Tensor<T, 3>(y), cache, rotary); });
    }

    void visit(auto&& v) {
        v("self_attn", self_attn);
        v("linear1", linear1);
        v("linear2", linear2);
        v("norm1", norm1);
        v("norm2", norm2);
        v("dropout", dropout);
        v("dropout1", dropout1);
        v("dropout2", dropout2);
    }

private:
    template <class X, class Attend>
    auto transform(const X& x, Attend&& attend) const {
        if (norm_first) {
            const auto y = eval(x + dropout1(attend(norm1(x))));
            return eval(y + dropout2(feed_forward(norm2(y))));
        }
        const auto y = norm1(x + dropout1(attend(x)));
        return eval(norm2(y + dropout2(feed_forward(y))));
    }
    template <class X>
    auto feed_forward(const X& x) const {
        const auto h = linear1(x);
        const auto out = [&](const auto& a) { return linear2(dropout(a)); };
        switch (activation) {
        case FeedForward::gelu:
            return out(gelu(h));
        case FeedForward::gelu_tanh:
            return out(gelu_tanh(h));
        case FeedForward::swiglu:
            return out(SwiGLU{}(h));
        case FeedForward::relu:
            break;
        }
        return out(relu(h));
    }
};

} // namespace weft::inline WEFT_ABI::nn
