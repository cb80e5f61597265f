// SPDX-License-Identifier: MIT
#pragma once

#include <weft/weft.hpp>

/// Networks that classify nodes, with the parameter names of PyTorch's programs: `conv1.lin.weight`, `prop.proj.bias`.
/// `representation` [nodes, channels] is what can be drawn. Fed Vars they train, with dropout; fed Tensors they infer.

struct Sizes {
    weft::index features = 0;
    weft::index hidden = 16; ///< channels of the first layer; in GAT of each of its heads
    weft::index classes = 0;
    weft::index heads = 1;
    weft::index output_heads = 1;
    weft::index hops = 10; ///< of APPNP and DAGNN
    double alpha = 0.1;    ///< of APPNP
    double dropout = 0.5;
};

template <class Conv>
struct TwoConvolutions {
    Conv conv1, conv2;
    weft::nn::Dropout dropout;

    TwoConvolutions(const Sizes& s, weft::Generator& generator)
        : conv1(s.features, s.hidden, {.generator = &generator}), conv2(s.hidden, s.classes, {.generator = &generator}),
          dropout(s.dropout) {
        dropout.reset_parameters(generator);
    }
    static constexpr const char* representation_name = "hidden layer";
    auto representation(const weft::Graph& g, const auto& x) const { return eval(relu(conv1(g, dropout(x)))); }
    auto operator()(const weft::Graph& g, const auto& x) const { return conv2(g, dropout(representation(g, x))); }
    void visit(auto&& v) {
        v("conv1", conv1);
        v("conv2", conv2);
    }
};

/// Kipf and Welling, Semi-supervised classification with graph convolutional networks (2017).
using Gcn = TwoConvolutions<weft::gnn::GCNConv<float>>;
/// Hamilton, Ying and Leskovec, Inductive representation learning on large graphs (2017), with the mean.
using Sage = TwoConvolutions<weft::gnn::SAGEConv<float>>;

/// Velickovic et al., Graph attention networks (2018): heads side by side, then their mean.
struct Gat {
    weft::gnn::GATConv<float> conv1, conv2;
    weft::nn::Dropout dropout;

    Gat(const Sizes& s, weft::Generator& generator)
        : conv1(s.features, s.hidden, {.heads = s.heads, .dropout = s.dropout, .generator = &generator}),
          conv2(s.heads * s.hidden, s.classes,
                {.heads = s.output_heads, .concat = false, .dropout = s.dropout, .generator = &generator}),
          dropout(s.dropout) {
        for (weft::nn::Dropout* d : {&dropout, &conv1.attention_dropout, &conv2.attention_dropout})
            d->reset_parameters(generator);
    }
    static constexpr const char* representation_name = "hidden layer";
    auto representation(const weft::Graph& g, const auto& x) const { return eval(elu(conv1(g, dropout(x)))); }
    auto operator()(const weft::Graph& g, const auto& x) const { return conv2(g, dropout(representation(g, x))); }
    void visit(auto&& v) {
        v("conv1", conv1);
        v("conv2", conv2);
    }
};

/// Klicpera, Bojchevski and Guennemann, Predict then propagate (2019): a perceptron scores each node by itself, then
/// the scores go along the edges. They are what is drawn.
struct Appnp {
    weft::nn::Linear<float> lin1, lin2;
    weft::gnn::APPNP prop;
    weft::nn::Dropout dropout;

    Appnp(const Sizes& s, weft::Generator& generator)
        : lin1(s.features, s.hidden, {.generator = &generator}), lin2(s.hidden, s.classes, {.generator = &generator}),
          prop({.K = s.hops, .alpha = s.alpha, .dropout = s.dropout}), dropout(s.dropout) {
        for (weft::nn::Dropout* d : {&dropout, &prop.edge_dropout}) d->reset_parameters(generator);
    }
    static constexpr const char* representation_name = "scores";
    auto representation(const weft::Graph& g, const auto& x) const { return (*this)(g, x); }
    auto operator()(const weft::Graph& g, const auto& x) const {
        return prop(g, lin2(dropout(relu(lin1(dropout(x))))));
    }
    void visit(auto&& v) {
        v("lin1", lin1);
        v("lin2", lin2);
    }
};

/// Liu, Gao and Ji, Towards deeper graph neural networks (2020): the same with a gate for every hop.
struct Dagnn : weft::gnn::DAGNN<float> {
    Dagnn(const Sizes& s, weft::Generator& generator)
        : DAGNN(s.features, s.hidden, s.classes, {.K = s.hops, .dropout = s.dropout, .generator = &generator}) {
        dropout.reset_parameters(generator);
    }
    static constexpr const char* representation_name = "scores";
    auto representation(const weft::Graph& g, const auto& x) const { return (*this)(g, x); }
};
