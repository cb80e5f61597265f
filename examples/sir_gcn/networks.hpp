// SPDX-License-Identifier: MIT
#pragma once

#include <weft/weft.hpp>

#include <string>
#include <variant>
#include <vector>

struct NetOptions {
    std::string model = "sir"; ///< sir, gcn, sage, gatv2 or gin
    weft::index hidden = 64;
    weft::index layers = 1; ///< of ResidualNet
    double dropout = 0;     ///< of ResidualNet
    weft::gnn::SIRAggregation aggr = weft::gnn::SIRAggregation::sum;
};

/// A convolution of the kind that `model` names, from `hidden` channels to as many. None adds loops. `Activation` is
/// that of SIRConv.
template <class Activation>
struct Convolution {
    using Perceptron = weft::nn::Sequential<weft::nn::Linear<float>, weft::nn::ReLU, weft::nn::Linear<float>>;
    std::variant<weft::gnn::SIRConv<float, Activation>, weft::gnn::GCNConv<float>, weft::gnn::SAGEConv<float>,
                 weft::gnn::GATv2Conv<float>, weft::gnn::GINConv<float, Perceptron>>
        conv;

    Convolution(const NetOptions& o, Activation activation, weft::Generator& generator) {
        using namespace weft;
        const weft::index h = o.hidden;
        if (o.model == "sir") {
            gnn::SIRConv<float, Activation> sir(h, h, h, std::move(activation),
                                                {.aggr = o.aggr, .dropout = o.dropout, .generator = &generator});
            sir.dropout.reset_parameters(generator);
            conv = std::move(sir);
        } else if (o.model == "gcn") {
            conv = gnn::GCNConv<float>(h, h, {.add_self_loops = false, .generator = &generator});
        } else if (o.model == "sage") {
            conv = gnn::SAGEConv<float>(h, h, {.generator = &generator});
        } else if (o.model == "gatv2") {
            conv = gnn::GATv2Conv<float>(h, h, {.add_self_loops = false, .generator = &generator});
        } else {
            const auto linear = [&] { return nn::Linear<float>(h, h, {.generator = &generator}); };
            nn::Linear<float> first = linear();
            conv = gnn::GINConv<float, Perceptron>(Perceptron(std::move(first), nn::ReLU{}, linear()));
        }
    }

    template <class X>
    X operator()(const weft::Graph& g, const X& x) const {
        return std::visit([&](const auto& kind) { return X(kind(g, x)); }, conv);
    }
    void visit(auto&& v) {
        std::visit([&](auto& kind) { kind.visit(v); }, conv);
    }
};

/// One convolution between two linear layers. The result has a row for each destination of `readout`: what the sum over
/// its nodes says.
template <class Activation>
struct GraphNet {
    weft::nn::Linear<float> embedding, out;
    Convolution<Activation> conv;
    bool rectify; ///< whether the embedded features pass a ReLU

    GraphNet(weft::index in, weft::index results, const NetOptions& o, Activation activation, bool rectify_features,
             weft::Generator& generator)
        : embedding(in, o.hidden, {.bias = false, .generator = &generator}),
          out(o.hidden, results, {.bias = false, .generator = &generator}), conv(o, std::move(activation), generator),
          rectify(rectify_features) {
        weft::nn::normal(embedding.weight, generator); // as of an embedding, since features are zeros and ones
    }

    auto operator()(const weft::Graph& g, const weft::Graph& readout, const auto& x) const {
        const auto h = embedding(x);
        return out(sum_in(readout, src(conv(g, rectify ? eval(relu(h)) : h))));
    }
    void visit(auto&& v) {
        v("embedding", embedding);
        v("conv", conv);
        v("out", out);
    }
};

/// Convolutions with a residual connection around each, as Platonov et al. (arXiv 2302.11640) and Lim et al. (arXiv
/// 2403.12529) classify nodes. The result is a logit for each node, [nodes].
struct ResidualNet {
    struct Layer {
        weft::nn::BatchNorm<float> norm;
        Convolution<weft::nn::GELU> conv;
        weft::nn::Linear<float> linear;
        void visit(auto&& v) {
            v("norm", norm);
            v("conv", conv);
            v("linear", linear);
        }
    };
    weft::nn::Linear<float> in, out;
    std::vector<Layer> layers;
    weft::nn::BatchNorm<float> norm;
    weft::nn::Dropout dropout;

    ResidualNet(weft::index features, const NetOptions& o, weft::Generator& generator)
        : in(features, o.hidden, {.generator = &generator}), out(o.hidden, 1, {.generator = &generator}),
          norm(o.hidden), dropout(o.dropout) {
        for (weft::index l = 0; l < o.layers; ++l)
            layers.push_back({weft::nn::BatchNorm<float>(o.hidden),
                              {o, {}, generator},
                              weft::nn::Linear<float>(o.hidden, o.hidden, {.generator = &generator})});
        dropout.reset_parameters(generator);
    }

    auto operator()(const weft::Graph& g, const auto& x) const {
        auto h = eval(gelu(dropout(in(x))));
        for (const Layer& layer : layers) {
            const auto message = layer.conv(g, layer.norm(h));
            h = eval(h + dropout(layer.linear(gelu(dropout(message)))));
        }
        return squeeze(out(norm(h)), 1);
    }
    void visit(auto&& v) {
        v("in", in);
        v("layers", layers);
        v("norm", norm);
        v("out", out);
    }
};
