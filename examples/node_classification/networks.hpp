// SPDX-License-Identifier: MIT
#pragma once

#include <weft/weft.hpp>

/// Networks of two layers, with the parameter names of PyTorch Geometric's examples: `conv1.lin.weight`, `conv2.bias`.
/// `hidden` is what the second layer reads, [nodes, channels]. Fed Vars they train, with dropout; fed Tensors they
/// infer.

struct Sizes {
    weft::index features = 0;
    weft::index hidden = 0; ///< channels of the first layer; in GAT of each of its heads
    weft::index classes = 0;
    weft::index heads = 1;
    weft::index output_heads = 1;
    double dropout = 0;
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
    auto hidden(const weft::Graph& g, const auto& x) const { return eval(relu(conv1(g, dropout(x)))); }
    auto operator()(const weft::Graph& g, const auto& x) const { return conv2(g, dropout(hidden(g, x))); }
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
    auto hidden(const weft::Graph& g, const auto& x) const { return eval(elu(conv1(g, dropout(x)))); }
    auto operator()(const weft::Graph& g, const auto& x) const { return conv2(g, dropout(hidden(g, x))); }
    void visit(auto&& v) {
        v("conv1", conv1);
        v("conv2", conv2);
    }
};
