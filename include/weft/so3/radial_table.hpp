// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/derived_values.hpp>
#include <weft/core/dual.hpp>
#include <weft/core/evaluate.hpp>
#include <weft/core/parallel_for.hpp>
#include <weft/so3/function.hpp>

#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

namespace weft::inline WEFT_ABI::so3 {

/// Options of `RadialTable`.
struct RadialTableOptions {
    /// The largest errors that are allowed, of the weights and of their derivatives by the length: each divided by the
    /// root of the mean square of all of them.
    double tolerance = 1e-5, derivative_tolerance = 1e-3;
    /// How many functions the table holds, of as many weights each.
    index kinds = 1;
    /// Where doubling begins, and where it is given up.
    index first_knots = 128, most_knots = 16384;
};

namespace detail {

/// The four cubic B-splines that are not 0 at a place t in [0, 1] between two knots, and their slopes by the length;
/// they are the factors of the rows `row` to `row + 3` of a table.
template <class T>
struct SplinePoint {
    index row = 0;
    T value[4] = {}, slope[4] = {};

    SplinePoint() = default;
    /// `inverse_step`: knots per length.
    SplinePoint(index first, const T& t, const T& inverse_step) : row(first) {
        const T rest = T(1) - t, sixth = T(1) / T(6), half = T(1) / T(2);
        value[0] = rest * rest * rest * sixth;
        value[1] = (T(4) + t * t * (T(3) * t - T(6))) * sixth;
        value[2] = (T(1) + t * (T(3) + t * (T(3) - T(3) * t))) * sixth;
        value[3] = t * t * t * sixth;
        slope[0] = -half * rest * rest * inverse_step;
        slope[1] = t * (T(3) * half * t - T(2)) * inverse_step;
        slope[2] = (half + t * (T(1) - T(3) * half * t)) * inverse_step;
        slope[3] = half * t * t * inverse_step;
    }
};

/// sum + a b, where b may be constant numbers of Dual a.
template <class P, class C>
WEFT_ALWAYS_INLINE P add_scaled(const P& a, const C& b, const P& sum) {
    if constexpr (std::is_same_v<P, C>)
        return multiply_add(a, b, sum);
    else
        return {multiply_add(a.value, b, sum.value), multiply_add(a.tangent, b, sum.tangent)};
}

/// to[c] = sum over k of factors[k] rows[k width + c]
template <class T, class Scalar>
WEFT_NOINLINE void interpolate(const Scalar* rows, index width, const T* factors, T* to) {
    Packet<T> factor[4];
    for (int k = 0; k < 4; ++k) factor[k] = splat(factors[k]);
    for (index at = 0; at < width; at += lanes<T>) {
        Packet<T> sum = splat(T{});
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) sum = add_scaled(factor[k], load_packet(rows + k * width + at), sum);
        store_some<T>(to + at, sum, width - at);
    }
}
/// The sum over k and c of factors[k] rows[k width + c] weights[c]
template <class T, class Scalar>
WEFT_NOINLINE T contract_rows(const Scalar* rows, index width, const T* factors, const T* weights) {
    Packet<T> dot[4];
    for (int k = 0; k < 4; ++k) dot[k] = splat(T{});
    for (index at = 0; at < width; at += lanes<T>) {
        const Packet<T> weight = load_some(weights + at, width - at);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) dot[k] = add_scaled(weight, load_packet(rows + k * width + at), dot[k]);
    }
    Packet<T> sum = dot[0] * splat(factors[0]);
    for (int k = 1; k < 4; ++k) sum = multiply_add(dot[k], splat(factors[k]), sum);
    return sum_lanes<T>(sum);
}

/// A table that does not change any more.
template <class T>
struct RadialTableData {
    T r_max{};
    index knots = 0, kinds = 1;
    Tensor<T, 2> rows; // [kinds (knots + 3), weights]
    double error = 0, derivative_error = 0;
    bool vanishes = true;                        // at r_max, and so beyond
    mutable weft::detail::DerivedValues derived; // the rows in other orders

    index width() const { return rows.extent(1); }
    double step() const { return static_cast<double>(r_max) / static_cast<double>(knots); }

    /// Of a length, which may be Dual, and a kind; beyond r_max all factors are 0.
    template <class U>
    SplinePoint<U> point(const U& r, index kind) const {
        if (r > U(r_max)) return {};
        const T inverse_step = T(knots) / r_max;
        const U place = r * inverse_step;
        const index first = std::min(static_cast<index>(value_of(place)), knots - 1);
        return SplinePoint<U>(kind * (knots + 3) + first, place - U(static_cast<T>(first)), U(inverse_step));
    }

    /// Errors: a length that is negative or NaN, or beyond r_max where the table does not end in 0; not a kind for each
    /// length, or one that the table does not have.
    template <class U>
    void require(const Tensor<U, 1>& lengths, const Tensor<std::int32_t, 1>& kind) const {
        if (kind.size() != (kinds == 1 ? 0 : lengths.size()))
            throw weft::error("RadialTable", "{} kinds of {} lengths: there must be {}", kind.size(), lengths.size(),
                              kinds == 1 ? "none, the table has one only" : "one for each");
        for (index i = 0; i < kind.size(); ++i)
            if (kind.data()[i] < 0 || kind.data()[i] >= kinds)
                throw weft::error("RadialTable", "kind {} of length {}: must be from 0 to below {}", kind.data()[i], i,
                                  kinds);
        for (index i = 0; i < lengths.size(); ++i) {
            const T r = value_of(lengths.data()[i]);
            if (r >= T{} && (vanishes || r <= r_max)) continue;
            if (r > r_max)
                throw weft::error("RadialTable",
                                  "length {} is {}, r_max is {}, where the function is not 0: there is "
                                  "nothing beyond",
                                  i, r, r_max);
            throw weft::error("RadialTable", "length {} is {}: must not be negative", i, r);
        }
    }

    /// The weights of lengths [N], each of its kind [N] where there are several.
    template <class U>
    Tensor<U, 2> weights(const Tensor<U, 1>& lengths, const Tensor<std::int32_t, 1>& kind) const {
        auto y = Tensor<U, 2>::empty({lengths.size(), width()});
        U* const to = y.mutable_data();
        each_row(lengths.size(), [&](index i) {
            const SplinePoint<U> p = point(lengths.data()[i], kind_of_length(kind, i));
            interpolate(rows.data() + p.row * width(), width(), p.value, to + i * width());
        });
        return y;
    }
    /// The gradient of the lengths, given that of their weights.
    template <class U>
    Tensor<U, 1> gradient(const Tensor<U, 1>& lengths, const Tensor<std::int32_t, 1>& kind,
                          const Tensor<U, 2>& weights) const {
        auto dr = Tensor<U, 1>::empty(lengths.shape());
        U* const to = dr.mutable_data();
        each_row(lengths.size(), [&](index i) {
            const SplinePoint<U> p = point(lengths.data()[i], kind_of_length(kind, i));
            to[i] = contract_rows(rows.data() + p.row * width(), width(), p.slope, weights.data() + i * width());
        });
        return dr;
    }

    static index kind_of_length(const Tensor<std::int32_t, 1>& kind, index i) {
        return kind.size() == 0 ? 0 : kind.data()[i];
    }

private:
    static T value_of(const T& r) { return r; }
    static T value_of(const Dual<T>& r) { return r.value; }
    template <class F>
    void each_row(index n, F&& f) const {
        const index grain = std::max<index>(1, (index{1} << 14) / std::max<index>(width(), 1));
        weft::detail::for_each_chunk((n + grain - 1) / grain, static_cast<double>(n * width()) * 0.3, [&](index chunk) {
            for (index i = chunk * grain; i < std::min(n, (chunk + 1) * grain); ++i) f(i);
        });
    }
};

template <class T>
struct RadialTableOperation {
    static constexpr auto name = "radial_table";
    std::shared_ptr<const RadialTableData<T>> table;
    Tensor<std::int32_t, 1> kind;

    template <class U>
    Tensor<U, 2> forward(const Tensor<U, 1>& lengths) const {
        table->require(lengths, kind);
        return table->weights(lengths, kind);
    }
    template <class U, class Sink>
    void backward(const Tensor<U, 2>& dy, const Tensor<U, 2>&, Sink& sink, const Tensor<U, 1>& lengths) const {
        if (sink.template wants<0>()) sink.template add<0>(table->gradient(lengths, kind, dy));
    }
};

/// The function at lengths(0) ... lengths(n - 1), some at a time: take(first, lengths, weights and their derivatives).
template <class F, class Lengths, class Take>
void sample_radial(const F& f, index n, Lengths&& length_of, Take&& take) {
    constexpr index at_once = 1024;
    for (index first = 0; first < n; first += at_once) {
        auto lengths = Tensor<Dual<double>, 1>::empty({std::min(at_once, n - first)});
        for (index i = 0; i < lengths.size(); ++i) lengths.mutable_data()[i] = Dual<double>(length_of(first + i), 1.0);
        const Tensor<Dual<double>, 2> weights = f(lengths);
        if (weights.extent(0) != lengths.size())
            throw weft::error("RadialTable", "the function makes {} of lengths {}: must give a row for each",
                              weft::detail::shape_text(weights.shape()), weft::detail::shape_text(lengths.shape()));
        take(first, lengths, weights);
    }
}

/// The knots + 3 rows of the cubic spline through the values at knots + 1 even places [0, length], with the slopes at
/// both ends.
template <class F>
std::vector<double> spline_rows(const F& f, double length, index knots) {
    const double step = length / static_cast<double>(knots);
    const auto n = static_cast<std::size_t>(knots);
    // Row i + 1 is that of knot i; (c_(i-1) + 4 c_i + c_(i+1)) / 6 are the values, (c_(i+1) - c_(i-1)) / (2 step) the
    // slopes: what is known on the right, of both ends without the rows beyond.
    std::vector<double> rows, first_slope, last_slope;
    std::size_t width = 0;
    sample_radial(
        f, knots + 1, [&](index i) { return static_cast<double>(i) * step; },
        [&](index first, const auto&, const Tensor<Dual<double>, 2>& weights) {
            width = static_cast<std::size_t>(weights.extent(1));
            rows.resize((n + 3) * width);
            for (index i = 0; i < weights.extent(0); ++i)
                for (std::size_t c = 0; c < width; ++c) {
                    const Dual<double> weight = weights.data()[static_cast<std::size_t>(i) * width + c];
                    if (!std::isfinite(weight.value) || !std::isfinite(weight.tangent))
                        throw weft::error("RadialTable", "the function or its derivative is not finite at length {}",
                                          static_cast<double>(first + i) * step);
                    rows[static_cast<std::size_t>(first + i + 1) * width + c] = 6 * weight.value;
                    if (first + i == 0) first_slope.push_back(2 * step * weight.tangent);
                    if (first + i == knots) last_slope.push_back(2 * step * weight.tangent);
                }
        });
    for (std::size_t c = 0; c < width; ++c) {
        rows[width + c] += first_slope[c];
        rows[(n + 1) * width + c] -= last_slope[c];
    }
    // Gauss, from knot 0 on and back.
    std::vector<double> upper(n + 2);
    for (std::size_t i = 1; i <= n + 1; ++i) {
        const double lower = i == 1 ? 0 : i == n + 1 ? 2 : 1, pivot = 4 - lower * upper[i - 1];
        upper[i] = (i == 1 ? 2 : 1) / pivot;
        for (std::size_t c = 0; c < width; ++c)
            rows[i * width + c] = (rows[i * width + c] - (i == 1 ? 0 : lower * rows[(i - 1) * width + c])) / pivot;
    }
    for (std::size_t i = n; i >= 1; --i)
        for (std::size_t c = 0; c < width; ++c) rows[i * width + c] -= upper[i] * rows[(i + 1) * width + c];
    for (std::size_t c = 0; c < width; ++c) {
        rows[c] = rows[2 * width + c] - first_slope[c];
        rows[(n + 2) * width + c] = rows[n * width + c] + last_slope[c];
    }
    return rows;
}

/// The largest error of what is made of `exact`, over the root of the mean square of that.
struct RelativeError {
    double largest = 0, squares = 0, count = 0;

    void add(double made, double exact) {
        const double error = std::abs(made - exact);
        if (!(error <= largest)) largest = error; // NaN too
        squares += exact * exact;
        ++count;
    }
    double scale() const { return count > 0 ? std::sqrt(squares / count) : 0; }
    double value() const { return largest > 0 || largest != largest ? largest / scale() : 0; }
};

} // namespace detail

/// Weights as functions of a length in [0, r_max], as a table: uniform cubic B-splines, whose first two derivatives are
/// continuous. For inference and molecular dynamics with so3::convolution, which reads four rows of it for each edge
/// where a radial network would be a product of matrices. The table is a constant: gradients go to the lengths alone,
/// of any order. The function has to be smooth: a kink converges slowly. Memory: kinds x (knots + 3) x weights.
template <class T>
class RadialTable {
public:
    /// Of nothing, to be assigned to.
    RadialTable() : RadialTable([](const auto& r) { return Tensor<Dual<double>, 2>::zeros({r.size(), 0}); }, 1) {}
    /// `function`: of lengths Tensor<Dual<double>, 1> [N], whose tangents are 1, to weights [N, numel], each row of its
    /// own length; in double also for a table and a network of float, whose rounding would be most of the errors:
    /// `[&](const auto& r) { return network(eval(bessel_basis(r, r_max, 8) * unsqueeze(polynomial_cutoff(r, r_max),
    /// 1))); }`. The knots, of even distance, are doubled until the errors are what the options allow: measured at
    /// three places between each two of them, where errors of cubic splines and of their derivatives are largest. With
    /// several kinds the function takes the number of the kind too.
    /// Errors: r_max is not positive; no knots; no kinds; the errors are still too large at the most knots allowed; the
    /// function gives another number of rows, or what is not finite.
    template <class F>
    RadialTable(const F& function, double r_max, const RadialTableOptions& options = {}) {
        static_assert(std::is_invocable_v<const F&, const Tensor<Dual<double>, 1>&> ||
                          std::is_invocable_v<const F&, const Tensor<Dual<double>, 1>&, index>,
                      "weft: RadialTable: the function must take Tensor<Dual<double>, 1>, as [](const auto& r) does, "
                      "and maybe the kind");
        if (options.kinds < 1) throw weft::error("RadialTable", "{} kinds: must be at least 1", options.kinds);
        if (!(r_max > 0 && std::isfinite(r_max)))
            throw weft::error("RadialTable", "r_max is {}: must be positive", r_max);
        if (options.first_knots < 4 || options.most_knots < options.first_knots)
            throw weft::error("RadialTable", "from {} to {} knots: there must be at least 4, and not fewer at the end",
                              options.first_knots, options.most_knots);
        for (index knots = options.first_knots;; knots *= 2) {
            table_ = measured(function, static_cast<T>(r_max), knots, options);
            if (table_->error <= options.tolerance && table_->derivative_error <= options.derivative_tolerance) return;
            if (knots > options.most_knots / 2)
                throw weft::error(
                    "RadialTable",
                    "with {} knots the error is {}, that of the derivative {}: allowed are {} and {}, and at "
                    "most {} knots",
                    knots, table_->error, table_->derivative_error, options.tolerance, options.derivative_tolerance,
                    options.most_knots);
        }
    }

    /// The number of even steps from 0 to r_max.
    index knots() const { return table_->knots; }
    /// The largest length.
    double r_max() const { return static_cast<double>(table_->r_max); }
    /// Weights of a length.
    index weight_numel() const { return table_->width(); }
    /// Tables that it has, one for each kind of edge.
    index kinds() const { return table_->kinds; }
    /// The largest error of a weight that was measured, over the root of the mean square of all.
    double error() const { return table_->error; }
    /// The same of the derivatives by the length.
    double derivative_error() const { return table_->derivative_error; }
    /// Whether function and derivative are 0 at r_max, but for the tolerances: then weights of longer lengths are 0.
    bool vanishes() const { return table_->vanishes; }

    /// Lengths [N] to weights [N, weight_numel()], each of its kind [N] where there are several. Errors: a length that
    /// is negative or NaN; one beyond r_max, if the function does not vanish there; not a kind for each.
    template <Expression R>
    auto operator()(const R& lengths, const Tensor<std::int32_t, 1>& kind = {}) const {
        static_assert(R::rank == 1, "weft: RadialTable: lengths are [N]");
        return apply_operation(detail::RadialTableOperation<T>{table_, kind}, lengths);
    }

    /// The knots, shared by copies of the table: what so3::convolution reads.
    const std::shared_ptr<const detail::RadialTableData<T>>& data() const { return table_; }

private:
    template <class F>
    static auto measured(const F& function, T r_max, index knots, const RadialTableOptions& options) {
        auto table = std::make_shared<detail::RadialTableData<T>>();
        table->r_max = r_max;
        table->knots = knots;
        table->kinds = options.kinds;
        detail::RelativeError values, slopes;
        for (index kind = 0; kind < options.kinds; ++kind) {
            const auto of_kind = [&](const Tensor<Dual<double>, 1>& lengths) {
                if constexpr (std::is_invocable_v<const F&, const Tensor<Dual<double>, 1>&, index>)
                    return function(lengths, kind);
                else
                    return function(lengths);
            };
            const auto rows = detail::spline_rows(of_kind, static_cast<double>(r_max), knots);
            const auto size = static_cast<index>(rows.size());
            if (kind == 0) table->rows = Tensor<T, 2>::empty({options.kinds * (knots + 3), size / (knots + 3)});
            if (options.kinds * size != table->rows.size())
                throw weft::error("RadialTable", "kind {} has {} weights, kind 0 has {}: they must be as many", kind,
                                  size / (knots + 3), table->width());
            std::copy(rows.begin(), rows.end(), table->rows.mutable_data() + kind * size);
            measure(of_kind, *table, kind, values, slopes);
        }
        table->error = values.value();
        table->derivative_error = slopes.value();
        auto end = Tensor<Dual<T>, 1>::full({options.kinds}, Dual<T>(table->r_max, T(1)));
        const auto weights = table->weights(end, all_kinds(options.kinds));
        for (const Dual<T>& weight : weights.values())
            table->vanishes = table->vanishes && std::abs(weight.value) <= options.tolerance * values.scale() &&
                              std::abs(weight.tangent) <= options.derivative_tolerance * slopes.scale();
        return std::shared_ptr<const detail::RadialTableData<T>>(table);
    }
    static Tensor<std::int32_t, 1> all_kinds(index kinds) {
        if (kinds == 1) return {};
        auto all = Tensor<std::int32_t, 1>::empty({kinds});
        std::iota(all.mutable_data(), all.mutable_data() + kinds, 0);
        return all;
    }
    /// The errors of one kind between the knots.
    template <class F>
    static void measure(const F& function, const detail::RadialTableData<T>& table, index kind,
                        detail::RelativeError& values, detail::RelativeError& slopes) {
        // Where t (1 - t) (1 - 2 t), the course of the derivative's error between two knots, is largest, and where that
        // of the value's, t^2 (1 - t)^2, is.
        constexpr double places[] = {0.2113248654051871, 0.5, 0.7886751345948129};
        detail::sample_radial(
            function, 3 * table.knots,
            [&](index i) {
                return static_cast<double>(static_cast<T>((static_cast<double>(i / 3) + places[i % 3]) * table.step()));
            },
            [&](index, const Tensor<Dual<double>, 1>& lengths, const Tensor<Dual<double>, 2>& exact) {
                auto rounded = Tensor<Dual<T>, 1>::empty(lengths.shape()); // which changes none of them
                for (index i = 0; i < lengths.size(); ++i)
                    rounded.mutable_data()[i] = Dual<T>(static_cast<T>(lengths.data()[i].value), T(1));
                const auto kinds =
                    table.kinds == 1 ? Tensor<std::int32_t, 1>()
                                     : Tensor<std::int32_t, 1>::full(lengths.shape(), static_cast<std::int32_t>(kind));
                const auto made = table.weights(rounded, kinds);
                for (index i = 0; i < exact.size(); ++i) {
                    values.add(static_cast<double>(made.data()[i].value), exact.data()[i].value);
                    slopes.add(static_cast<double>(made.data()[i].tangent), exact.data()[i].tangent);
                }
            });
    }

    std::shared_ptr<const detail::RadialTableData<T>> table_;
};

} // namespace weft::inline WEFT_ABI::so3
