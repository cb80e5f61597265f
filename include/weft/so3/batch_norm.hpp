// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3/copies.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// How the squares of the samples of one batch element become one.
enum class SampleReduction { mean, max };

/// Options of `BatchNorm`.
struct BatchNormOptions {
    double eps = 1e-5;     ///< added to the variance
    double momentum = 0.1; ///< the part of the running statistics that a batch replaces
    bool affine = true;    ///< a learnt factor for each copy of an irrep, and a summand for each even scalar
    SampleReduction reduce = SampleReduction::mean;
    bool instance = false; ///< statistics of every batch element by itself, always; none are kept
    FeatureNormalization normalization = FeatureNormalization::component;
};

namespace detail {

/// A parameter beside X: one that is recorded where X is.
template <class X, class P>
auto beside(const P& parameter) {
    if constexpr (kind_of<X> == Kind::var)
        return parameter.var();
    else
        return parameter.value();
}

/// Which numbers belong to the components of a feature vector.
struct ComponentPlaces {
    Tensor<index, 1> copy;    // [dim]: the copy of an irrep
    Tensor<index, 1> scalar;  // [dim]: the even scalar; their number where it is none
    Tensor<index, 1> scalars; // the components that are even scalars

    explicit ComponentPlaces(const Irreps& irreps) {
        std::vector<index> copy_of, scalar_of, all;
        const index count = irreps.count({0, 1});
        index copies = 0;
        for (const MulIrrep& term : irreps)
            for (index u = 0; u < term.mul; ++u, ++copies)
                for (index m = 0; m < term.ir.dim(); ++m) {
                    scalar_of.push_back(term.ir.is_scalar() ? static_cast<index>(all.size()) : count);
                    if (term.ir.is_scalar()) all.push_back(static_cast<index>(copy_of.size()));
                    copy_of.push_back(copies);
                }
        copy = Tensor<index, 1>::from(copy_of);
        scalar = Tensor<index, 1>::from(scalar_of);
        scalars = Tensor<index, 1>::from(all);
    }
    ComponentPlaces() : ComponentPlaces(Irreps()) {}

    /// Numbers of the even scalars at their components, 0 at the others: [dim].
    template <class S>
    auto of_scalars(const S& s) const {
        using T = typename S::value_type;
        return gather(concat(0, s, Tensor<T, 1>::zeros({1})), scalar);
    }
};

} // namespace detail

/// Batch normalisation of features: every copy of an irrep is divided by its root mean square over the batch, even
/// scalars lose their mean before; e3nn.nn.BatchNorm. Fed a Var, it trains: the statistics are those of the batch, and
/// the running ones move towards them. Fed a Tensor, or when `frozen`, it uses the running statistics. Parameters
/// `weight` [num_irreps], `bias` [even scalars], or none; buffers `running_mean` [even scalars], `running_var`
/// [num_irreps] (empty of an instance normalisation). In training, calls from several threads must not overlap; copies
/// of the module have running statistics of their own.
template <class T>
struct BatchNorm {
    Irreps irreps;
    std::optional<Parameter<T, 1>> weight, bias;
    mutable Tensor<T, 1> running_mean, running_var;
    bool frozen = false; ///< Vars too are normalised by the running statistics, and these stay as they are
    BatchNormOptions options;

    BatchNorm() = default;
    /// Errors: momentum is not in [0, 1].
    explicit BatchNorm(const Irreps& irreps_in, const BatchNormOptions& o = {})
        : irreps(irreps_in), options(o), places_(irreps_in) {
        if (!(o.momentum >= 0 && o.momentum <= 1))
            throw error("BatchNorm", "momentum is {}: must be in [0, 1]", o.momentum);
        const index scalars = places_.scalars.size(), copies = irreps.num_irreps();
        if (!o.instance) {
            running_mean = Tensor<T, 1>::zeros({scalars});
            running_var = Tensor<T, 1>::ones({copies});
        }
        if (!o.affine) return;
        weight.emplace(Tensor<T, 1>::ones({copies}));
        bias.emplace(Tensor<T, 1>::zeros({scalars}));
    }

    const Irreps& irreps_in() const { return irreps; }
    const Irreps& irreps_out() const { return irreps; }

    /// x [batch, ..., dim], the axes between being samples of the batch element. Errors: the dimension is another.
    template <Expression X>
    auto operator()(const X& expression) const {
        static_assert(X::rank >= 2, "weft: BatchNorm: features are [batch, ..., dim]");
        detail::require_features("BatchNorm", expression, irreps);
        const auto x = contiguous(eval(expression));
        const index batch = x.extent(0), dim = irreps.dim();
        index samples = 1;
        for (int a = 1; a + 1 < X::rank; ++a) samples *= x.extent(a);
        const auto seen = reshape(x, Extents<3>{batch, samples, dim});
        return contiguous(reshape(normalized(seen), x.shape()));
    }

    void visit(auto&& v) {
        v("weight", weight);
        v("bias", bias);
        v("running_mean", running_mean);
        v("running_var", running_var);
    }

private:
    template <class X>
    auto normalized(const X& x) const {
        if (options.instance) return by_instance(x);
        if constexpr (kind_of<X> == Kind::var)
            if (!frozen && x.size() > 0) return by_batch(x);
        const Tensor<T, 1> mean = places_.of_scalars(running_mean);
        return scaled(x, reshape(mean, Extents<3>{1, 1, mean.size()}),
                      reshape(running_var, Extents<3>{1, 1, running_var.size()}));
    }
    template <class X>
    auto by_instance(const X& x) const {
        const auto mean = eval(weft::mean<1>(x, keepdim) * scalar_mask());
        return scaled(x, mean, squares(x, mean, [](const auto& e) { return weft::mean<1>(e, keepdim); }));
    }
    template <class X>
    auto by_batch(const X& x) const {
        const auto mean = eval(weft::mean<0, 1>(x, keepdim) * scalar_mask());
        const auto square = squares(x, mean, [](const auto& e) { return weft::mean<0, 1>(e, keepdim); });
        const Tensor<T, 1> of_components = reshape(mean.value(), {mean.size()});
        move(running_mean, gather(of_components, places_.scalars));
        move(running_var, reshape(square.value(), {square.size()}));
        return scaled(x, mean, square);
    }
    void move(Tensor<T, 1>& running, const Tensor<T, 1>& batch) const {
        running = running * T(1 - options.momentum) + batch * T(options.momentum);
    }

    /// Of every copy the mean over the batch of the reduction over the samples of what is to be 1.
    template <class X, class M, class Mean>
    auto squares(const X& x, const M& mean, const Mean& over) const {
        if (options.reduce == SampleReduction::max) {
            const auto distance = eval(x - mean);
            const auto largest = max<1>(of_copies(distance, distance), keepdim);
            return over(largest);
        }
        const auto square = over(weft::square(x - mean));
        return of_copies(square, Tensor<T, 3>::ones(square.shape()));
    }
    template <class A, class B>
    auto of_copies(const A& a, const B& b) const {
        auto parts = Tensor<T, 1>::ones({irreps.num_irreps()});
        if (options.normalization == FeatureNormalization::component) {
            T* to = parts.mutable_data();
            for (const MulIrrep& term : irreps) to = std::fill_n(to, term.mul, T(1.0 / term.ir.dim()));
        }
        return eval(dot_copies(irreps, a, b) * parts);
    }
    template <class X, class M, class S>
    auto scaled(const X& x, const M& mean, const S& square) const {
        const auto inverse = rsqrt(square + T(options.eps));
        if (!weight) return eval((x - mean) * index_select(inverse, 2, places_.copy));
        const auto factor = index_select(inverse * detail::beside<X>(*weight), 2, places_.copy);
        return eval((x - mean) * factor + places_.of_scalars(detail::beside<X>(*bias)));
    }
    /// 1 at even scalars.
    Tensor<T, 1> scalar_mask() const { return places_.of_scalars(Tensor<T, 1>::ones({places_.scalars.size()})); }

    detail::ComponentPlaces places_;
};

} // namespace weft::inline WEFT_ABI::so3
