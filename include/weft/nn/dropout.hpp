// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/multiply.hpp>
#include <weft/core/random.hpp>
#include <weft/grad/var.hpp>
#include <weft/linalg/sparse_product.hpp>
#include <weft/nn/init.hpp>

#include <cmath>
#include <new>

namespace weft::inline WEFT_ABI::nn {

/// A leaf of expressions whose elements are 0 with probability p, else 1 / (1 - p): those of fill_bernoulli at a place
/// of a generator, in row-major order. They are computed where they are read, in the backward again, and never stored.
/// The expression must have the mask's own shape: broadcasting it would draw anew for every copy.
template <class T, int N>
class RandomMask : public weft::detail::ExpressionBase {
public:
    using value_type = T;
    using shape_type = AnyShape<N>;
    static constexpr int rank = N;

    /// Of this shape, from the place `at` of a generator, 0 with probability p. O(1): nothing is drawn yet.
    RandomMask(const Extents<N>& extents, const Generator& at, double p)
        : state_(Storage::allocate(sizeof(State))), extents_(extents) {
        new (state_.data()) State{at, 1 - p, p < 1 ? T(1 / (1 - p)) : T(0)};
    }

    const Extents<N>& shape() const noexcept { return extents_; }
    index extent(int axis) const { return extents_[static_cast<std::size_t>(normalize_axis(axis, N, "extent"))]; }
    index size() const noexcept { return weft::detail::product(extents_); }

    /// The mask as an operand of a kernel, which asks it for runs of elements.
    template <class C>
    void describe(weft::detail::Operand<C>& o) const {
        static_assert(std::same_as<C, T>, "weft: a RandomMask stands in expressions of its own element type only");
        o.data = state_.data();
        o.generate = [](const void* state, index begin, C* to, index n) {
            const State& s = *static_cast<const State*>(state);
            fill_bernoulli_block(s.at, begin, to, n, s.keep, s.scale);
        };
        o.rank = N;
        const auto strides = weft::detail::contiguous_strides(extents_);
        std::copy(extents_.begin(), extents_.end(), o.extents);
        std::copy(strides.begin(), strides.end(), o.strides);
        o.storage = state_;
    }

private:
    struct State {
        Generator at;
        double keep;
        T scale;
    };
    Storage state_;
    Extents<N> extents_;
};

namespace detail {

inline void check_probability(double p) {
    if (!(p >= 0 && p <= 1)) throw error("dropout", "p is {}: must be in [0, 1]", p);
}

/// x times a mask, of which only the elements are drawn where x is not 0.
struct SparseDropout {
    static constexpr auto name = "dropout";
    Generator at;
    double p;

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x) const {
        constexpr index piece = 4096;
        auto y = Tensor<T, N>::empty(x.shape());
        T* const to = y.mutable_data();
        const T* const from = x.data();
        parallel_for_ranges(x.size(), piece, [&](index begin, index end) {
            std::int32_t nonzeros[piece];
            index places[piece];
            T factors[piece];
            const index length = end - begin, count = weft::detail::find_nonzeros(from + begin, length, nonzeros);
            for (index k = 0; k < count; ++k) places[k] = begin + nonzeros[k];
            fill_bernoulli_at(at, places, factors, count, 1 - p, p < 1 ? T(1 / (1 - p)) : T(0));
            std::fill_n(to + begin, length, T(0));
            for (index k = 0; k < count; ++k) to[places[k]] = from[places[k]] * factors[k];
        });
        return y;
    }
    template <class T, int N, class Sink>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>&) const {
        if (sink.template wants<0>()) sink.template add<0>(dy * RandomMask<T, N>(dy.shape(), at, p));
    }
};

/// Whether so much of a value is 0 that SparseDropout pays.
template <class E>
bool is_sparse(const E& x) {
    return x.size() >= index{1} << 16 && x.strides() == weft::detail::contiguous_strides(x.shape()) &&
           weft::detail::seems_sparse(x.data(), x.size());
}

} // namespace detail

/// Each element 0 with probability p, else divided by 1 - p: for Vars, that is in training. Tensors pass as they are.
/// Every call draws from the generator and moves it; the gradient draws the same again. What computes x is fused into
/// the loop. Errors: p is not in [0, 1].
template <Expression E>
auto dropout(const E& x, double p, Generator& generator) {
    detail::check_probability(p);
    if constexpr (kind_of<E> == Kind::tensor) {
        return eval(x);
    } else {
        using T = weft::detail::compute_type<E>;
        using Y = Var<T, E::rank>;
        if (p == 0) return Y(eval(x));
        const Generator at = generator;
        skip(generator, x.size());
        if constexpr (weft::detail::is_recorded_leaf<E> && (std::same_as<T, float> || std::same_as<T, double>))
            if (detail::is_sparse(x)) return Y(apply_operation(detail::SparseDropout{at, p}, x));
        const RandomMask<T, E::rank> mask(x.shape(), at, p);
        // Landed at once: within an expression that broadcasts it, one mask would become many.
        return Y(x * mask);
    }
}

/// dropout as a layer that draws anew in every call, from a generator of its own. The generator is not part of the
/// state dict; calls from several threads must not overlap.
struct Dropout {
    double p = 0.5;
    mutable Generator generator = unseeded_generator();

    Dropout() = default;
    /// Errors: p is not in [0, 1].
    explicit Dropout(double probability) : p(probability) { detail::check_probability(p); }
    /// With the random numbers of a generator. Errors: the probability is out of range.
    Dropout(double probability, const Generator& at) : p(probability), generator(at) { detail::check_probability(p); }

    /// See nn::dropout.
    template <Expression E>
    auto operator()(const E& x) const {
        return dropout(x, p, generator);
    }

    /// A mask of that shape, stored: for values per edge, which are read more than once.
    template <class T, int N>
    Tensor<T, N> mask(const Extents<N>& extents) const {
        const RandomMask<T, N> drawn(extents, generator, p);
        skip(generator, drawn.size());
        return drawn;
    }

    /// Gives the draws a stream of their own.
    void reset_parameters(Generator& from) {
        const auto stream = uniform_integer(from, 0, std::int64_t{1} << 62);
        generator = {from.seed, static_cast<std::uint64_t>(stream), 0};
    }

    void visit(auto&&) {}
};

} // namespace weft::inline WEFT_ABI::nn
