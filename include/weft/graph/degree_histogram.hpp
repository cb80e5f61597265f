// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>

namespace weft::inline WEFT_ABI {

/// How often each number stands among `values` [N], none of which is negative: element d of the result counts d. Of
/// g.in_degree() or g.out_degree(), how many nodes have each degree.
inline std::vector<index> degree_histogram(const Tensor<std::int32_t, 1>& values) {
    std::vector<index> count;
    for (const std::int32_t d : values.values()) {
        if (d < 0) throw error("degree_histogram", "a value is {}: must not be negative", d);
        if (static_cast<std::size_t>(d) >= count.size()) count.resize(static_cast<std::size_t>(d) + 1, 0);
        ++count[static_cast<std::size_t>(d)];
    }
    return count;
}

} // namespace weft::inline WEFT_ABI
