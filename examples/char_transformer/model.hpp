// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/kv_cache.hpp>
#include <weft/attention/transformer_block.hpp>
#include <weft/nn/embedding.hpp>

namespace char_transformer {

using namespace weft;
using weft::index; // POSIX has a function of this name

struct Size {
    index characters = 0, layers = 4, heads = 4, width = 128, context = 64;
};

/// The decoder of GPT-2 (Radford et al., Language models are unsupervised multitask learners, 2019): characters and
/// positions have learnt rows, which blocks transform; the logits of the next character are products with the rows of
/// the characters again. Parameters `wte.weight` [characters, width], `wpe.weight` [context, width], `h.0`, ...
/// (nn::TransformerBlock), `ln_f`.
template <class T>
struct Model {
    nn::Embedding<T> wte, wpe;
    std::vector<nn::TransformerBlock<T>> h;
    nn::LayerNorm<T> ln_f;

    /// Matrices are normal of deviation 0.02, those in front of a sum with the identity divided by the root of the
    /// number of these sums; biases are 0.
    Model(const Size& size, Generator& generator)
        : wte(size.characters, size.width, {.generator = &generator}),
          wpe(size.context, size.width, {.generator = &generator}), ln_f(size.width) {
        for (index l = 0; l < size.layers; ++l)
            h.emplace_back(size.width, nn::TransformerBlockOptions{.heads = size.heads,
                                                                   .norm_first = true,
                                                                   .activation = nn::FeedForward::gelu_tanh,
                                                                   .generator = &generator});
        const double residual = 0.02 / std::sqrt(2.0 * static_cast<double>(size.layers));
        nn::for_each_parameter(*this, [&]<int N>(std::string_view name, Parameter<T, N>& p) {
            const bool sums = name.ends_with("out_proj.weight") || name.ends_with("linear2.weight");
            if constexpr (N == 2) nn::normal(p, generator, 0, sums ? residual : 0.02);
            if (name.ends_with("bias")) nn::zeros(p);
        });
    }

    index context() const { return wpe.ids(); }

    /// ids [B, N] to what the logits are products with, [B, N, width]; N is the context at most.
    template <Expression I>
    auto hidden(const I& ids) const {
        AttentionOptions causal;
        causal.causal = Causal::bottom_right;
        auto x = eval(wte(ids) + slice(wpe.weight, 0, 0, ids.extent(1)));
        for (const auto& block : h) x = block(x, causal);
        return ln_f(x);
    }
    /// For each block the keys and values of one text, of `context` characters at most.
    std::vector<KVCache<T>> make_caches() const {
        std::vector<KVCache<T>> caches;
        for (const auto& block : h) caches.push_back(block.self_attn.make_cache(1, context()));
        return caches;
    }
    /// The same of the next characters ids [1, n] of a text, given the caches of those before; adds theirs.
    Tensor<T, 3> hidden(const Tensor<std::int64_t, 2>& ids, std::vector<KVCache<T>>& caches) const {
        const index at = caches.front().length(0);
        Tensor<T, 3> x = wte(ids) + slice(wpe.weight, 0, at, at + ids.extent(1));
        for (std::size_t l = 0; l < h.size(); ++l) x = h[l].decode(x, caches[l]);
        return ln_f(x);
    }
    /// The logits [rows, characters] of rows of `hidden`.
    template <Expression X>
    auto logits(const X& rows) const {
        return matmul(reshape(rows, {-1, wte.features()}), transpose(wte.weight));
    }
    /// ids [B, N] to logits [B N, characters].
    template <Expression I>
    auto operator()(const I& ids) const {
        return logits(hidden(ids));
    }

    void visit(auto&& v) {
        v("wte", wte);
        v("wpe", wpe);
        v("h", h);
        v("ln_f", ln_f);
    }
};

} // namespace char_transformer
