// SPDX-License-Identifier: MIT
#pragma once

#include <weft/weft.hpp>

#include <vector>

struct NetOptions {
    weft::index hidden = 64, layers = 3;
    double dropout = 0.5;
    double alpha = 0.5; ///< of DirGCNConv: the part of the edges that leave a node
    double q = 0.25;    ///< of MagNetConv: how much directions count
};

/// A layer that looks at each node alone: what the graph adds is the difference to this.
struct Alone {
    weft::nn::Linear<float> lin;
    auto operator()(const weft::Graph&, const auto& x) const { return lin(x); }
    void visit(auto&& v) { v("lin", lin); }
};

/// Layers of one kind one after the other; what all of them say goes side by side into a linear layer.
template <class Conv>
struct Stacked {
    std::vector<Conv> convs;
    weft::gnn::JumpingKnowledge<float> jump{weft::gnn::Jump::cat};
    weft::nn::Linear<float> out;
    weft::nn::Dropout dropout;

    /// make(in, out): a layer.
    template <class Make>
    Stacked(weft::index in, weft::index classes, const NetOptions& o, weft::Generator& generator, Make&& make)
        : dropout(o.dropout) {
        for (weft::index l = 0; l < o.layers; ++l) convs.push_back(make(l == 0 ? in : o.hidden, o.hidden));
        out = weft::nn::Linear<float>(o.layers * o.hidden, classes, {.generator = &generator});
        dropout.reset_parameters(generator);
    }

    auto operator()(const weft::Graph& g, const auto& x) const {
        std::vector layers{eval(relu(convs.at(0)(g, x)))};
        for (std::size_t l = 1; l < convs.size(); ++l) layers.push_back(relu(convs[l](g, dropout(layers.back()))));
        return out(dropout(jump(layers)));
    }
    void visit(auto&& v) {
        v("convs", convs);
        v("out", out);
    }
};

/// MagNet: Zhang et al. (arXiv 2102.11391). Complex features, whose real and imaginary parts are both x at first.
struct MagNet {
    std::vector<weft::gnn::MagNetConv<float>> convs;
    weft::nn::Linear<float> out;
    weft::nn::Dropout dropout;

    MagNet(weft::index in, weft::index classes, const NetOptions& o, weft::Generator& generator) : dropout(o.dropout) {
        for (weft::index l = 0; l < 2; ++l)
            convs.emplace_back(l == 0 ? in : o.hidden, o.hidden, 1,
                               weft::gnn::MagNetOptions{.q = o.q, .generator = &generator});
        out = weft::nn::Linear<float>(2 * o.hidden, classes, {.generator = &generator});
        dropout.reset_parameters(generator);
    }

    auto operator()(const weft::Graph& g, const auto& x) const {
        using weft::gnn::complex_relu;
        const auto z = complex_relu(convs[1](g, complex_relu(convs[0](g, stack(1, x, x)))));
        return out(dropout(reshape(z, weft::Extents<2>{z.extent(0), -1})));
    }
    void visit(auto&& v) {
        v("convs", convs);
        v("out", out);
    }
};
