// SPDX-License-Identifier: MIT
#pragma once

#include <weft/weft.hpp>

#include <map>
#include <string>
#include <vector>

/// Nodes of several types, of which one has classes, and edges of several types between them.
struct Data {
    std::string name, target;
    weft::HeteroGraph graph;
    std::map<std::string, weft::Tensor<float, 2>> x; ///< [nodes of the type, features]
    weft::Tensor<std::int32_t, 1> y;                 ///< [nodes of the target type]
    weft::Tensor<std::int32_t, 1> train, validation, test;
    weft::index num_classes = 0;

    std::map<std::string, weft::index> widths() const {
        std::map<std::string, weft::index> found;
        for (const auto& [type, features] : x) found[type] = features.extent(1);
        return found;
    }
};

struct NetOptions {
    weft::index hidden = 64, layers = 2, heads = 4;
    double dropout = 0.5;
};

using Features = std::map<std::string, weft::Tensor<float, 2>>;
using RecordedFeatures = std::map<std::string, weft::Var<float, 2>>;

/// relu(linear x) per node type: all types get one width.
struct Encoder {
    std::map<std::string, weft::nn::Linear<float>> linear;

    Encoder() = default;
    Encoder(const std::map<std::string, weft::index>& widths, weft::index hidden, weft::Generator& generator) {
        for (const auto& [type, width] : widths)
            linear.emplace(type, weft::nn::Linear<float>(width, hidden, {.generator = &generator}));
    }
    template <class X>
    std::map<std::string, X> operator()(const std::map<std::string, X>& x) const {
        std::map<std::string, X> h;
        for (const auto& [type, features] : x) h.emplace(type, X(relu(linear.at(type)(features))));
        return h;
    }
    void visit(auto&& v) { v("linear", linear); }
};

/// The features of the target nodes alone: what the graph adds is the difference to this.
struct Perceptron {
    Encoder encoder;
    weft::nn::Linear<float> out;
    weft::nn::Dropout dropout{0};

    Perceptron(const Data& data, const NetOptions& o, weft::Generator& generator)
        : encoder({{data.target, data.x.at(data.target).extent(1)}}, o.hidden, generator),
          out(o.hidden, data.num_classes, {.generator = &generator}), dropout(o.dropout) {}
    template <class X>
    auto operator()(const Data& data, const std::map<std::string, X>& x) const {
        return out(dropout(encoder(std::map<std::string, X>{{data.target, x.at(data.target)}}).at(data.target)));
    }
    void visit(auto&& v) {
        v("encoder", encoder);
        v("out", out);
        v("dropout", dropout);
    }
};

/// Attention over the edges of all types at once.
struct HGT {
    Encoder encoder;
    std::vector<weft::gnn::HGTConv<float>> layers;
    weft::nn::Linear<float> out;
    weft::nn::Dropout dropout{0};

    HGT(const Data& data, const NetOptions& o, weft::Generator& generator)
        : encoder(data.widths(), o.hidden, generator), out(o.hidden, data.num_classes, {.generator = &generator}),
          dropout(o.dropout) {
        std::map<std::string, weft::index> in;
        for (const auto& [type, features] : data.x) in[type] = o.hidden;
        for (weft::index k = 0; k < o.layers; ++k)
            layers.emplace_back(in, o.hidden, data.graph.edge_types(),
                                weft::gnn::HGTOptions{.heads = o.heads, .generator = &generator});
    }
    template <class X>
    auto operator()(const Data& data, const std::map<std::string, X>& x) const {
        auto h = encoder(x);
        for (const auto& layer : layers) {
            std::map<std::string, X> next;
            for (const auto& [type, y] : layer(data.graph, h)) next.emplace(type, X(dropout(y)));
            h = std::move(next);
        }
        return out(h.at(data.target));
    }
    void visit(auto&& v) {
        v("encoder", encoder);
        v("layers", layers);
        v("out", out);
        v("dropout", dropout);
    }
};

/// All nodes as one set, the edges' types as relations: a matrix for each.
struct RGCN {
    Encoder encoder;
    std::vector<weft::gnn::RGCNConv<float>> layers;
    weft::nn::Linear<float> out;
    weft::nn::Dropout dropout{0};
    weft::Graph graph;
    weft::Tensor<std::int32_t, 1> edge_type;
    std::map<std::string, weft::index> begin; ///< a type's first node

    RGCN(const Data& data, const NetOptions& o, weft::Generator& generator)
        : encoder(data.widths(), o.hidden, generator), out(o.hidden, data.num_classes, {.generator = &generator}),
          dropout(o.dropout) {
        const auto relations = static_cast<weft::index>(data.graph.edge_types().size());
        for (weft::index k = 0; k < o.layers; ++k)
            layers.emplace_back(o.hidden, o.hidden, relations, weft::gnn::RGCNOptions{.generator = &generator});
        weft::index nodes = 0;
        for (const std::string& type : data.graph.node_types()) {
            begin[type] = nodes;
            nodes += data.graph.num_nodes(type);
        }
        std::vector<std::pair<weft::index, weft::index>> edges;
        std::vector<std::int32_t> types;
        for (std::int32_t r = 0; r < relations; ++r) {
            const weft::EdgeType& type = data.graph.edge_types()[static_cast<std::size_t>(r)];
            const weft::Graph& g = data.graph.graph(type);
            for (weft::index e = 0; e < g.num_edges(); ++e)
                edges.emplace_back(begin[type.src] + g.sources()(e), begin[type.dst] + g.destinations()(e));
            types.resize(edges.size(), r);
        }
        graph = weft::Graph::from_edges(edges, nodes);
        edge_type = weft::Tensor<std::int32_t, 1>::from(types, {graph.num_edges()});
    }
    template <class X>
    auto operator()(const Data& data, const std::map<std::string, X>& x) const {
        std::vector<X> parts; // by type, in the order of their names, as `begin`
        for (const auto& [type, h] : encoder(x)) parts.push_back(h);
        X h = concat(0, parts);
        for (const auto& layer : layers) h = dropout(relu(layer(graph, h, edge_type)));
        const weft::index first = begin.at(data.target);
        return out(eval(slice(h, 0, first, first + data.graph.num_nodes(data.target))));
    }
    void visit(auto&& v) {
        v("encoder", encoder);
        v("layers", layers);
        v("out", out);
        v("dropout", dropout);
    }
};
