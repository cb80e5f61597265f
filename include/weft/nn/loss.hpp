// SPDX-License-Identifier: MIT
#pragma once

/// Losses, with the names and semantics of PyTorch. The reduction is a template argument, since it decides the rank of
/// the result: `cross_entropy<Reduction::sum>(logits, labels)`.

#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/row_operation.hpp>
#include <weft/core/softmax.hpp>

#include <concepts>
#include <cstdint>
#include <optional>

namespace weft::inline WEFT_ABI::nn {

/// What becomes of the losses of all elements: none keeps them.
enum class Reduction { mean, sum, none };

/// Options of `nll_loss`.
template <class T>
struct ClassLossOptions {
    /// Weight of each class, [classes]; empty: all 1. The mean is over the weights of the labels.
    Tensor<T, 1> weight{};
    /// Rows with this label count for nothing.
    std::int64_t ignore_index = -100;
};
/// Options of `cross_entropy`.
template <class T>
struct CrossEntropyOptions {
    Tensor<T, 1> weight{};
    std::int64_t ignore_index = -100;
    /// In [0, 1]: this part of the target is spread evenly over the classes.
    double label_smoothing = 0;
};

namespace detail {

template <class T>
bool is_zero(const T& a) {
    if constexpr (requires { a.tangent; })
        return a.value == 0 && a.tangent == 0;
    else
        return a == T(0);
}

/// The negative log-likelihood of labels, of logits (softmax and logarithm of a row while it is in cache) or of
/// logarithms of probabilities. Entry e of the loss is row subset[e], or row e without a subset.
template <bool Logits, Reduction R, class T, std::integral Label, std::integral Row>
struct NegativeLogLikelihood {
    static constexpr auto name = Logits ? "cross_entropy" : "nll_loss";
    using Values = Tensor<T, R == Reduction::none ? 1 : 0>;

    Tensor<Label, 1> labels;
    std::optional<Tensor<Row, 1>> subset{};
    Tensor<T, 1> weight{};
    std::int64_t ignore_index = -100;
    double smoothing = 0;
    Tensor<T, 1> log_partition{}; // of the row of each entry, for the backward
    T total{};                    // the divisor of the mean

    /// Errors: shapes that do not fit, a row or label out of range.
    void check(const Extents<2>& logits) const {
        const index rows = logits[0], classes = logits[1];
        if (labels.size() != rows)
            throw error(name, "logits are {}, labels {}: there must be a label for each row",
                        weft::detail::shape_text(logits), weft::detail::shape_text(labels.shape()));
        if (weight.size() > 0 && weight.size() != classes)
            throw error(name, "logits are {}, weight is {}: there must be a weight for each class",
                        weft::detail::shape_text(logits), weft::detail::shape_text(weight.shape()));
        if (!(smoothing >= 0 && smoothing <= 1))
            throw error(name, "label_smoothing is {}: must be in [0, 1]", smoothing);
        for (index e = 0; e < entries(); ++e) {
            const index row = row_of(e);
            if (row < 0 || row >= rows)
                throw error(name, "element {} of the subset is {}: must be in [0, {})", e, row, rows);
            const std::int64_t label = label_of(row);
            if (label != ignore_index && (label < 0 || label >= classes))
                throw error(name, "label {} of row {} is out of range: must be in [0, {}), or {} to be ignored", label,
                            row, classes, ignore_index);
        }
    }

    Values forward(const Tensor<T, 2>& logits) const { return NegativeLogLikelihood(*this).forward_recorded(logits); }

    Values forward_recorded(const Tensor<T, 2>& logits) {
        const index classes = logits.extent(1);
        auto losses = Tensor<T, 1>::empty({entries()});
        if constexpr (Logits)
            log_partition = subset ? Tensor<T, 1>::empty({entries()})
                                   : weft::detail::map_lines(weft::detail::LogSumExpValue{}, Extents<1>{entries()},
                                                             true, 1, 0.8, logits);
        T* const loss = losses.mutable_data();
        T* const partition = log_partition.mutable_data();
        weft::detail::for_each_chunk(chunks(entries(), classes), cost(entries(), classes), [&](index chunk) {
            for (index e = chunk * grain(classes); e < std::min(entries(), (chunk + 1) * grain(classes)); ++e) {
                const index row = row_of(e);
                const std::int64_t label = label_of(row);
                loss[e] = T{};
                if (label == ignore_index) continue;
                const T* const x = logits.data() + row * classes;
                T z{};
                if constexpr (Logits) z = subset ? partition[e] = partition_of(x, classes) : partition[e];
                loss[e] = (T(1) - T(smoothing)) * weight_of(label) * (z - x[label]);
                if (smoothing > 0)
                    loss[e] = loss[e] + T(smoothing / static_cast<double>(classes)) * spread(x, z, classes);
            }
        });
        if constexpr (R == Reduction::none) {
            return losses;
        } else {
            const T sum = weft::detail::reduce_run<SumOf>(losses.data(), losses.size());
            if constexpr (R == Reduction::sum) return Values(sum);
            total = T{};
            index counted = 0;
            for (index e = 0; e < entries(); ++e) {
                const std::int64_t label = label_of(row_of(e));
                if (label == ignore_index) continue;
                ++counted;
                if (weight.size() > 0) total = total + weight_of(label);
            }
            if (weight.size() == 0) total = T(counted);
            return Values(T(sum / total));
        }
    }

    template <class Sink>
    void backward(const Values& dy, const Values&, Sink& sink, const Tensor<T, 2>& logits) const {
        if (!sink.template wants<0>()) return;
        const index rows = logits.extent(0), classes = logits.extent(1);
        // A row that is there several times has one label: its entries add up, and rows are written once.
        auto scales = Tensor<T, 1>::zeros({rows});
        auto entry = Tensor<index, 1>::empty({rows});
        T* const scale = scales.mutable_data();
        index* const entry_of = entry.mutable_data();
        for (index e = 0; e < entries(); ++e) {
            const index row = row_of(e);
            if (label_of(row) == ignore_index) continue;
            if constexpr (R == Reduction::none)
                scale[row] = scale[row] + dy.data()[e];
            else if constexpr (R == Reduction::sum)
                scale[row] = scale[row] + dy.item();
            else
                scale[row] = scale[row] + dy.item() / total;
            entry_of[row] = e;
        }
        const T all_weights = weight.size() > 0 ? weft::detail::reduce_run<SumOf>(weight.data(), classes) : T(classes);
        const T spread_factor = T(smoothing / static_cast<double>(classes));
        auto gradient = Tensor<T, 2>::empty(logits.shape());
        T* const out = gradient.mutable_data();
        weft::detail::for_each_chunk(chunks(rows, classes), cost(rows, classes), [&](index chunk) {
            for (index row = chunk * grain(classes); row < std::min(rows, (chunk + 1) * grain(classes)); ++row) {
                T* const to = out + row * classes;
                if (is_zero(scale[row])) {
                    std::fill_n(to, classes, T{});
                    continue;
                }
                const std::int64_t label = label_of(row);
                const T own = scale[row] * (T(1) - T(smoothing)) * weight_of(label);
                const T spread_scale = scale[row] * spread_factor;
                const T* const in[] = {logits.data() + row * classes, weight.data()};
                weft::detail::RowLine<T> line(in, to, classes);
                using P = Packet<T>;
                const P each_class = splat(spread_scale);
                P probability_scale = splat(T{}), z = splat(T{});
                if constexpr (Logits) {
                    probability_scale = splat(T(own + spread_scale * all_weights));
                    z = splat(log_partition.data()[entry_of[row]]);
                }
                line.each([&](index k) {
                    P g = splat(T{});
                    if constexpr (Logits) g = probability_scale * math::exp(P(line.load(0, k, T{}) - z));
                    if (smoothing > 0) g = g - (weight.size() > 0 ? P(each_class * line.load(1, k, T{})) : each_class);
                    line.store(k, g);
                });
                to[label] = to[label] - own;
            }
        });
        sink.template add<0>(gradient);
    }

private:
    index entries() const { return subset ? subset->size() : labels.size(); }
    index row_of(index e) const { return subset ? static_cast<index>(subset->data()[e]) : e; }
    std::int64_t label_of(index row) const { return static_cast<std::int64_t>(labels.data()[row]); }
    T weight_of(std::int64_t label) const { return weight.size() > 0 ? weight.data()[label] : T(1); }
    static index grain(index classes) { return std::max<index>(1, (index{1} << 14) / std::max<index>(1, classes)); }
    static index chunks(index rows, index classes) { return (rows + grain(classes) - 1) / grain(classes); }
    static double cost(index rows, index classes) { return 0.8 * static_cast<double>(rows * (classes + 20)); }

    static T partition_of(const T* x, index classes) {
        T result;
        weft::detail::LogSumExpValue::run(weft::detail::RowLine<T>(&x, &result, classes));
        return result;
    }
    // sum over the classes of weight (z - x)
    T spread(const T* x, const T& z, index classes) const {
        using P = Packet<T>;
        const T* const in[] = {x, weight.data()};
        weft::detail::RowLine<T> line(in, nullptr, classes);
        const P shift = splat(z);
        return first_lane<T>(line.template reduce<SumOf>([&](index k) {
            const P distance = shift - line.load(0, k, z);
            return weight.size() > 0 ? P(distance * line.load(1, k, T{})) : distance;
        }));
    }
};

template <bool Logits, Reduction R, class E, class Label, class Row, class Options>
auto class_loss(const E& x, const Tensor<Label, 1>& labels, std::optional<Tensor<Row, 1>> subset,
                const Options& options) {
    static_assert(E::rank == 2, "weft: cross_entropy: the logits must have two axes, rows and classes: use reshape");
    using T = weft::detail::compute_type<E>;
    NegativeLogLikelihood<Logits, R, T, Label, Row> op{labels, std::move(subset), options.weight, options.ignore_index};
    if constexpr (requires { options.label_smoothing; }) op.smoothing = options.label_smoothing;
    op.check(x.shape());
    return apply_operation(op, x);
}

template <Reduction R, class E>
auto reduced(const E& losses) {
    if constexpr (R == Reduction::mean)
        return mean(losses);
    else if constexpr (R == Reduction::sum)
        return sum(losses);
    else
        return eval(losses);
}

template <class A, class B>
void require_same_shape(const A& a, const B& b, const char* operation) {
    static_assert(A::rank == B::rank, "weft: input and target of a loss must have the same rank");
    if (a.shape() != b.shape())
        throw error(operation, "input is {}, target is {}: they must be equal", weft::detail::shape_text(a.shape()),
                    weft::detail::shape_text(b.shape()));
}

} // namespace detail

/// -log(softmax(logits)[label]) of each row of [rows, classes], or of the rows `subset` (of which each has its label in
/// `labels`, [all rows]); the gradient is 0 in the others. Errors: see the shapes; a label neither in [0, classes) nor
/// ignored. As in PyTorch the mean over nothing is NaN.
template <Reduction R = Reduction::mean, Expression E, class Label>
auto cross_entropy(const E& logits, const Tensor<Label, 1>& labels,
                   const CrossEntropyOptions<weft::detail::compute_type<E>>& options = {}) {
    return detail::class_loss<true, R>(logits, labels, std::optional<Tensor<Label, 1>>(), options);
}
/// The same of the rows `subset` alone.
template <Reduction R = Reduction::mean, Expression E, class Label, class Row>
auto cross_entropy(const E& logits, const Tensor<Label, 1>& labels, const Tensor<Row, 1>& subset,
                   const CrossEntropyOptions<weft::detail::compute_type<E>>& options = {}) {
    return detail::class_loss<true, R>(logits, labels, std::optional(subset), options);
}

/// -x[label] of each row, where x are logarithms of probabilities: cross_entropy after log_softmax.
template <Reduction R = Reduction::mean, Expression E, class Label>
auto nll_loss(const E& x, const Tensor<Label, 1>& labels,
              const ClassLossOptions<weft::detail::compute_type<E>>& options = {}) {
    return detail::class_loss<false, R>(x, labels, std::optional<Tensor<Label, 1>>(), options);
}
/// The same of the rows `subset` alone.
template <Reduction R = Reduction::mean, Expression E, class Label, class Row>
auto nll_loss(const E& x, const Tensor<Label, 1>& labels, const Tensor<Row, 1>& subset,
              const ClassLossOptions<weft::detail::compute_type<E>>& options = {}) {
    return detail::class_loss<false, R>(x, labels, std::optional(subset), options);
}

/// (input - target)^2. Errors: different shapes.
template <Reduction R = Reduction::mean, Expression A, Expression B>
auto mse_loss(const A& input, const B& target) {
    detail::require_same_shape(input, target, "mse_loss");
    return detail::reduced<R>(square(input - target));
}

/// |input - target|. Errors: different shapes.
template <Reduction R = Reduction::mean, Expression A, Expression B>
auto l1_loss(const A& input, const B& target) {
    detail::require_same_shape(input, target, "l1_loss");
    return detail::reduced<R>(abs(input - target));
}

/// Options of `binary_cross_entropy_with_logits`.
struct BinaryCrossEntropyOptions {
    /// How much more an element with target 1 counts than one with target 0.
    double pos_weight = 1;
};

/// -(pos_weight y log(sigmoid(x)) + (1 - y) log(1 - sigmoid(x))) for targets y in [0, 1], without overflow. Errors:
/// different shapes.
template <Reduction R = Reduction::mean, Expression A, Expression B>
auto binary_cross_entropy_with_logits(const A& input, const B& target, const BinaryCrossEntropyOptions& options = {}) {
    detail::require_same_shape(input, target, "binary_cross_entropy_with_logits");
    using T = weft::detail::compute_type<A>;
    const auto x = eval(input);
    const auto y = eval(target);
    if (options.pos_weight == 1) return detail::reduced<R>(softplus(x) - x * y);
    return detail::reduced<R>(softplus(x) * (T(1) - y) + softplus(-x) * y * T(options.pos_weight));
}

namespace detail {

template <class E, class Label, class Row>
double accuracy_of(const E& x, const Tensor<Label, 1>& labels, const Row* subset, index count) {
    using T = typename E::value_type;
    static_assert(E::rank == 2, "weft: accuracy: the logits must have two axes, rows and classes");
    const Tensor<T, 2> logits = x.tensor();
    const index rows = logits.extent(0), classes = logits.extent(1);
    if (labels.size() != rows)
        throw error("accuracy", "logits are {}, labels {}: there must be a label for each row",
                    weft::detail::shape_text(logits.shape()), weft::detail::shape_text(labels.shape()));
    index correct = 0;
    for (index e = 0; e < count; ++e) {
        const index row = subset ? static_cast<index>(subset[e]) : e;
        if (row < 0 || row >= rows)
            throw error("accuracy", "element {} of the subset is {}: must be in [0, {})", e, row, rows);
        const T* const p = logits.data() + row * classes;
        index best = 0;
        for (index k = 1; k < classes; ++k)
            if (p[k] > p[best] || (p[k] != p[k] && p[best] == p[best])) best = k;
        if (classes > 0 && static_cast<index>(labels.data()[row]) == best) ++correct;
    }
    return static_cast<double>(correct) / static_cast<double>(count);
}

} // namespace detail

/// The part of the rows (or of the rows `subset`) whose largest logit, the first of equal ones, is at the label; a NaN
/// counts as the largest. NaN of no rows.
template <Expression E, class Label>
double accuracy(const E& logits, const Tensor<Label, 1>& labels) {
    return detail::accuracy_of(eval(logits), labels, static_cast<const Label*>(nullptr), labels.size());
}
/// The same of the rows `subset` alone.
template <Expression E, class Label, class Row>
double accuracy(const E& logits, const Tensor<Label, 1>& labels, const Tensor<Row, 1>& subset) {
    return detail::accuracy_of(eval(logits), labels, subset.data(), subset.size());
}

} // namespace weft::inline WEFT_ABI::nn
