// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/iteration.hpp>
#include <weft/core/packet.hpp>

#include <algorithm>
#include <cmath>

namespace weft::inline WEFT_ABI {

/// Which elements of a row are a pair that is rotated: (2 t, 2 t + 1), or (t, t + rotated / 2).
enum class RotaryLayout : char { interleaved, half };

/// Options of `RotaryTable`.
struct RotaryOptions {
    index rotated = -1; ///< so many elements at the beginning of a row; -1: all
    double base = 10000;
    RotaryLayout layout = RotaryLayout::interleaved;
};

/// Cosine and sine of the angle of each pair at each position, for rotary_embedding: made once, used by all layers and
/// in all steps. The angles are computed in double, whatever R (float or double) is. O(N D).
template <class R>
class RotaryTable {
public:
    RotaryTable() = default;
    /// Pair t of rows of D elements is rotated by positions[n] base^(-2 t / rotated). Errors: `rotated` is odd or not
    /// in [0, D], the base is not positive.
    RotaryTable(const Tensor<double, 1>& positions, index features, const RotaryOptions& options = {})
        : RotaryTable(positions.extent(0), features, options.rotated < 0 ? features : options.rotated, options.base,
                      options.layout) {
        fill([&](index n, index t) {
            return positions.data()[n] *
                   std::pow(options.base, -2 * static_cast<double>(t) / static_cast<double>(rotated()));
        });
    }
    /// Positions [N, A] on A = 2 or 3 axes: axis a rotates the interleaved pair t of m = D / (2 A) pairs, which begin
    /// at element 2 m a, by positions[n, a] base^(-t / m). What is left of the D elements stays as it is. Errors:
    /// another number of axes, the base is not positive.
    RotaryTable(const Tensor<double, 2>& positions, index features, double base = 10000)
        : RotaryTable(positions.extent(0), features,
                      2 * checked_axes(positions) * (features / (2 * positions.extent(1))), base,
                      RotaryLayout::interleaved) {
        const index axes = positions.extent(1), m = pairs() / axes;
        fill([&](index n, index t) {
            return positions.data()[n * axes + t / m] *
                   std::pow(base, -static_cast<double>(t % m) / static_cast<double>(m));
        });
    }

    /// Rows of the table.
    index positions() const noexcept { return cosines_.extent(0); }
    /// D, elements of a row.
    index features() const noexcept { return features_; }
    /// Angles of a row.
    index pairs() const noexcept { return cosines_.extent(1); }
    /// Elements of a row that take part.
    index rotated() const noexcept { return 2 * pairs(); }
    /// Which elements are a pair.
    RotaryLayout layout() const noexcept { return layout_; }
    /// [N, pairs]
    const Tensor<R, 2>& cosines() const noexcept { return cosines_; }
    /// [positions, pairs]
    const Tensor<R, 2>& sines() const noexcept { return sines_; }

    /// The part of the table for `count` positions from number `begin` on, in the same memory: what a step of decoding
    /// needs. Errors: the table has not so many.
    RotaryTable rows(index begin, index count) const {
        if (begin < 0 || count < 0 || begin + count > positions())
            throw error("RotaryTable", "{} positions from {} on: the table has {}", count, begin, positions());
        RotaryTable part = *this;
        for (Tensor<R, 2>* const t : {&part.cosines_, &part.sines_})
            *t = Tensor<R, 2>::share(t->storage(), t->data() + begin * pairs(), {count, pairs()});
        return part;
    }

private:
    static_assert(std::is_floating_point_v<R>, "weft: a RotaryTable has numbers of float or double");

    RotaryTable(index positions, index features, index rotated, double base, RotaryLayout layout)
        : features_(features), layout_(layout) {
        if (rotated % 2 != 0 || rotated > features)
            throw error("rotary_embedding", "{} of {} features are to be rotated: must be even and not more than all",
                        rotated, features);
        if (!(base > 0)) throw error("rotary_embedding", "base is {}: must be positive", base);
        cosines_ = Tensor<R, 2>::empty({positions, rotated / 2});
        sines_ = Tensor<R, 2>::empty({positions, rotated / 2});
    }
    static index checked_axes(const Tensor<double, 2>& positions) {
        const index axes = positions.extent(1);
        if (axes != 2 && axes != 3)
            throw error("axial_rotary_embedding", "positions are {}: they must be [N, 2] or [N, 3]",
                        detail::shape_text(positions.shape()));
        return axes;
    }
    template <class Angle>
    void fill(const Angle& angle) {
        R *const c = cosines_.mutable_data(), *const s = sines_.mutable_data();
        for (index n = 0; n < positions(); ++n)
            for (index t = 0; t < pairs(); ++t) {
                const double a = angle(n, t);
                c[n * pairs() + t] = static_cast<R>(std::cos(a));
                s[n * pairs() + t] = static_cast<R>(std::sin(a));
            }
    }

    Tensor<R, 2> cosines_, sines_;
    index features_ = 0;
    RotaryLayout layout_ = RotaryLayout::interleaved;
};

/// Where the rows that are rotated lie in a tensor.
struct RotaryRows {
    int axis = -2; ///< of the positions
    /// The rows of one position, along the axes behind that but the last, begin with so many that are rotated (the
    /// heads of queries and keys); the others (of values) are not; -1: all are.
    index rotated = -1;
};

namespace detail {

template <class T>
struct PairPackets {
    Packet<T> even, odd;
};
/// The elements of two packets one behind the other with even and with odd numbers; and back.
template <class T>
WEFT_ALWAYS_INLINE PairPackets<T> split_pairs(const Packet<T>& a, const Packet<T>& b) {
    if constexpr (std::is_floating_point_v<T>) {
        using Register = typename Packet<T>::register_type;
        constexpr std::make_index_sequence<static_cast<std::size_t>(lanes<T>)> sequence{};
        const Register x = a, y = b;
        return {Packet<T>(shuffle_even(x, y, sequence)), Packet<T>(shuffle_odd(x, y, sequence))};
    } else {
        using Part = decltype(T::value);
        const auto value = split_pairs<Part>(a.value, b.value), tangent = split_pairs<Part>(a.tangent, b.tangent);
        return {{value.even, tangent.even}, {value.odd, tangent.odd}};
    }
}
template <class T>
WEFT_ALWAYS_INLINE PairPackets<T> join_pairs(const Packet<T>& even, const Packet<T>& odd) {
    if constexpr (std::is_floating_point_v<T>) {
        using Register = typename Packet<T>::register_type;
        constexpr std::make_index_sequence<static_cast<std::size_t>(lanes<T>)> sequence{};
        const Register x = even, y = odd;
        return {Packet<T>(interleave_low(x, y, sequence)), Packet<T>(interleave_high(x, y, sequence))};
    } else {
        using Part = decltype(T::value);
        const auto value = join_pairs<Part>(even.value, odd.value),
                   tangent = join_pairs<Part>(even.tangent, odd.tangent);
        return {{value.even, tangent.even}, {value.odd, tangent.odd}};
    }
}

template <class T>
WEFT_ALWAYS_INLINE Packet<T> load_part(const T* p, index n) {
    return n >= lanes<T> ? load_packet(p) : load_first(p, std::max<index>(n, 0), T{});
}
template <class T>
WEFT_ALWAYS_INLINE void store_part(T* p, const std::type_identity_t<Packet<T>>& a, index n) {
    if (n >= lanes<T>)
        store_packet(p, a);
    else if (n > 0)
        store_first(p, a, n);
}

/// The pairs of one row, (e, o) to (e cos - o sin, e sin + o cos), or back.
template <bool Back, RotaryLayout Layout, class T, class R>
WEFT_ALWAYS_INLINE void rotate_row(const T* x, const R* cosines, const R* sines, index pairs, T* y) {
    constexpr index w = lanes<T>;
    const auto rotate = [&](index t, index n) { // pairs t, ..., t + n - 1, at most a packet of them
        const auto c = load_part(cosines + t, n), s = load_part(sines + t, n);
        PairPackets<T> p;
        if constexpr (Layout == RotaryLayout::interleaved)
            p = split_pairs<T>(load_part(x + 2 * t, 2 * n), load_part(x + 2 * t + w, 2 * n - w));
        else
            p = {load_part(x + t, n), load_part(x + t + pairs, n)};
        const Packet<T> along = p.even * c, across = p.odd * s, from_even = p.even * s, from_odd = p.odd * c;
        p = Back ? PairPackets<T>{along + across, from_odd - from_even}
                 : PairPackets<T>{along - across, from_even + from_odd};
        if constexpr (Layout == RotaryLayout::interleaved) {
            const PairPackets<T> joined = join_pairs<T>(p.even, p.odd);
            store_part(y + 2 * t, joined.even, 2 * n);
            store_part(y + 2 * t + w, joined.odd, 2 * n - w);
        } else {
            store_part(y + t, p.even, n);
            store_part(y + t + pairs, p.odd, n);
        }
    };
    index t = 0;
    for (; t + w <= pairs; t += w) rotate(t, w);
    if (t < pairs) rotate(t, pairs - t);
}

template <class R>
struct RotaryEmbedding {
    static constexpr auto name = "rotary_embedding";
    RotaryTable<R> table;
    index rows_per_position, rotated_rows;

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x) const {
        return rotated<false>(x);
    }
    template <class Sink, class T, int N>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>&) const {
        if (sink.template wants<0>()) sink.template add<0>(rotated<true>(dy));
    }

private:
    template <bool Back, class T, int N>
    Tensor<T, N> rotated(const Tensor<T, N>& x) const {
        return table.layout() == RotaryLayout::half ? rotated<Back, RotaryLayout::half>(x)
                                                    : rotated<Back, RotaryLayout::interleaved>(x);
    }
    template <bool Back, RotaryLayout Layout, class T, int N>
    Tensor<T, N> rotated(const Tensor<T, N>& x) const {
        auto y = Tensor<T, N>::empty(x.shape());
        const T* const from = x.data();
        T* const to = y.mutable_data();
        const R *const cosines = table.cosines().data(), *const sines = table.sines().data();
        const index features = table.features(), pairs = table.pairs(), positions = table.positions();
        const index groups = x.size() / std::max<index>(features * rows_per_position, 1); // rows of one position each
        const index group = features * rows_per_position;
        const index grain = std::max<index>(1, (index{1} << 14) / std::max<index>(group, 1));
        for_each_chunk((groups + grain - 1) / grain, 0.3 * static_cast<double>(x.size()), [&](index chunk) {
            for (index g = chunk * grain; g < std::min(groups, (chunk + 1) * grain); ++g) {
                const index at = g % positions * pairs;
                for (index r = 0; r < rotated_rows; ++r) {
                    const index row = g * group + r * features;
                    rotate_row<Back, Layout>(from + row, cosines + at, sines + at, pairs, to + row);
                    std::copy(from + row + 2 * pairs, from + row + features, to + row + 2 * pairs);
                }
                const index rest = g * group + rotated_rows * features;
                std::copy(from + rest, from + (g + 1) * group, to + rest);
            }
        });
        return y;
    }
};

} // namespace detail

/// Rotary position embedding: Su et al., RoFormer (arXiv 2104.09864). Pairs (e, o) of each row of x [..., N, D] become
/// (e cos - o sin, e sin + o cos) by the angles of the row's position, so that products of two rows depend on the
/// difference of their positions. `rows` says where else the positions lie: `{.axis = -3}` for [..., N, H, D]. The
/// gradient is the rotation back. x of float, double or Duals of the table's numbers. O(x), one pass. Errors: x does
/// not fit the table.
template <class R, Expression X>
auto rotary_embedding(const X& x, const RotaryTable<R>& table, const RotaryRows& rows = {}) {
    static_assert(X::rank >= 2, "weft: rotary_embedding: x must be [..., N, D]");
    static_assert(std::same_as<typename detail::DualScalar<detail::compute_type<X>>::type, R>,
                  "weft: rotary_embedding: the table has numbers of another type than x");
    const auto& shape = x.shape();
    const int axis = normalize_axis(rows.axis, X::rank, "rotary_embedding");
    if (axis == X::rank - 1 || shape[static_cast<std::size_t>(axis)] != table.positions() ||
        shape.back() != table.features())
        throw error("rotary_embedding",
                    "x is {}, the table has {} positions for rows of {}: axis {} of x must be the positions, the last "
                    "one the rows",
                    detail::shape_text(shape), table.positions(), table.features(), axis);
    index count = 1;
    for (int a = axis + 1; a + 1 < X::rank; ++a) count *= shape[static_cast<std::size_t>(a)];
    if (rows.rotated > count)
        throw error("rotary_embedding", "{} rows of each position are to be rotated: x {} has {}", rows.rotated,
                    detail::shape_text(shape), count);
    return apply_operation(detail::RotaryEmbedding<R>{table, count, rows.rotated < 0 ? count : rows.rotated}, x);
}

/// The same at positions [N], which need not be integers, by angles positions[n] base^(-2 t / rotated).
template <Expression X>
auto rotary_embedding(const X& x, const Tensor<double, 1>& positions, const RotaryOptions& options = {}) {
    using R = typename detail::DualScalar<detail::compute_type<X>>::type;
    return rotary_embedding(x, RotaryTable<R>(positions, x.shape().back(), options));
}

/// The same at positions [N, A] on 2 or 3 axes (of an image, of a mesh), each of which rotates its share of a row.
template <Expression X>
auto axial_rotary_embedding(const X& x, const Tensor<double, 2>& positions, double base = 10000) {
    using R = typename detail::DualScalar<detail::compute_type<X>>::type;
    return rotary_embedding(x, RotaryTable<R>(positions, x.shape().back(), base));
}

} // namespace weft::inline WEFT_ABI
