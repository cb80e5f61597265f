// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/abi.hpp>

#include <compare>
#include <string>

namespace weft::inline WEFT_ABI {

/// A kind of edges in a graph with several: from nodes of one type, by a relation, to nodes of another type or the
/// same.
struct EdgeType {
    std::string src;
    std::string relation;
    std::string dst;
    auto operator<=>(const EdgeType&) const = default;
    /// `paper__cites__paper`, the name of the relation's parameters.
    std::string name() const { return src + "__" + relation + "__" + dst; }
};

} // namespace weft::inline WEFT_ABI
