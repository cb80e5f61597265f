// SPDX-License-Identifier: MIT
#include "io_test.hpp"

#include <cmath>
#include <limits>
#include <set>

using namespace weft;
using namespace weft_test;

namespace {

io::EdgeList<float> load(const char* name, const io::EdgeListOptions& options = {}) {
    return io::load_edge_list(source_folder("fuzz") / "corpus/edge_list" / name, options);
}
io::EdgeList<float> parse(std::string_view text, const io::EdgeListOptions& options = {}) {
    return io::parse_edge_list(text, options);
}
std::string error(std::string_view text, const io::EdgeListOptions& options = {}) {
    return message([&] { parse(text, options); });
}

using Ends = Tensor<std::int32_t, 2>;
using Numbers = Tensor<float, 1>;
using Names = std::vector<std::string>;

/// The edges with their weights, whatever their order.
template <class T>
auto edges_of(const io::EdgeList<T>& list) {
    std::multiset<std::tuple<std::int32_t, std::int32_t, T>> edges;
    for (weft::index e = 0; e < list.edge_index.extent(1); ++e)
        edges.emplace(list.edge_index(0, e), list.edge_index(1, e),
                      list.edge_weight.size() > 0 ? list.edge_weight(e) : T(0));
    return edges;
}

} // namespace

TEST_CASE("edge_list: spaces, commas, comments, weights, headers", "[io]") {
    const auto plain = load("good_spaces");
    REQUIRE(plain.num_src == 3);
    REQUIRE(plain.num_dst == 3);
    REQUIRE(same(plain.edge_index, Ends::from({{0, 2, 1}, {1, 0, 1}})));
    REQUIRE(plain.edge_weight.size() == 0);
    REQUIRE(plain.names.empty());
    REQUIRE(same(load("good_weights").edge_weight, Numbers::from({0.5f, -2e-3f, 3})));
    const auto csv = load("good_csv", {.weighted = false});
    REQUIRE(same(csv.edge_index, Ends::from({{0, 1}, {1, 2}})));
    REQUIRE(csv.edge_weight.size() == 0);
    REQUIRE(io::load_edge_list<double>(source_folder("fuzz") / "corpus/edge_list/good_csv").edge_weight(1) == 1e300);
    REQUIRE(load("good_semicolons").edge_index.extent(1) == 2);
    REQUIRE(same(load("good_quoted").edge_index, Ends::from({{0, 1}, {1, 0}})));
    REQUIRE(same(load("good_more_columns").edge_weight, Numbers::from({2, 3})));
    REQUIRE(load("good_tiny_weight").edge_weight(0) == 0.0f);
    for (const char* name : {"good_nothing", "good_comments_only", "good_header_only"}) {
        REQUIRE(load(name).edge_index.shape() == Extents<2>{2, 0});
        REQUIRE(load(name).num_src == 0);
    }
    REQUIRE(same(parse("a\tb\n0\t1\n", {.delimiter = '\t'}).edge_index, Ends::from({{0}, {1}})));
    REQUIRE(same(parse("0 | 1\n", {.delimiter = '|'}).edge_index, Ends::from({{0}, {1}})));
    REQUIRE(parse("0 1\n1 2\n", {.header = true}).edge_index.extent(1) == 1);
    REQUIRE(io::parse_edge_list<std::int64_t>("0 1 9007199254740993\n").edge_weight(0) == 9007199254740993);
    REQUIRE(std::isinf(parse("0 1 inf\n").edge_weight(0)));
}

TEST_CASE("edge_list: numbers of nodes", "[io]") {
    REQUIRE(same(parse("1 2\n3 1\n", {.first_id = 1}).edge_index, Ends::from({{0, 2}, {1, 0}})));
    REQUIRE(parse("1 2\n3 1\n", {.first_id = 1}).num_src == 3);
    REQUIRE(parse("0 1\n", {.num_nodes = 5}).num_dst == 5);
    REQUIRE(parse("0 2147483646\n").num_src == 2147483647);
    CHECK_THAT(
        error("1 2\n0 1\n", {.first_id = 1}),
        ContainsSubstring("load_edge_list: memory: line 2: the source is node 0: must be from 1 to below 2147483648"));
    CHECK_THAT(error("0 1\n0 5\n", {.num_nodes = 5}),
               ContainsSubstring("the destination is node 5: must be from 0 to below 5"));
    CHECK_THAT(error("0 1\n", {.num_nodes = weft::index{1} << 31}), ContainsSubstring("num_nodes is 2147483648"));
    CHECK_THAT(error("0 1\n", {.first_id = weft::index{1} << 31}), ContainsSubstring("first_id is 2147483648"));
    CHECK_THAT(error("-5 9223372036854775807\n", {.first_id = -5}),
               ContainsSubstring("the destination is node 9223372036854775807: must be from -5 to below 2147483642"));
}

TEST_CASE("edge_list: names are numbered in order of first appearance", "[io]") {
    const auto list = load("names_spaces", {.named = true});
    REQUIRE(list.names == Names{"Ann", "Bob", "Old Tom"});
    REQUIRE(same(list.edge_index, Ends::from({{0, 2}, {1, 0}})));
    REQUIRE(same(list.edge_weight, Numbers::from({1, 2})));
    REQUIRE(list.num_src == 3);
    const auto csv = load("names_csv", {.header = true, .named = true});
    REQUIRE(csv.names == Names{"say \"hi\"", "a,b", "", "x"});
    REQUIRE(load("names_csv", {.named = true}).names[0] == "from");
    REQUIRE(load("names_utf8", {.named = true}).names == Names{"\u00e9t\u00e9", "\u6c34"});
    REQUIRE(load("names_weight_header", {.named = true}).names == Names{"x", "y"});
    REQUIRE(parse("New York\tSan  Jose\n", {.delimiter = '\t', .named = true}).names == Names{"New York", "San  Jose"});
    // More names than the table first has room for.
    std::string text;
    for (int i = 0; i < 5000; ++i) text += fmt::format("n{} n{}\n", i * 7919 % 5000, i);
    const auto many = parse(text, {.named = true});
    REQUIRE(many.names.size() == 5000);
    for (int i = 0; i < 5000; ++i) {
        REQUIRE(many.names[static_cast<std::size_t>(many.edge_index(0, i))] == fmt::format("n{}", i * 7919 % 5000));
        REQUIRE(many.names[static_cast<std::size_t>(many.edge_index(1, i))] == fmt::format("n{}", i));
    }
}

TEST_CASE("edge_list: undirected edges are there in both directions", "[io]") {
    const auto list = parse("0 1 5\n2 2 6\n1 2 7\n", {.undirected = true});
    REQUIRE(same(list.edge_index, Ends::from({{0, 1, 2, 1, 2}, {1, 0, 2, 2, 1}})));
    REQUIRE(same(list.edge_weight, Numbers::from({5, 5, 6, 7, 7})));
}

TEST_CASE("edge_list: what is written is read again", "[io]") {
    const TemporaryFolder folder;
    io::EdgeList<float> list;
    list.num_src = list.num_dst = 5;
    list.edge_index = Ends::from({{0, 3, 3, 4, 1, 0}, {3, 0, 3, 1, 4, 3}});
    list.edge_weight = Numbers::from({0.1f, 0.1f, 1e-45f, -3.4028235e38f, -3.4028235e38f, 7});
    list.names = {"plain", "with space", "\"quoted\", and more", "", "\u00e9"};
    for (const char delimiter : {'\0', ' ', ',', ';', '\t', '|'})
        for (const bool named : {false, true})
            for (const bool header : {false, true})
                for (const bool weighted : {false, true}) {
                    const io::EdgeListOptions options{.delimiter = delimiter,
                                                      .header = header,
                                                      .named = named,
                                                      .weighted = weighted,
                                                      .first_id = 1,
                                                      .num_nodes = 5};
                    CAPTURE(delimiter, named, header, weighted);
                    io::save_edge_list(folder / "list", list, options);
                    const auto again = io::load_edge_list(folder / "list", options);
                    REQUIRE(read_text(folder / "list") == io::edge_list_text(list, options));
                    if (named) {
                        for (weft::index e = 0; e < 12; ++e)
                            REQUIRE(again.names[static_cast<std::size_t>(again.edge_index.data()[e])] ==
                                    list.names[static_cast<std::size_t>(list.edge_index.data()[e])]);
                    } else {
                        REQUIRE(same(again.edge_index, list.edge_index));
                        REQUIRE(again.num_src == 5);
                    }
                    REQUIRE(same(again.edge_weight, weighted ? list.edge_weight : Numbers()));
                }
    REQUIRE(
        io::edge_list_text(list, {.delimiter = ',', .header = true}).starts_with("source,target,weight\n0,3,0.1\n"));

    CHECK_THAT(message([&] { io::edge_list_text(list, {.undirected = true}); }),
               ContainsSubstring("save_edge_list: edge 5 from 0 to 3 has no edge back of its weight"));
    CHECK_THAT(message([&] { io::edge_list_text(list, {.weighted = false, .undirected = true}); }),
               ContainsSubstring("from 0 to 3 has no edge back"));
    list.edge_index = Ends::from({{0, 3, 3, 4, 1}, {3, 0, 3, 1, 4}});
    list.edge_weight = Numbers::from({0.1f, 0.1f, 1e-45f, -3.4028235e38f, -3.4028235e38f});
    const auto text = io::edge_list_text(list, {.undirected = true});
    REQUIRE(text == "3 0 0.1\n3 3 1e-45\n4 1 -3.4028235e+38\n");
    REQUIRE(edges_of(parse(text, {.undirected = true})) == edges_of(list));
}

TEST_CASE("edge_list: what cannot be written", "[io]") {
    const TemporaryFolder folder;
    const auto refused = [&](const io::EdgeList<float>& list, const io::EdgeListOptions& options = {}) {
        return message([&] { io::save_edge_list(folder / "list", list, options); });
    };
    const auto list = parse("0 1\n1 2\n");
    auto changed = list;
    changed.edge_weight = Numbers::from({1});
    CHECK_THAT(refused(changed), ContainsSubstring("edge_weight is [1], there are 2 edges"));
    changed = list;
    changed.num_src = 1;
    CHECK_THAT(refused(changed), ContainsSubstring("edge 1 goes from 1 to 2, there are 1 sources and 3 destinations"));
    changed = list;
    changed.edge_index = Ends::from({{0, 1}});
    CHECK_THAT(refused(changed), ContainsSubstring("edge_index is [1, 2]: it must be [2, edges]"));
    changed = list;
    CHECK_THAT(refused(changed, {.named = true}), ContainsSubstring("there are 0 names for 3 nodes"));
    changed.names = {"a", "b", "a"};
    CHECK_THAT(refused(changed, {.named = true}), ContainsSubstring("the name \"a\" is there twice"));
    changed.names = {"a", "b", "c\n"};
    CHECK_THAT(refused(changed, {.named = true}), ContainsSubstring("contains the end of a line"));
    for (const char delimiter : {'a', '5', '"', '\n', '.', '-', '#', '\xe9'})
        CHECK_THAT(refused(list, {.delimiter = delimiter}), ContainsSubstring("save_edge_list: the delimiter is "));
    CHECK_THAT(error("", {.delimiter = 'e'}),
               ContainsSubstring("load_edge_list: the delimiter is \"e\": it must not be"));
    REQUIRE(folder.files() == 0);
}

TEST_CASE("edge_list: hostile files", "[io]") {
    check_accepted("edge_list", [](const fs::path& path) { io::load_edge_list(path, {.weighted = false}); });
    check_refused("edge_list", "bad_",
                  {{"one_field", "line 1: has 1 field: must have a source and a destination, separated by spaces"},
                   {"fields", "line 2: has 3 fields: must have 2, as line 1"},
                   {"empty_field", "line 2: field 2 is empty"},
                   {"empty_first", "line 2: field 1 is empty"},
                   {"not_a_number", "line 2: the destination is \"x\": must be the number of a node"},
                   {"fraction", "line 2: the source is \"1.5\": must be the number of a node"},
                   {"negative", "line 2: the source is node -1: must be from 0 to below 2147483647"},
                   {"node_huge", "line 2: the source is node 2147483647: must be from 0 to below 2147483647"},
                   {"node_over_64_bits", "line 2: the source is \"99999999999999999999\": must be the number"},
                   {"weight", "line 2: the weight is \"x\": must be a number that fits"},
                   {"weight_over", "line 2: the weight is \"1e999\": must be a number that fits"},
                   {"open_quote", "line 2: found \"0\" after field 1, where \",\" must be"},
                   {"after_quote", "line 2: found \"x\" after field 1, where \",\" must be"},
                   {"quote_without_space", "line 2: found \"0\" after field 1, where \" \" must be"},
                   {"quote_without_end", "line 2: field 2: its quote does not end in the line"},
                   {"zero_byte", "line 2: the source is \"0\\u00001\": must be the number of a node"},
                   {"plus_minus", "line 2: the source is \"+-1\": must be the number of a node"},
                   {"two_headers", "line 2: the source is \"c\": must be the number of a node (for names"}},
                  [](const fs::path& path) { io::load_edge_list(path); });
    CHECK_THAT(message([] { io::load_edge_list("no/such/file"); }), ContainsSubstring("no/such/file: no such file"));
}
