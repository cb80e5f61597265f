// SPDX-License-Identifier: MIT
#pragma once

#include "layer_properties.hpp"

namespace weft_test {

/// One set of options of an attention layer (detail::AttentionCalls) for layer_properties.hpp.
template <template <class> class Conv, class Options>
struct AttentionLayer {
    std::string name;
    Options options;
    weft::index edge_width = 0, in_dst = -1, in = 3, out = 2;
    static constexpr bool positive_edges = false;

    template <class T>
    Conv<T> make() const {
        Options o = options;
        o.edge_dim = edge_width;
        o.in_channels_dst = in_dst;
        return {in, out, o};
    }
    template <class M, class X>
    X apply(const M& module, const weft::Graph& g, const X& x, const X& x_dst, const X& edges) const {
        if (in_dst < 0) return edge_width > 0 ? module(g, x, edges) : module(g, x);
        return edge_width > 0 ? module.bipartite(g, x, x_dst, edges) : module.bipartite(g, x, x_dst);
    }
};

} // namespace weft_test
