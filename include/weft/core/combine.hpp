// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/pool_allocator.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>

#include <vector>

/// Tensors put together from others, row by row: concat, stack, gather, scatter, one_hot, cast.
namespace weft::inline WEFT_ABI {

/// How rows with the same destination are combined.
enum class Reduce { sum, mean, max, min, mul };

/// A tensor of positions: integers of any width.
template <class E>
concept Positions = Expression<E> && std::integral<typename std::remove_cvref_t<E>::value_type> &&
    !std::same_as<typename std::remove_cvref_t<E>::value_type, bool>;

namespace detail {

template <std::size_t N>
index row_size(const std::array<index, N>& shape) {
    index n = 1;
    for (std::size_t a = 1; a < N; ++a) n *= shape[a];
    return n;
}

/// Positions as `index`, each checked to lie in [0, rows).
template <Positions E>
Tensor<index, E::rank> checked_positions(const E& e, index rows, const char* operation) {
    const Tensor<index, E::rank> at = [&] {
        if constexpr (std::same_as<typename E::value_type, index>)
            return Tensor<index, E::rank>(contiguous(e));
        else
            return Tensor<index, E::rank>(e);
    }();
    const index* const p = at.data();
    for (index i = 0; i < at.size(); ++i)
        if (p[i] < 0 || p[i] >= rows)
            throw error(operation, "index {} at position {} is out of range: there are {} rows", p[i], i, rows);
    return at;
}

/// The positions e of an index tensor ordered by their destination, in ascending order within each.
struct Grouping {
    Tensor<index, 1> begin; // destination d has order[begin[d]], ..., order[begin[d + 1] - 1]
    Tensor<index, 1> order;
};

inline Grouping group_by(const Tensor<index, 1>& destination, index rows) {
    Grouping g{Tensor<index, 1>::zeros({rows + 1}), Tensor<index, 1>::empty(destination.shape())};
    index* const begin = g.begin.mutable_data();
    index* const order = g.order.mutable_data();
    const index* const to = destination.data();
    const index n = destination.size();
    for (index e = 0; e < n; ++e) ++begin[to[e] + 1];
    for (index d = 0; d < rows; ++d) begin[d + 1] += begin[d];
    // begin[d] runs through the places of d, and ends where d + 1 began.
    for (index e = 0; e < n; ++e) order[begin[to[e]]++] = e;
    for (index d = rows; d > 0; --d) begin[d] = begin[d - 1];
    begin[0] = 0;
    return g;
}

/// Calls f(first, last) for ranges of destinations with about the same number of rows each; every destination belongs
/// to one range. `width`: elements per row.
template <class F>
void for_each_group_range(const Grouping& g, index width, F&& f) {
    const index* const begin = g.begin.data();
    const index groups = g.begin.size() - 1, work = g.order.size() + groups;
    const index chunks = std::clamp<index>(work * std::max<index>(width, 1) >> 15, 1, 64);
    // Destination d ends at begin[d + 1] + d + 1 units of work.
    const auto boundary = [&](index chunk) {
        const index target = work / chunks * chunk + std::min(chunk, work % chunks);
        index low = 0, high = groups;
        while (low < high) {
            const index middle = (low + high) / 2;
            (begin[middle] + middle < target ? low : high) = begin[middle] + middle < target ? middle + 1 : middle;
        }
        return low;
    };
    for_each_chunk(chunks, static_cast<double>(work * width) * 0.5,
                   [&](index chunk) { f(boundary(chunk), chunk + 1 == chunks ? groups : boundary(chunk + 1)); });
}

/// y[d] = combination of the rows x[e] that go to d, in ascending e; `untouched` where there is none.
template <class Monoid, class T>
void reduce_groups(const Grouping& g, const T* x, index width, T* y, T untouched) {
    for_each_group_range(g, width, [&](index first, index last) {
        for (index d = first; d < last; ++d) {
            T* const to = y + d * width;
            const index from = g.begin.data()[d], end = g.begin.data()[d + 1];
            if (from == end) {
                std::fill_n(to, width, untouched);
                continue;
            }
            std::copy_n(x + g.order.data()[from] * width, width, to);
            for (index k = from + 1; k < end; ++k) combine_run<Monoid>(to, x + g.order.data()[k] * width, width);
        }
    });
}

/// y[d] = the sum of the rows x[e] that go to d, in ascending e. Narrow rows are added one after the other, by one
/// thread: to order them would take longer.
template <class T>
void sum_groups(const Tensor<index, 1>& destination, index rows, const T* x, index width, T* y) {
    if (width > 32) return reduce_groups<SumOf>(group_by(destination, rows), x, width, y, T(0));
    std::fill_n(y, rows * width, T(0));
    const index* const to = destination.data();
    if (width == 1)
        for (index e = 0; e < destination.size(); ++e) y[to[e]] = SumOf::combine(y[to[e]], x[e]);
    else
        for (index e = 0; e < destination.size(); ++e) combine_run<SumOf>(y + to[e] * width, x + e * width, width);
}

/// y[i] = x[at[i]], rows of `width` elements.
template <class T>
void gather_rows(const T* x, const Tensor<index, 1>& at, index width, T* y) {
    const index rows = at.size(), grain = std::max<index>(1, (index{1} << 14) / std::max<index>(width, 1));
    for_each_chunk((rows + grain - 1) / grain, static_cast<double>(rows * width) * 0.3, [&](index chunk) {
        const index* const from = at.data();
        for (index i = chunk * grain, end = std::min(rows, (chunk + 1) * grain); i < end; ++i) {
            if (width == 1)
                y[i] = x[from[i]];
            else
                std::copy_n(x + from[i] * width, width, y + i * width);
        }
    });
}

/// Extents of x with the first one replaced.
template <std::size_t N>
std::array<index, N> with_rows(std::array<index, N> shape, index rows) {
    shape[0] = rows;
    return shape;
}

struct Scatter {
    static constexpr auto name = "scatter";
    Tensor<index, 1> to;
    index rows;
    Reduce reduce;

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x) const {
        using C = compute_type<Tensor<T, N>>;
        if constexpr (!std::same_as<C, T>) {
            return forward(Tensor<C, N>(x));
        } else {
            const index width = row_size(x.shape());
            auto y = Tensor<T, N>::empty(with_rows(x.shape(), rows));
            T* const out = y.mutable_data();
            const auto reduce_by = [&]<class Monoid>(Monoid, T untouched) {
                reduce_groups<Monoid>(group_by(to, rows), x.data(), width, out, untouched);
            };
            switch (reduce) {
            case Reduce::sum:
                sum_groups(to, rows, x.data(), width, out);
                break;
            case Reduce::mul:
                reduce_by(ProductOf{}, T(1));
                break;
            case Reduce::max:
                reduce_by(MaximumOf{}, T(0));
                break;
            case Reduce::min:
                reduce_by(MinimumOf{}, T(0));
                break;
            case Reduce::mean:
                sum_groups(to, rows, x.data(), width, out);
                if constexpr (!std::is_integral_v<T>) return y / counts<T>(y.shape());
                break;
            }
            return y;
        }
    }

    template <class Sink, class T, int N>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>& y, Sink& sink, const Tensor<T, N>& x) const {
        if (!sink.template wants<0>()) return;
        switch (reduce) {
        case Reduce::sum:
            sink.template add<0>(spread(dy));
            break;
        case Reduce::mean:
            sink.template add<0>(spread(Tensor<T, N>(dy / counts<T>(y.shape()))));
            break;
        case Reduce::max:
        case Reduce::min: {
            const Tensor<T, N> attains = where(x == spread(y), T(1), T(0));
            const Tensor<T, N> ties = summed(attains);
            sink.template add<0>(where(attains != T(0), spread(Tensor<T, N>(dy / ties)), T(0)));
            break;
        }
        case Reduce::mul: {
            const Tensor<T, N> zero = where(x == T(0), T(1), T(0)), zeros = summed(zero);
            const Tensor<T, N> others = Scatter{to, rows, Reduce::mul}.forward(Tensor<T, N>(where(x == T(0), T(1), x)));
            const Tensor<T, N> alone = dy * where(zeros == T(1), others, T(0));
            const Tensor<T, N> without = dy * where(zeros == T(0), others, T(0));
            sink.template add<0>(where(zero != T(0), spread(alone), spread(without) / x));
            break;
        }
        }
    }

private:
    /// How many rows go to each destination, at least 1, as a column that broadcasts over `shape`.
    template <class T, std::size_t N>
    Tensor<T, static_cast<int>(N)> counts(const std::array<index, N>& shape) const {
        std::array<index, N> column{};
        column.fill(1);
        column[0] = shape[0];
        auto n = Tensor<T, static_cast<int>(N)>::zeros(column);
        T* const p = n.mutable_data();
        for (const index d : to.values()) p[d] = p[d] + T(1);
        return maximum(n, T(1));
    }
    template <class T, int N>
    Tensor<T, N> spread(const Tensor<T, N>& rows_of_y) const {
        auto e = Tensor<T, N>::empty(with_rows(rows_of_y.shape(), to.size()));
        gather_rows(rows_of_y.data(), to, row_size(e.shape()), e.mutable_data());
        return e;
    }
    template <class T, int N>
    Tensor<T, N> summed(const Tensor<T, N>& x) const {
        return Scatter{to, rows, Reduce::sum}.forward(x);
    }
};

template <int M>
struct Gather {
    static constexpr auto name = "gather";
    Tensor<index, M> from;

    template <class T, int N>
    Tensor<T, N + M - 1> forward(const Tensor<T, N>& x) const {
        Extents<N + M - 1> shape{};
        for (int a = 0; a < M; ++a) shape[static_cast<std::size_t>(a)] = from.extent(a);
        for (int a = 1; a < N; ++a) shape[static_cast<std::size_t>(M + a - 1)] = x.extent(a);
        auto y = Tensor<T, N + M - 1>::empty(shape);
        gather_rows(x.data(), flat(), row_size(x.shape()), y.mutable_data());
        return y;
    }
    template <class Y, class Sink, class T, int N>
    void backward(const Y& dy, const Y&, Sink& sink, const Tensor<T, N>& x) const {
        if (!sink.template wants<0>()) return;
        const auto rows = Tensor<T, N>::share(dy.storage(), dy.data(), with_rows(x.shape(), from.size()));
        sink.template add<0>(Scatter{flat(), x.extent(0), Reduce::sum}.forward(rows));
    }

private:
    Tensor<index, 1> flat() const { return Tensor<index, 1>::share(from.storage(), from.data(), {from.size()}); }
};

struct Concat {
    static constexpr auto name = "concat";
    int axis;

    template <class T, int N, class... More>
    Tensor<T, N> forward(const Tensor<T, N>& first, const More&... more) const {
        static_assert((std::same_as<Tensor<T, N>, More> && ...),
                      "weft: concat: all operands must have the same element type and rank");
        const Tensor<T, N>* const parts[] = {&first, &more...};
        const auto a = static_cast<std::size_t>(axis);
        Extents<N> shape = first.shape();
        for (std::size_t k = 1; k < std::size(parts); ++k) {
            Extents<N> expected = first.shape();
            expected[a] = parts[k]->shape()[a];
            if (parts[k]->shape() != expected)
                throw error(name, "operand 0 is {}, operand {} is {}: they must be equal but for axis {}",
                            shape_text(first.shape()), k, shape_text(parts[k]->shape()), axis);
            shape[a] += expected[a];
        }
        auto y = Tensor<T, N>::empty(shape);
        index outer = 1, inner = 1;
        for (std::size_t k = 0; k < a; ++k) outer *= shape[k];
        for (std::size_t k = a + 1; k < shape.size(); ++k) inner *= shape[k];
        T* const out = y.mutable_data();
        const index row = shape[a] * inner, grain = std::max<index>(1, (index{1} << 14) / std::max<index>(row, 1));
        for_each_chunk((outer + grain - 1) / grain, static_cast<double>(y.size()) * 0.3, [&](index chunk) {
            for (index o = chunk * grain, end = std::min(outer, (chunk + 1) * grain); o < end; ++o) {
                T* to = out + o * row;
                for (const Tensor<T, N>* part : parts) {
                    const index n = part->shape()[a] * inner;
                    to = std::copy_n(part->data() + o * n, n, to);
                }
            }
        });
        return y;
    }
    template <class T, int N, class Sink, class... More>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const More&... operands) const {
        add_slices(dy, sink, std::index_sequence_for<More...>{}, operands...);
    }

private:
    template <class Y, class Sink, std::size_t... K, class... More>
    void add_slices(const Y& dy, Sink& sink, std::index_sequence<K...>, const More&... operands) const {
        index begin = 0;
        ((sink.template wants<K>() ? sink.template add<K>(slice(dy, axis, begin, begin + operands.extent(axis)))
                                   : void(),
          begin += operands.extent(axis)),
         ...);
    }
};

template <class To>
struct Cast {
    static constexpr auto name = "cast";
    static constexpr bool differentiable = !std::is_integral_v<To>;
    template <class T, int N>
    Tensor<To, N> forward(const Tensor<T, N>& x) const {
        return x;
    }
    template <class Y, class Sink, class T, int N>
    void backward(const Y& dy, const Y&, Sink& sink, const Tensor<T, N>&) const {
        if (sink.template wants<0>()) sink.template add<0>(Tensor<T, N>(dy));
    }
};

} // namespace detail

/// The operands one behind the other along `axis`: concat(1, a, b) of [N, 3] and [N, 5] is [N, 8]. Errors: other
/// extents differ.
template <Expression A, Expression... B>
requires(A::rank >= 1) auto concat(int axis, const A& a, const B&... b) {
    return apply_operation(detail::Concat{normalize_axis(axis, A::rank, "concat")}, a, b...);
}

/// The same of a list of operands, put together in pairs: each element is copied once for every doubling of their
/// number. Errors: there is none; other extents differ.
template <Expression A, class Allocator>
requires(A::rank >= 1) auto concat(int axis, const std::vector<A, Allocator>& operands) {
    if (operands.empty()) throw error("concat", "there are no operands: there must be at least one");
    using Y = decltype(concat(axis, operands[0], operands[0]));
    detail::PoolVector<Y> parts(operands.begin(), operands.end());
    while (parts.size() > 1) {
        for (std::size_t k = 0; k < parts.size() / 2; ++k) parts[k] = concat(axis, parts[2 * k], parts[2 * k + 1]);
        if (parts.size() % 2 == 1) parts[parts.size() / 2] = parts.back();
        parts.resize((parts.size() + 1) / 2);
    }
    return parts[0];
}

/// The operands, of one shape, along a new axis, which becomes axis `axis` of the result. Errors: the shapes differ.
template <Expression A, Expression... B>
auto stack(int axis, const A& a, const B&... b) {
    const int at = normalize_axis(axis, A::rank + 1, "stack");
    return concat(at, unsqueeze(a, at), unsqueeze(b, at)...);
}

/// The rows x[indices[...]] of x [R, ...]: of the shape of `indices` followed by that of a row. Gradient: the sum over
/// the places a row went to, in ascending order. Errors: an index outside [0, R).
template <Expression E, Positions I>
requires(E::rank >= 1) auto gather(const E& x, const I& indices) {
    return apply_operation(detail::Gather<I::rank>{detail::checked_positions(indices, x.shape()[0], "gather")}, x);
}

/// The positions `indices` [K] of one axis, in that order. Errors: an index outside the axis.
template <Expression E, Positions I>
requires(E::rank >= 1 && I::rank == 1) auto index_select(const E& x, int axis, const I& indices) {
    const int a = normalize_axis(axis, E::rank, "index_select");
    return eval(transpose(gather(transpose(x, 0, a), indices), 0, a));
}

/// The rows of x [E, ...] combined by destination: result [n, ...], row d from the rows e with to[e] == d, in ascending
/// e. Destinations of no row hold 0 (1 for mul). Equal extrema share the gradient evenly. O(E) without atomics, the
/// same on any number of threads. Errors: the lengths differ, a destination outside [0, n).
template <Expression E, Positions I>
requires(E::rank >= 1 && I::rank == 1) auto scatter(const E& x, const I& to, index n, Reduce reduce = Reduce::sum) {
    if (to.shape()[0] != x.shape()[0])
        throw error("scatter", "x is {}, the destinations are {}: there must be one for each row of x",
                    detail::shape_text(x.shape()), detail::shape_text(to.shape()));
    if (n < 0) throw error("scatter", "{} destinations: the number must not be negative", n);
    return apply_operation(detail::Scatter{detail::checked_positions(to, n, "scatter"), n, reduce}, x);
}

/// scatter with Reduce::sum.
template <Expression E, Positions I>
requires(E::rank >= 1 && I::rank == 1) auto segment_sum(const E& x, const I& to, index n) {
    return scatter(x, to, n, Reduce::sum);
}

/// 1 at position indices[...] of a new last axis of n, 0 elsewhere. Errors: an index outside [0, n).
template <class T = float, Positions I>
Tensor<T, I::rank + 1> one_hot(const I& indices, index n) {
    const auto at = detail::checked_positions(indices, n, "one_hot");
    Extents<I::rank + 1> shape{};
    std::copy_n(at.shape().begin(), I::rank, shape.begin());
    shape.back() = n;
    auto y = Tensor<T, I::rank + 1>::zeros(shape);
    T* const out = y.mutable_data();
    for (index i = 0; i < at.size(); ++i) out[i * n + at.data()[i]] = T(1);
    return y;
}

/// The elements converted to T as static_cast does: floating-point numbers lose their fraction on the way to integers.
template <class T, Expression E>
auto cast(const E& x) {
    if constexpr (kind_of<E> == Kind::tensor)
        return Tensor<T, E::rank>(x);
    else
        return apply_operation(detail::Cast<T>{}, x);
}

} // namespace weft::inline WEFT_ABI
