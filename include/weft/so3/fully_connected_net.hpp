// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/ops/multiply.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3/normalize2mom.hpp>

#include <vector>

namespace weft::inline WEFT_ABI::so3 {

/// Options of `FullyConnectedNet`.
struct FullyConnectedNetOptions {
    double variance_in = 1, variance_out = 1; ///< of the inputs, and wanted of the results
    bool out_act = false;                     ///< whether the last layer has the function too
    SecondMoment moment = SecondMoment::sampled;
    /// Where the initial values come from; null: nn::unseeded_generator().
    Generator* generator = nullptr;
};

/// Layers c f(x W / sqrt(in)) with the normalised function f, the last one without it: e3nn.nn.FullyConnectedNet, which
/// makes the weights of convolutions from functions of distances. Weights `layer0.weight`, `layer1.weight`, ... [in,
/// out], normal of variance 1; there is no bias.
template <class T>
struct FullyConnectedNet {
    /// The weight of one layer, [in, out].
    struct Layer {
        Parameter<T, 2> weight;
        void visit(auto&& v) { v("weight", weight); }
    };
    std::vector<Layer> layers;
    Function function = Function::none;
    FullyConnectedNetOptions options;

    FullyConnectedNet() = default;
    /// `channels`: those of the input, of each layer between, and of the result. Errors: fewer than 2, or negative
    /// ones; a variance that is not positive.
    FullyConnectedNet(const std::vector<index>& channels, Function f, const FullyConnectedNetOptions& o = {})
        : function(f), options(o) {
        options.generator = nullptr;
        if (channels.size() < 2)
            throw error("FullyConnectedNet", "{} numbers of channels: there must be at least 2, in and out",
                        channels.size());
        if (!(o.variance_in > 0 && o.variance_out > 0))
            throw error("FullyConnectedNet", "the variances are {} and {}: must be positive", o.variance_in,
                        o.variance_out);
        for (std::size_t i = 0; i + 1 < channels.size(); ++i) {
            if (channels[i] < 0 || channels[i + 1] < 0)
                throw error("FullyConnectedNet", "{} channels to {}: must not be negative", channels[i],
                            channels[i + 1]);
            layers.push_back({Parameter<T, 2>(Tensor<T, 2>::empty({channels[i], channels[i + 1]}))});
        }
        Generator unseeded;
        if (!o.generator) unseeded = nn::unseeded_generator();
        reset_parameters(o.generator ? *o.generator : unseeded);
    }

    index in_features() const { return layers.front().weight.extent(0); }
    index out_features() const { return layers.back().weight.extent(1); }

    /// Draws the weights anew.
    void reset_parameters(Generator& generator) {
        for (Layer& layer : layers) nn::normal(layer.weight, generator);
    }

    /// x [N, in] to [N, out]. Of Dual numbers x, whose tangents are derivatives by something, the weights are
    /// constants. Errors: x does not fit.
    template <Expression X>
    auto operator()(const X& x) const {
        const auto y = matmul(hidden(x), weight_for<X>(layers.back()));
        return options.out_act ? apply_function(function, y, factor() * std::sqrt(options.variance_out)) : eval(y);
    }
    /// What the last weight is multiplied by, [N, channels before it]: for so3::convolution, which makes that product
    /// itself, of a few edges at a time. Errors: x does not fit.
    template <Expression X>
    auto hidden(const X& x) const {
        static_assert(X::rank == 2, "weft: FullyConnectedNet: the input is [N, in]");
        if (x.shape()[1] != in_features())
            throw error("FullyConnectedNet", "x is {}: its last extent must be {}, the number of features in",
                        weft::detail::shape_text(x.shape()), in_features());
        // The root of a layer's inputs is taken into what is multiplied before anyway.
        using Scalar = typename weft::detail::DualScalar<weft::detail::compute_type<X>>::type;
        auto h = eval(x * static_cast<Scalar>(scale(0)));
        for (std::size_t i = 1; i < layers.size(); ++i)
            h = apply_function(function, matmul(h, weight_for<X>(layers[i - 1])), factor() * scale(i));
        return h;
    }
    /// The weight [H, out] of the last layer.
    const Parameter<T, 2>& last_weight() const { return layers.back().weight; }

    void visit(auto&& v) {
        for (std::size_t i = 0; i < layers.size(); ++i) v(std::string_view("layer" + std::to_string(i)), layers[i]);
    }

private:
    template <class X>
    static decltype(auto) weight_for(const Layer& layer) {
        using U = typename X::value_type;
        if constexpr (std::same_as<U, T>)
            return (layer.weight);
        else
            return Tensor<U, 2>(cast<typename weft::detail::DualScalar<U>::type>(layer.weight.value()));
    }
    double factor() const { return normalize2mom(function, options.moment); }
    double scale(std::size_t i) const {
        const auto in = static_cast<double>(layers[i].weight.extent(0));
        const bool linear_end = i + 1 == layers.size() && !options.out_act;
        return std::sqrt((linear_end ? options.variance_out : 1) /
                         (std::max(in, 1.0) * (i == 0 ? options.variance_in : 1)));
    }
};

} // namespace weft::inline WEFT_ABI::so3
