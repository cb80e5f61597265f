// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/graph/graph.hpp>

#include <numeric>

namespace weft::inline WEFT_ABI {

/// The edges of a graph with relations, gathered in two steps: those of one relation that enter one destination are a
/// group, and the groups of a destination are its own. A relation's groups follow one another, in the order of their
/// destinations.
struct RelationGroups {
    Graph members;                       ///< source nodes to groups: the graph's edges, in their order
    Graph owners;                        ///< groups to destination nodes: an edge for each group, in their order
    std::vector<index> ptr;              ///< groups ptr[r] to ptr[r + 1] are those of relation r
    Tensor<std::int32_t, 1> types;       ///< [groups] the relation of each
    Tensor<std::int32_t, 1> group_sizes; ///< [E] how many edges there are in the group of each
};

/// See RelationGroups: there are at most as many groups as edges. edge_type [E], from 0 to below num_relations. Kept
/// with the graph. O(E + N num_relations) time at first. Errors: edge_type is not [E]; a relation out of range.
inline RelationGroups relation_groups(const Graph& g, const Tensor<std::int32_t, 1>& edge_type, index num_relations) {
    struct Key {
        Tensor<std::int32_t, 1> edge_type; // holds the memory, which names it
        index num_relations;
        bool operator==(const Key& other) const {
            return edge_type.data() == other.edge_type.data() && edge_type.size() == other.edge_type.size() &&
                   num_relations == other.num_relations;
        }
    };
    return g.cached(Key{edge_type, num_relations}, [&] {
        if (edge_type.size() != g.num_edges())
            throw error("relation_groups", "edge_type has {} rows, the graph has {} edges: they must be equal",
                        edge_type.size(), g.num_edges());
        for (index e = 0; e < edge_type.size(); ++e)
            if (const auto r = edge_type.data()[e]; r < 0 || r >= num_relations)
                throw error("relation_groups", "edge_type[{}] is {}: it must be from 0 to below {}, num_relations", e,
                            r, num_relations);
        const std::int32_t* const type = edge_type.data();
        const Csr& in = g.in();
        // Slots in the order of relation, then destination.
        std::vector<index> next(static_cast<std::size_t>(num_relations) + 1);
        for (index e = 0; e < g.num_edges(); ++e) ++next[static_cast<std::size_t>(type[e]) + 1];
        std::partial_sum(next.begin(), next.end(), next.begin());
        std::vector<std::int32_t> ordered(static_cast<std::size_t>(g.num_edges()));
        for (index slot = 0; slot < g.num_edges(); ++slot) {
            const std::int32_t e = in.eid.data()[slot];
            ordered[static_cast<std::size_t>(next[static_cast<std::size_t>(type[e])]++)] = e;
        }
        RelationGroups groups;
        auto group_of = Tensor<std::int32_t, 1>::empty({g.num_edges()});
        std::int32_t* const to = group_of.mutable_data();
        std::vector<std::int32_t> owner;
        groups.ptr.assign(1, 0);
        std::int32_t last_type = -1, last = -1;
        for (const std::int32_t e : ordered) {
            const std::int32_t destination = g.destinations().data()[e];
            if (type[e] != last_type || destination != last) owner.push_back(destination);
            for (; last_type < type[e]; ++last_type)
                if (last_type >= 0) groups.ptr.push_back(static_cast<index>(owner.size()) - 1);
            last = destination;
            to[e] = static_cast<std::int32_t>(owner.size()) - 1;
        }
        const auto count = static_cast<index>(owner.size());
        groups.ptr.resize(static_cast<std::size_t>(num_relations) + 1, count);
        groups.members = Graph::unchecked(g.sources(), group_of, g.num_src(), count);
        groups.owners = Graph::unchecked(arange<std::int32_t>(count), Tensor<std::int32_t, 1>::from(owner, {count}),
                                         count, g.num_dst());
        groups.types = Tensor<std::int32_t, 1>::empty({count});
        for (std::size_t r = 0; r + 1 < groups.ptr.size(); ++r)
            std::fill(groups.types.mutable_data() + groups.ptr[r], groups.types.mutable_data() + groups.ptr[r + 1],
                      static_cast<std::int32_t>(r));
        groups.group_sizes = gather(groups.members.template in_degree<std::int32_t>(), group_of);
        return groups;
    });
}

} // namespace weft::inline WEFT_ABI
