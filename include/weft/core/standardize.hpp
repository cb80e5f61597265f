// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/row_operation.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// What the lines of one packet have in common.
template <class P>
struct LineMoments {
    P mean, inverse_deviation;
};

/// Two sweeps over operand 0 of a line, so that a large mean costs no digits.
template <class L>
WEFT_ALWAYS_INLINE LineMoments<typename L::P> line_moments(L& line, index n, double eps) {
    using P = typename L::P;
    using T = typename L::T;
    const P share = splat(T(1 / static_cast<double>(n)));
    const P mean = share * line.template reduce<SumOf>([&](index k) { return line.load(0, k, T{}); });
    T lane[static_cast<std::size_t>(lanes<T>)];
    store_packet(lane, mean);
    const P square_sum = line.template reduce<SumOf>([&](index k) {
        const P distance = line.load(0, k, lane[0]) - mean; // 0 behind the end of a row
        return distance * distance;
    });
    return {mean, P(1) / math::sqrt(P(share * square_sum + splat(T(eps))))};
}

struct StandardizeValue {
    index n;
    double eps;
    template <class L>
    WEFT_ALWAYS_INLINE void run(L line) const {
        using T = typename L::T;
        const auto m = line_moments(line, n, eps);
        line.each([&](index k) { line.store(k, (line.load(0, k, T{}) - m.mean) * m.inverse_deviation); });
    }
};
/// Of x, y, dy: (dy - mean(dy) - y mean(y dy)) / deviation.
struct StandardizeAdjoint {
    index n;
    double eps;
    template <class L>
    WEFT_ALWAYS_INLINE void run(L line) const {
        using P = typename L::P;
        using T = typename L::T;
        const P scale = line_moments(line, n, eps).inverse_deviation;
        const P share = splat(T(1 / static_cast<double>(n)));
        const P mean = share * line.template reduce<SumOf>([&](index k) { return line.load(2, k, T{}); });
        const P slope =
            share * line.template reduce<SumOf>([&](index k) { return line.load(1, k, T{}) * line.load(2, k, T{}); });
        line.each(
            [&](index k) { line.store(k, (line.load(2, k, T{}) - mean - line.load(1, k, T{}) * slope) * scale); });
    }
};

template <int Axis>
struct Standardize {
    static constexpr auto name = "standardize";
    double eps;

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x) const {
        constexpr int axis = Axis < 0 ? Axis + N : Axis;
        return map_lines(StandardizeValue{x.extent(axis), eps}, x.shape(), false, axis, 0.8, x);
    }
    template <class Sink, class T, int N>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>& y, Sink& sink, const Tensor<T, N>& x) const {
        constexpr int axis = Axis < 0 ? Axis + N : Axis;
        if (sink.template wants<0>())
            sink.template add<0>(
                map_lines(StandardizeAdjoint{x.extent(axis), eps}, x.shape(), false, axis, 1.5, x, y, dy));
    }
};

} // namespace detail

/// (x - mean) / sqrt(variance + eps) along an axis, by default the last; the variance is that of the population. A
/// large mean costs no digits. All sweeps over a line happen while it is in the cache.
template <int Axis = -1, Expression E>
auto standardize(const E& x, double eps = 1e-5) {
    static_assert(Axis >= -E::rank && Axis < E::rank, "weft: standardize: the axis is not an axis of the operand");
    detail::require_fractional<E>();
    return apply_operation(detail::Standardize<Axis>{eps}, x);
}

} // namespace weft::inline WEFT_ABI
