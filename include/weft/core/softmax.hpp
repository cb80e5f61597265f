// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/math.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/row_operation.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

template <class T>
constexpr T lowest_value() {
    return MaximumOf::identity<T>();
}

struct SoftmaxValue {
    static constexpr index least_packets = 3; // one short row alone waits for its maximum, and for its sum
    template <class L>
    static WEFT_ALWAYS_INLINE void run(L line) {
        using P = typename L::P;
        using T = typename L::T;
        const T fill = lowest_value<T>();
        const P largest = line.template reduce<MaximumOf>([&](index k) { return line.load(0, k, fill); });
        const P sum = line.template reduce<SumOf>([&](index k) {
            const P e = math::exp(P(line.load(0, k, fill) - largest));
            line.store(k, e);
            return e;
        });
        const P scale = P(1) / sum;
        line.each([&](index k) { line.store(k, line.stored(k) * scale); });
    }
};
struct SoftmaxAdjoint { // of y, dy
    static constexpr index least_packets = 1;
    template <class L>
    static WEFT_ALWAYS_INLINE void run(L line) {
        using P = typename L::P;
        using T = typename L::T;
        const P dot = line.template reduce<SumOf>([&](index k) { return line.load(0, k, T{}) * line.load(1, k, T{}); });
        line.each([&](index k) { line.store(k, line.load(0, k, T{}) * (line.load(1, k, T{}) - dot)); });
    }
};

struct LogSoftmaxValue {
    static constexpr index least_packets = SoftmaxValue::least_packets;
    template <class L>
    static WEFT_ALWAYS_INLINE void run(L line) {
        using P = typename L::P;
        using T = typename L::T;
        const T fill = lowest_value<T>();
        const P largest = line.template reduce<MaximumOf>([&](index k) { return line.load(0, k, fill); });
        const P sum =
            line.template reduce<SumOf>([&](index k) { return math::exp(P(line.load(0, k, fill) - largest)); });
        const P log_sum = math::log(sum);
        line.each([&](index k) { line.store(k, (line.load(0, k, fill) - largest) - log_sum); });
    }
};
struct LogSoftmaxAdjoint { // of y, dy
    static constexpr index least_packets = 1;
    template <class L>
    static WEFT_ALWAYS_INLINE void run(L line) {
        using P = typename L::P;
        using T = typename L::T;
        const P sum = line.template reduce<SumOf>([&](index k) { return line.load(1, k, T{}); });
        line.each([&](index k) { line.store(k, line.load(1, k, T{}) - math::exp(line.load(0, k, T{})) * sum); });
    }
};

struct LogSumExpValue {
    static constexpr index least_packets = SoftmaxValue::least_packets;
    template <class L>
    static WEFT_ALWAYS_INLINE void run(L line) {
        using P = typename L::P;
        using T = typename L::T;
        const T fill = lowest_value<T>();
        const P largest = line.template reduce<MaximumOf>([&](index k) { return line.load(0, k, fill); });
        // An infinite maximum is the result already; subtracting it would give NaN.
        const P shift = select(math::abs(largest) == splat(T(-fill)), P(0), largest);
        const P sum = line.template reduce<SumOf>([&](index k) { return math::exp(P(line.load(0, k, fill) - shift)); });
        line.store_result(shift + math::log(sum));
    }
};

template <class Value, class Adjoint, int Axis>
struct LineFunction {
    static constexpr auto name = std::same_as<Value, SoftmaxValue> ? "softmax" : "log_softmax";
    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x) const {
        return map_lines(Value{}, x.shape(), false, Axis < 0 ? Axis + N : Axis, 1.0, x);
    }
    template <class Sink, class T, int N>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>& y, Sink& sink, const Tensor<T, N>&) const {
        if (sink.template wants<0>())
            sink.template add<0>(map_lines(Adjoint{}, y.shape(), false, Axis < 0 ? Axis + N : Axis, 0.6, y, dy));
    }
};
template <int Axis>
using Softmax = LineFunction<SoftmaxValue, SoftmaxAdjoint, Axis>;
template <int Axis>
using LogSoftmax = LineFunction<LogSoftmaxValue, LogSoftmaxAdjoint, Axis>;

template <int Axis, bool Keep>
struct LogSumExp {
    static constexpr auto name = "logsumexp";
    template <class T, int N>
    auto forward(const Tensor<T, N>& x) const {
        return map_lines(LogSumExpValue{}, result_shape<Keep, Axis>(x.shape()), true, Axis < 0 ? Axis + N : Axis, 0.8,
                         x);
    }
    template <class Y, class Sink, class T, int N>
    void backward(const Y& dy, const Y& y, Sink& sink, const Tensor<T, N>& x) const {
        if (!sink.template wants<0>()) return;
        const Tensor<T, N> result = keep_axes<Axis>(y, x.shape()), adjoint = keep_axes<Axis>(dy, x.shape());
        sink.template add<0>(where(result == lowest_value<T>(), T(0), adjoint * exp(x - result)));
    }
};

template <class E, int Axis>
constexpr void require_line() {
    static_assert(Axis >= -E::rank && Axis < E::rank, "weft: softmax: the axis is not an axis of the operand");
    require_fractional<E>();
}

} // namespace detail

/// e^x / sum(e^x) along an axis, by default the last. Finite inputs never overflow. A line of -infinity only, or with
/// +infinity in it, is NaN, as in PyTorch. Gradient y (dy - sum(y dy)).
template <int Axis = -1, Expression E>
auto softmax(const E& x) {
    detail::require_line<E, Axis>();
    return apply_operation(detail::Softmax<Axis>{}, x);
}

/// log(softmax(x)) along an axis, accurate where softmax underflows. Gradient dy - softmax(x) sum(dy).
template <int Axis = -1, Expression E>
auto log_softmax(const E& x) {
    detail::require_line<E, Axis>();
    return apply_operation(detail::LogSoftmax<Axis>{}, x);
}

/// log(sum(e^x)) along an axis, which vanishes (or stays as 1 with `keepdim`). -infinity for a line of -infinity only
/// or without elements. Gradient dy softmax(x), 0 for a line of -infinity only.
template <int Axis = -1, Expression E>
auto logsumexp(const E& x) {
    detail::require_line<E, Axis>();
    return apply_operation(detail::LogSumExp<Axis, false>{}, x);
}
/// The same; the axis stays, with extent 1.
template <int Axis = -1, Expression E>
auto logsumexp(const E& x, KeepDim) {
    detail::require_line<E, Axis>();
    return apply_operation(detail::LogSumExp<Axis, true>{}, x);
}

} // namespace weft::inline WEFT_ABI
