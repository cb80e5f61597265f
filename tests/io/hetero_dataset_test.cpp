// SPDX-License-Identifier: MIT
#include "io_test.hpp"

using namespace weft;
using namespace weft_test;

namespace {

io::HeteroDataset load(const char* name, const io::HeteroDatasetOptions& options = {}) {
    return io::load_hetero_dataset(source_folder("fuzz") / "corpus/hetero_dataset" / name, options);
}

using Integers = Tensor<std::int32_t, 1>;
using Ends = Tensor<std::int32_t, 2>;
using Features = Tensor<float, 2>;

} // namespace

TEST_CASE("hetero_dataset: nodes, relations and classes", "[io]") {
    const auto data = load("good_three_types");
    REQUIRE(data.name == "good_three_types");
    REQUIRE(data.nodes.size() == 3);
    const auto& paper = data.nodes.at("paper");
    REQUIRE(paper.count == 3);
    REQUIRE(paper.num_features == 4);
    REQUIRE(same(paper.x, Features::from({{1, 0, 1, 0}, {0, 0, 0, 0}, {0, 1, 0, 0}})));
    REQUIRE(same(paper.x_indices, Integers::from({0, 2, 1})));
    REQUIRE(same(data.nodes.at("author").x, Features::from({{3}, {4}})));
    REQUIRE(data.nodes.at("venue").x.shape() == Extents<2>{1, 0});
    REQUIRE(data.edge_index.size() == 3);
    REQUIRE(same(data.edge_index.at({"paper", "to", "author"}), Ends::from({{0, 1, 2}, {0, 0, 1}})));
    REQUIRE(same(data.edge_index.at({"paper", "cites", "paper"}), Ends::from({{2}, {0}})));
    REQUIRE(same(data.edge_index.at({"paper", "to", "venue"}), Ends::from({{0, 1, 2}, {0, 0, 0}})));
    REQUIRE(data.target == "paper");
    REQUIRE(data.num_classes == 2);
    REQUIRE(same(data.y, Integers::from({0, 0, 1})));
    REQUIRE(same(data.train, Integers::from({2})));
    REQUIRE(data.validation.size() == 0);
    REQUIRE(same(data.test, Integers::from({0})));
    REQUIRE(same(data.unlabelled, Integers::from({1})));
}

TEST_CASE("hetero_dataset: options", "[io]") {
    const auto data =
        load("good_three_types", {.reverse_relations = true, .identity_features = true, .normalize_features = true});
    REQUIRE(data.edge_index.size() == 6);
    REQUIRE(same(data.edge_index.at({"author", "rev_to", "paper"}), Ends::from({{0, 0, 1}, {0, 1, 2}})));
    REQUIRE(same(data.edge_index.at({"paper", "rev_cites", "paper"}), Ends::from({{0}, {2}})));
    REQUIRE(same(data.nodes.at("venue").x, Features::from({{1}})));
    REQUIRE(data.nodes.at("paper").x(0, 2) == 0.5f);
    const auto sparse = load("good_three_types", {.dense_features = false});
    REQUIRE(sparse.nodes.at("paper").x.shape() == Extents<2>{3, 0});
    REQUIRE(sparse.nodes.at("paper").num_features == 4);
    CHECK_THAT(message([] { load("good_three_types", {.target = "author"}); }),
               ContainsSubstring("tensor \"label_train\": row 0 is node 2, class 1: nodes must be in [0, 2)"));
    CHECK_THAT(message([] { load("good_three_types", {.target = "reader"}); }),
               ContainsSubstring("the type of nodes that have classes is \"reader\": give one of the file"));
    CHECK_THAT(message([] { load("good_three_types", {.max_dense_size = 11}); }),
               ContainsSubstring("is [3, 4], more than max_dense_size = 11"));
}

TEST_CASE("hetero_dataset: names of types within each other", "[io]") {
    const auto data = load("good_names_within_names");
    REQUIRE(data.edge_index.size() == 3);
    REQUIRE(data.edge_index.count({"a", "r_s", "b_a"}) == 1);
    REQUIRE(data.edge_index.count({"a_b", "to", "b"}) == 1);
    // Not from a to b_a, nor from a by b to a: the longest source counts.
    REQUIRE(data.edge_index.count({"a_b", "to", "a"}) == 1);
}

TEST_CASE("hetero_dataset: many types, long names", "[io]") {
    const TemporaryFolder folder;
    const auto write = [&](const std::string& metadata, const std::string& tensors) {
        const std::string header = "{\"__metadata__\":{" + metadata + "}," + tensors + "}";
        std::string length(8, '\0');
        for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 255);
        write_text(folder / "types.safetensors", length + header);
    };
    const auto relation = [](const std::string& name) {
        return "\"" + name + "\":{\"dtype\":\"I32\",\"shape\":[2,0],\"data_offsets\":[0,0]}";
    };
    const auto load_types = [&] { return io::load_hetero_dataset(folder.path()); };
    std::string counts, relations;
    for (int i = 0; i < 20000; ++i) {
        counts += fmt::format("{}\"num_t{}\":\"1\"", i == 0 ? "" : ",", i);
        relations += (i == 0 ? "" : ",") + relation(fmt::format("edge_t{}_t{}", i, i * 7 % 20000));
    }
    write(counts, relations);
    const auto data = load_types(); // far slower if each type were compared with each relation
    REQUIRE(data.nodes.size() == 20000);
    REQUIRE(data.edge_index.count({"t19999", "to", "t19993"}) == 1);
    const std::string type(120, 'x');
    write("\"num_" + type + "\":\"1\"", relation("edge_" + type + "_" + std::string(8, 'r') + "_" + type));
    REQUIRE(load_types().edge_index.count({type, "rrrrrrrr", type}) == 1);
    write("\"num_" + type + "\":\"1\"", relation("edge_" + type + "_" + std::string(9, 'r') + "_" + type));
    CHECK_THAT(message(load_types), ContainsSubstring("edge_<source>_<relation>_<destination>, of at most 255"));
}

TEST_CASE("hetero_dataset: hostile files", "[io]") {
    check_accepted("hetero_dataset", [](const fs::path& path) { io::load_hetero_dataset(path); });
    check_refused(
        "hetero_dataset", "bad_",
        {{"count_text", "metadata num_paper: \"x\" is not an integer >= 0"},
         {"count_huge", "metadata num_paper: 3000000000 is more nodes than can be numbered"},
         {"pointers", "tensor \"paper_x_indptr\": is I32 [4], must be I32 of shape [5]"},
         {"column", "tensor \"paper_x_indices\": element 1 is 2, must be in [0, 2)"},
         {"edge_source", "the source of edge 0 is 3, must be in [0, 3), the number of paper nodes"},
         {"edge_destination", "the destination of edge 1 is 2, must be in [0, 2), the number of author nodes"},
         {"edge_negative", "tensor \"edge_paper_author\": the destination of edge 0 is -1"},
         {"edge_shape", "tensor \"edge_paper_author\": is I16 [3, 2], must be I32 of shape [2, -1]"},
         {"edge_type", "tensor \"edge_paper_reader\": must be called edge_<source>_<destination>"},
         {"edge_no_relation", "tensor \"edge_paper__author\": must be called edge_<source>_<destination>"},
         {"edge_twice", "the relation to from paper to author is there twice"},
         {"label_node", "row 0 is node 3, class 0: nodes must be in [0, 3), classes from 0"},
         {"label_class", "row 0 is node 0, class -1: nodes must be in [0, 3), classes from 0"},
         {"label_twice", "tensor \"label_test\": row 0: node 2 has a class already"},
         {"label_shape", "tensor \"label_test\": is I32 [2], must be I32 of shape [-1, 2]"},
         {"classes", "metadata num_classes: 1, but a node has class 1"},
         {"target", "the type of nodes that have classes is not clear: give one of the file"},
         {"target_huge", "metadata num_a: 2147483647 nodes are more than max_dense_size"}},
        [](const fs::path& path) { io::load_hetero_dataset(path); });
}

TEST_CASE("hetero_dataset: ACM", "[io][data]") {
    const auto data = io::load_hetero_dataset(data_folder("acm"), {.reverse_relations = true});
    REQUIRE(data.name == "acm");
    REQUIRE(data.nodes.size() == 4);
    CHECK(data.nodes.at("paper").x.shape() == Extents<2>{3025, 1902});
    CHECK(data.nodes.at("author").x.shape() == Extents<2>{5959, 1902});
    CHECK(data.nodes.at("subject").x.shape() == Extents<2>{56, 1902});
    CHECK(data.nodes.at("term").x.shape() == Extents<2>{1902, 0});
    CHECK(data.edge_index.size() == 8);
    CHECK(data.edge_index.at({"paper", "cites", "paper"}).extent(1) == 5343);
    CHECK(data.edge_index.at({"paper", "to", "author"}).extent(1) == 9949);
    CHECK(data.edge_index.at({"subject", "rev_to", "paper"}).extent(1) == 3025);
    const auto& terms = data.edge_index.at({"paper", "to", "term"});
    CHECK(terms.extent(1) == 255619);
    // The features of papers are their terms.
    const auto& x = data.nodes.at("paper").x;
    weft::index found = 0;
    for (weft::index e = 0; e < terms.extent(1); ++e) found += x(terms(0, e), terms(1, e)) == 1.0f ? 1 : 0;
    CHECK(found == 255619);
    CHECK(data.target == "paper");
    CHECK(data.num_classes == 3);
    CHECK(data.train.size() == 907);
    CHECK(data.test.size() == 1059);
    CHECK(data.unlabelled.size() == 3025 - 1966);
    CHECK(data.train(0) == 622);
    CHECK(data.y(622) == 2);
    std::vector<int> classes(3, 0);
    for (const std::int32_t v : data.test.values()) ++classes[static_cast<std::size_t>(data.y(v))];
    CHECK(classes == std::vector<int>{355, 340, 364});
}

TEST_CASE("hetero_dataset: which type has classes, and rows that give none", "[io]") {
    const auto read = [](const std::vector<std::string>& relations, const io::NamedTensors& more) {
        io::NamedTensors tensors = more;
        for (const std::string& relation : relations) tensors.emplace_back(relation, Ends::from({{0}, {0}}));
        return io::hetero_dataset(io::SafetensorsFile::parse(io::safetensors_bytes(
            tensors, {{"num_a", "2"}, {"num_b", "2"}, {"num_c", "2"}, {"num_d", "2"}, {"author", "nobody"}})));
    };
    const auto part = [](const char* tensor, std::int32_t node, std::int32_t label) {
        return io::NamedTensors{{tensor, Ends::from({{node, label}})}};
    };
    CHECK(read({"edge_a_b"}, {}).target.empty());
    CHECK(read({"edge_a_b", "edge_c_b"}, part("label_test", 1, 3)).target == "b");
    CHECK(read({"edge_a_b", "edge_a_c"}, part("label_val", 1, 3)).target == "a");
    CHECK(read({"edge_a_b", "edge_c_b"}, part("label_test", 1, 3)).num_classes == 4);
    for (const std::vector<std::string>& relations :
         {std::vector<std::string>{}, {"edge_a_b"}, {"edge_a_b", "edge_c_d"}})
        CHECK_THAT(message([&] { read(relations, part("label_train", 0, 0)); }),
                   ContainsSubstring("the type of nodes that have classes is not clear"));
    CHECK(read({"edge_a_a"}, part("label_train", 0, 0)).target == "a");
    CHECK_THAT(message([&] { read({"edge__b"}, {}); }),
               ContainsSubstring("must be called edge_<source>_<destination>"));
    const std::int32_t most = std::numeric_limits<std::int32_t>::max();
    for (const auto& row : {std::array{-1, 0}, {2, 0}, {0, -1}, {0, most}})
        CHECK_THAT(message([&] { read({"edge_a_a"}, part("label_train", row[0], row[1])); }),
                   ContainsSubstring(fmt::format("row 0 is node {}, class {}", row[0], row[1])));
}
