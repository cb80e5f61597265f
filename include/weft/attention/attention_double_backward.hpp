// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/attention_forward.hpp>
#include <weft/linalg/product.hpp>

namespace weft::inline WEFT_ABI::detail {

/// The operands of the gradients of attention, what multiplies these gradients, and where the gradients of all that go:
/// they are added to what is there.
template <class T>
struct AttentionCotangents {
    HeadRows<const T> out, dout;
    HeadRows<const T> lse;        ///< elements, not rows
    HeadRows<const T> cq, ck, cv; ///< of dq, dk, dv
    HeadRows<T> gq, gk, gv, gdout;
};

/// The gradient of sum(cq dq) + sum(ck dk) + sum(cv dv), where dq, dk, dv are the gradients of attention, by q, k, v
/// and dout. With the weights P, dP = dout v^T, delta = row sums of P dP and G = scale (cq k^T + q ck^T), that is
/// G' = row sums of P G, U = G (dP - delta) - G' dP + dout cv^T and Y = P (U - row sums of P U):
///   gq = scale (Y k + dS ck), gk = scale (Y^T q + dS^T cq), gv = X^T dout, gdout = X v + P cv
/// for dS = P (dP - delta) and X = P (G - G'). Tile by tile: first the sums over rows, then the products.
template <class T, class Rules>
class AttentionDoubleBackward {
    using Tile = ProductTile<T>;
    static constexpr index w = lanes<T>;

public:
    AttentionDoubleBackward(const AttentionOperands<T, T>& o, const AttentionCotangents<T>& c, const Rules& rules)
        : o_(o), c_(c), rules_(rules), group_(o.group()), tile_rows_(o.tile_rows > 0 ? o.tile_rows : 8 * Tile::rows),
          tile_keys_(o.tile_keys > 0 ? o.tile_keys : Tile::columns), stride_(round_up(tile_keys_, w)),
          depth_(round_up(o.depth, w)), value_depth_(round_up(o.value_depth, w)) {}

    void run(const AttentionSequence& s, index kv_head) const {
        const index rows = s.queries * group_;
        Memory m(*this);
        for (index r = 0; r < rows; r += tile_rows_) {
            load_rows(s, kv_head, r, std::min(tile_rows_, rows - r), m);
            for (const bool products : {false, true}) {
                for (index begin = 0; begin < s.present; begin += tile_keys_)
                    run_tile(s, kv_head, r, {begin, std::min(begin + tile_keys_, s.present)}, products, m);
                if (!products)
                    for (index k = 0; k < m.rows; ++k) m.y[k] -= m.g[k] * m.delta[k];
            }
            add_rows(s, kv_head, r, m);
        }
    }

private:
    struct Memory {
        Scratch<T> all;
        T *q, *cq, *dout, *gq, *gdout; // rows of the tile
        T *k, *ck, *v, *cv;            // of the keys
        T *turned_k, *turned_ck, *turned_v, *turned_cv;
        T *p, *dp, *g_tile, *e; // scores
        T *lse, *delta, *g, *y; // of rows
        index rows = 0;

        explicit Memory(const AttentionDoubleBackward& b) : all(place(b, nullptr)) { place(b, this); }
        static index place(const AttentionDoubleBackward& b, Memory* m) {
            index total = 0;
            const auto take = [&](index n, auto... parts) {
                total += static_cast<index>(sizeof...(parts)) * Scratch<T>::rounded(n);
                if (m) ((m->*parts = m->all.take(n)), ...);
            };
            take(b.tile_rows_ * b.depth_, &Memory::q, &Memory::cq, &Memory::gq);
            take(b.tile_rows_ * b.value_depth_, &Memory::dout, &Memory::gdout);
            take(b.tile_keys_ * b.depth_, &Memory::k, &Memory::ck);
            take(b.tile_keys_ * b.value_depth_, &Memory::v, &Memory::cv);
            take(TurnedRows<T>::size(b.tile_keys_, b.o_.depth), &Memory::turned_k, &Memory::turned_ck);
            take(TurnedRows<T>::size(b.tile_keys_, b.o_.value_depth), &Memory::turned_v, &Memory::turned_cv);
            take(b.tile_rows_ * b.stride_, &Memory::p, &Memory::dp, &Memory::g_tile, &Memory::e);
            take(b.tile_rows_, &Memory::lse, &Memory::delta, &Memory::g, &Memory::y);
            return total;
        }
    };

    static T nothing() { return T(-std::numeric_limits<double>::infinity()); }
    index head_of(index kv_head, index row) const { return kv_head * group_ + row % group_; }
    index query_of(index row) const { return row / group_; }

    void load_rows(const AttentionSequence& s, index kv_head, index r, index rows, Memory& m) const {
        m.rows = rows;
        for (index k = 0; k < rows; ++k) {
            const index h = head_of(kv_head, r + k), i = s.first_query + query_of(r + k);
            copy_row(o_.q.at(s.number, h, i), o_.depth, depth_, m.q + k * depth_);
            copy_row(c_.cq.at(s.number, h, i), o_.depth, depth_, m.cq + k * depth_);
            const T *const dout = c_.dout.at(s.number, h, i), *const out = c_.out.at(s.number, h, i);
            copy_row(dout, o_.value_depth, value_depth_, m.dout + k * value_depth_);
            m.delta[k] = T{};
            for (index d = 0; d < o_.value_depth; ++d) m.delta[k] += dout[d] * out[d];
            const T lse = *c_.lse.at(s.number, h, i);
            m.lse[k] = lse == nothing() ? T(std::numeric_limits<double>::infinity()) : lse;
            m.g[k] = m.y[k] = T{};
        }
        std::fill_n(m.gq, rows * depth_, T{});
        std::fill_n(m.gdout, rows * value_depth_, T{});
    }
    void add_rows(const AttentionSequence& s, index kv_head, index r, Memory& m) const {
        for (index k = 0; k < m.rows; ++k) {
            const index h = head_of(kv_head, r + k), i = s.first_query + query_of(r + k);
            T *const gq = c_.gq.at(s.number, h, i), *const gdout = c_.gdout.at(s.number, h, i);
            for (index d = 0; d < o_.depth; ++d) gq[d] += m.gq[k * depth_ + d];
            for (index d = 0; d < o_.value_depth; ++d) gdout[d] += m.gdout[k * value_depth_ + d];
        }
    }
    /// Keys of a tile, in rows and turned.
    void load_keys(const HeadRows<const T>& from, const AttentionSequence& s, index kv_head, KeyRange keys, index width,
                   index padded, T* rows, T* turned) const {
        const index n = keys.last - keys.first;
        const T* const first = from.at(s.number, kv_head, s.first_key + keys.first);
        for (index j = 0; j < n; ++j) copy_row(first + j * from.row, width, padded, rows + j * padded);
        TurnedRows<T>::turn(rows, padded, n, width, turned, static_cast<T*>(nullptr));
    }
    /// to = a b^T for the rows of the tile.
    void multiply(const T* a, index width, index padded, const T* turned, index n, index rows, T* to) const {
        for (index panel = 0; panel * Tile::columns < n; ++panel)
            for (index k = 0; k < rows; k += Tile::rows)
                TurnedRows<T>::multiply(std::min(Tile::rows, rows - k), {0, n}, width, {a + k * padded, padded, 1},
                                        turned, n, panel, to + k * stride_, stride_);
    }

    void run_tile(const AttentionSequence& s, index kv_head, index r, KeyRange keys, bool products, Memory& m) const {
        const index n = keys.last - keys.first, rows = m.rows;
        const KeyRange queries{query_of(r), query_of(r + rows - 1) + 1};
        const KeyRange seen = rules_.range(s, queries);
        const TileKind kind = rules_.mask.kind(s, kv_head * group_, group_, queries, keys);
        if (kind == TileKind::skip || seen.last <= keys.first || keys.last <= seen.first) return;

        load_keys(o_.k, s, kv_head, keys, o_.depth, depth_, m.k, m.turned_k);
        load_keys(c_.ck, s, kv_head, keys, o_.depth, depth_, m.ck, m.turned_ck);
        load_keys(o_.v, s, kv_head, keys, o_.value_depth, value_depth_, m.v, m.turned_v);
        load_keys(c_.cv, s, kv_head, keys, o_.value_depth, value_depth_, m.cv, m.turned_cv);
        multiply(m.q, o_.depth, depth_, m.turned_k, n, rows, m.p);
        multiply(m.q, o_.depth, depth_, m.turned_ck, n, rows, m.g_tile);
        multiply(m.cq, o_.depth, depth_, m.turned_k, n, rows, m.e);
        for (index k = 0; k < rows; ++k) add_run(m.g_tile + k * stride_, m.e + k * stride_, n);
        multiply(m.dout, o_.value_depth, value_depth_, m.turned_v, n, rows, m.dp);
        multiply(m.dout, o_.value_depth, value_depth_, m.turned_cv, n, rows, m.e);

        for (index k = 0; k < rows; ++k) {
            T *const p = m.p + k * stride_, *const dp = m.dp + k * stride_, *const g = m.g_tile + k * stride_,
                     *const e = m.e + k * stride_;
            const index h = head_of(kv_head, r + k), i = query_of(r + k);
            for (index j = 0; j < n; ++j) p[j] *= rules_.scale;
            rules_.shape(s, h, i, keys.first, {0, n}, p);
            rules_.hide(s, h, i, keys.first, {0, n}, kind, p);
            for (index j = 0; j < n; ++j) {
                using std::exp;
                const bool visible = !(p[j] == nothing());
                const T weight = visible ? T(exp(p[j] - m.lse[k])) : T{}, slope = visible ? g[j] * rules_.scale : T{};
                const T own = visible ? dp[j] - m.delta[k] : T{};
                if (!products) {
                    m.g[k] += weight * slope;
                    if (visible) m.y[k] += weight * (slope * own + e[j]);
                } else {
                    p[j] = weight;
                    const T u = visible ? slope * own - m.g[k] * dp[j] + e[j] - m.y[k] : T{};
                    e[j] = weight * u * rules_.scale;                 // scale Y
                    g[j] = visible ? weight * (slope - m.g[k]) : T{}; // X
                    dp[j] = weight * own * rules_.scale;              // scale dS
                }
            }
        }
        if (!products) return;
        const auto of = [this](const T* tile) { return Strided<const T>{tile, stride_, 1}; };
        const PlainRows<T> q{m.q, depth_}, cq{m.cq, depth_}, dout{m.dout, value_depth_}, k{m.k, depth_},
            ck{m.ck, depth_}, v{m.v, value_depth_}, cv{m.cv, value_depth_};
        T *const gk = c_.gk.at(s.number, kv_head, s.first_key + keys.first), *const gv =
                                                                                 c_.gv.at(s.number, kv_head,
                                                                                          s.first_key + keys.first);
        add_product(n, o_.value_depth, rows, of(m.g_tile).transposed(), dout, gv, c_.gv.row);
        add_product(rows, o_.value_depth, n, of(m.g_tile), v, m.gdout, value_depth_);
        add_product(rows, o_.value_depth, n, of(m.p), cv, m.gdout, value_depth_);
        add_product(n, o_.depth, rows, of(m.dp).transposed(), cq, gk, c_.gk.row);
        add_product(rows, o_.depth, n, of(m.dp), ck, m.gq, depth_);
        add_product(rows, o_.depth, n, of(m.e), k, m.gq, depth_);
        add_product(n, o_.depth, rows, of(m.e).transposed(), q, gk, c_.gk.row);
    }

    const AttentionOperands<T, T>& o_;
    const AttentionCotangents<T>& c_;
    const Rules& rules_;
    index group_, tile_rows_, tile_keys_, stride_, depth_, value_depth_;
};

/// Adds the gradients of all sequences and heads to those there.
template <class T, class Rules>
void attend_double_backward(const AttentionOperands<T, T>& o, const AttentionCotangents<T>& c, const Rules& rules) {
    const AttentionDoubleBackward<T, Rules> backward(o, c, rules);
    double scores = 0;
    for (const auto& s : o.sequences)
        scores += static_cast<double>(s.queries) * static_cast<double>(s.present * o.heads);
    for_each_chunk(
        static_cast<index>(o.sequences.size()) * o.kv_heads, scores * static_cast<double>(o.depth + o.value_depth),
        [&](index pair) { backward.run(o.sequences[static_cast<std::size_t>(pair / o.kv_heads)], pair % o.kv_heads); });
}

} // namespace weft::inline WEFT_ABI::detail
