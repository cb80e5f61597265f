// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/reduce.hpp>
#include <weft/core/staged.hpp>
#include <weft/core/views.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// A statistic of X over some axes, which stay with extent 1, as a leaf of an expression.
template <class X>
struct StatisticLeaf : ExpressionBase {
    using value_type = typename X::value_type;
    using shape_type = AnyShape<X::rank>;
    static constexpr int rank = X::rank;
    static constexpr bool recorded = Structure<X>::recorded, differentiable = Structure<X>::differentiable;

    X source;
    Storage memory;        // see MomentGroup
    Extents<rank> reduced; // the extents of the statistic
    Extents<rank> slots;   // those of its array in memory
    Statistic statistic;
    double eps;

    const Extents<rank>& shape() const noexcept { return reduced; }

    WEFT_NOINLINE void describe_statistic(Operand<value_type>* o) const {
        index count = product(slots);
        const Extents<rank> strides = contiguous_strides(slots);
        o->data = memory.data() + (static_cast<index>(statistic) - 1) * Scratch<value_type>::rounded(count) *
                                      static_cast<index>(sizeof(value_type));
        o->item = sizeof(value_type);
        o->rank = rank;
        for (int a = 0; a < rank; ++a) {
            const auto i = static_cast<std::size_t>(a);
            o->extents[a] = slots[i];
            o->strides[a] = strides[i];
            if (slots[i] != reduced[i]) o->fold *= slots[i];
        }
        o->storage = memory;
        o->statistic = statistic;
        o->one_value_per_run = true;
        o->eps = eps;
        if constexpr (requires { source.describe(o[1]); })
            source.describe(o[1]);
        else
            describe_operand(source, o[1]);
    }
};

template <class X>
struct Structure<StatisticLeaf<X>> {
    static constexpr int leaves = 2, constants = 0; // the statistic, and what it is of
    static constexpr unsigned unit_slopes = 0;
    static constexpr double cost = 0.3;
    static constexpr bool staged = true, runs = true;
    static constexpr bool recorded = Structure<X>::recorded, differentiable = Structure<X>::differentiable;
    template <class Leaves, int I, int J, bool Gradient>
    using kernel = LeafKernel<I, Gradient && differentiable, true>;
};

/// The extents of the arrays of a statistic: those of the result, but that the last axes stay whole where they are
/// short and others further out are reduced too, so that the sums are those of columns.
template <std::size_t N>
std::array<index, N> statistic_slots(const std::array<index, N>& shape, const std::array<index, N>& reduced) {
    constexpr index short_run = 64;
    std::array<index, N> slots = reduced;
    std::size_t inner = N;
    index run = 1;
    for (; inner > 0 && (reduced[inner - 1] != shape[inner - 1] || shape[inner - 1] == 1); --inner)
        run *= shape[inner - 1];
    std::size_t outer = inner;
    while (outer > 0 && reduced[outer - 1] == shape[outer - 1]) --outer;
    for (std::size_t a = 0; a < outer && run < short_run && inner < N; ++a)
        if (reduced[a] != shape[a]) { // there is one
            std::copy(shape.begin() + static_cast<std::ptrdiff_t>(inner), shape.end(),
                      slots.begin() + static_cast<std::ptrdiff_t>(inner));
            break;
        }
    return slots;
}

/// The operand of statistics, with elements of the type that it is computed in, in row-major order.
template <class E>
auto statistic_source(const E& e) {
    const auto x = eval(e);
    using X = std::remove_cvref_t<decltype(x)>;
    using T = compute_type<X>;
    if constexpr (std::same_as<typename X::value_type, T>)
        return weft::contiguous(x);
    else
        return Tensor<T, X::rank>(x);
}

} // namespace detail

/// Statistics of a tensor over some of its axes, each a leaf of expressions: of the operand's shape with extent 1
/// along these axes. They are computed with the expression they stand in, while its elements are in the cache where
/// the axes allow it: `(x - m.mean()) * m.inverse_deviation()` reads x from memory once. Variances are those of the
/// population, in one sweep, and neither a large mean nor a long sum costs digits. Gradients are exact.
template <class X>
class Moments {
public:
    using T = typename X::value_type;
    static constexpr int rank = X::rank;

    /// Over the axes where `reduced` is not 0, see `moments<Axes...>(x, eps)`. Nothing is computed yet; the statistics'
    /// memory is allocated.
    Moments(const X& x, const Extents<rank>& reduced, double eps)
        : leaf_{{}, x, {}, reduced, detail::statistic_slots(x.shape(), reduced), detail::Statistic::none, eps} {
        const index slots = detail::product(leaf_.slots);
        leaf_.memory = Storage::allocate(
            static_cast<std::size_t>(detail::Scratch<T>::rounded(slots) * (detail::statistic_count - 1)) * sizeof(T));
    }

    /// The operand, landed: what else stands in the expression should be this.
    const X& x() const { return leaf_.source; }

    /// The mean.
    auto mean() const { return of(detail::Statistic::mean); }
    /// The mean of the squared distances from the mean.
    auto variance() const { return of(detail::Statistic::variance); }
    /// sqrt(variance + eps); its slope at 0 is 0.
    auto deviation() const { return of(detail::Statistic::deviation); }
    /// 1 / deviation().
    auto inverse_deviation() const { return of(detail::Statistic::inverse_deviation); }
    /// sqrt(mean of squares + eps); its slope at 0 is 0.
    auto root_mean_square() const { return of(detail::Statistic::root_mean_square); }
    /// 1 / root_mean_square().
    auto inverse_root_mean_square() const { return of(detail::Statistic::inverse_root_mean_square); }

    /// What an expression with one of these statistics has computed when it landed.
    Tensor<T, rank> landed_mean() const { return landed(detail::Statistic::mean); }
    /// Likewise.
    Tensor<T, rank> landed_variance() const { return landed(detail::Statistic::variance); }

private:
    auto of(detail::Statistic statistic) const {
        auto leaf = leaf_;
        leaf.statistic = statistic;
        return leaf;
    }
    Tensor<T, rank> landed(detail::Statistic statistic) const {
        detail::Operand<T> o[2];
        of(statistic).describe_statistic(o);
        Extents<rank> strides{};
        std::copy_n(o[0].strides, rank, strides.begin());
        return View<T, rank>(o[0].storage, reinterpret_cast<const T*>(o[0].data), leaf_.reduced, strides);
    }

    detail::StatisticLeaf<X> leaf_;
};

/// The moments of x over the axes `Axes` (none named: all), with `eps` in the roots.
template <int... Axes, Expression E>
auto moments(const E& x, double eps = 0) {
    detail::require_fractional<E>();
    const auto source = detail::statistic_source(x);
    return Moments<std::remove_cvref_t<decltype(source)>>(source, detail::kept_shape<Axes...>(x.shape()), eps);
}

} // namespace weft::inline WEFT_ABI
