// SPDX-License-Identifier: MIT
#include "io_test.hpp"

#include <numeric>

using namespace weft;
using namespace weft_test;

namespace {

io::NodeDataset load(const char* name, const io::NodeDatasetOptions& options = {}) {
    return io::load_node_dataset(source_folder("fuzz") / "corpus/node_dataset" / name, options);
}

using Integers = Tensor<std::int32_t, 1>;
using Numbers = Tensor<float, 1>;

} // namespace

TEST_CASE("node_dataset: sparse features and lists of nodes", "[io]") {
    const auto data = load("good_lists");
    REQUIRE(data.name == "good_lists");
    REQUIRE(data.num_nodes == 3);
    REQUIRE(data.num_features == 5);
    REQUIRE(data.num_classes == 2);
    REQUIRE(same(data.x, Tensor<float, 2>::from({{1, 0, 0, 0, 1}, {0, 0, 0, 0, 0}, {0, 1, 0, 0, 0}})));
    REQUIRE(same(data.x_indptr, Integers::from({0, 2, 2, 3})));
    REQUIRE(same(data.x_indices, Integers::from({0, 4, 1})));
    REQUIRE(same(data.x_values, Numbers::from({1, 1, 1})));
    REQUIRE(same(data.y, Integers::from({0, 1, 1})));
    REQUIRE(same(data.edge_index, Tensor<std::int32_t, 2>::from({{0, 1, 1, 2}, {1, 0, 2, 1}})));
    REQUIRE(data.edge_weight.size() == 0);
    REQUIRE(same(data.train, Integers::from({0})));
    REQUIRE(same(data.validation, Integers::from({1})));
    REQUIRE(same(data.test, Integers::from({2})));
    REQUIRE(load("good_lists", {.dense_features = false}).x.shape() == Extents<2>{3, 0});
    CHECK_THAT(message([] { load("good_lists", {.split = 1}); }), ContainsSubstring("there is one split, number 1"));
}

TEST_CASE("node_dataset: values, and rows divided by their sums", "[io]") {
    const auto plain = load("good_values");
    REQUIRE(plain.num_features == 5);
    REQUIRE(same(plain.x, Tensor<float, 2>::from({{0.5f, 0, 0, 0, 2}, {0, 0, 0, 0, 0}, {0, -1, 0, 0, 0}})));
    const auto data = load("good_values", {.normalize_features = true});
    REQUIRE(
        same(data.x, Tensor<float, 2>::from({{0.5f / 2.5f, 0, 0, 0, 2 / 2.5f}, {0, 0, 0, 0, 0}, {0, -1, 0, 0, 0}})));
    REQUIRE(same(data.x_values, Numbers::from({0.5f / 2.5f, 2 / 2.5f, -1})));
}

TEST_CASE("node_dataset: masks, one row per split", "[io]") {
    const auto first = load("good_masks"), second = load("good_masks", {.split = 1});
    REQUIRE(same(first.train, Integers::from({0})));
    REQUIRE(same(second.train, Integers::from({1, 2})));
    REQUIRE(same(second.test, Integers::from({1, 2})));
    CHECK_THAT(message([] { load("good_masks", {.split = 2}); }), ContainsSubstring("there are 2 splits, number 2"));
    CHECK_THAT(message([] { load("good_masks", {.split = -1}); }), ContainsSubstring("there are 2 splits, number -1"));
}

TEST_CASE("node_dataset: masks of bits, undirected edges, dense features", "[io]") {
    const auto data = load("good_bits", {.normalize_features = true});
    REQUIRE(same(data.train, Integers::from({0, 7, 8})));
    REQUIRE(data.test.size() == 0);
    REQUIRE(same(data.edge_index, Tensor<std::int32_t, 2>::from({{0, 1, 3}, {1, 0, 3}})));
    REQUIRE(same(data.edge_weight, Numbers::from({2, 2, 3})));
    REQUIRE(data.num_features == 1);
    REQUIRE(data.num_classes == 1);
    REQUIRE(data.x(0, 0) == 0.0f);
    REQUIRE(data.x(8, 0) == 1.0f);
    REQUIRE(load("good_bits").x(8, 0) == 8.0f);
}

TEST_CASE("node_dataset: no features, or the identity", "[io]") {
    REQUIRE(load("good_karate").x.shape() == Extents<2>{2, 0});
    const auto data = load("good_karate", {.identity_features = true});
    REQUIRE(same(data.x, Tensor<float, 2>::from({{1, 0}, {0, 1}})));
    REQUIRE(data.num_features == 2);
    REQUIRE(same(data.y, Integers::from({0, 1})));
    REQUIRE(load("good_empty").num_nodes == 0);
    REQUIRE(same(load("good_wide_indices").edge_index, Tensor<std::int32_t, 2>::from({{0}, {2}})));
}

TEST_CASE("node_dataset: any number of labels for a node, edges by row", "[io]") {
    const auto data = load("good_labels");
    REQUIRE(data.num_nodes == 4);
    REQUIRE(data.num_classes == 3);
    REQUIRE(data.y.size() == 0);
    REQUIRE(same(data.labels, Tensor<float, 2>::from({{1, 0, 1}, {0, 0, 0}, {0, 1, 0}, {1, 0, 0}})));
    REQUIRE(same(data.label_indptr, Integers::from({0, 2, 2, 3, 4})));
    REQUIRE(same(data.label_indices, Integers::from({0, 2, 1, 0})));
    REQUIRE(same(data.edge_index, Tensor<std::int32_t, 2>::from({{0, 1, 2, 2, 3, 3}, {2, 3, 0, 3, 1, 2}})));
}

TEST_CASE("node_dataset: the largest matrix of features", "[io]") {
    REQUIRE(load("good_lists", {.max_dense_size = 15}).x.size() == 15);
    CHECK_THAT(message([] { load("good_lists", {.max_dense_size = 14}); }),
               ContainsSubstring("is [3, 5], more than max_dense_size = 14"));
    REQUIRE(load("bad_features_huge", {.dense_features = false}).num_features == 9000000000000000000);
}

TEST_CASE("node_dataset: finds the file of a folder", "[io]") {
    const TemporaryFolder folder;
    const fs::path source = source_folder("fuzz") / "corpus/node_dataset/good_lists";
    CHECK_THAT(message([&] { io::load_node_dataset(folder.path()); }), ContainsSubstring("has 0 safetensors files"));
    fs::copy_file(source, folder / "one.safetensors");
    write_text(folder / "SOURCE.md", "text");
    REQUIRE(io::load_node_dataset(folder.path()).name == "one");
    REQUIRE(io::load_node_dataset(folder / "").name == "one");
    REQUIRE(io::load_node_dataset(folder / "one").num_nodes == 3);
    fs::copy_file(source, folder / "two.safetensors");
    CHECK_THAT(message([&] { io::load_node_dataset(folder.path()); }), ContainsSubstring("has 2 safetensors files"));
    const std::string own = folder.path().filename().string();
    fs::copy_file(source, folder / (own + ".safetensors"));
    REQUIRE(io::load_node_dataset(folder.path()).name == own);
    REQUIRE(io::load_node_dataset(folder / "").name == own);
    CHECK_THAT(message([&] { io::load_node_dataset(folder / "three"); }), ContainsSubstring("three: no such file"));
    // The beginning of a name, when it is that of one file only.
    REQUIRE(io::load_node_dataset(folder / "tw").name == "two");
    fs::copy_file(source, folder / "two_more.safetensors");
    REQUIRE(io::load_node_dataset(folder / "two").name == "two");
    REQUIRE(io::load_node_dataset(folder / "two_").name == "two_more");
    CHECK_THAT(message([&] { io::load_node_dataset(folder / "tw"); }), ContainsSubstring("tw: no such file"));
}

TEST_CASE("node_dataset: hostile files", "[io]") {
    check_accepted("node_dataset", [](const fs::path& path) { io::load_node_dataset(path); });
    check_refused("node_dataset", "bad_",
                  {{"no_classes", "there is no tensor \"y\""},
                   {"no_edges", "there is no tensor \"edges\""},
                   {"num_nodes", "tensor \"y\": has 3 elements, the metadata say num_nodes 4"},
                   {"num_nodes_text", "metadata num_nodes: \"3x\" is not an integer >= 0"},
                   {"num_nodes_negative", "metadata num_nodes: \"-3\" is not an integer >= 0"},
                   {"class_too_high", "tensor \"y\": element 1 is 1, must be in [0, 1)"},
                   {"class_negative", "tensor \"y\": element 1 is -1"},
                   {"class_floats", "tensor \"y\": is F32, must be integers"},
                   {"classes_2d", "tensor \"y\": is I32 [3, 1], must be I32 of shape [-1]"},
                   {"edge_too_high", "tensor \"edge_index\": element 1 is 3, must be in [0, 3)"},
                   {"edge_negative", "tensor \"edge_index\": element 0 is -1, must be in [0, 3)"},
                   {"edge_over_32_bits", "tensor \"edge_index\": element 0 of I64 [2, 1] does not fit I32"},
                   {"edges_transposed", "tensor \"edge_index\": is I32 [4, 2], must be I32 of shape [2, -1]"},
                   {"edge_weights", "tensor \"edge_weight\": is F32 [3], must be F32 of shape [4]"},
                   {"pointers_short", "tensor \"x_indptr\": is I32 [3], must be I32 of shape [4]"},
                   {"pointers_start", "tensor \"x_indptr\": runs from 1 to 3, must run from 0 to 3"},
                   {"pointers_end", "tensor \"x_indptr\": runs from 0 to 4, must run from 0 to 3"},
                   {"pointers_down", "tensor \"x_indptr\": element 2 is less than the one before it"},
                   {"column_too_high", "tensor \"x_indices\": element 1 is 4, must be in [0, 4)"},
                   {"column_negative", "tensor \"x_indices\": element 1 is -4, must be in [0, "},
                   {"no_columns", "there is no tensor \"x_indices\""},
                   {"values_short", "tensor \"x_values\": is F32 [2], must be F32 of shape [3]"},
                   {"features_huge", "the dense matrix is [3, 9000000000000000000], more than max_dense_size"},
                   {"features_rows", "tensor \"x\": is U8 [8, 1], must be F32 of shape [9, -1]"},
                   {"split_too_high", "tensor \"test_idx\": element 0 is 3, must be in [0, 3)"},
                   {"mask_width", "tensor \"val_masks\": has rows of 2: must be 3 bytes or 1 of packed bits"},
                   {"mask_none", "tensor \"val_masks\": there are 0 splits, number 0"},
                   {"edges_shape", "tensor \"edges\": is [3, 4], must be [E, 2] or [2, E]"},
                   {"labels_none", "tensor \"label_indptr\": is empty, must begin with 0"},
                   {"labels_nodes", "tensor \"label_indptr\": has 4 elements, the metadata say num_nodes 5"},
                   {"labels_pointers", "tensor \"label_indptr\": runs from 0 to 5, must run from 0 to 4, the size of "},
                   {"labels_too_high", "tensor \"label_indices\": element 1 is 2, must be in [0, 2)"},
                   {"labels_huge", "tensor \"label_indices\": the dense matrix is [4, 9000000000000000000], more than"},
                   {"not_safetensors", "has 4 bytes"}},
                  [](const fs::path& path) { io::load_node_dataset(path); });
}

TEST_CASE("node_dataset: the karate club", "[io]") {
    const auto data = io::karate_club();
    REQUIRE(data.num_nodes == 34);
    REQUIRE(data.edge_index.shape() == Extents<2>{2, 156});
    REQUIRE(data.edge_weight.shape() == Extents<1>{156});
    REQUIRE(data.x.shape() == Extents<2>{34, 34});
    std::vector<int> degree(34, 0), classes(2, 0);
    for (weft::index e = 0; e < 156; ++e) ++degree[static_cast<std::size_t>(data.edge_index(0, e))];
    for (const std::int32_t c : data.y.values()) ++classes[static_cast<std::size_t>(c)];
    REQUIRE(degree[0] == 16);
    REQUIRE(degree[33] == 17);
    REQUIRE(degree[11] == 1);
    REQUIRE(classes == std::vector<int>{17, 17});
    const auto weights = data.edge_weight.values();
    REQUIRE(std::accumulate(weights.begin(), weights.end(), 0.0f) == 2 * 231.0f);
}

TEST_CASE("node_dataset: the published files", "[io][data]") {
    struct Expected {
        const char *folder, *file;
        weft::index nodes, features, classes, edges, train, validation, test;
    };
    for (const Expected& e : {Expected{"cora", "", 2708, 1433, 7, 10556, 140, 500, 1000},
                              Expected{"citeseer", "", 3327, 3703, 6, 9104, 120, 500, 1000},
                              Expected{"pubmed", "", 19717, 0, 3, 88648, 60, 500, 1000},
                              Expected{"webkb", "texas", 183, 1703, 5, 325, 87, 59, 37},
                              Expected{"webkb", "wisconsin", 251, 1703, 5, 515, 120, 80, 51},
                              Expected{"webkb", "cornell", 183, 1703, 5, 298, 87, 59, 37},
                              Expected{"wikipedia-directed", "chameleon", 890, 2325, 5, 13584, 409, 287, 194},
                              Expected{"wikipedia-directed", "squirrel", 2223, 2089, 5, 65718, 1053, 718, 452},
                              Expected{"blogcatalog", "", 10312, 0, 39, 2 * 333983, 0, 0, 0},
                              Expected{"minesweeper", "", 10000, 7, 2, 2 * 39402, 5000, 2500, 2500}}) {
        INFO(e.folder);
        const auto data = io::load_node_dataset(data_folder(e.folder) / e.file, {.normalize_features = true});
        CHECK(data.num_nodes == e.nodes);
        CHECK(data.x.shape() == Extents<2>{e.nodes, e.features});
        CHECK(data.num_classes == e.classes);
        CHECK(data.edge_index.shape() == Extents<2>{2, e.edges});
        CHECK(data.train.size() == e.train);
        CHECK(data.validation.size() == e.validation);
        CHECK(data.test.size() == e.test);
    }
    const auto citeseer = io::load_node_dataset(data_folder("citeseer"), {.dense_features = false});
    CHECK(citeseer.unlabelled.size() == 15);
    for (const std::int32_t v : citeseer.unlabelled.values()) CHECK(citeseer.y(v) == 0);
    const auto last = io::load_node_dataset(data_folder("wikipedia-directed") / "squirrel", {.split = 9});
    CHECK(last.train.size() == 1074);
    const auto blogs = io::load_node_dataset(data_folder("blogcatalog"));
    const auto ones = blogs.labels.values();
    CHECK(std::accumulate(ones.begin(), ones.end(), 0.0f) == 14476.0f);
    CHECK(blogs.labels(0, 20) == 1.0f);
    const auto mine = io::karate_club();
    const auto file = io::load_node_dataset(data_folder("karate"), {.identity_features = true});
    CHECK(same(mine.edge_index, file.edge_index));
    CHECK(same(mine.edge_weight, file.edge_weight));
    CHECK(same(mine.y, file.y));
    CHECK(same(mine.x, file.x));
}

TEST_CASE("node_dataset: kinds of labels", "[io]") {
    const auto read = [](const io::NamedTensors& tensors) {
        return io::node_dataset(io::SafetensorsFile::parse(io::safetensors_bytes(tensors)));
    };
    const io::NamedTensors edges{{"edge_index", Tensor<std::int32_t, 2>::from({{0}, {1}})}};
    const auto with = [&](io::NamedTensors more) {
        more.insert(more.end(), edges.begin(), edges.end());
        return more;
    };
    const auto y = Integers::from({0, 1, 1});
    CHECK(same(read(with({{"club", y}})).y, y));
    CHECK(same(read(with({{"club", Integers::from({1, 0, 0})}, {"y", y}})).y, y));
    CHECK(same(read(with({{"y", y}, {"unlabelled_idx", Integers::from({2})}})).unlabelled, Integers::from({2})));
    const auto refused = [&](const io::AnyTensor& labels) { return message([&] { read(with({{"y", labels}})); }); };
    CHECK_THAT(refused(counting<half, 1>({3})), ContainsSubstring("is F16, must be integers"));
    CHECK_THAT(refused(counting<bfloat16, 1>({3})), ContainsSubstring("is BF16, must be integers"));
    CHECK_THAT(refused(Numbers::zeros({3})), ContainsSubstring("is F32, must be integers"));
    CHECK_THAT(refused(Tensor<double, 1>::zeros({3})), ContainsSubstring("is F64, must be integers"));
}

TEST_CASE("node_dataset: a path that names nothing", "[io]") {
    CHECK_THAT(message([] { io::load_node_dataset("no/such/folder/set"); }), ContainsSubstring("no such file"));
    CHECK_THAT(message([] { io::load_node_dataset("no_such_set"); }), ContainsSubstring("no such file"));
}
