// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/options.hpp>
#include <weft/attention/weight_dropout.hpp>
#include <weft/core/math.hpp>

#include <cmath>
#include <limits>
#include <vector>

/// How scores are made of products q k, and which of them count.
namespace weft::inline WEFT_ABI::detail {

/// A sequence of queries and the keys they may see: rows of the operands, from the given ones on.
struct AttentionSequence {
    index number = 0; ///< in the batch
    index first_query = 0, first_key = 0;
    index queries = 0, keys = 0;
    index present = 0; ///< keys that exist
};

/// Whether a tile of queries and keys has no score that counts, some, or only such.
enum class TileKind : char { skip, partial, full };

/// The mask that hides nothing.
struct EveryKey {
    static constexpr bool hides = false;
    TileKind kind(const AttentionSequence&, index, index, KeyRange, KeyRange) const { return TileKind::full; }
    void check(index, index, index, index) const {}
};
/// No function of the scores.
struct NoScoreFunction {};

/// The scores t of products q k: a function of the score, position and head on the way from `scale q k` to the
/// softmax. `Mask` hides further keys, `Function` is a user's function of the scores.
template <class T, class Mask = EveryKey, class Function = NoScoreFunction>
struct ScoreRules {
    static constexpr bool has_function = !std::same_as<Function, NoScoreFunction>;

    AttentionOptions options;
    T scale{};
    T softcap;                  ///< 0: none
    const T* bias = nullptr;    ///< of scores, or null
    index bias_strides[4] = {}; ///< of sequence, head, query, key
    Mask mask;
    Function function;

    /// Whether t = scale q k.
    bool plain() const { return !has_function && softcap == T(0) && !bias && options.slopes.size() == 0; }

    /// The keys that query i may see, but for those the mask hides. Both ends grow with i.
    KeyRange range(const AttentionSequence& s, index i) const {
        const index diagonal = i + s.keys - s.queries;
        KeyRange r{0, s.present};
        if (options.causal == Causal::bottom_right) r.last = std::min(r.last, diagonal + 1);
        if (options.causal == Causal::top_left) r.last = std::min(r.last, i + 1);
        if (options.window[0] >= 0) r.first = std::max<index>(r.first, diagonal - options.window[0]);
        if (options.window[1] >= 0) r.last = std::min(r.last, diagonal + options.window[1] + 1);
        r.last = std::max<index>(r.last, 0);
        return r;
    }
    /// Those that some of the queries may see, and those that all of them may see.
    KeyRange range(const AttentionSequence& s, KeyRange queries) const {
        return {range(s, queries.first).first, range(s, queries.last - 1).last};
    }
    KeyRange common_range(const AttentionSequence& s, KeyRange queries) const {
        return {range(s, queries.last - 1).first, range(s, queries.first).last};
    }

    /// x[first:last] = t of query i and keys begin + first, ...; x has scale q k. And slope[first:last] = dt/dx, if
    /// there is room for it.
    void shape(const AttentionSequence& s, index h, index i, index begin, KeyRange c, T* x, T* slope = nullptr) const {
        if (slope) std::fill(slope + c.first, slope + c.last, T(1));
        if (softcap != T(0)) {
            const Packet<T> cap = splat(softcap);
            for_packets(c, [&](index j, index n) {
                const Packet<T> y = math::tanh(Packet<T>(load_first(x + j, n, T{}) / cap));
                put(x + j, cap * y, n);
                if (slope) put(slope + j, splat(T(1)) - y * y, n);
            });
        }
        if (bias) {
            const T* const row =
                bias + s.number * bias_strides[0] + h * bias_strides[1] + i * bias_strides[2] + begin * bias_strides[3];
            if (bias_strides[3] == 1)
                for_packets(c, [&](index j, index n) {
                    put(x + j, load_first(x + j, n, T{}) + load_first(row + j, n, T{}), n);
                });
            else
                for (index j = c.first; j < c.last; ++j) x[j] = x[j] + row[j * bias_strides[3]];
        }
        if (options.slopes.size() > 0) {
            const double factor = options.slopes.data()[h];
            const index diagonal = i + s.keys - s.queries;
            for (index j = c.first; j < c.last; ++j)
                x[j] = x[j] - T(factor * static_cast<double>(std::abs(diagonal - begin - j)));
        }
        if constexpr (has_function)
            for (index j = c.first; j < c.last; ++j) {
                if (slope) {
                    const auto y = function(Dual<T>(x[j], T(1)), s.number, h, i, begin + j);
                    x[j] = y.value;
                    slope[j] = slope[j] * y.tangent;
                } else {
                    x[j] = function(x[j], s.number, h, i, begin + j);
                }
            }
    }

    /// Sets the hidden ones of x[c.first:c.last] to -infinity; true if there are any.
    bool hide(const AttentionSequence& s, index h, index i, index begin, KeyRange c, TileKind kind, T* x) const {
        const T nothing = T(-std::numeric_limits<double>::infinity());
        const KeyRange seen = range(s, i);
        const index first = std::clamp(seen.first - begin, c.first, c.last),
                    last = std::clamp(seen.last - begin, first, c.last);
        std::fill(x + c.first, x + first, nothing);
        std::fill(x + last, x + c.last, nothing);
        bool any = first > c.first || last < c.last;
        if constexpr (Mask::hides)
            if (kind == TileKind::partial)
                for (index j = first; j < last; ++j)
                    if (!mask.sees(s.number, h, i, begin + j)) {
                        x[j] = nothing;
                        any = true;
                    }
        return any;
    }

private:
    template <class F>
    static void for_packets(KeyRange c, F&& f) {
        index j = c.first;
        for (; j + lanes<T> <= c.last; j += lanes<T>) f(j, lanes<T>);
        if (j < c.last) f(j, c.last - j);
    }
    static WEFT_ALWAYS_INLINE Packet<T> load_first(const T* p, index n, const T& fill) {
        return n == lanes<T> ? load_packet(p) : weft::load_first(p, n, fill);
    }
    static WEFT_ALWAYS_INLINE void put(T* p, const std::type_identity_t<Packet<T>>& x, index n) {
        if (n == lanes<T>)
            store_packet(p, x);
        else
            store_first(p, x, n);
    }
};

} // namespace weft::inline WEFT_ABI::detail
