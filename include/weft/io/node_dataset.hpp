// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/dataset_reader.hpp>

namespace weft::inline WEFT_ABI::io {

/// A graph whose nodes have features and classes, split into nodes for training, validation and test. What the file
/// does not have is empty.
struct NodeDataset {
    std::string name;
    index num_nodes = 0;
    index num_features = 0;
    index num_classes = 0;
    /// Features, [num_nodes, num_features]; [num_nodes, 0] without features, or when they were not asked for.
    Tensor<float, 2> x;
    /// The features of node i that are not zero, when the file has them so: columns x_indices[k] and values x_values[k]
    /// for k in [x_indptr[i], x_indptr[i + 1]).
    Tensor<std::int32_t, 1> x_indptr;
    Tensor<std::int32_t, 1> x_indices;
    Tensor<float, 1> x_values;
    /// Class of each node, [num_nodes], from 0; empty when nodes have any number of labels.
    Tensor<std::int32_t, 1> y;
    /// Those labels: 1 where a node has one, [num_nodes, num_classes], and as lists: node i has label_indices[k] for k
    /// in [label_indptr[i], label_indptr[i + 1]).
    Tensor<float, 2> labels;
    Tensor<std::int32_t, 1> label_indptr;
    Tensor<std::int32_t, 1> label_indices;
    /// Edges from edge_index[0, e] to edge_index[1, e], [2, edges]. An undirected edge is there in both directions.
    Tensor<std::int32_t, 2> edge_index;
    /// [edges], or empty when all weights are one.
    Tensor<float, 1> edge_weight;
    /// Numbers of the nodes.
    Tensor<std::int32_t, 1> train;
    Tensor<std::int32_t, 1> validation;
    Tensor<std::int32_t, 1> test;
    /// Nodes whose class is not known; `y` is 0 there.
    Tensor<std::int32_t, 1> unlabelled;
};

/// Options of `load_node_dataset`.
struct NodeDatasetOptions {
    /// Which of several published splits.
    index split = 0;
    /// Whether `x` is made of features that the file has as a sparse matrix.
    bool dense_features = true;
    /// Whether nodes without features in the file get the identity matrix, [num_nodes, num_nodes].
    bool identity_features = false;
    /// Whether each row of features is divided by its sum, where that is more than 1 (NormalizeFeatures of PyG).
    bool normalize_features = false;
    /// The largest number of elements of `x` and of `labels`: a small file may describe a very large sparse matrix.
    index max_dense_size = index{1} << 30;
};

namespace detail {

template <class File>
class NodeDatasetReader {
public:
    NodeDatasetReader(const File& file, const NodeDatasetOptions& options)
        : reader_(file, "load_node_dataset"), options_(options) {}

    NodeDataset read() {
        read_classes();
        Features f = read_features(reader_, "x", data_.num_nodes,
                                   {.dense = options_.dense_features,
                                    .identity = options_.identity_features,
                                    .normalize = options_.normalize_features,
                                    .max_dense_size = options_.max_dense_size});
        data_.num_features = f.count;
        data_.x = std::move(f.x);
        data_.x_indptr = std::move(f.indptr);
        data_.x_indices = std::move(f.indices);
        data_.x_values = std::move(f.values);
        read_edges();
        data_.train = read_split("train");
        data_.validation = read_split("val");
        data_.test = read_split("test");
        if (reader_.contains("unlabelled_idx")) data_.unlabelled = nodes("unlabelled_idx");
        return std::move(data_);
    }

private:
    Tensor<std::int32_t, 1> nodes(std::string_view tensor) const {
        return reader_.template indices<1>(tensor, {dyn}, data_.num_nodes);
    }

    void read_classes() {
        if (reader_.contains("label_indptr")) return read_labels();
        const char* const tensor = reader_.contains("club") && !reader_.contains("y") ? "club" : "y";
        data_.y = reader_.template integers<1>(tensor, {dyn});
        data_.num_nodes = data_.y.size();
        reader_.check_count(tensor, data_.num_nodes, "num_nodes");
        data_.num_classes = reader_.count_of(tensor, data_.y.values(), "num_classes");
    }
    void read_labels() {
        const char *const indptr = "label_indptr", *const indices = "label_indices";
        data_.label_indices = reader_.template integers<1>(indices, {dyn});
        data_.num_nodes = reader_.template integers<1>(indptr, {dyn}).size() - 1;
        if (data_.num_nodes < 0) throw reader_.fail(indptr, "is empty, must begin with 0", {});
        reader_.check_count(indptr, data_.num_nodes, "num_nodes");
        data_.label_indptr = reader_.pointers(indptr, data_.num_nodes, indices, data_.label_indices.size());
        data_.num_classes = reader_.count_of(indices, data_.label_indices.values(), "num_labels");
        data_.labels = reader_.multi_hot(indices, data_.label_indptr, data_.label_indices, data_.num_classes,
                                         options_.max_dense_size);
    }

    void read_edges() {
        if (reader_.contains("edge_index")) {
            data_.edge_index = reader_.template indices<2>("edge_index", {2, dyn}, data_.num_nodes);
            if (reader_.contains("edge_weight"))
                data_.edge_weight = reader_.template floats<1>("edge_weight", {data_.edge_index.extent(1)});
            return;
        }
        const auto edges = reader_.template indices<2>("edges", {dyn, dyn}, data_.num_nodes);
        if (edges.extent(0) != 2 && edges.extent(1) != 2)
            throw reader_.fail("edges", "is {}, must be [E, 2] or [2, E]", {weft::detail::shape_text(edges.shape())});
        Tensor<float, 1> weight;
        if (reader_.contains("weight")) weight = reader_.template floats<1>("weight", {edges.size() / 2});
        auto both = both_directions(edges, weight);
        data_.edge_index = std::move(both.edge_index);
        data_.edge_weight = std::move(both.weight);
    }

    /// The nodes of one part of the split, from a list, or from masks of bytes or of bits (least significant first).
    Tensor<std::int32_t, 1> read_split(const std::string& part) const {
        const std::string list = part + "_idx", masks = part + "_masks";
        if (reader_.contains(list)) {
            if (options_.split != 0)
                throw reader_.fail(list, "there is one split, number {} was asked for", {options_.split});
            return nodes(list);
        }
        if (!reader_.contains(masks)) return {};
        const auto mask = reader_.file().template get<std::uint8_t, 2>(masks, {dyn, dyn});
        const index n = data_.num_nodes, width = mask.extent(1);
        if (width != n && width != (n + 7) / 8)
            throw reader_.fail(masks, "has rows of {}: must be {} bytes or {} of packed bits", {width, n, (n + 7) / 8});
        if (options_.split < 0 || options_.split >= mask.extent(0))
            throw reader_.fail(masks, "there are {} splits, number {} was asked for", {mask.extent(0), options_.split});
        const std::uint8_t* const row = mask.data() + options_.split * width;
        std::vector<std::int32_t> chosen;
        for (index i = 0; i < n; ++i)
            if (width == n ? row[i] != 0 : (row[i / 8] >> (i % 8) & 1) != 0)
                chosen.push_back(static_cast<std::int32_t>(i));
        return Tensor<std::int32_t, 1>::from(chosen);
    }

    const DatasetReader<File> reader_;
    const NodeDatasetOptions& options_;
    NodeDataset data_;
};

} // namespace detail

/// The data set in a safetensors file: classes `y` (or `club`), or any number of labels for each node in `label_indptr`
/// [N + 1] and `label_indices`; features `x`, or `x_indptr`, `x_indices` and maybe `x_values`; edges `edge_index` [2,
/// E] and maybe `edge_weight`, or undirected `edges` [E, 2] (or [2, E]), each one once, and maybe `weight`; splits
/// `train_idx`, `val_idx`, `test_idx`, or the rows of `train_masks`, `val_masks`, `test_masks`, a byte or a bit for
/// each node. The metadata may say `num_nodes`, `num_features`, `num_classes`, `num_labels`. Errors: a tensor that is
/// missing, of another shape, or holds a number out of range; no such split.
template <std::same_as<SafetensorsFile> File>
NodeDataset node_dataset(const File& file, const NodeDatasetOptions& options = {}) {
    return detail::NodeDatasetReader<File>(file, options).read();
}

/// The data set in a file, or in the folder of a file: `load_node_dataset("data/cora")`; of several files in a folder
/// the one that is named: `load_node_dataset("data/webkb/texas")`. See node_dataset.
template <std::same_as<SafetensorsFile> File = SafetensorsFile>
NodeDataset load_node_dataset(const std::filesystem::path& path, const NodeDatasetOptions& options = {}) {
    const std::filesystem::path file = detail::find_safetensors(path, "load_node_dataset");
    NodeDataset data = node_dataset(File::read(file), options);
    data.name = file.stem().string();
    return data;
}

} // namespace weft::inline WEFT_ABI::io
