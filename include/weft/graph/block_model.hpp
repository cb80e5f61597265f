// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/format_scalar.hpp>
#include <weft/core/random.hpp>
#include <weft/graph/graph.hpp>

#include <vector>

namespace weft::inline WEFT_ABI {

/// A random graph without loops: an edge from u to v with the probability p(class of u, class of v), each by itself.
/// classes [N], p [C, C]. O(N^2). Errors: a class is not below C; p is not square; a probability is not in [0, 1].
template <std::integral C>
Graph block_model(Generator& generator, const Tensor<C, 1>& classes, const Tensor<double, 2>& p) {
    const index nodes = detail::checked_node_count(classes.size(), "the number of classes given");
    if (p.extent(0) != p.extent(1))
        throw error("block_model", "p is {}: it must be square, from class to class", detail::shape_text(p.shape()));
    for (const double value : p.values())
        if (!(value >= 0 && value <= 1)) throw error("block_model", "p has the element {}: must be in [0, 1]", value);
    for (index i = 0; i < nodes; ++i)
        if (std::cmp_less(classes(i), 0) || std::cmp_greater_equal(classes(i), p.extent(0)))
            throw error("block_model", "the class of node {} is {}: it must be from 0 to below {}", i, classes(i),
                        p.extent(0));
    std::vector<std::int32_t> sources, destinations;
    std::vector<double> draw(static_cast<std::size_t>(nodes));
    for (index u = 0; u < nodes; ++u) {
        fill_uniform(generator, draw.data(), nodes);
        for (index v = 0; v < nodes; ++v)
            if (u != v && draw[static_cast<std::size_t>(v)] < p(classes(u), classes(v))) {
                sources.push_back(static_cast<std::int32_t>(u));
                destinations.push_back(static_cast<std::int32_t>(v));
            }
    }
    return Graph(Tensor<std::int32_t, 1>::from(sources), Tensor<std::int32_t, 1>::from(destinations), nodes, nodes);
}

/// Probabilities for block_model, [C, C]: `forward` from each class to the next one and from the last to the first,
/// `backward` the other way, `inside` a class, else 0. With forward + backward = 2 inside and three classes, the graph
/// without directions says nothing about the classes. Errors: fewer than three classes.
inline Tensor<double, 2> cyclic_block_probabilities(index classes, double forward, double backward, double inside) {
    if (classes < 3)
        throw error("cyclic_block_probabilities", "{} classes: at least 3 make a cycle with a direction", classes);
    auto p = Tensor<double, 2>::zeros({classes, classes});
    for (index c = 0; c < classes; ++c) {
        p(c, c) = inside;
        p(c, (c + 1) % classes) = forward;
        p((c + 1) % classes, c) = backward;
    }
    return p;
}

} // namespace weft::inline WEFT_ABI
