// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>

/// Reductions over axes: `sum<1>(x)`, `sum<0, 2>(x)`, `sum(x)` (all axes), `sum<-1>(x, keepdim)` (the axis stays with
/// extent 1). The operand may be an expression: it is computed within the reduction's loop. The order of combination
/// depends on the shape only, so results are the same on any number of threads. half and bfloat16 are reduced in float
/// and give float.
namespace weft::inline WEFT_ABI {

/// Says that reduced axes stay, with extent 1.
struct KeepDim {};
/// The argument that says so: `sum<1>(x, keepdim)`.
inline constexpr KeepDim keepdim{};

/// Combines bools by or.
struct AnyOf {
    template <class T>
    static constexpr T identity() {
        return false;
    }
    static WEFT_ALWAYS_INLINE bool combine(bool a, bool b) { return a || b; }
};
/// Combines bools by and.
struct AllOf {
    template <class T>
    static constexpr T identity() {
        return true;
    }
    static WEFT_ALWAYS_INLINE bool combine(bool a, bool b) { return a && b; }
};

namespace detail {

/// Which of N axes `Axes...` name, negative ones from the end; none named means all.
template <int N, int... Axes>
constexpr std::array<bool, static_cast<std::size_t>(N)> reduced_axes() {
    static_assert(((Axes >= -N && Axes < N) && ...), "weft: the axis of a reduction is not an axis of its operand");
    std::array<bool, static_cast<std::size_t>(N)> reduced{};
    if constexpr (sizeof...(Axes) == 0)
        reduced.fill(true);
    else
        ((reduced[static_cast<std::size_t>(Axes < 0 ? Axes + N : Axes)] = true), ...);
    return reduced;
}

template <int N, int... Axes>
constexpr int reduced_rank() {
    int rank = 0;
    for (const bool r : reduced_axes<N, Axes...>()) rank += r ? 0 : 1;
    static_assert(sizeof...(Axes) <= static_cast<std::size_t>(N), "weft: an axis of the reduction is named twice");
    return rank;
}

/// The operand's extents with 1 along the reduced axes.
template <int... Axes, std::size_t N>
constexpr std::array<index, N> kept_shape(std::array<index, N> shape) {
    constexpr auto reduced = reduced_axes<static_cast<int>(N), Axes...>();
    for (std::size_t a = 0; a < N; ++a)
        if (reduced[a]) shape[a] = 1;
    return shape;
}

/// The shape of the result of a reduction.
template <bool Keep, int... Axes, std::size_t N>
constexpr auto result_shape(const std::array<index, N>& shape) {
    if constexpr (Keep) {
        return kept_shape<Axes...>(shape);
    } else {
        constexpr auto reduced = reduced_axes<static_cast<int>(N), Axes...>();
        Extents<reduced_rank<static_cast<int>(N), Axes...>()> out{};
        std::size_t at = 0;
        for (std::size_t a = 0; a < N; ++a)
            if (!reduced[a]) out[at++] = shape[a];
        return out;
    }
}

/// How many elements are combined into one.
template <int... Axes, std::size_t N>
constexpr index reduced_size(const std::array<index, N>& shape) {
    constexpr auto reduced = reduced_axes<static_cast<int>(N), Axes...>();
    index n = 1;
    for (std::size_t a = 0; a < N; ++a)
        if (reduced[a]) n *= shape[a];
    return n;
}

template <class Monoid, bool Keep, int... Axes, class E>
auto reduce_over(const E& e) {
    if constexpr (Structure<E>::staged) // is no loop of its own
        return reduce_over<Monoid, Keep, Axes...>(Lander<kind_of<E>>::land(e));
    else
        return Lander<kind_of<E>>::template reduce<Monoid>(e, kept_shape<Axes...>(e.shape()),
                                                           result_shape<Keep, Axes...>(e.shape()));
}

/// The result of a reduction with the reduced axes as extents of 1; no copy.
template <int... Axes, class T, int M, std::size_t N>
Tensor<T, static_cast<int>(N)> keep_axes(const Tensor<T, M>& y, const std::array<index, N>& shape) {
    return Tensor<T, static_cast<int>(N)>::share(y.storage(), y.data(), kept_shape<Axes...>(shape));
}

/// A mask counts in integers.
struct Count {
    static constexpr auto name = "count";
    static constexpr bool differentiable = false;
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return a;
    }
};

template <class E>
constexpr void require_fractional() {
    static_assert(!std::is_integral_v<typename E::value_type>,
                  "weft: this reduction needs floating-point elements: use cast<float>(x)");
}

template <class E>
concept Mask = std::same_as<typename E::value_type, bool>;

template <bool Keep, int... Axes, class E>
auto sum_over(const E& e) {
    if constexpr (Mask<E>)
        return reduce_over<SumOf, Keep, Axes...>(weft::apply<Count>(e));
    else
        return reduce_over<SumOf, Keep, Axes...>(e);
}

/// max and min: the gradient is spread evenly over the elements that attain the extremum.
template <class Monoid, bool Keep, int... Axes>
struct Extremum {
    static constexpr auto name = std::same_as<Monoid, MaximumOf> ? "max" : "min";
    template <class T, int N>
    auto forward(const Tensor<T, N>& x) const {
        return reduce_over<Monoid, Keep, Axes...>(x);
    }
    template <class Y, class Sink, class T, int N>
    void backward(const Y& dy, const Y& y, Sink& sink, const Tensor<T, N>& x) const {
        if (!sink.template wants<0>()) return;
        const Tensor<T, N> extremum = keep_axes<Axes...>(y, x.shape());
        const Tensor<T, N> ties = reduce_over<SumOf, true, Axes...>(where(x == extremum, T(1), T(0)));
        const Tensor<T, N> share = keep_axes<Axes...>(dy, x.shape()) / ties;
        sink.template add<0>(where(x == extremum, share, T(0)));
    }
};

/// d/dx of a product is the product of the others: y / x, unless something is 0.
template <bool Keep, int... Axes>
struct Product {
    static constexpr auto name = "prod";
    template <class T, int N>
    auto forward(const Tensor<T, N>& x) const {
        return reduce_over<ProductOf, Keep, Axes...>(x);
    }
    template <class Y, class Sink, class T, int N>
    void backward(const Y& dy, const Y&, Sink& sink, const Tensor<T, N>& x) const {
        if (!sink.template wants<0>()) return;
        const Tensor<T, N> others = reduce_over<ProductOf, true, Axes...>(where(x == T(0), T(1), x));
        const Tensor<T, N> zeros = reduce_over<SumOf, true, Axes...>(where(x == T(0), T(1), T(0)));
        const Tensor<T, N> with_zero = where(zeros == T(1), others, T(0));
        const Tensor<T, N> without = where(zeros == T(0), others, T(0));
        const Tensor<T, N> adjoint = keep_axes<Axes...>(dy, x.shape());
        sink.template add<0>(adjoint * where(x == T(0), with_zero, without / x));
    }
};

/// The Euclidean norm; gradient x / y, and 0 where y is 0.
template <bool Keep, int... Axes>
struct Norm {
    static constexpr auto name = "norm";
    template <class T, int N>
    auto forward(const Tensor<T, N>& x) const {
        return eval(sqrt(reduce_over<SumOf, Keep, Axes...>(square(x))));
    }
    template <class Y, class Sink, class T, int N>
    void backward(const Y& dy, const Y& y, Sink& sink, const Tensor<T, N>& x) const {
        if (!sink.template wants<0>()) return;
        const Y scale = where(y == T(0), T(0), dy / y);
        sink.template add<0>(x * keep_axes<Axes...>(scale, x.shape()));
    }
};

template <class Monoid, bool Keep, int... Axes, class E>
auto extremum_over(const E& e) {
    using Rule = Extremum<Monoid, Keep, Axes...>;
    if (reduced_size<Axes...>(e.shape()) == 0 && product(kept_shape<Axes...>(e.shape())) != 0)
        throw error(Rule::name, "shape {}: there is no element to take the {} of", shape_text(e.shape()), Rule::name);
    if constexpr (Mask<E> && is_node<E>)
        return reduce_over<Monoid, Keep, Axes...>(eval(e));
    else if constexpr (kind_of<E> == Kind::tensor)
        return reduce_over<Monoid, Keep, Axes...>(e);
    else
        return apply_operation(Rule{}, e);
}
template <bool Keep, int... Axes, class E>
auto product_over(const E& e) {
    if constexpr (Mask<E>)
        return reduce_over<ProductOf, Keep, Axes...>(weft::apply<Count>(e));
    else if constexpr (kind_of<E> == Kind::tensor)
        return reduce_over<ProductOf, Keep, Axes...>(e);
    else
        return apply_operation(Product<Keep, Axes...>{}, e);
}
template <bool Keep, int... Axes, class E>
auto norm_over(const E& e) {
    require_fractional<E>();
    if constexpr (kind_of<E> == Kind::tensor)
        return eval(sqrt(reduce_over<SumOf, Keep, Axes...>(square(e))));
    else
        return apply_operation(Norm<Keep, Axes...>{}, e);
}
template <bool Keep, int... Axes, class E>
auto mean_over(const E& e) {
    require_fractional<E>();
    return eval(sum_over<Keep, Axes...>(e) / static_cast<double>(reduced_size<Axes...>(e.shape())));
}
template <bool Keep, int... Axes, class E>
auto variance_over(const E& e, double correction) {
    require_fractional<E>();
    const auto x = eval(e);
    const double freedom = std::max(0.0, static_cast<double>(reduced_size<Axes...>(x.shape())) - correction);
    return eval(sum_over<Keep, Axes...>(square(x - mean_over<true, Axes...>(x))) / freedom);
}

/// Values only, of whatever kind the operand is.
template <class Monoid, bool Keep, int... Axes>
struct MaskReduction {
    static constexpr auto name = std::same_as<Monoid, AnyOf> ? "any" : "all";
    static constexpr bool differentiable = false;
    template <class T, int N>
    auto forward(const Tensor<T, N>& x) const {
        if constexpr (std::same_as<T, bool>)
            return reduce_over<Monoid, Keep, Axes...>(x);
        else
            return reduce_over<Monoid, Keep, Axes...>(eval(x != T(0)));
    }
};

/// Positions of the extremum along one axis.
template <class Better, int Axis>
struct ArgExtremum {
    static constexpr auto name = Better::name;
    static constexpr bool differentiable = false;
    template <class T, int N>
    Tensor<std::int64_t, N - 1> forward(const Tensor<T, N>& x) const {
        constexpr auto axis = static_cast<std::size_t>(Axis < 0 ? Axis + N : Axis);
        auto result = Tensor<std::int64_t, N - 1>::empty(result_shape<false, Axis>(x.shape()));
        const index n = x.shape()[axis];
        index inner = 1;
        for (std::size_t a = axis + 1; a < static_cast<std::size_t>(N); ++a) inner *= x.shape()[a];
        if (result.size() == 0) return result;
        if (n == 0) throw error(name, "shape {}: axis {} has no element", shape_text(x.shape()), axis);
        std::int64_t* const out = result.mutable_data();
        const T* const data = x.data();
        const index grain = std::max<index>(1, (index{1} << 16) / n);
        for_each_chunk((result.size() + grain - 1) / grain, static_cast<double>(x.size()), [&](index chunk) {
            for (index i = chunk * grain; i < std::min(result.size(), (chunk + 1) * grain); ++i) {
                const T* const p = data + i / inner * n * inner + i % inner;
                if (std::is_floating_point_v<T> && inner == 1 && n >= 2 * lanes<T>) {
                    out[i] = find_first(p, n, reduce_run<typename Better::Monoid>(p, n));
                    continue;
                }
                T best = p[0];
                index at = 0;
                for (index k = 1; k < n; ++k)
                    if (Better::than(p[k * inner], best)) {
                        best = p[k * inner];
                        at = k;
                    }
                out[i] = at;
            }
        });
        return result;
    }
};
struct Larger {
    using Monoid = MaximumOf;
    static constexpr auto name = "argmax";
    template <class T>
    static bool than(const T& a, const T& b) {
        return a > b || (a != a && b == b);
    }
};
struct Smaller {
    using Monoid = MinimumOf;
    static constexpr auto name = "argmin";
    template <class T>
    static bool than(const T& a, const T& b) {
        return a < b || (a != a && b == b);
    }
};

} // namespace detail

/// The sum; 0 of no elements. A mask of bool is counted in int64.
template <int... Axes, Expression E>
auto sum(const E& e) {
    return detail::sum_over<false, Axes...>(e);
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto sum(const E& e, KeepDim) {
    return detail::sum_over<true, Axes...>(e);
}

/// The arithmetic mean; NaN of no elements.
template <int... Axes, Expression E>
auto mean(const E& e) {
    return detail::mean_over<false, Axes...>(e);
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto mean(const E& e, KeepDim) {
    return detail::mean_over<true, Axes...>(e);
}

/// The product; 1 of no elements.
template <int... Axes, Expression E>
auto prod(const E& e) {
    return detail::product_over<false, Axes...>(e);
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto prod(const E& e, KeepDim) {
    return detail::product_over<true, Axes...>(e);
}

/// The largest element; NaN if one is NaN. Equal ones share the gradient evenly, as torch.amax does. Errors: no
/// elements.
template <int... Axes, Expression E>
auto max(const E& e) {
    return detail::extremum_over<MaximumOf, false, Axes...>(e);
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto max(const E& e, KeepDim) {
    return detail::extremum_over<MaximumOf, true, Axes...>(e);
}
/// The smallest element; otherwise as max.
template <int... Axes, Expression E>
auto min(const E& e) {
    return detail::extremum_over<MinimumOf, false, Axes...>(e);
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto min(const E& e, KeepDim) {
    return detail::extremum_over<MinimumOf, true, Axes...>(e);
}

/// The variance: squared distances from the mean, divided by n - correction (1 as in PyTorch; 0 for the population).
/// Two passes, so that a large mean costs no digits.
template <int... Axes, Expression E>
auto var(const E& e, double correction = 1) {
    return detail::variance_over<false, Axes...>(e, correction);
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto var(const E& e, double correction, KeepDim) {
    return detail::variance_over<true, Axes...>(e, correction);
}
/// The standard deviation: the root of `var`.
template <int... Axes, Expression E>
auto stddev(const E& e, double correction = 1) {
    return eval(sqrt(detail::variance_over<false, Axes...>(e, correction)));
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto stddev(const E& e, double correction, KeepDim) {
    return eval(sqrt(detail::variance_over<true, Axes...>(e, correction)));
}

/// The Euclidean norm, the root of the sum of squares. Its gradient at 0 is 0, as in PyTorch.
template <int... Axes, Expression E>
auto norm(const E& e) {
    return detail::norm_over<false, Axes...>(e);
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto norm(const E& e, KeepDim) {
    return detail::norm_over<true, Axes...>(e);
}

/// Whether some element is not 0; false of no elements.
template <int... Axes, Expression E>
auto any(const E& e) {
    return apply_operation(detail::MaskReduction<AnyOf, false, Axes...>{}, e);
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto any(const E& e, KeepDim) {
    return apply_operation(detail::MaskReduction<AnyOf, true, Axes...>{}, e);
}
/// Whether no element is 0; true of no elements.
template <int... Axes, Expression E>
auto all(const E& e) {
    return apply_operation(detail::MaskReduction<AllOf, false, Axes...>{}, e);
}
/// The same; the reduced axes stay, with extent 1.
template <int... Axes, Expression E>
auto all(const E& e, KeepDim) {
    return apply_operation(detail::MaskReduction<AllOf, true, Axes...>{}, e);
}
/// How many elements are not 0, in int64.
template <int... Axes, Expression E>
auto count_nonzero(const E& e) {
    return sum<Axes...>(e != typename E::value_type(0));
}

/// Where along the axis the largest element is, in int64: the first of equal ones, a NaN before all. Errors: the axis
/// has no elements.
template <int Axis, Expression E>
auto argmax(const E& e) {
    return apply_operation(detail::ArgExtremum<detail::Larger, Axis>{}, e);
}
/// Where along the axis the smallest element is; otherwise as argmax.
template <int Axis, Expression E>
auto argmin(const E& e) {
    return apply_operation(detail::ArgExtremum<detail::Smaller, Axis>{}, e);
}

} // namespace weft::inline WEFT_ABI
