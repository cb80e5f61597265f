// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>

namespace weft::inline WEFT_ABI {

/// The graph in the DOT language of Graphviz. Nodes are numbers; those of a graph that is not square are s0, s1, ...
/// for sources and d0, d1, ... for destinations. Edges stand in the order they were given.
inline std::string to_dot(const Graph& g) {
    const char* const source = g.is_square() ? "" : "s";
    const char* const destination = g.is_square() ? "" : "d";
    std::string text = "digraph {\n";
    for (index i = 0; i < g.num_src(); ++i) text += detail::message("  {}{};\n", {source, i});
    if (!g.is_square())
        for (index i = 0; i < g.num_dst(); ++i) text += detail::message("  {}{};\n", {destination, i});
    for (index e = 0; e < g.num_edges(); ++e)
        text += detail::message("  {}{} -> {}{};\n",
                                {source, g.sources().data()[e], destination, g.destinations().data()[e]});
    return text + "}\n";
}

} // namespace weft::inline WEFT_ABI
