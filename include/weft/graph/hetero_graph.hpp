// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/edge_type.hpp>
#include <weft/graph/graph.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace weft::inline WEFT_ABI {

/// The edges of several relations that enter the nodes of one type, as one graph: its sources are those of the
/// relations, one behind the other in the order of `relations`, which are positions among the edge types. A node type
/// that is the source of two relations is there twice.
struct JoinedRelations {
    std::vector<std::size_t> relations;
    Graph graph;
};

/// A graph with several types of nodes and of edges. Immutable; copies share everything.
class HeteroGraph {
public:
    /// Without nodes.
    HeteroGraph() : HeteroGraph({}, {}) {}
    /// `num_nodes`: nodes of each type; `relations`: for each edge type a graph between its node types. Errors: an
    /// unknown node type; a relation given twice; a graph with other numbers of nodes.
    HeteroGraph(std::map<std::string, index> num_nodes, std::vector<std::pair<EdgeType, Graph>> relations)
        : state_(std::make_shared<State>()) {
        for (const auto& [type, count] : num_nodes) detail::checked_node_count(count, type.c_str());
        state_->num_nodes = std::move(num_nodes);
        for (auto& [type, graph] : relations) {
            const index sources = this->num_nodes(type.src), destinations = this->num_nodes(type.dst);
            if (graph.num_src() != sources || graph.num_dst() != destinations)
                throw error("HeteroGraph", "{} goes from {} to {} nodes: its types have {} and {}", type.name(),
                            graph.num_src(), graph.num_dst(), sources, destinations);
            if (position(type) < state_->types.size()) throw error("HeteroGraph", "{} is given twice", type.name());
            state_->types.push_back(std::move(type));
            state_->graphs.push_back(std::move(graph));
        }
    }

    /// Names of the node types, sorted.
    std::vector<std::string> node_types() const {
        std::vector<std::string> types;
        for (const auto& [type, count] : state_->num_nodes) types.push_back(type);
        return types;
    }
    /// In the order they were given.
    const std::vector<EdgeType>& edge_types() const noexcept { return state_->types; }
    /// Errors: no such node type.
    index num_nodes(const std::string& type) const {
        const auto found = state_->num_nodes.find(type);
        if (found == state_->num_nodes.end()) throw error("HeteroGraph", "there is no node type {}", type);
        return found->second;
    }
    /// The edges of one type. Errors: no such edge type.
    const Graph& graph(const EdgeType& type) const {
        const std::size_t at = position(type);
        if (at == state_->types.size()) throw error("HeteroGraph", "there is no edge type {}", type.name());
        return state_->graphs[at];
    }

    /// All edges that enter nodes of a type; without any, no relations. Kept with the graph.
    JoinedRelations into(const std::string& node_type) const {
        struct Key {
            std::string type;
            bool operator==(const Key&) const = default;
        };
        return state_->derived.get(Key{node_type}, [&] {
            JoinedRelations joined;
            index sources = 0, edges = 0;
            for (std::size_t r = 0; r < state_->types.size(); ++r)
                if (state_->types[r].dst == node_type) {
                    joined.relations.push_back(r);
                    edges += state_->graphs[r].num_edges();
                }
            auto from = Tensor<std::int32_t, 1>::empty({edges}), to = Tensor<std::int32_t, 1>::empty({edges});
            std::int32_t *next_from = from.mutable_data(), *next_to = to.mutable_data();
            for (const std::size_t r : joined.relations) {
                const Graph& graph = state_->graphs[r];
                const auto shift = static_cast<std::int32_t>(sources);
                sources = detail::checked_node_count(sources + graph.num_src(), "the sources of all relations");
                const std::int32_t* const s = graph.sources().data();
                next_from = std::transform(s, s + graph.num_edges(), next_from, [=](auto i) { return i + shift; });
                next_to = std::copy_n(graph.destinations().data(), graph.num_edges(), next_to);
            }
            joined.graph = Graph::unchecked(from, to, sources, num_nodes(node_type));
            return joined;
        });
    }

private:
    struct State {
        std::map<std::string, index> num_nodes;
        std::vector<EdgeType> types;
        std::vector<Graph> graphs;
        detail::DerivedValues derived;
    };

    std::size_t position(const EdgeType& type) const {
        return static_cast<std::size_t>(std::find(state_->types.begin(), state_->types.end(), type) -
                                        state_->types.begin());
    }

    std::shared_ptr<State> state_;
};

} // namespace weft::inline WEFT_ABI
