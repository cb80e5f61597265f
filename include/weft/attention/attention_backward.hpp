// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/attention_forward.hpp>
#include <weft/linalg/product.hpp>

namespace weft::inline WEFT_ABI::detail {

/// What the backward of attention needs besides the operands, and where its results go: they are added to what is
/// there. Those that are null are not computed.
template <class T, class S>
struct AttentionGradients {
    HeadRows<const S> out, dout;
    HeadRows<const T> lse; ///< elements, not rows
    HeadRows<T> dq, dk, dv;
    T* dbias = nullptr;
    index bias_size = 0;
    T* dslopes = nullptr; ///< [Hq]
};

/// The gradients of q, k, v by tiles of queries and keys, each of which makes its weights again from q, k and lse: Dao
/// (arXiv 2307.08691). Work is cut into blocks of queries and parts of keys; within a phase every block and every part
/// is touched by one thread, and phases follow one another, so sums have one order.
template <class T, class S, class Rules>
class AttentionBackward {
    using Tile = ProductTile<T>;
    static constexpr index w = lanes<T>;

public:
    AttentionBackward(const AttentionOperands<T, S>& o, const AttentionGradients<T, S>& g, const Rules& rules)
        : o_(o), g_(g), rules_(rules), group_(o.group()), plain_(rules.plain() && !o.dropout && !g.dbias),
          tile_rows_(o.tile_rows > 0 ? o.tile_rows : 16 * Tile::rows),
          tile_keys_(o.tile_keys > 0 ? o.tile_keys : 2 * Tile::columns) {}

    index key_tiles(const AttentionSequence& s) const { return divide_up(s.present, tile_keys_); }

    /// The share of a block of queries and a part of the keys, of `parts` each. dbias and dslopes are given apart.
    void run(const AttentionSequence& s, index kv_head, index block, index part, index parts, T* dbias,
             T* dslopes) const {
        const index tiles = key_tiles(s);
        const KeyRange keys{tiles * part / parts * tile_keys_,
                            std::min(tiles * (part + 1) / parts * tile_keys_, s.present)};
        const KeyRange queries{s.queries * block / parts, s.queries * (block + 1) / parts};
        if (keys.empty() || queries.empty()) return;
        const KeyRange seen = rules_.range(s, queries);
        if (seen.last <= keys.first || keys.last <= seen.first) return;

        const index rows = (queries.last - queries.first) * group_;
        Memory m(*this, rows);
        m.dbias = dbias;
        m.dslopes = dslopes;
        for (index r = 0; r < rows; ++r) {
            const index h = kv_head * group_ + r % group_, i = s.first_query + queries.first + r / group_;
            m.delta[r] = row_product(g_.dout.at(s.number, h, i), g_.out.at(s.number, h, i));
            const T lse = *g_.lse.at(s.number, h, i);
            m.lse[r] = lse > nothing() || lse != lse ? lse : T(std::numeric_limits<double>::infinity());
        }
        for (index begin = keys.first; begin < keys.last; begin += tile_keys_) {
            const KeyRange tile{begin, std::min(begin + tile_keys_, keys.last)};
            if (seen.last <= tile.first || tile.last <= seen.first) continue;
            turn_keys(s, kv_head, tile, m);
            for (index r = 0; r < rows; r += tile_rows_)
                run_tile(s, kv_head, queries.first, r, std::min(tile_rows_, rows - r), tile, m);
        }
    }

private:
    struct Memory {
        Scratch<T> all;
        T *delta, *lse, *scores, *slopes, *adjoint, *turned_keys, *turned_values, *q, *k, *dout, *dq, *factors, *hidden;
        T* dbias = nullptr;
        T* dslopes = nullptr;
        PlainRows<T> keys{};
        std::vector<KeyRange> strips;

        Memory(const AttentionBackward& b, index rows)
            : all(place(b, rows, nullptr)), strips(static_cast<std::size_t>(divide_up(b.tile_rows_, Tile::rows))) {
            place(b, rows, this);
        }
        /// Elements in all; and the places of its parts, if there is one.
        static index place(const AttentionBackward& b, index rows, Memory* m) {
            const auto& o = b.o_;
            const index tile = b.tile_rows_ * b.stride(), depth = round_up(std::max(o.depth, o.value_depth), w);
            index total = 0;
            const auto take = [&](T* Memory::*part, index n) {
                total += Scratch<T>::rounded(n);
                if (m) m->*part = m->all.take(n);
            };
            take(&Memory::delta, rows);
            take(&Memory::lse, rows);
            take(&Memory::scores, tile);
            take(&Memory::adjoint, tile);
            take(&Memory::hidden, tile);
            take(&Memory::slopes, b.stride());
            take(&Memory::factors, b.stride());
            take(&Memory::turned_keys, TurnedRows<T>::size(b.tile_keys_, o.depth));
            take(&Memory::turned_values, TurnedRows<T>::size(b.tile_keys_, o.value_depth));
            take(&Memory::q, b.tile_rows_ * depth);
            take(&Memory::dout, b.tile_rows_ * depth);
            take(&Memory::dq, b.tile_rows_ * depth);
            take(&Memory::k, b.tile_keys_ * depth);
            return total;
        }
    };

    index stride() const { return round_up(tile_keys_, w); }
    static T nothing() { return T(-std::numeric_limits<double>::infinity()); }

    T row_product(const S* a, const S* b) const {
        if constexpr (std::same_as<S, T>) {
            return dot_run(a, b, o_.value_depth);
        } else {
            T sum{};
            for (index d = 0; d < o_.value_depth; ++d) sum += static_cast<T>(a[d]) * static_cast<T>(b[d]);
            return sum;
        }
    }

    void turn_keys(const AttentionSequence& s, index kv_head, KeyRange tile, Memory& m) const {
        const index n = tile.last - tile.first;
        const S* const k = o_.k.at(s.number, kv_head, s.first_key + tile.first);
        TurnedRows<T>::turn(k, o_.k.row, n, o_.depth, m.turned_keys, m.k);
        TurnedRows<T>::turn(o_.v.at(s.number, kv_head, s.first_key + tile.first), o_.v.row, n, o_.value_depth,
                            m.turned_values, m.k);
        m.keys = plain_rows(k, o_.k.row, n, o_.depth, m.k);
    }

    /// The rows of a tile: where they lie if they are one behind the other, else copies.
    PlainRows<T> tile_rows(const HeadRows<const S>& from, const AttentionSequence& s, index kv_head, index first_query,
                           index r, index rows, index width, T* copies) const {
        const index i = s.first_query + first_query;
        if (group_ == 1) return plain_rows(from.at(s.number, kv_head, i + r), from.row, rows, width, copies);
        const index padded = round_up(width, w);
        for (index k = 0; k < rows; ++k)
            copy_row(from.at(s.number, kv_head * group_ + (r + k) % group_, i + (r + k) / group_), width, padded,
                     copies + k * padded);
        return {copies, padded};
    }

    /// Rows r, ..., r + rows - 1 of a block that begins with query `first_query`.
    WEFT_NOINLINE void run_tile(const AttentionSequence& s, index kv_head, index first_query, index r, index rows,
                                KeyRange keys, Memory& m) const {
        const index n = keys.last - keys.first, ld = stride(), strips = divide_up(rows, Tile::rows);
        const auto queries = [&](index first, index count) {
            return KeyRange{first_query + (r + first) / group_, first_query + (r + first + count - 1) / group_ + 1};
        };
        const TileKind kind = rules_.mask.kind(s, kv_head * group_, group_, queries(0, rows), keys);
        if (kind == TileKind::skip) return;
        bool any = false;
        for (index strip = 0; strip < strips; ++strip) {
            const index first = strip * Tile::rows;
            KeyRange& c = m.strips[static_cast<std::size_t>(strip)] =
                rules_.range(s, queries(first, std::min(Tile::rows, rows - first)));
            c = {std::clamp<index>(c.first - keys.first, 0, n), std::clamp<index>(c.last - keys.first, 0, n)};
            any |= !c.empty();
        }
        if (!any) return;

        const PlainRows<T> q = tile_rows(o_.q, s, kv_head, first_query, r, rows, o_.depth, m.q);
        const PlainRows<T> dout = tile_rows(g_.dout, s, kv_head, first_query, r, rows, o_.value_depth, m.dout);
        for (index panel = 0; panel * Tile::columns < n; ++panel)
            for (index strip = 0; strip < strips; ++strip) {
                const index first = strip * Tile::rows, count = std::min(Tile::rows, rows - first);
                const KeyRange c = m.strips[static_cast<std::size_t>(strip)];
                if (c.empty()) continue;
                TurnedRows<T>::multiply(count, c, o_.depth, {q.data + first * q.stride, q.stride, 1}, m.turned_keys, n,
                                        panel, m.scores + first * ld, ld);
                TurnedRows<T>::multiply(count, c, o_.value_depth, {dout.data + first * dout.stride, dout.stride, 1},
                                        m.turned_values, n, panel, m.adjoint + first * ld, ld);
            }
        bool hidden = false;
        for (index k = 0; k < rows; ++k)
            hidden |= differentiate_row(s, kv_head, first_query, r + k, k, n, keys.first, kind, m);

        const index i = s.first_query + first_query;
        const Strided<const T> weights{m.scores, ld, 1}, adjoint{m.adjoint, ld, 1};
        T* const dk = g_.dk.data ? g_.dk.at(s.number, kv_head, s.first_key + keys.first) : nullptr;
        T* const dv = g_.dv.data ? g_.dv.at(s.number, kv_head, s.first_key + keys.first) : nullptr;
        T* const dq = !g_.dq.data ? nullptr : group_ == 1 ? g_.dq.at(s.number, kv_head, i + r) : m.dq;
        const index dq_stride = group_ == 1 ? g_.dq.row : o_.depth;
        if (dq && group_ > 1) std::fill_n(dq, rows * o_.depth, T{});
        if (hidden && !(all_finite(q, rows, o_.depth) && all_finite(dout, rows, o_.value_depth) &&
                        all_finite(m.keys, n, o_.depth))) {
            mark_hidden(s, kv_head, first_query, r, rows, n, keys.first, kind, m);
            const Strided<const T> marks{m.hidden, ld, 1};
            if (dv)
                add_visible_product(n, o_.value_depth, rows, weights.transposed(), marks.transposed(), dout, dv,
                                    g_.dv.row);
            if (dk) add_visible_product(n, o_.depth, rows, adjoint.transposed(), marks.transposed(), q, dk, g_.dk.row);
            if (dq) add_visible_product(rows, o_.depth, n, adjoint, marks, m.keys, dq, dq_stride);
        } else {
            if (dv) add_product(n, o_.value_depth, rows, weights.transposed(), dout, dv, g_.dv.row);
            if (dk) add_product(n, o_.depth, rows, adjoint.transposed(), q, dk, g_.dk.row);
            if (dq) add_strips(rows, o_.depth, m.strips, 0, adjoint, m.keys, dq, dq_stride);
        }
        if (dq && group_ > 1)
            for (index k = 0; k < rows; ++k)
                add_run(g_.dq.at(s.number, kv_head * group_ + (r + k) % group_, i + (r + k) / group_),
                        m.dq + k * o_.depth, o_.depth);
    }

    /// scores: q k becomes the weights as they multiply v; adjoint: dout v becomes what multiplies k and q. Both are 0
    /// where no key is seen. True if some of the row's strip are hidden.
    bool differentiate_row(const AttentionSequence& s, index kv_head, index first_query, index row, index k, index n,
                           index begin, TileKind kind, Memory& m) const {
        T *const x = m.scores + k * stride(), *const d = m.adjoint + k * stride();
        const KeyRange c = m.strips[static_cast<std::size_t>(k / Tile::rows)];
        if (c.empty()) {
            std::fill_n(x, n, T{});
            std::fill_n(d, n, T{});
            return false;
        }
        const index h = kv_head * group_ + row % group_, i = first_query + row / group_;
        const Packet<T> scale = splat(rules_.scale), lse = splat(m.lse[row]), delta = splat(m.delta[row]);
        const index first = c.first / w * w;
        bool hidden = false;
        if (plain_) {
            const KeyRange seen = rules_.range(s, i);
            hidden = kind == TileKind::partial || seen.first > begin + c.first || seen.last < begin + c.last;
            if (!hidden)
                for (index j = first; j < c.last; j += w) {
                    const Packet<T> p = WeightExponential<Packet<T>>::any(
                        Packet<T>(multiply_add(load_packet(x + j), scale, Packet<T>(-lse))));
                    store_packet(x + j, p);
                    store_packet(d + j, p * (load_packet(d + j) - delta) * scale);
                }
        }
        if (!plain_ || hidden) {
            for (index j = first; j < c.last; j += w) store_packet(x + j, load_packet(x + j) * scale);
            T* const slopes = plain_ || rules_.plain() ? nullptr : m.slopes;
            if (!plain_) rules_.shape(s, h, i, begin, c, x, slopes);
            hidden = rules_.hide(s, h, i, begin, c, kind, x);
            if (o_.dropout) o_.dropout.factors(s.number * o_.heads + h, i, begin, c, m.factors);
            for (index j = first; j < c.last; j += w) {
                const Packet<T> t = load_packet(x + j);
                const Packet<T> p = WeightExponential<Packet<T>>::any(Packet<T>(t - lse));
                Packet<T> kept = p, dp = load_packet(d + j);
                if (o_.dropout) {
                    const Packet<T> factor = load_packet(m.factors + j);
                    kept = p * factor;
                    dp = dp * factor;
                }
                store_packet(x + j, kept);
                store_packet(d + j, select(t == splat(nothing()), splat(T{}), Packet<T>(p * (dp - delta))));
            }
            collect(s, h, i, begin, c, d, m);
            for (index j = first; j < c.last; j += w)
                store_packet(d + j, slopes ? load_packet(d + j) * load_packet(slopes + j) * scale
                                           : load_packet(d + j) * scale);
        }
        std::fill(x, x + c.first, T{});
        std::fill(d, d + c.first, T{});
        std::fill(x + c.last, x + n, T{});
        std::fill(d + c.last, d + n, T{});
        return hidden;
    }

    /// Adds the gradients of the scores to those of what was added to them.
    void collect(const AttentionSequence& s, index h, index i, index begin, KeyRange c, const T* d, Memory& m) const {
        if (m.dbias) {
            const index* const strides = rules_.bias_strides;
            T* const to = m.dbias + s.number * strides[0] + h * strides[1] + i * strides[2] + begin * strides[3];
            if (strides[3] == 1) {
                add_run(to + c.first, d + c.first, c.last - c.first);
            } else {
                T sum{};
                for (index j = c.first; j < c.last; ++j) sum += d[j];
                *to += sum;
            }
        }
        if (m.dslopes) {
            const index diagonal = i + s.keys - s.queries;
            T sum{};
            for (index j = c.first; j < c.last; ++j)
                sum += d[j] * T(static_cast<double>(std::abs(diagonal - begin - j)));
            m.dslopes[h] -= sum;
        }
    }

    WEFT_NOINLINE void mark_hidden(const AttentionSequence& s, index kv_head, index first_query, index r, index rows,
                                   index n, index begin, TileKind kind, Memory& m) const {
        for (index k = 0; k < rows; ++k) {
            T* const x = m.hidden + k * stride();
            const KeyRange c = m.strips[static_cast<std::size_t>(k / Tile::rows)];
            std::fill_n(x, n, nothing());
            if (c.empty()) continue;
            std::fill(x + c.first, x + c.last, T{});
            rules_.hide(s, kv_head * group_ + (r + k) % group_, first_query + (r + k) / group_, begin, c, kind, x);
        }
    }

    const AttentionOperands<T, S>& o_;
    const AttentionGradients<T, S>& g_;
    const Rules& rules_;
    index group_;
    bool plain_;
    index tile_rows_, tile_keys_;
};

/// Adds the gradients of all sequences and heads to those there.
template <class T, class S, class Rules>
void attend_backward(const AttentionOperands<T, S>& o, const AttentionGradients<T, S>& g, const Rules& rules) {
    const AttentionBackward<T, S, Rules> backward(o, g, rules);
    const index sequences = static_cast<index>(o.sequences.size()), pairs = sequences * o.kv_heads;
    index tiles = 0;
    double scores = 0;
    for (const auto& s : o.sequences) {
        tiles = std::max(tiles, std::min(backward.key_tiles(s), s.queries));
        scores += static_cast<double>(s.queries) * static_cast<double>(s.present * o.heads);
    }
    if (pairs == 0 || tiles == 0) return;
    const double nanoseconds = scores * (static_cast<double>(o.depth + o.value_depth) * 0.05 + 1);

    // A bias that heads or sequences share is added to by one after the other.
    const bool shared = g.dbias && (rules.bias_strides[0] == 0 || rules.bias_strides[1] == 0);
    const index parts = std::min(tiles, shared ? 16 : divide_up(16, pairs));
    // One sum for all queries and keys would be added to by all parts: each has its own.
    const bool apart = g.dbias && rules.bias_strides[2] == 0 && rules.bias_strides[3] == 0;
    const index bias_size = apart ? g.bias_size : 0;
    const auto copies = [&](index size) { return std::vector<T>(static_cast<std::size_t>(parts * size), T{}); };
    auto bias_sums = copies(bias_size), slope_sums = copies(g.dslopes ? sequences * o.heads : 0);
    for (index phase = 0; phase < parts; ++phase) {
        const auto run = [&](index pair, index part) {
            const index b = pair / o.kv_heads;
            T* const dbias = apart ? bias_sums.data() + part * bias_size : g.dbias;
            T* const dslopes = g.dslopes ? slope_sums.data() + (part * sequences + b) * o.heads : nullptr;
            backward.run(o.sequences[static_cast<std::size_t>(b)], pair % o.kv_heads, (part + phase) % parts, part,
                         parts, dbias, dslopes);
        };
        if (shared)
            for_each_chunk(parts, nanoseconds / static_cast<double>(parts), [&](index part) {
                for (index pair = 0; pair < pairs; ++pair) run(pair, part);
            });
        else
            for_each_chunk(pairs * parts, nanoseconds / static_cast<double>(parts),
                           [&](index chunk) { run(chunk / parts, chunk % parts); });
    }
    if (apart)
        for (index k = 0; k < parts * bias_size; ++k) g.dbias[k % bias_size] += bias_sums[static_cast<std::size_t>(k)];
    if (g.dslopes)
        for (index k = 0; k < parts * sequences; ++k)
            for (index h = 0; h < o.heads; ++h) g.dslopes[h] += slope_sums[static_cast<std::size_t>(k * o.heads + h)];
}

} // namespace weft::inline WEFT_ABI::detail
