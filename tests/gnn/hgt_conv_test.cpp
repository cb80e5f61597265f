// SPDX-License-Identifier: MIT
#include "layer_golden.hpp"
#include "layer_properties.hpp"

#include <weft/gnn/hgt_conv.hpp>

using namespace weft;
using namespace weft_test;

namespace {

EdgeType edge_type_of(const std::string& name) {
    const auto first = name.find("__"), last = name.rfind("__");
    REQUIRE((first != std::string::npos && first < last));
    return {name.substr(0, first), name.substr(first + 2, last - first - 2), name.substr(last + 2)};
}

template <class T>
void run(GoldenCase& golden) {
    const auto in = golden.option<std::map<std::string, weft::index>>("in_channels", {});
    const auto names = golden.option<std::vector<std::string>>("edge_types", {});
    const auto node_types = golden.option<std::vector<std::string>>("node_types", {});
    std::map<std::string, weft::index> counts;
    std::map<std::string, Tensor<T, 2>> values;
    std::map<std::string, Var<T, 2>> x;
    for (const auto& type : node_types) {
        values[type] = golden.get<T, 2>("x_" + type);
        x[type] = Var<T, 2>(values[type]);
        counts[type] = values[type].extent(0);
    }
    std::vector<std::pair<EdgeType, Graph>> relations;
    std::vector<EdgeType> types;
    for (std::size_t r = 0; r < names.size(); ++r) {
        types.push_back(edge_type_of(names[r]));
        relations.emplace_back(types[r], Graph(golden.get<std::int32_t, 2>("edge_index_" + std::to_string(r)),
                                               counts[types[r].src], counts[types[r].dst]));
    }
    const HeteroGraph g(counts, relations);
    gnn::HGTConv<T> conv(in, golden.option<weft::index>("out_channels", 0), types,
                         {.heads = golden.option<weft::index>("heads", 0)});
    load_parameters<T>(golden, conv);
    const auto inferred = conv(g, values);
    const auto trained = conv(g, x);
    std::size_t results = 0;
    Var<T, 0> loss = T(0);
    for (const auto& [type, y] : trained) {
        golden.compare("out_" + type, inferred.at(type));
        golden.compare("out_" + type, y.value());
        loss = loss + sum(y * golden.get<T, 2>("r.out_" + type));
        ++results;
    }
    REQUIRE(results == golden.tensors("out_").size());
    backward(loss);
    for (const auto& type : node_types)
        if (golden.has("g.x_" + type)) compare_gradient(golden, "x_" + type, x[type]);
    compare_parameter_gradients(golden, conv);
}

// Two node types: the sources of a bipartite graph and its destinations, with the graph, its reverse, and loops.
HeteroGraph two_types(const Graph& g) {
    return HeteroGraph({{"s", g.num_src()}, {"d", g.num_dst()}},
                       {{{"s", "to", "d"}, g}, {{"d", "back", "s"}, g.reverse()}, {{"s", "again", "d"}, g}});
}
struct HGT {
    std::string name;
    weft::index in = 3, in_dst = 4, out = 6, edge_width = 0;
    bool positive_edges = false;

    template <class T>
    auto make() const {
        const HeteroGraph any = two_types(Graph::from_edges({}, 1, 1));
        return gnn::HGTConv<T>({{"s", in}, {"d", in_dst}}, out, any.edge_types(), {.heads = 2});
    }
    template <class M, class X>
    X apply(const M& module, const Graph& g, const X& x, const X& x_dst, const X&) const {
        return module(two_types(g), std::map<std::string, X>{{"s", x}, {"d", x_dst}}).at("d");
    }
};

} // namespace

TEST_CASE("HGTConv: golden, double", "[gnn][golden]") { for_each_golden_case("gnn-core", "hgt", run<double>); }
TEST_CASE("HGTConv: golden, float", "[gnn][golden]") { for_each_golden_case("gnn-core", "hgt", run<float>); }

TEST_CASE("HGTConv: gradients, order of nodes and edges, batches, empty graphs", "[gnn]") {
    for (const HGT& layer : {HGT{"other widths"}, HGT{"the same width", 3, 6}}) {
        INFO(layer.name);
        check_gradients(layer);
        check_node_permutation(layer);
        check_edge_order(layer);
        check_batch(layer);
        check_empty(layer);
    }
}
TEST_CASE("HGTConv: threads", "[gnn]") { check_threads(HGT{"wide", 18, 18, 16}); }

TEST_CASE("HGTConv: errors name the argument", "[gnn]") {
    using Conv = gnn::HGTConv<float>;
    const EdgeType type{"a", "to", "b"}, other{"b", "to", "b"};
    const std::map<std::string, weft::index> in{{"a", 3}, {"b", 3}};
    REQUIRE_THROWS_WITH(Conv(in, 5, {type}, {.heads = 2}), ContainsSubstring("heads is 2"));
    REQUIRE_THROWS_WITH(Conv({{"a", 3}}, 4, {type}), ContainsSubstring("a__to__b"));
    const Graph g = Graph::from_edges({{0, 1}}, 2, 3);
    REQUIRE_THROWS_WITH(HeteroGraph({{"a", 2}, {"b", 4}}, {{type, g}}), ContainsSubstring("from 2 to 3 nodes"));
    REQUIRE_THROWS_WITH(HeteroGraph({{"a", 2}}, {{type, g}}), ContainsSubstring("no node type b"));
    REQUIRE_THROWS_WITH(HeteroGraph({{"a", 2}, {"b", 3}}, {{type, g}, {type, g}}), ContainsSubstring("twice"));
    const HeteroGraph hetero({{"a", 2}, {"b", 3}}, {{type, g}});
    using X = std::map<std::string, Tensor<float, 2>>;
    const auto a = Tensor<float, 2>::zeros({2, 3}), b = Tensor<float, 2>::zeros({3, 3});
    REQUIRE_THROWS_WITH(Conv(in, 4, {type})(hetero, X{{"b", b}}), ContainsSubstring("node type a"));
    REQUIRE_THROWS_WITH(Conv(in, 4, {type})(hetero, X{{"a", b}, {"b", b}}), ContainsSubstring("a is [3, 3]"));
    REQUIRE_THROWS_WITH(Conv(in, 4, {other})(hetero, X{{"a", a}, {"b", b}}), ContainsSubstring("a__to__b"));
}
