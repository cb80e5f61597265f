// SPDX-License-Identifier: MIT
#pragma once

#include <weft/weft.hpp>

#include <vector>

/// 200 random trees, to half of which (class 1) three edges were added. Every node has the same label.
inline weft::io::GraphDataset trees_and_others() {
    using namespace weft;
    constexpr weft::index count = 200;
    std::vector<std::int32_t> sources, destinations, batch, node_ptr{0}, edge_ptr{0};
    io::GraphDataset data;
    data.name = "trees";
    data.num_graphs = count;
    data.num_features = 1;
    data.num_classes = 2;
    data.y = data.fold = Tensor<std::int32_t, 1>::zeros({count});
    Generator generator{1};
    for (weft::index i = 0; i < count; ++i) {
        const auto first = static_cast<weft::index>(batch.size());
        const auto nodes = static_cast<weft::index>(uniform_integer(generator, 8, 25));
        const auto connect = [&](weft::index a, weft::index b) {
            for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
                sources.push_back(static_cast<std::int32_t>(first + from));
                destinations.push_back(static_cast<std::int32_t>(first + to));
            }
        };
        const auto node_below = [&](weft::index n) {
            return static_cast<weft::index>(uniform_integer(generator, 0, n));
        };
        for (weft::index v = 1; v < nodes; ++v) connect(v, node_below(v));
        data.y(i) = static_cast<std::int32_t>(i % 2);
        for (int extra = 0; extra < 3 * data.y(i); ++extra) connect(node_below(nodes), node_below(nodes));
        data.fold(i) = static_cast<std::int32_t>(i / 2 % 10);
        batch.insert(batch.end(), static_cast<std::size_t>(nodes), static_cast<std::int32_t>(i));
        node_ptr.push_back(static_cast<std::int32_t>(batch.size()));
        edge_ptr.push_back(static_cast<std::int32_t>(sources.size()));
    }
    const auto edges = static_cast<weft::index>(sources.size());
    data.num_nodes = static_cast<weft::index>(batch.size());
    data.edge_index = Tensor<std::int32_t, 2>::empty({2, edges});
    std::int32_t* const ends = data.edge_index.mutable_data();
    std::copy(destinations.begin(), destinations.end(), std::copy(sources.begin(), sources.end(), ends));
    data.edge_attr = Tensor<float, 2>::empty({edges, 0});
    data.x = Tensor<float, 2>::ones({data.num_nodes, 1});
    data.batch = Tensor<std::int32_t, 1>::from(batch);
    data.node_ptr = Tensor<std::int32_t, 1>::from(node_ptr);
    data.edge_ptr = Tensor<std::int32_t, 1>::from(edge_ptr);
    return data;
}
