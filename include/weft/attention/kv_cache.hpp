// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/attention.hpp>

namespace weft::inline WEFT_ABI {

/// The keys and values of the positions so far, for decoding; S may be half or bfloat16. Memory for `capacity`
/// positions of each sequence is taken at once.
template <class S>
class KVCache {
public:
    KVCache() = default;
    /// `value_depth`: -1: that of the keys. Errors: a negative extent.
    KVCache(index batch, index heads, index capacity, index depth, index value_depth = -1)
        : lengths_(static_cast<std::size_t>(batch), 0) {
        if (value_depth < 0) value_depth = depth;
        keys_ = Tensor<S, 4>::zeros({batch, heads, capacity, depth});
        values_ = Tensor<S, 4>::zeros({batch, heads, capacity, value_depth});
    }

    /// [B, H, capacity, D]; those behind a sequence's length are not in use.
    const Tensor<S, 4>& keys() const noexcept { return keys_; }
    /// [B, H, capacity, Dv]; likewise.
    const Tensor<S, 4>& values() const noexcept { return values_; }
    /// Positions for which there is memory.
    index capacity() const { return keys_.extent(2); }
    /// Positions of sequence b.
    index length(index b) const { return lengths_.at(static_cast<std::size_t>(b)); }

    /// Adds n positions to every sequence: k [B, H, n, D], v [B, H, n, Dv], rounded to S. Errors: other extents; more
    /// than the capacity (nothing is added then).
    template <Expression K, Expression V>
    void append(const K& k, const V& v) {
        const index batch = keys_.extent(0), heads = keys_.extent(1), n = k.shape()[2];
        const Extents<4> needed_k{batch, heads, n, keys_.extent(3)}, needed_v{batch, heads, n, values_.extent(3)};
        if (k.shape() != needed_k || v.shape() != needed_v)
            throw error("KVCache", "k is {}, v is {}: must be {} and {}", detail::shape_text(k.shape()),
                        detail::shape_text(v.shape()), detail::shape_text(needed_k), detail::shape_text(needed_v));
        for (index b = 0; b < batch; ++b)
            if (length(b) + n > capacity())
                throw error("KVCache", "sequence {} has {} positions of {}: no room for {} more", b, length(b),
                            capacity(), n);
        copy_rows(Tensor<typename K::value_type, 4>(k), keys_);
        copy_rows(Tensor<typename V::value_type, 4>(v), values_);
        for (index& length : lengths_) length += n;
    }
    /// Forgets what is behind the first n positions of sequence b. Errors: it has fewer.
    void truncate(index b, index n) {
        if (n < 0 || n > length(b)) throw error("KVCache", "sequence {} has {} positions, not {}", b, length(b), n);
        lengths_[static_cast<std::size_t>(b)] = n;
    }

private:
    template <class A>
    void copy_rows(const Tensor<A, 4>& from, Tensor<S, 4>& to) {
        const auto [batch, heads, n, depth] = from.shape();
        S* const data = to.mutable_data();
        for (index b = 0; b < batch; ++b)
            for (index h = 0; h < heads; ++h) {
                S* const row = data + ((b * heads + h) * capacity() + length(b)) * depth;
                const A* const source = from.data() + (b * heads + h) * n * depth;
                if constexpr (std::same_as<A, S>)
                    std::copy_n(source, n * depth, row);
                else
                    for (index i = 0; i < n * depth; ++i) row[i] = S(source[i]);
            }
    }

    Tensor<S, 4> keys_, values_;
    std::vector<index> lengths_;
};

/// attention of the last Nq positions of each sequence of a cache to all of them: q [B, Hq, Nq, D] in the element type
/// of the cache or what that is computed in, result [B, Hq, Nq, Dv] likewise. The cache holds the keys of these
/// positions already; with more than one, .causal = Causal::bottom_right is what decoding means. Reads the cache once:
/// O(length H (D + Dv)) memory traffic. Errors: extents that do not fit; key_lengths.
template <class Q, class S>
AttentionResult<Q, 4> decode_with_lse(const Tensor<Q, 4>& q, const KVCache<S>& cache,
                                      const AttentionOptions& options = {}) {
    using T = detail::AttentionScalar<S>;
    static_assert(std::same_as<Q, S> || std::same_as<Q, T>, "weft: decode: q is of the cache's element type or float");
    if (options.key_lengths.size() > 0) throw error("decode", "key_lengths are given: the cache has them");
    detail::AttentionLayout layout = detail::dense_layout(q, cache.keys(), cache.values(), {}, options);
    for (auto& s : layout.sequences) s.keys = s.present = cache.length(s.number);
    const detail::AttentionCall<detail::EveryKey, detail::NoScoreFunction> call{layout, options, {}, {}};
    AttentionResult<Q, 4> result{Tensor<Q, 4>::empty({q.extent(0), q.extent(1), q.extent(2), cache.values().extent(3)}),
                                 Tensor<T, 3>::empty({q.extent(0), q.extent(1), q.extent(2)})};
    auto o = call.template operands<T>(q.data(), cache.keys().data(), cache.values().data());
    o.out = layout.out.of(result.out.mutable_data());
    o.lse = layout.lse.of(result.lse.mutable_data());
    detail::attend_forward(o, call.template rules<T>());
    return result;
}

/// The result alone.
template <class Q, class S>
Tensor<Q, 4> decode(const Tensor<Q, 4>& q, const KVCache<S>& cache, const AttentionOptions& options = {}) {
    return decode_with_lse(q, cache, options).out;
}

} // namespace weft::inline WEFT_ABI
