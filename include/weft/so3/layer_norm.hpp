// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/divide.hpp>
#include <weft/core/ops/maximum.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3/norm.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// Which terms lose their mean over the copies before they are normalised: even scalars, or all.
enum class Centring { scalars, all };

/// Options of `LayerNorm`.
struct LayerNormOptions {
    double eps = 1e-5;  ///< added to the variance
    bool affine = true; ///< a learnt factor for each copy of an irrep, and a summand for each even scalar
    FeatureNormalization normalization = FeatureNormalization::component;
    Centring centring = Centring::scalars;
};

namespace detail {

/// Sum over k < n of a_k b_k, packet by packet.
template <class T>
T dot_run(const T* a, const T* b, index n) {
    Packet<T> sum = splat(T{}), other = sum;
    index k = 0;
    for (; k + 2 * lanes<T> <= n; k += 2 * lanes<T>) {
        sum = multiply_add(load_packet(a + k), load_packet(b + k), sum);
        other = multiply_add(load_packet(a + k + lanes<T>), load_packet(b + k + lanes<T>), other);
    }
    for (; k < n; k += lanes<T>) {
        const index some = std::min(lanes<T>, n - k);
        if (some == lanes<T>)
            sum = multiply_add(load_packet(a + k), load_packet(b + k), sum);
        else
            other = multiply_add(load_first(a + k, some, T{}), load_first(b + k, some, T{}), other);
    }
    return sum_lanes<T>(sum + other);
}
/// Subtracts from every copy the mean of all, component by component.
template <class T>
void subtract_mean(T* x, index copies, index d) {
    using Sum = std::conditional_t<std::is_same_v<T, float>, double, T>;
    with_dim(d, [=](auto dim) {
        for (index m = 0; m < dim; ++m) {
            Sum sum{};
            for (index u = 0; u < copies; ++u) sum = sum + x[u * dim + m];
            const T mean = static_cast<T>(sum / static_cast<double>(copies));
            for (index u = 0; u < copies; ++u) x[u * dim + m] = x[u * dim + m] - mean;
        }
    });
}

/// Rows by themselves, term by term: y = (x - mean) / sqrt(mean square + eps), times a factor for each copy, plus a
/// summand for each even scalar where there are such operands.
struct LayerNormOperation {
    static constexpr auto name = "layer_norm";
    Irreps irreps;
    LayerNormOptions options;

    template <class T, class... A>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const A&... affine) const {
        const index rows = x.extent(0), dim = irreps.dim();
        auto y = Tensor<T, 2>::empty(x.shape());
        T* const all = y.mutable_data();
        for_each_rows(rows, dim, 3 * static_cast<double>(dim), [&](index begin, index end) {
            weft::detail::Scratch<T> scratch(irreps.num_irreps());
            T* const factors = scratch.data();
            for (index row = begin; row < end; ++row)
                each_term<T>([&](const MulIrrep& term, index at, index copy, index scalar) {
                    T* const to = all + row * dim + at;
                    const T inverse = centred(term, x.data() + row * dim + at, to);
                    weights(term, inverse, copy, factors, affine...);
                    scale_copies(to, factors, term.mul, term.ir.dim(), to);
                    if (term.ir.is_scalar()) add_bias(to, term.mul, scalar, affine...);
                });
        });
        return y;
    }

    template <class T, class Sink, class... A>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x,
                  const A&... affine) const {
        const index rows = x.extent(0), dim = irreps.dim(), copies = irreps.num_irreps();
        const index scalars = irreps.count({0, 1}), chunk_rows = std::max<index>(32, (rows + 63) / 64),
                    chunks = (rows + chunk_rows - 1) / chunk_rows;
        auto dx = Tensor<T, 2>::empty(x.shape());
        auto partial = Tensor<T, 2>::zeros({sizeof...(A) > 0 ? chunks : 0, copies + scalars});
        T* const all = dx.mutable_data();
        T* const sums = partial.mutable_data();
        weft::detail::for_each_chunk(chunks, static_cast<double>(rows * dim) * 6, [&](index chunk) {
            weft::detail::Scratch<T> scratch(2 * weft::detail::Scratch<T>::rounded(dim) + copies);
            T* const distances = scratch.take(dim);
            T* const factors = scratch.take(copies);
            T* const products = scratch.take(dim);
            for (index row = chunk * chunk_rows; row < std::min(rows, (chunk + 1) * chunk_rows); ++row)
                each_term<T>([&](const MulIrrep& term, index at, index copy, index scalar) {
                    const index n = term.dim(), d = term.ir.dim();
                    const T* const adjoint = dy.data() + row * dim + at;
                    T* const to = all + row * dim + at;
                    const T inverse = centred(term, x.data() + row * dim + at, distances);
                    if constexpr (sizeof...(A) > 0) {
                        dot_copies(adjoint, distances, term.mul, d, products);
                        T* const dw = sums + chunk * (copies + scalars);
                        for (index u = 0; u < term.mul; ++u) dw[copy + u] = dw[copy + u] + products[u] * inverse;
                        if (term.ir.is_scalar()) weft::detail::combine_run<SumOf>(dw + copies + scalar, adjoint, n);
                    }
                    // d x = inverse d y - inverse^3 distance <d y, distance> / count, of d y times the weights
                    weights(term, inverse, copy, factors, affine...);
                    scale_copies(adjoint, factors, term.mul, d, to);
                    const T back = dot_run(to, distances, n) * inverse * inverse * T(1 / count(term));
                    for (index k = 0; k < n; ++k) to[k] = to[k] - distances[k] * back;
                    if (centres(term)) subtract_mean(to, term.mul, d);
                });
        });
        if (sink.template wants<0>()) sink.template add<0>(dx);
        if constexpr (sizeof...(A) > 0) {
            auto total = Tensor<T, 1>::zeros({copies + scalars});
            for (index chunk = 0; chunk < chunks; ++chunk)
                weft::detail::combine_run<SumOf>(total.mutable_data(), sums + chunk * (copies + scalars),
                                                 copies + scalars);
            if (sink.template wants<1>()) sink.template add<1>(slice(total, 0, 0, copies));
            if (sink.template wants<2>()) sink.template add<2>(slice(total, 0, copies, copies + scalars));
        }
    }

private:
    bool centres(const MulIrrep& term) const { return options.centring == Centring::all || term.ir.is_scalar(); }
    /// How many squares are averaged.
    double count(const MulIrrep& term) const {
        return static_cast<double>(options.normalization == FeatureNormalization::norm ? term.mul : term.dim());
    }
    /// body(term, first component, first copy, first even scalar)
    template <class T, class F>
    void each_term(F&& body) const {
        index at = 0, copy = 0, scalar = 0;
        for (const MulIrrep& term : irreps) {
            if (term.mul > 0) body(term, at, copy, scalar);
            at += term.dim();
            copy += term.mul;
            if (term.ir.is_scalar()) scalar += term.mul;
        }
    }
    /// x without its mean, and what it is to be multiplied by.
    template <class T>
    T centred(const MulIrrep& term, const T* x, T* to) const {
        std::copy_n(x, term.dim(), to);
        if (centres(term)) subtract_mean(to, term.mul, term.ir.dim());
        using std::sqrt;
        return T(1) / sqrt(dot_run(to, to, term.dim()) * T(1 / count(term)) + T(options.eps));
    }
    template <class T>
    static void weights(const MulIrrep& term, const T& inverse, index, T* factors) {
        std::fill_n(factors, term.mul, inverse);
    }
    template <class T>
    static void weights(const MulIrrep& term, const T& inverse, index copy, T* factors, const Tensor<T, 1>& weight,
                        const Tensor<T, 1>&) {
        for (index u = 0; u < term.mul; ++u) factors[u] = weight.data()[copy + u] * inverse;
    }
    template <class T>
    static void add_bias(T*, index, index) {}
    template <class T>
    static void add_bias(T* to, index n, index scalar, const Tensor<T, 1>&, const Tensor<T, 1>& bias) {
        weft::detail::combine_run<SumOf>(to, bias.data() + scalar, n);
    }
};

} // namespace detail

/// Layer normalisation of features, each row by itself: every term is divided by the root of the mean square of its
/// copies, even scalars lose their mean over the copies before. EquivariantLayerNormV2 of Equiformer (Liao & Smidt,
/// arXiv 2206.11990), and its V3 with Centring::all. Parameters `affine_weight` [num_irreps], `affine_bias` [even
/// scalars], or none.
template <class T>
struct LayerNorm {
    Irreps irreps;
    LayerNormOptions options;
    std::optional<Parameter<T, 1>> weight, bias;

    LayerNorm() = default;
    /// With factors 1 and summands 0, or without if not `affine`.
    explicit LayerNorm(const Irreps& irreps_in, const LayerNormOptions& o = {}) : irreps(irreps_in), options(o) {
        if (!o.affine) return;
        weight.emplace(Tensor<T, 1>::ones({irreps.num_irreps()}));
        bias.emplace(Tensor<T, 1>::zeros({irreps.count({0, 1})}));
    }

    const Irreps& irreps_in() const { return irreps; }
    const Irreps& irreps_out() const { return irreps; }

    /// x [N, dim] to [N, dim]. Errors: the dimension is another.
    template <Expression X>
    auto operator()(const X& x) const {
        static_assert(X::rank == 2, "weft: LayerNorm: features are [N, dim]: use reshape");
        detail::require_features("LayerNorm", x, irreps);
        const detail::LayerNormOperation op{irreps, options};
        return weight ? apply_operation(op, x, *weight, *bias) : apply_operation(op, x);
    }

    void visit(auto&& v) {
        v("affine_weight", weight);
        v("affine_bias", bias);
    }
};

/// Layer normalisation of the lengths of the copies, in each row and term: a copy keeps its direction, and is as long
/// as its length normalised among those of its term. EquivariantLayerNorm of Equiformer, the first version. Parameters
/// `weight`, `bias` [num_irreps]: those of the reference's `layer_norms`, one behind the other.
template <class T>
struct LengthNorm {
    Irreps irreps;
    LayerNorm<T> lengths;

    LengthNorm() = default;
    /// With factors 1 and summands 0 for the lengths. `eps` is added to their variances.
    explicit LengthNorm(const Irreps& irreps_in, double eps = 1e-5)
        : irreps(irreps_in), lengths(Norm(irreps_in).irreps_out(), {.eps = eps}) {}

    const Irreps& irreps_in() const { return irreps; }
    const Irreps& irreps_out() const { return irreps; }

    /// x [N, dim] to [N, dim]. Errors: the dimension is another.
    template <Expression X>
    auto operator()(const X& expression) const {
        detail::require_features("LengthNorm", expression, irreps);
        const auto x = eval(expression);
        // 2^-24 is the least positive number of half precision.
        const auto length = eval(maximum(Norm(irreps)(x), 0x1p-24));
        return scale_copies(irreps, x, eval(lengths(length) / length));
    }

    void visit(auto&& v) {
        v("weight", lengths.weight);
        v("bias", lengths.bias);
    }
};

} // namespace weft::inline WEFT_ABI::so3
