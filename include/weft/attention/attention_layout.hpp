// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/attention_forward.hpp>

/// How the operands of attention lie in memory, and what they must be.
namespace weft::inline WEFT_ABI::detail {

/// Where the rows of one operand lie, in elements from its first one.
struct RowPlaces {
    index offset = 0, sequence = 0, head = 0, row = 0;

    template <class S>
    HeadRows<S> of(S* data) const {
        return {data ? data + offset : nullptr, sequence, head, row};
    }
    /// [B, H, N, D], or [B, N, H, D] if the heads come second.
    static RowPlaces dense(const Extents<4>& shape, bool heads_second) {
        const auto [b, first, second, d] = shape;
        return {0, first * second * d, heads_second ? d : second * d, heads_second ? second * d : d};
    }
};

struct AttentionLayout {
    std::vector<AttentionSequence> sequences;
    index heads = 0, kv_heads = 0, depth = 0, value_depth = 0;
    RowPlaces q, k, v, out, lse;

    /// Of queries, all heads together.
    index rows() const {
        index n = 0;
        for (const auto& s : sequences) n += s.queries * heads;
        return n;
    }
};

inline void check_heads(index heads, index kv_heads) {
    if (kv_heads == 0 ? heads != 0 : heads % kv_heads != 0)
        throw error("attention", "{} heads of queries and {} of keys: the first must be a multiple of the second",
                    heads, kv_heads);
}

inline void check_options(const AttentionOptions& o, index sequences, index heads, index keys) {
    if (o.softcap && !(*o.softcap > 0)) throw error("attention", "softcap is {}: must be positive", *o.softcap);
    if (!(o.dropout >= 0 && o.dropout < 1)) throw error("attention", "dropout is {}: must be in [0, 1)", o.dropout);
    for (const index bound : o.window)
        if (bound < -1) throw error("attention", "a bound of the window is {}: must be -1 or more", bound);
    if (o.tile_rows < 0 || o.tile_keys < 0)
        throw error("attention", "tiles of {} x {}: must be positive, or 0", o.tile_rows, o.tile_keys);
    if (o.slopes.size() > 0 && o.slopes.size() != heads)
        throw error("attention", "slopes is [{}]: there are {} heads", o.slopes.size(), heads);
    if (o.key_lengths.size() > 0) {
        if (o.key_lengths.size() != sequences)
            throw error("attention", "key_lengths is [{}]: there are {} sequences", o.key_lengths.size(), sequences);
        for (index b = 0; b < sequences; ++b)
            if (const auto n = o.key_lengths.data()[b]; n < 0 || n > keys)
                throw error("attention", "key_lengths[{}] is {}: there are {} keys", b, n, keys);
    }
}

/// Sequences of equal length, of which key_lengths keys exist.
inline std::vector<AttentionSequence> equal_sequences(index count, index queries, index keys,
                                                      const AttentionOptions& o) {
    std::vector<AttentionSequence> sequences;
    for (index b = 0; b < count; ++b)
        sequences.push_back({b, 0, 0, queries, keys, o.key_lengths.size() > 0 ? o.key_lengths.data()[b] : keys});
    return sequences;
}

/// q [B, Hq, Nq, D], k [B, Hkv, Nk, D], v [B, Hkv, Nk, Dv]; those that say so with the heads second.
template <class Q, class K, class V>
AttentionLayout dense_layout(const Q& q, const K& k, const V& v, std::array<bool, 3> heads_second,
                             const AttentionOptions& options) {
    const Extents<4> a = q.shape(), b = k.shape(), c = v.shape();
    if (a[0] != b[0] || a[0] != c[0] || b[1] != c[1] || b[2] != c[2] || a[3] != b[3])
        throw error("attention",
                    "q is {}, k is {}, v is {}: they must be [B, Hq, Nq, D], [B, Hkv, Nk, D] and [B, Hkv, Nk, Dv]",
                    shape_text(a), shape_text(b), shape_text(c));
    check_heads(a[1], b[1]);
    check_options(options, a[0], a[1], b[2]);
    const auto places = [](Extents<4> shape, bool second) {
        if (second) std::swap(shape[1], shape[2]);
        return RowPlaces::dense(shape, second);
    };
    AttentionLayout layout;
    layout.sequences = equal_sequences(a[0], a[2], b[2], options);
    layout.heads = a[1];
    layout.kv_heads = b[1];
    layout.depth = a[3];
    layout.value_depth = c[3];
    layout.q = places(a, heads_second[0]);
    layout.k = places(b, heads_second[1]);
    layout.v = places(c, heads_second[2]);
    layout.out = places({a[0], a[1], a[2], c[3]}, heads_second[0]);
    layout.lse = {0, a[1] * a[2], a[2], 1};
    return layout;
}

/// The first rows of packed sequences: cu[0] = 0 <= cu[1] <= ... = total.
template <class I>
void check_boundaries(const char* name, const Tensor<I, 1>& cu, index total) {
    const index n = cu.size();
    if (n == 0 || cu.data()[0] != 0 || cu.data()[n - 1] != total)
        throw error("attention", "{} begins with {} and ends with {}: must begin with 0 and end with {}", name,
                    n == 0 ? index{-1} : static_cast<index>(cu.data()[0]),
                    n == 0 ? index{-1} : static_cast<index>(cu.data()[n - 1]), total);
    for (index s = 1; s < n; ++s)
        if (cu.data()[s] < cu.data()[s - 1])
            throw error("attention", "{}[{}] is {}, before it {}: must not decrease", name, s, cu.data()[s],
                        cu.data()[s - 1]);
}

/// q [Tq, Hq, D], k [Tk, Hkv, D], v [Tk, Hkv, Dv].
template <class Q, class K, class V, class I>
AttentionLayout varlen_layout(const Q& q, const K& k, const V& v, const Tensor<I, 1>& cu_q, const Tensor<I, 1>& cu_k,
                              const AttentionOptions& options) {
    static_assert(Q::rank == 3 && K::rank == 3 && V::rank == 3, "weft: varlen_attention: q, k and v are [T, H, D]");
    const Extents<3> a = q.shape(), b = k.shape(), c = v.shape();
    if (b[0] != c[0] || b[1] != c[1] || a[2] != b[2])
        throw error("varlen_attention",
                    "q is {}, k is {}, v is {}: they must be [Tq, Hq, D], [Tk, Hkv, D] and "
                    "[Tk, Hkv, Dv]",
                    shape_text(a), shape_text(b), shape_text(c));
    if (cu_q.size() != cu_k.size())
        throw error("varlen_attention", "cu_q is [{}], cu_k is [{}]: must be of one length", cu_q.size(), cu_k.size());
    check_heads(a[1], b[1]);
    check_boundaries("cu_q", cu_q, a[0]);
    check_boundaries("cu_k", cu_k, b[0]);
    if (options.key_lengths.size() > 0)
        throw error("varlen_attention", "key_lengths are given: cu_k says how many keys there are");
    check_options(options, cu_q.size() - 1, a[1], b[0]);
    AttentionLayout layout;
    for (index s = 0; s + 1 < cu_q.size(); ++s) {
        const auto qs = static_cast<index>(cu_q.data()[s]), ks = static_cast<index>(cu_k.data()[s]);
        const index keys = static_cast<index>(cu_k.data()[s + 1]) - ks;
        layout.sequences.push_back({s, qs, ks, static_cast<index>(cu_q.data()[s + 1]) - qs, keys, keys});
    }
    layout.heads = a[1];
    layout.kv_heads = b[1];
    layout.depth = a[2];
    layout.value_depth = c[2];
    layout.q = {0, 0, a[2], a[1] * a[2]};
    layout.k = {0, 0, b[2], b[1] * b[2]};
    layout.v = {0, 0, c[2], c[1] * c[2]};
    layout.out = {0, 0, c[2], a[1] * c[2]};
    layout.lse = {0, 0, 1, a[1]};
    return layout;
}

} // namespace weft::inline WEFT_ABI::detail
