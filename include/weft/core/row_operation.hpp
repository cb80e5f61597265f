// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/transpose_block.hpp>

/// Operations on the lines of a tensor along one axis (softmax, normalisations): all sweeps over a line happen while it
/// is in cache. A body is written once over a line of packets; the line is either one long row, or as many
/// neighbouring lines as a packet has lanes (other axes than the last, and rows shorter than a packet).
namespace weft::inline WEFT_ABI::detail {

/// How many packets of a line are combined one after the other; sums of longer lines are sums of such pieces, as each
/// addition to a long sum loses what it has beyond the digits of the sum.
inline constexpr index line_piece = 512;

/// Packets [0, count()) of one row of n elements.
template <class Scalar>
class RowLine {
public:
    using T = Scalar;
    using P = Packet<T>;
    RowLine(const T* const* in, T* out, index n) : in_(in), out_(out), whole_(n / lanes<T>), rest_(n % lanes<T>) {}

    /// Packet k of operand `input`; `fill` where the row has ended.
    WEFT_ALWAYS_INLINE P load(int input, index k, const T& fill) const { return load_at(in_[input], k, fill); }
    /// Packet k of the result so far.
    WEFT_ALWAYS_INLINE P stored(index k) const { return load_at(out_, k, T{}); }
    WEFT_ALWAYS_INLINE void store(index k, const P& a) {
        if (k < whole_)
            store_packet(out_ + k * lanes<T>, a);
        else
            store_first(out_ + k * lanes<T>, a, rest_);
    }
    /// The one result of the line.
    WEFT_ALWAYS_INLINE void store_result(const P& a) { *out_ = first_lane<T>(a); }
    template <class F>
    WEFT_ALWAYS_INLINE void each(F&& f) {
        for (index k = 0; k < whole_; ++k) f(k);
        if (rest_ > 0) f(whole_);
    }
    /// Combines f(k) over the line; every lane of the result has the value of its line.
    template <class Monoid, class F>
    WEFT_ALWAYS_INLINE P reduce(F&& f) {
        const P identity = splat(Monoid::template identity<T>());
        P all = identity;
        index k = 0;
        do {
            const index end = std::min(whole_, k + line_piece);
            P a = identity;
            if (end - k >= 4) {
                P b = a, c = a, d = a;
                for (; k + 4 <= end; k += 4) {
                    a = Monoid::combine(a, f(k));
                    b = Monoid::combine(b, f(k + 1));
                    c = Monoid::combine(c, f(k + 2));
                    d = Monoid::combine(d, f(k + 3));
                }
                a = Monoid::combine(Monoid::combine(a, b), Monoid::combine(c, d));
            }
            for (; k < end; ++k) a = Monoid::combine(a, f(k));
            all = Monoid::combine(all, a);
        } while (k < whole_);
        if (rest_ > 0) all = Monoid::combine(all, f(whole_));
        return splat(first_lane<T>(combine_lanes<Monoid, T>(all)));
    }

private:
    WEFT_ALWAYS_INLINE P load_at(const T* p, index k, const T& fill) const {
        return k < whole_ ? load_packet(p + k * lanes<T>) : load_first(p + k * lanes<T>, rest_, fill);
    }

    const T* const* in_;
    T* out_;
    index whole_, rest_;
};

/// lanes<T> neighbouring lines of n elements, `stride` apart.
template <class Scalar>
class ColumnLine {
public:
    using T = Scalar;
    using P = Packet<T>;
    ColumnLine(const T* const* in, T* out, index n, index stride) : in_(in), out_(out), n_(n), stride_(stride) {}

    WEFT_ALWAYS_INLINE P load(int input, index k, const T&) const { return load_packet(in_[input] + k * stride_); }
    WEFT_ALWAYS_INLINE P stored(index k) const { return load_packet(out_ + k * stride_); }
    WEFT_ALWAYS_INLINE void store(index k, const P& a) { store_packet(out_ + k * stride_, a); }
    WEFT_ALWAYS_INLINE void store_result(const P& a) { store_packet(out_, a); }
    template <class F>
    WEFT_ALWAYS_INLINE void each(F&& f) {
        for (index k = 0; k < n_; ++k) f(k);
    }
    template <class Monoid, class F>
    WEFT_ALWAYS_INLINE P reduce(F&& f) {
        const P identity = splat(Monoid::template identity<T>());
        P all = identity;
        for (index k = 0; k < n_;) {
            P a = identity;
            for (const index end = std::min(n_, k + line_piece); k < end; ++k) a = Monoid::combine(a, f(k));
            all = Monoid::combine(all, a);
        }
        return all;
    }

private:
    const T* const* in_;
    T* out_;
    index n_, stride_;
};

/// Where the lines of an operation lie: `outer` groups of `inner` neighbouring lines of n elements, and the result,
/// which has n or 1 (`single`) elements per line.
struct LineLayout {
    index outer = 1, n = 1, inner = 1;
    bool single = false;

    template <std::size_t N>
    LineLayout(const std::array<index, N>& shape, std::size_t axis, bool one_result)
        : n(shape[axis]), single(one_result) {
        for (std::size_t a = 0; a < axis; ++a) outer *= shape[a];
        for (std::size_t a = axis + 1; a < N; ++a) inner *= shape[a];
    }
};

/// Runs `body` over packets of `count` <= lanes<T> lines that are not neighbours in memory, or are too few: element k
/// of line i is at k * element_stride + i * line_stride.
template <int Inputs, class Body, class T>
void run_gathered(const Body& body, const T* const* in, T* out, const LineLayout& l, index count, index element_stride,
                  index line_stride, T* scratch) {
    constexpr index w = lanes<T>;
    const T* tile[Inputs];
    for (int input = 0; input < Inputs; ++input) {
        T* const to = scratch + input * l.n * w;
        tile[input] = to;
        if (element_stride == 1 && count == w) {
            transpose_block(in[input], line_stride, w, l.n, to, w);
            continue;
        }
        std::fill_n(to, l.n * w, T{});
        for (index i = 0; i < count; ++i)
            for (index k = 0; k < l.n; ++k) to[k * w + i] = in[input][k * element_stride + i * line_stride];
    }
    T* const result = scratch + Inputs * l.n * w;
    body.run(ColumnLine<T>(tile, result, l.n, w));
    const index results = l.single ? 1 : l.n;
    const index out_stride = l.single ? 1 : line_stride;
    if (element_stride == 1 && count == w) return transpose_block(result, w, results, w, out, out_stride);
    for (index i = 0; i < count; ++i)
        for (index k = 0; k < results; ++k) out[k * element_stride + i * out_stride] = result[k * w + i];
}

/// Applies `body` to every line, to rows of at least Body::least_packets packets one by one. `cost`: nanoseconds per
/// element.
template <int Inputs, class Body, class T>
void for_each_line(const Body& body, const T* const* in, T* out, const LineLayout& l, double cost) {
    constexpr index w = lanes<T>;
    const index lines = l.outer * l.inner;
    if (lines == 0 || (l.n == 0 && !l.single)) return;
    const bool rows = l.inner == 1 && l.n >= Body::least_packets * w;
    // A chunk is a number of rows, of packets of short rows, or of packets of columns.
    const index tiles = l.inner == 1 ? (l.outer + w - 1) / w : l.outer * ((l.inner + w - 1) / w);
    const index units = rows ? l.outer : tiles;
    const index grain = std::max<index>(1, (index{1} << 14) / std::max<index>(1, l.n * (rows ? 1 : w)));
    for_each_chunk((units + grain - 1) / grain, cost * static_cast<double>(lines * l.n), [&](index chunk) {
        Scratch<T> scratch(rows ? 1 : (Inputs + 1) * std::max<index>(l.n, 1) * w);
        for (index u = chunk * grain, end = std::min(units, (chunk + 1) * grain); u < end; ++u) {
            const T* from[Inputs];
            const auto at = [&](index line_begin, index result_begin) {
                for (int input = 0; input < Inputs; ++input) from[input] = in[input] + line_begin;
                return out + (l.single ? result_begin : line_begin);
            };
            if (rows) {
                T* const to = at(u * l.n, u);
                body.run(RowLine<T>(from, to, l.n));
            } else if (l.inner == 1) {
                T* const to = at(u * w * l.n, u * w);
                run_gathered<Inputs>(body, from, to, l, std::min(w, l.outer - u * w), 1, l.n, scratch.data());
            } else {
                const index per_group = (l.inner + w - 1) / w, group = u / per_group, column = u % per_group * w;
                T* const to = at(group * l.n * l.inner + column, group * l.inner + column);
                if (const index count = std::min(w, l.inner - column); count == w)
                    body.run(ColumnLine<T>(from, to, l.n, l.inner));
                else
                    run_gathered<Inputs>(body, from, to, l, count, l.inner, 1, scratch.data());
            }
        }
    });
}

/// The tensor of `shape` that `body` makes of the lines of its operands along `axis`. half and bfloat16 are computed in
/// float.
template <class Body, class T, int N, std::size_t M, class... More>
Tensor<T, static_cast<int>(M)> map_lines(const Body& body, const std::array<index, M>& shape, bool single, int axis,
                                         double cost, const Tensor<T, N>& x, const More&... more) {
    using C = compute_type<Tensor<T, N>>;
    if constexpr (!std::same_as<C, T>) {
        return map_lines(body, shape, single, axis, cost, Tensor<C, N>(x), Tensor<C, N>(more)...);
    } else {
        auto y = Tensor<T, static_cast<int>(M)>::empty(shape);
        const T* const in[] = {x.data(), more.data()...};
        for_each_line<1 + static_cast<int>(sizeof...(More))>(
            body, in, y.mutable_data(), LineLayout(x.shape(), static_cast<std::size_t>(axis), single), cost);
        return y;
    }
}

} // namespace weft::inline WEFT_ABI::detail
