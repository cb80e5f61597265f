// SPDX-License-Identifier: MIT
#include "io_test.hpp"

#include <weft/graph/batch.hpp>

using namespace weft;
using namespace weft_test;

namespace {

io::GraphDataset load(const char* name, const io::GraphDatasetOptions& options = {}) {
    return io::load_graph_dataset(source_folder("fuzz") / "corpus/graph_dataset" / name, options);
}

using Integers = Tensor<std::int32_t, 1>;
using Ends = Tensor<std::int32_t, 2>;
using Features = Tensor<float, 2>;

void require_same(const io::GraphDataset& a, const io::GraphDataset& b) {
    REQUIRE(a.num_graphs == b.num_graphs);
    REQUIRE(a.num_nodes == b.num_nodes);
    REQUIRE(a.num_features == b.num_features);
    REQUIRE(a.num_edge_features == b.num_edge_features);
    REQUIRE(a.num_classes == b.num_classes);
    REQUIRE(same(a.x, b.x));
    REQUIRE(same(a.edge_attr, b.edge_attr));
    REQUIRE(same(a.edge_index, b.edge_index));
    REQUIRE(same(a.batch, b.batch));
    REQUIRE(same(a.y, b.y));
    REQUIRE(same(a.node_label, b.node_label));
    REQUIRE(same(a.edge_label, b.edge_label));
    REQUIRE(same(a.node_attr, b.node_attr));
    REQUIRE(same(a.fold, b.fold));
    REQUIRE(same(a.node_ptr, b.node_ptr));
    REQUIRE(same(a.edge_ptr, b.edge_ptr));
}

} // namespace

TEST_CASE("graph_dataset: labels become features, attributes when asked for", "[io]") {
    const auto data = load("good_all");
    REQUIRE(data.name == "good_all");
    REQUIRE(data.num_graphs == 4);
    REQUIRE(data.num_nodes == 6);
    REQUIRE(data.num_classes == 2);
    REQUIRE(data.num_features == 4); // the metadata know of a label that no node has
    REQUIRE(same(data.x,
                 Features::from({{1, 0, 0, 0}, {0, 0, 1, 0}, {0, 1, 0, 0}, {0, 1, 0, 0}, {1, 0, 0, 0}, {0, 0, 1, 0}})));
    REQUIRE(same(data.edge_attr, Features::from({{1, 0}, {1, 0}, {0, 1}, {1, 0}, {0, 1}})));
    REQUIRE(same(data.node_attr, Features::from({{0.5f}, {1}, {1.5f}, {2}, {2.5f}, {3}})));
    REQUIRE(same(data.batch, Integers::from({0, 0, 2, 2, 2, 3})));
    REQUIRE(same(data.node_ptr, Integers::from({0, 2, 2, 5, 6})));
    REQUIRE(same(data.edge_ptr, Integers::from({0, 2, 2, 4, 5})));
    REQUIRE(same(data.y, Integers::from({1, 0, 1, 0})));
    const auto wide = load("good_wide_attributes", {.node_attributes = true});
    REQUIRE(wide.num_features == 6);
    REQUIRE(wide.x(5, 0) == 10.0f);
    REQUIRE(wide.x(5, 1) == 11.0f);
    REQUIRE(wide.x(5, 4) == 1.0f);
    REQUIRE(load("good_least").x.shape() == Extents<2>{6, 0});
    REQUIRE(load("good_least", {.node_attributes = true}).x.shape() == Extents<2>{6, 0});
    REQUIRE(load("good_none").num_graphs == 0);
    CHECK_THAT(message([] { load("good_all", {.max_dense_size = 23}); }),
               ContainsSubstring("the dense matrix is [6, 4], more than max_dense_size = 23"));
}

TEST_CASE("graph_dataset: edges are put in the order of the graphs", "[io]") {
    const auto data = load("good_unsorted_edges");
    REQUIRE(same(data.edge_index, Ends::from({{0, 1, 2, 3, 5}, {1, 0, 3, 4, 5}})));
    REQUIRE(same(data.edge_label, Integers::from({0, 1, 0, 0, 1})));
    REQUIRE(same(data.edge_ptr, Integers::from({0, 2, 2, 4, 5})));
}

TEST_CASE("graph_dataset: some of the graphs", "[io]") {
    const auto data = load("good_all", {.node_attributes = true});
    const auto part = data.select(Integers::from({3, 1, 0, 3}));
    REQUIRE(part.num_graphs == 4);
    REQUIRE(part.num_nodes == 4);
    REQUIRE(part.num_features == 5);
    REQUIRE(same(part.edge_index, Ends::from({{0, 1, 2, 3}, {0, 2, 1, 3}})));
    REQUIRE(same(part.batch, Integers::from({0, 2, 2, 3})));
    REQUIRE(same(part.y, Integers::from({0, 0, 1, 0})));
    REQUIRE(same(part.fold, Integers::from({-1, 1, 0, -1})));
    REQUIRE(same(part.node_ptr, Integers::from({0, 1, 1, 3, 4})));
    REQUIRE(same(part.edge_ptr, Integers::from({0, 1, 1, 3, 4})));
    REQUIRE(same(part.node_label, Integers::from({2, 0, 2, 2})));
    REQUIRE(same(part.edge_label, Integers::from({1, 0, 0, 1})));
    REQUIRE(same(part.x, Features::from({{3, 0, 0, 1, 0}, {0.5f, 1, 0, 0, 0}, {1, 0, 0, 1, 0}, {3, 0, 0, 1, 0}})));

    // Consecutive graphs share the memory of what is not renumbered, and are the same otherwise.
    const auto all = data.select(Tensor<weft::index, 1>::from({0, 1, 2, 3}));
    require_same(all, data);
    REQUIRE(all.x.data() == data.x.data());
    const auto tail = data.select(Integers::from({1, 2, 3})), same_tail = data.select(Integers::from({1, 2, 3, 1}));
    REQUIRE(tail.x.data() == data.x.data() + 2 * 5);
    REQUIRE(same(tail.x, same_tail.x));
    REQUIRE(same(tail.edge_index, same_tail.edge_index));
    REQUIRE(same(tail.edge_label, same_tail.edge_label));
    require_same(data.select(Integers::from({3, 2, 1, 0})).select(Integers::from({3, 2, 1, 0})), data);
    REQUIRE(data.select(Integers()).num_nodes == 0);
    REQUIRE(data.select(Integers()).x.extent(0) == 0);
    REQUIRE(load("good_least").select(Integers::from({2, 0})).x.shape() == Extents<2>{5, 0});

    const GraphBatch batch(Graph(part.edge_index, part.num_nodes), part.batch, part.num_graphs);
    REQUIRE(batch.num_graphs() == 4);
    REQUIRE(same(batch.ptr(), part.node_ptr));
    CHECK_THAT(message([&] {
                   data.select(Integers::from({0, 4}));
               }),
               ContainsSubstring("select: graph 4 at position 1 is out of range: there are 4 graphs"));
    CHECK_THAT(message([&] { data.select(Integers::from({-1})); }), ContainsSubstring("graph -1 at position 0"));
}

TEST_CASE("graph_dataset: cross-validation", "[io]") {
    const auto data = load("good_all");
    REQUIRE(same(data.split(0).test, Integers::from({0, 2})));
    REQUIRE(same(data.split(0).train, Integers::from({1, 3})));
    REQUIRE(same(data.split(1).train, Integers::from({0, 2, 3})));
    CHECK_THAT(message([&] { data.split(2); }), ContainsSubstring("no graph of 4 is in fold 2"));
    CHECK_THAT(message([&] { data.split(-1); }), ContainsSubstring("no graph of 4 is in fold -1"));
    CHECK_THAT(message([&] { load("good_least").split(0); }), ContainsSubstring("no graph of 4 is in fold 0"));
}

TEST_CASE("graph_dataset: hostile files", "[io]") {
    check_accepted("graph_dataset", [](const fs::path& path) { io::load_graph_dataset(path); });
    check_refused("graph_dataset", "bad_",
                  {{"no_labels", "there is no tensor \"graph_label\""},
                   {"no_indicator", "there is no tensor \"graph_indicator\""},
                   {"no_edges", "there is no tensor \"edge_index\""},
                   {"num_graphs", "tensor \"graph_label\": has 4 elements, the metadata say num_graphs 5"},
                   {"num_nodes", "tensor \"graph_indicator\": has 6 elements, the metadata say num_nodes 5"},
                   {"class_negative", "tensor \"graph_label\": element 2 is -1, must be in [0, "},
                   {"indicator_too_high", "tensor \"graph_indicator\": element 5 is 4, must be in [0, 4)"},
                   {"indicator_down", "tensor \"graph_indicator\": element 3 is 1, less than 2 before it"},
                   {"edge_too_high", "tensor \"edge_index\": element 1 is 6, must be in [0, 6)"},
                   {"edge_between", "tensor \"edge_index\": edge 4 goes from graph 3 to graph 2"},
                   {"edge_labels", "tensor \"edge_label\": is I32 [4], must be I32 of shape [5]"},
                   {"node_label_too_high", "tensor \"node_label\": element 1 is 2, must be in [0, 2)"},
                   {"node_label_floats", "tensor \"node_label\": is F32, must be integers"},
                   {"node_labels", "tensor \"node_label\": is I32 [5], must be I32 of shape [6]"},
                   {"node_attr", "tensor \"node_attr\": is F32 [2, 3], must be F32 of shape [6, -1]"},
                   {"fold_low", "tensor \"fold\": element 3 is -2, must be from 0, or -1"},
                   {"fold_short", "tensor \"fold\": is I32 [3], must be I32 of shape [4]"},
                   {"columns_huge", "the dense matrix is [6, 9000000000000000000], more than max_dense_size"}},
                  [](const fs::path& path) { io::load_graph_dataset(path); });
}

TEST_CASE("graph_dataset: MUTAG and PROTEINS", "[io][data]") {
    const auto mutag = io::load_graph_dataset(data_folder("mutag"));
    CHECK(mutag.num_graphs == 188);
    CHECK(mutag.x.shape() == Extents<2>{3371, 7});
    CHECK(mutag.edge_attr.shape() == Extents<2>{7442, 4});
    CHECK(mutag.num_classes == 2);
    CHECK(same(Integers(slice(mutag.node_ptr, 0, 0, 5)), Integers::from({0, 17, 30, 43, 62})));
    CHECK(same(Integers(slice(mutag.edge_ptr, 0, 0, 5)), Integers::from({0, 38, 66, 94, 138})));
    weft::index tested = 0;
    for (weft::index part = 0; part < 10; ++part) {
        const auto split = mutag.split(part);
        tested += split.test.size();
        CHECK(split.train.size() + split.test.size() == 188);
        const auto test = mutag.select(split.test);
        const GraphBatch batch(Graph(test.edge_index, test.num_nodes), test.batch, test.num_graphs);
        CHECK(batch.num_graphs() == split.test.size());
    }
    CHECK(tested == 188);
    const auto proteins = io::load_graph_dataset(data_folder("proteins"), {.node_attributes = true});
    CHECK(proteins.num_graphs == 1113);
    CHECK(proteins.x.shape() == Extents<2>{43471, 4});
    CHECK(proteins.x(0, 0) == 23.0f);
    CHECK(proteins.edge_attr.shape() == Extents<2>{162088, 0});
    CHECK(proteins.split(0).test.size() == 111);
    CHECK(proteins.split(0).train.size() == 1002);
    CHECK(io::load_graph_dataset(data_folder("proteins")).num_features == 3);
}

TEST_CASE("graph_dataset: edges out of order and attributes, without labels", "[io]") {
    const auto read = [](const io::NamedTensors& more, const io::Metadata& metadata = {}) {
        io::NamedTensors tensors{{"graph_label", Integers::from({0, 1})},
                                 {"graph_indicator", Integers::from({0, 0, 1})},
                                 {"edge_index", Ends::from({{2, 0}, {2, 1}})}};
        tensors.insert(tensors.end(), more.begin(), more.end());
        return io::graph_dataset(io::SafetensorsFile::parse(io::safetensors_bytes(tensors, metadata)),
                                 {.node_attributes = true});
    };
    const Features attributes = Features::from({{1, 2}, {3, 4}, {5, 6}});
    const auto data = read({{"node_attr", attributes}});
    CHECK(same(data.edge_index, Ends::from({{0, 2}, {1, 2}})));
    CHECK(data.edge_label.size() == 0);
    CHECK(same(data.x, attributes));
    const io::NamedTensors labelled{{"node_attr", attributes}, {"node_label", Integers::from({0, 1, 0})}};
    CHECK(same(read(labelled).x, Features::from({{1, 2, 1, 0}, {3, 4, 0, 1}, {5, 6, 1, 0}})));
    CHECK_THAT(message([&] {
                   read(labelled, {{"node_label_values", "9223372036854775807"}});
               }),
               ContainsSubstring("tensor \"node_label\": too many columns"));
}

TEST_CASE("graph_dataset: a selection of more nodes than can be numbered", "[io]") {
    io::GraphDataset data;
    data.num_graphs = 1;
    data.node_ptr = Integers::from({0, 1 << 30});
    data.edge_ptr = Integers::from({0, 0});
    CHECK_THAT(message([&] {
                   data.select(Integers::from({0, 0}));
               }),
               ContainsSubstring("2147483648 nodes and 0 edges are more than can be numbered"));
}
