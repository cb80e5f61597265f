// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_reduce.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// How the messages of a neighbourhood become one.
enum class Aggregation { mean, max, min, add };

/// One of mean_in, max_in, min_in and sum_in, chosen at run time. A node without neighbours gets 0.
template <class E>
auto aggregate(const Graph& g, const E& message, Aggregation how) {
    switch (how) {
    case Aggregation::max:
        return max_in(g, message);
    case Aggregation::min:
        return min_in(g, message);
    case Aggregation::add:
        return sum_in(g, message);
    case Aggregation::mean:
        break;
    }
    return mean_in(g, message);
}

} // namespace weft::inline WEFT_ABI::gnn
