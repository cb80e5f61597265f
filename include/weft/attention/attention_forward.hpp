// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/few_rows.hpp>

namespace weft::inline WEFT_ABI::detail {

/// The operands of attention and what it makes of them. T: what is computed with; S: what keys and values are stored
/// in, Q: queries and the result.
template <class T, class S, class Q = S>
struct AttentionOperands {
    std::vector<AttentionSequence> sequences;
    index heads = 0, kv_heads = 0, depth = 0, value_depth = 0;
    HeadRows<const Q> q;
    HeadRows<const S> k, v;
    HeadRows<Q> out;
    HeadRows<T> lse; ///< elements, not rows
    WeightDropout dropout;
    index tile_rows = 0, tile_keys = 0;

    /// Query heads that share the keys and values of one head.
    index group() const { return kv_heads > 0 ? heads / kv_heads : 1; }
};

/// Adds a product where some scores are hidden and rows of b are not finite: 0 times those would not be 0. `hidden`
/// has -infinity for what is left out.
template <class T>
WEFT_NOINLINE void add_visible_product(index m, index n, index k, const Strided<const T>& a,
                                       const Strided<const T>& hidden, const PlainRows<T>& b, T* c, index ldc) {
    const T nothing = T(-std::numeric_limits<double>::infinity());
    for (index i = 0; i < m; ++i)
        for (index l = 0; l < k; ++l)
            if (!(hidden.data[i * hidden.rows + l * hidden.columns] == nothing))
                for (index d = 0; d < n; ++d)
                    c[i * ldc + d] += a.data[i * a.rows + l * a.columns] * b.data[l * b.stride + d];
}

/// softmax(scores) v, tile by tile with the maximum and the sum so far of each row: Milakov & Gimelshein (arXiv
/// 1805.02867), Dao et al. (arXiv 2205.14135). The rows of a tile are queries of all heads that share keys: row r is
/// query r / group of head r % group of them.
template <class T, class S, class Q, class Rules>
class AttentionForward {
    using Tile = ProductTile<T>;
    static constexpr index w = lanes<T>;

public:
    AttentionForward(const AttentionOperands<T, S, Q>& o, const Rules& rules)
        : o_(o), rules_(rules), group_(o.group()), plain_(rules.plain()),
          tile_rows_(o.tile_rows > 0 ? o.tile_rows : 16 * Tile::rows),
          tile_keys_(o.tile_keys > 0 ? o.tile_keys : 4 * Tile::columns) {}

    index tiles(const AttentionSequence& s) const { return divide_up(s.queries * group_, tile_rows_); }

    index key_tiles(const AttentionSequence& s) const { return divide_up(s.present, tile_keys_); }
    index key_part(const AttentionSequence& s, index part, index parts) const {
        return std::min(key_tiles(s) * part / parts * tile_keys_, s.present);
    }

    /// Some keys only, and where the results of row r go: out + r value_depth and lse + r.
    struct Part {
        KeyRange keys;
        T* out;
        T* lse;
    };

    /// Tiles first, first + step, ... of the rows of one sequence and head of the keys.
    void run(const AttentionSequence& s, index kv_head, index first, index step, const Part* part = nullptr) const {
        const index count = tiles(s), rows = s.queries * group_;
        if (first >= count) return;
        // One tile of few rows reads each key once; else keys are turned before, where that does not take much memory.
        // All that some row sees, whatever tiles are asked for: results must not depend on these.
        const KeyRange all = rules_.range(s, queries(0, rows));
        const bool keep = count > 1 || (rows > most_few_rows && all.last - all.first <= 4 * tile_keys_);
        Memory memory(*this, keep && !part ? all : KeyRange{});
        memory.part = part;
        if (memory.kept.first < memory.kept.last)
            for (index t = memory.kept.first / tile_keys_; t * tile_keys_ < memory.kept.last; ++t)
                turn_keys(s, kv_head, t, memory);
        for (index tile = first; tile < count; tile += step) {
            const index r0 = tile * tile_rows_;
            run_tile(s, kv_head, r0, std::min(tile_rows_, rows - r0), memory);
        }
    }

private:
    /// Scratch of a thread. Turned keys are kept for all tiles of `kept`, or made again for each tile of rows.
    struct Memory {
        KeyRange kept;
        T square{};           ///< the largest sum of squares of a kept key
        bool few = false;     ///< so few rows that it does not pay to turn keys
        bool bounded = false; ///< scores are so small that they need not be brought to a maximum
        Scratch<T> all;
        T *q, *scores, *sums, *out, *turned, *values, *copies, *factors, *largest, *partial;
        std::vector<KeyRange> strips;
        const Part* part = nullptr;

        Memory(const AttentionForward& f, KeyRange keep)
            : kept{keep.first / f.tile_keys_ * f.tile_keys_, keep.last}, all(place(f, nullptr)),
              strips(static_cast<std::size_t>(divide_up(f.tile_rows_, Tile::rows))) {
            place(f, this);
        }
        /// Elements in all; and the places of its parts, if `to` is there.
        index place(const AttentionForward& f, Memory* to) const {
            const auto& o = f.o_;
            index total = 0;
            const auto take = [&](T* Memory::*member, index n) {
                total += Scratch<T>::rounded(n);
                if (to) to->*member = to->all.take(n);
            };
            take(&Memory::q, f.tile_rows_ * o.depth);
            take(&Memory::scores, f.tile_rows_ * f.stride());
            take(&Memory::sums, f.tile_rows_ * w);
            take(&Memory::largest, f.tile_rows_);
            take(&Memory::out, f.tile_rows_ * f.value_stride());
            take(&Memory::factors, f.stride());
            take(&Memory::partial, 4 * w * w);
            take(&Memory::copies, f.tile_keys_ * std::max(o.depth, f.value_stride()));
            take(&Memory::values, f.tile_keys_ * f.value_stride());
            take(&Memory::turned,
                 f.turned_size(std::max(f.tile_keys_, round_up(kept.last - kept.first, f.tile_keys_))));
            return total;
        }
    };

    index stride() const { return round_up(tile_keys_, w); }
    index value_stride() const { return round_up(o_.value_depth, w); }
    index turned_size(index keys) const {
        return divide_up(keys, tile_keys_) * TurnedRows<T>::size(tile_keys_, o_.depth);
    }
    KeyRange queries(index r0, index count) const { return {r0 / group_, (r0 + count - 1) / group_ + 1}; }

    /// Turns tile t of the keys; where they are.
    const T* turn_keys(const AttentionSequence& s, index kv_head, index t, Memory& memory) const {
        const index begin = t * tile_keys_, n = std::min(tile_keys_, s.present - begin);
        const bool kept = memory.kept.first <= begin && begin < memory.kept.last;
        T* const to = memory.turned + (kept ? turned_size(begin - memory.kept.first) : 0);
        const PlainRows<T> keys = TurnedRows<T>::turn(o_.k.at(s.number, kv_head, s.first_key + begin), o_.k.row, n,
                                                      o_.depth, to, memory.copies);
        if (kept && plain_) {
            const T square = largest_square(keys, n, o_.depth);
            if (!(square <= memory.square)) memory.square = square;
        }
        return to;
    }
    const T* turned_keys(const AttentionSequence& s, index kv_head, index t, Memory& memory) const {
        const index begin = t * tile_keys_;
        if (memory.kept.first <= begin && begin < memory.kept.last)
            return memory.turned + turned_size(begin - memory.kept.first);
        return turn_keys(s, kv_head, t, memory);
    }

    WEFT_NOINLINE void run_tile(const AttentionSequence& s, index kv_head, index r0, index rows, Memory& m) const {
        const index depth = o_.depth, group = group_;
        for (index r = 0; r < rows; ++r) {
            const index row = r0 + r;
            scaled_row(o_.q.at(s.number, kv_head * group + row % group, s.first_query + row / group), m.q + r * depth);
        }
        const T square = plain_ ? largest_square(PlainRows<T>{m.q, depth}, rows, depth) : T{};
        m.bounded = plain_ && m.kept.first < m.kept.last && square * m.square <= T(400);
        m.few = rows <= most_few_rows && m.kept.empty();
        std::fill_n(m.largest, rows, m.bounded ? T{} : nothing());
        std::fill_n(m.sums, rows * w, T{});
        std::fill_n(m.out, rows * value_stride(), T{});

        KeyRange seen = rules_.range(s, queries(r0, rows));
        if (m.part) seen = {std::max(seen.first, m.part->keys.first), std::min(seen.last, m.part->keys.last)};
        for (index t = seen.first / tile_keys_; t * tile_keys_ < seen.last; ++t) {
            const KeyRange keys{t * tile_keys_, std::min((t + 1) * tile_keys_, s.present)};
            const TileKind kind = rules_.mask.kind(s, kv_head * group, group, queries(r0, rows), keys);
            if (kind != TileKind::skip) add_keys(s, kv_head, r0, rows, t, keys, kind, m);
        }
        for (index r = 0; r < rows; ++r) finish_row(s, kv_head, r0 + r, r, m);
    }

    void add_keys(const AttentionSequence& s, index kv_head, index r0, index rows, index t, KeyRange keys,
                  TileKind kind, Memory& m) const {
        const KeyRange all = find_strips(s, r0, rows, keys, m);
        if (all.empty()) return;
        score(s, kv_head, rows, t, keys, all, m);
        const bool hidden = weigh(s, kv_head, r0, rows, keys, kind, m);
        const S* const v = o_.v.at(s.number, kv_head, s.first_key + keys.first + all.first);
        if (m.few && !hidden && reads_packets<T, S>(o_.value_depth)) {
            for_few_rows(rows, [&](index r, auto count) {
                add_few_rows<count()>(all.last - all.first, o_.value_depth, m.scores + r * stride() + all.first,
                                      stride(), v, o_.v.row, m.out + r * value_stride(), value_stride());
            });
            return;
        }
        const PlainRows<T> values = plain_rows(v, o_.v.row, all.last - all.first, o_.value_depth, m.values);
        if (hidden && !all_finite(values, all.last - all.first, o_.value_depth))
            add_visible(s, kv_head, r0, rows, keys.first, kind, all.first, values, m);
        else
            add_strips(rows, o_.value_depth, m.strips, all.first, {m.scores, stride(), 1}, values, m.out,
                       value_stride());
    }

    /// Which of the keys the rows of each strip see, and all of them together.
    KeyRange find_strips(const AttentionSequence& s, index r0, index rows, KeyRange keys, Memory& m) const {
        const index n = keys.last - keys.first;
        KeyRange all{n, 0};
        for (index r = 0; r < rows; r += Tile::rows) {
            KeyRange c = rules_.range(s, queries(r0 + r, std::min(Tile::rows, rows - r)));
            c = {std::clamp<index>(c.first - keys.first, 0, n), std::clamp<index>(c.last - keys.first, 0, n)};
            m.strips[static_cast<std::size_t>(r / Tile::rows)] = c;
            if (!c.empty()) all = {std::min(all.first, c.first), std::max(all.last, c.last)};
        }
        if (m.few) std::fill_n(m.strips.begin(), divide_up(rows, Tile::rows), all);
        return all;
    }

    /// scores: the products of the rows with the keys of tile t, as far as they are needed.
    void score(const AttentionSequence& s, index kv_head, index rows, index t, KeyRange keys, KeyRange all,
               Memory& m) const {
        const index n = keys.last - keys.first, ld = stride();
        if (m.few && reads_packets<T, S>(o_.depth)) {
            const index first = all.first / w * w;
            const S* const k = o_.k.at(s.number, kv_head, s.first_key + keys.first + first);
            for_few_rows(rows, [&](index r, auto count) {
                score_few_rows<count()>(all.last - first, o_.depth, PlainRows<T>{m.q + r * o_.depth, o_.depth}, k,
                                        o_.k.row, m.scores + r * ld + first, ld, m.partial);
            });
            return;
        }
        const T* const turned = turned_keys(s, kv_head, t, m);
        for (index panel = all.first / Tile::columns; panel * Tile::columns < all.last; ++panel)
            for (index r = 0; r < rows; r += Tile::rows) {
                const KeyRange c = m.strips[static_cast<std::size_t>(r / Tile::rows)];
                if (!c.empty())
                    TurnedRows<T>::multiply(std::min(Tile::rows, rows - r), c, o_.depth,
                                            {m.q + r * o_.depth, o_.depth, 1}, turned, n, panel, m.scores + r * ld, ld);
            }
    }

    /// scores: the weights. True if some in the strips are hidden.
    bool weigh(const AttentionSequence& s, index kv_head, index r0, index rows, KeyRange keys, TileKind kind,
               Memory& m) const {
        bool hidden = false;
        for (index first = 0; first < rows; first += Tile::rows) {
            const index last = std::min(rows, first + Tile::rows);
            const KeyRange c = m.strips[static_cast<std::size_t>(first / Tile::rows)];
            if (c.empty()) continue;
            if (m.bounded && !o_.dropout && kind == TileKind::full && c.first % w == 0 && c.last % w == 0) {
                const KeyRange common = rules_.common_range(s, queries(r0 + first, last - first));
                if (common.first <= keys.first + c.first && keys.first + c.last <= common.last) {
                    for (index r = first; r < last; ++r)
                        exponential_row(m.scores + r * stride() + c.first, c.last - c.first, m.sums + r * w,
                                        [](const Packet<T>& a) { return WeightExponential<Packet<T>>::near(a); });
                    continue;
                }
            }
            for (index r = first; r < last; ++r) hidden |= weigh_row(s, kv_head, r0, r, keys, c, kind, m);
        }
        return hidden;
    }

    /// The same of row r, of which the others of its strip see keys c.
    bool weigh_row(const AttentionSequence& s, index kv_head, index r0, index r, KeyRange keys, KeyRange c,
                   TileKind kind, Memory& m) const {
        const index i = (r0 + r) / group_, h = kv_head * group_ + (r0 + r) % group_;
        T* const x = m.scores + r * stride();
        if (!plain_) rules_.shape(s, h, i, keys.first, c, x);
        const bool hidden = rules_.hide(s, h, i, keys.first, c, kind, x);
        // whole packets
        const index begin = c.first / w * w, end = round_up(c.last, w);
        std::fill(x + begin, x + c.first, nothing());
        std::fill(x + c.last, x + end, nothing());
        if (m.bounded)
            exponential_row(x + begin, end - begin, m.sums + r * w,
                            [](const Packet<T>& a) { return WeightExponential<Packet<T>>::any(a); });
        else
            softmax_row(x + begin, end - begin, m.largest[r], m.sums + r * w, m.out + r * value_stride());
        if (o_.dropout) {
            o_.dropout.factors(s.number * o_.heads + h, i, keys.first, c, m.factors);
            for (index j = c.first; j < c.last; ++j) x[j] = x[j] * m.factors[j];
        }
        return hidden;
    }

    WEFT_NOINLINE void add_visible(const AttentionSequence& s, index kv_head, index r0, index rows, index begin,
                                   TileKind kind, index first_value, const PlainRows<T>& values, Memory& m) const {
        const index ld = stride();
        Scratch<T> hidden(ld);
        for (index r = 0; r < rows; ++r) {
            const KeyRange c = m.strips[static_cast<std::size_t>(r / Tile::rows)];
            if (c.empty()) continue;
            std::fill_n(hidden.data(), ld, T{});
            rules_.hide(s, kv_head * group_ + (r0 + r) % group_, (r0 + r) / group_, begin, c, kind, hidden.data());
            add_visible_product(1, o_.value_depth, c.last - c.first, {m.scores + r * ld + c.first, ld, 1},
                                {hidden.data() + c.first, ld, 1},
                                PlainRows<T>{values.data + (c.first - first_value) * values.stride, values.stride},
                                m.out + r * value_stride(), value_stride());
        }
    }

    static T nothing() { return T(-std::numeric_limits<double>::infinity()); }

    void scaled_row(const Q* from, T* to) const {
        const T* x = to;
        if constexpr (std::same_as<Q, T>)
            x = from;
        else
            convert(from, to, o_.depth);
        index d = 0;
        for (; d + w <= o_.depth; d += w) store_packet(to + d, load_packet(x + d) * splat(rules_.scale));
        for (; d < o_.depth; ++d) to[d] = x[d] * rules_.scale;
    }

    /// x = e^(x - m) with the maximum m so far; what is there already is brought to it.
    WEFT_ALWAYS_INLINE void softmax_row(T* x, index n, T& largest, T* sum, T* out) const {
        Packet<T> top = splat(nothing()), second = top;
        index j = 0;
        for (; j + 2 * w <= n; j += 2 * w) {
            top = larger(top, load_packet(x + j));
            second = larger(second, load_packet(x + j + w));
        }
        if (j < n) top = larger(top, load_packet(x + j));
        const T value = largest_lane<T>(larger(top, second));
        if (value > largest) {
            if (largest > nothing()) {
                const Packet<T> factor = WeightExponential<Packet<T>>::any(splat(largest - value));
                store_packet(sum, load_packet(sum) * factor);
                for (index d = 0; d < value_stride(); d += w) store_packet(out + d, load_packet(out + d) * factor);
            }
            largest = value;
        }
        const Packet<T> shift = splat(largest > nothing() ? largest : T{});
        exponential_row(x, n, sum,
                        [&](const Packet<T>& a) { return WeightExponential<Packet<T>>::any(Packet<T>(a - shift)); });
    }
    /// x = f(x); adds up the results.
    template <class F>
    static WEFT_ALWAYS_INLINE void exponential_row(T* x, index n, T* sum, F&& f) {
        Packet<T> total = load_packet(sum), other = splat(T{});
        index j = 0;
        for (; j + 2 * w <= n; j += 2 * w) {
            const Packet<T> a = f(load_packet(x + j)), b = f(load_packet(x + j + w));
            store_packet(x + j, a);
            store_packet(x + j + w, b);
            total = total + a;
            other = other + b;
        }
        if (j < n) {
            const Packet<T> a = f(load_packet(x + j));
            store_packet(x + j, a);
            total = total + a;
        }
        store_packet(sum, total + other);
    }

    void finish_row(const AttentionSequence& s, index kv_head, index row, index r, Memory& m) const {
        const index h = kv_head * group_ + row % group_, i = s.first_query + row / group_;
        const T sum = sum_lanes<T>(load_packet(m.sums + r * w));
        const bool empty = sum == T(0);
        T* const from = m.out + r * value_stride();
        const Packet<T> divisor = splat(empty ? T(1) : sum);
        for (index d = 0; d < value_stride(); d += w) store_packet(from + d, load_packet(from + d) / divisor);
        using std::log;
        const T lse = empty ? nothing() : T(m.largest[r] + log(sum));
        if (m.part) {
            std::copy_n(from, o_.value_depth, m.part->out + row * o_.value_depth);
            m.part->lse[row] = lse;
            return;
        }
        store_row(from, o_.out.at(s.number, h, i));
        *o_.lse.at(s.number, h, i) = lse;
    }

public:
    void store_row(const T* from, Q* to) const {
        if constexpr (std::same_as<Q, T>)
            std::copy_n(from, o_.value_depth, to);
        else
            convert(from, to, o_.value_depth);
    }

private:
    const AttentionOperands<T, S, Q>& o_;
    const Rules& rules_;
    index group_;
    bool plain_;
    index tile_rows_, tile_keys_;
};

/// The logarithm of the sum of e^lse(p) over the parts p, and in `sums` the mean of the rows out(p) by these weights.
template <class T, class Lse, class Out>
T merge_row(index parts, index depth, Lse&& lse, Out&& out, T* sums) {
    const T nothing = T(-std::numeric_limits<double>::infinity());
    T largest = nothing, total{};
    for (index p = 0; p < parts; ++p) largest = lse(p) > largest ? lse(p) : largest;
    std::fill_n(sums, depth, T{});
    using std::exp, std::log;
    for (index p = 0; p < parts; ++p) {
        const T own = lse(p);
        if (own == nothing) continue;
        const T weight = exp(own - largest);
        total += weight;
        for (index d = 0; d < depth; ++d) sums[d] += weight * static_cast<T>(out(p)[d]);
    }
    if (total == T{}) return nothing;
    for (index d = 0; d < depth; ++d) sums[d] /= total;
    return largest + log(total);
}

/// Few queries and many keys of one sequence and head: parts of the keys side by side, and what they make together.
template <class T, class S, class Q, class Rules>
void attend_by_parts(const AttentionForward<T, S, Q, Rules>& forward, const AttentionOperands<T, S, Q>& o, index parts,
                     double nanoseconds) {
    const index heads = o.kv_heads, pairs = static_cast<index>(o.sequences.size()) * heads;
    index rows = 0;
    for (const auto& s : o.sequences) rows = std::max(rows, s.queries * o.group());
    Scratch<T> outs(pairs * parts * rows * o.value_depth), sums(pairs * parts * rows);
    const auto out_of = [&](index chunk) { return outs.data() + chunk * rows * o.value_depth; };
    const auto lse_of = [&](index chunk) { return sums.data() + chunk * rows; };
    const auto sequence = [&](index pair) -> const AttentionSequence& {
        return o.sequences[static_cast<std::size_t>(pair / heads)];
    };
    for_each_chunk(pairs * parts, nanoseconds, [&](index chunk) {
        const AttentionSequence& s = sequence(chunk / parts);
        const index p = chunk % parts;
        const typename AttentionForward<T, S, Q, Rules>::Part part{
            {forward.key_part(s, p, parts), forward.key_part(s, p + 1, parts)}, out_of(chunk), lse_of(chunk)};
        forward.run(s, chunk / parts % heads, 0, 1, &part);
    });
    std::vector<T> merged(static_cast<std::size_t>(o.value_depth));
    for (index pair = 0; pair < pairs; ++pair) {
        const AttentionSequence& s = sequence(pair);
        for (index r = 0; r < s.queries * o.group(); ++r) {
            const index h = pair % heads * o.group() + r % o.group(), i = s.first_query + r / o.group();
            *o.lse.at(s.number, h, i) = merge_row<T>(
                parts, o.value_depth, [&](index p) { return lse_of(pair * parts + p)[r]; },
                [&](index p) { return out_of(pair * parts + p) + r * o.value_depth; }, merged.data());
            forward.store_row(merged.data(), o.out.at(s.number, h, i));
        }
    }
}

/// out and lse of all sequences and heads.
template <class T, class S, class Q, class Rules>
void attend_forward(const AttentionOperands<T, S, Q>& o, const Rules& rules) {
    const AttentionForward<T, S, Q, Rules> forward(o, rules);
    const index heads = o.kv_heads, pairs = static_cast<index>(o.sequences.size()) * heads;
    if (pairs == 0) return;
    index most = 0, keys = 0;
    double scores = 0;
    for (const auto& s : o.sequences) {
        most = std::max(most, forward.tiles(s));
        keys = std::max(keys, forward.key_tiles(s));
        scores += static_cast<double>(s.queries) * static_cast<double>(s.present * o.heads);
    }
    const double nanoseconds = scores * (static_cast<double>(o.depth + o.value_depth) * 0.02 + 0.5);
    if (pairs * most < 8 && keys >= 4)
        return attend_by_parts(forward, o, std::min(keys / 2, 16 / (pairs * std::max<index>(most, 1))), nanoseconds);
    // Each row by itself: what the parts are has no influence on the results.
    const index threads = thread_count();
    const index parts = pairs % threads == 0 || pairs >= 8 * threads ? 1 : std::clamp<index>(most / 2, 1, 2 * threads);
    for_each_chunk(pairs * parts, nanoseconds, [&](index chunk) {
        const index pair = chunk / parts;
        forward.run(o.sequences[static_cast<std::size_t>(pair / heads)], pair % heads, chunk % parts, parts);
    });
}

} // namespace weft::inline WEFT_ABI::detail
